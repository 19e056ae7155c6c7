"""What an enforcement of a test would touch beyond its caps: rehearsed like the real one, on the positions and orders
that the steps have made."""

from collections.abc import Mapping
from decimal import Decimal

from haltline.api import AccountSnapshot, Action
from haltline.enforce.cap import rehearse
from haltline.enforce.order import ZERO
from haltline.errors import EngineError
from haltline.model.event import AccountReport, PositionReport
from haltline.model.id import AccountId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import Aim, OrderReport
from haltline.model.plan import Over, PlannedAction
from haltline.state.state import State


def excess_of(action: Action | None, planned: PlannedAction, state: State, now: int) -> str:
    """What of an action is beyond caps that nobody has lifted, in words; empty if nothing, or where it has none.

    Raises EngineError for an action of a plugin that waits for something while it is rehearsed.
    """
    caps = planned.caps
    if caps is None or caps.is_open or caps.over is Over.PROCEED or planned.consent:
        return ""
    if action is None or action.run is None or planned.account not in state.accounts:
        return ""
    rehearsal = rehearse(action, planned, _StillDesk(state, now))
    try:
        rehearsal.send(None)
    except StopIteration as ended:
        reach = ended.value[0]
    else:
        rehearsal.close()
        raise EngineError(f"the action {action.name!r} waits for something, so it cannot be rehearsed in a test")
    return str(reach.excess(caps, lambda symbol: _value_of(state, symbol)))


class _StillDesk:
    """`api.Desk` of an account on which nothing is done."""

    def __init__(self, state: State, now: int) -> None:
        self._state = state
        self._now = now

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        known, now = self._state.accounts[account], self._now
        return AccountSnapshot(
            account=AccountReport(at=now, received_at=now, account=account),
            positions=tuple(
                PositionReport(
                    at=now, received_at=now, account=account, symbol=Symbol(held.symbol),
                    quantity=Decimal(str(held.quantity)), average_price=Decimal(str(held.average_price)),
                )
                for held in known.book.values()
            ),
            orders=tuple(order.report for order in known.order_book.values()),
        )  # fmt: skip

    def instrument(self, symbol: Symbol) -> InstrumentSpec | None:
        known = self._state.names.get(symbol)
        return known.spec if known is not None else None

    async def cancel(self, account: AccountId, order: OrderReport) -> None:
        """Nothing."""

    async def fix(self, aims: Mapping[Symbol, Aim]) -> Mapping[Symbol, Aim]:
        return aims

    async def reduce(self, account: AccountId, symbol: Symbol, *, to: Decimal, was: Decimal = ZERO) -> None:
        """Nothing."""

    async def place_stop(self, account: AccountId, symbol: Symbol, *, distance: Decimal) -> None:
        """Nothing."""

    async def move_stop(self, account: AccountId, symbol: Symbol, *, price: Decimal) -> None:
        """Nothing."""


def _value_of(state: State, symbol: Symbol) -> Decimal | None:
    """The money that one unit stands for; None without a mark."""
    known = state.names.get(symbol)
    if known is None or known.mark != known.mark:
        return None
    return abs(Decimal(str(known.mark))) * known.spec.multiplier
