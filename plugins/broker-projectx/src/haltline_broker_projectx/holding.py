"""What an account is known to hold, and whether a word on it that carries no time can be the newest.

The platform's messages about positions do not say when they were made, so one that is late could undo what was read
since. But a position changes by executions alone, and those have numbers: a pushed position is believed if the
executions heard of since the last word on its contract lead from there to here. Any other is kept back, and everything
is read again; it is told as soon as its execution has come.
"""

from collections.abc import Sequence

from haltline.model.event import Event
from haltline.model.id import AccountId, Symbol
from haltline_broker_projectx.wire import REMOVED, SIDES, WirePosition, WireTrade, flat_report, position_report

type _Known = tuple[Symbol, int, float]


class Holdings:
    """The positions of one account as last told. Methods return the events that tell what is new."""

    def __init__(self, account: AccountId) -> None:
        self.account = account
        self._known: dict[str, _Known] = {}
        self._executed: dict[str, int] = {}
        self._kept_back: dict[str, tuple[WirePosition, Symbol, int]] = {}

    @property
    def is_in_doubt(self) -> bool:
        """Whether something was pushed that what is known does not lead to."""
        return bool(self._kept_back)

    def push(self, told: WirePosition, symbol: Symbol, now: int, *, action: int) -> list[Event]:
        """A pushed position; size 0, or a removal, is flat. One that nothing explains is kept back."""
        held, contract = 0 if action == REMOVED else told.held, told.contract_id
        known = self._known.get(contract)
        if (known is None and not held) or known == (symbol, held, told.average_price):
            self._settle(contract)
            return []
        before = known[1] if known is not None else 0
        executed = self._executed.get(contract, 0)
        if not executed or held - before != executed:
            self._kept_back[contract] = told, symbol, action
            return []
        return self._tell(told, symbol, now, held)

    def execute(self, trade: WireTrade, now: int) -> list[Event]:
        """An execution that is new; it may explain what was kept back."""
        contract = trade.contract_id
        change = trade.size * SIDES[trade.side].sign if trade.side in SIDES else 0
        self._executed[contract] = self._executed.get(contract, 0) + change
        kept = self._kept_back.pop(contract, None)
        return [] if kept is None else self.push(kept[0], kept[1], now, action=kept[2])

    def read(self, told: Sequence[tuple[WirePosition, Symbol]], now: int) -> list[Event]:
        """All positions there are, as just read: what is not among them is flat, and there is no more doubt."""
        events: list[Event] = []
        for each, symbol in told:
            held = each.held
            known = self._known.get(each.contract_id)
            if known != (symbol, held, each.average_price) and (held or known is not None):
                events += self._tell(each, symbol, now, held)
        there = {each.contract_id for each, _ in told}
        for gone in [contract for contract in self._known if contract not in there]:
            symbol, _, _ = self._known.pop(gone)
            events.append(flat_report(self.account, symbol, now))
        self._executed.clear()
        self._kept_back.clear()
        return events

    def _tell(self, told: WirePosition, symbol: Symbol, now: int, held: int) -> list[Event]:
        report = position_report(told, self.account, symbol, now, is_gone=not held)
        if held:
            self._known[told.contract_id] = symbol, held, told.average_price
        else:
            self._known.pop(told.contract_id, None)
        self._settle(told.contract_id)
        return [report]

    def _settle(self, contract: str) -> None:
        self._executed.pop(contract, None)
        self._kept_back.pop(contract, None)
