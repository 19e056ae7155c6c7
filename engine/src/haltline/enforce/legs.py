"""The requests of one action as they live: on record before they are sent, visible while they are under way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from haltline.clock import Clock
from haltline.enforce.ledger import Ledger
from haltline.journal.receipt import Goal, LegIntent, LegOutcome, LegState, slippage_of
from haltline.journal.record import RecordKind, entry_of
from haltline.model.event import OutcomeStatus
from haltline.model.id import ActionId, Symbol
from haltline.model.order import Aim, OrderReport, OrderRequest, OrderStatus, OrderType

_UNFILLED = frozenset({LegState.ACKNOWLEDGED, LegState.PARTIAL})
_TAKEN = "taken over: "


@dataclass(slots=True)
class History:
    """What is on record of an action from before: legs that were begun, and how those that ended did.

    `inherited` are orders in doubt of actions that gave way to this one, by client id, `earlier` those that earlier
    tries have left. `aims` is what it was fixed to reach.
    """

    begun: dict[str, LegIntent] = field(default_factory=dict)
    ended: dict[str, LegOutcome] = field(default_factory=dict)
    inherited: dict[str, LegIntent] = field(default_factory=dict)
    aims: dict[Symbol, Aim] = field(default_factory=dict)
    earlier: dict[str, OrderRequest] = field(default_factory=dict)

    def unsettled(self) -> dict[str, LegIntent]:
        """Orders that may have arrived, or that worked when last heard of, by client id: its own, and those handed to
        it of which it knows no more.
        """
        over = {leg for leg, ended in self.ended.items() if ended.state not in _UNFILLED}
        own = {intent.order.client_id: leg for leg, intent in self.begun.items() if intent.order is not None}
        left = {client: self.begun[leg] for client, leg in own.items() if leg not in over}
        return left | {client: intent for client, intent in self.inherited.items() if client not in own}

    def handed(self) -> dict[str, LegIntent]:
        """Orders handed to it, by client id, less those that it has sent itself under the same id."""
        own = {each.order.client_id for leg, each in self.begun.items() if each.order and not leg.startswith(_TAKEN)}
        return {client: intent for client, intent in self.inherited.items() if client not in own}

    def foregone(self) -> tuple[OrderRequest, ...]:
        """Orders of earlier tries whose ids this one has not made its own."""
        own = {intent.order.client_id for intent in self.begun.values() if intent.order is not None}
        return tuple(order for client, order in self.earlier.items() if client not in own)

    def left_at_the_market(self) -> tuple[OrderRequest, ...]:
        """Orders at the market that may have arrived or work: another try looks them up before it sizes its own."""
        orders = [intent.order for intent in self.unsettled().values() if intent.order is not None]
        return tuple(order for order in (*orders, *self.foregone()) if order.type is OrderType.MARKET)


class LegBook:
    """Legs of one action. `changed` is told after each change; it must be quick."""

    def __init__(self, *, clock: Clock, ledger: Ledger, history: History, changed: Callable[[], None]) -> None:
        self.history = history
        self._clock = clock
        self._ledger = ledger
        self._changed = changed
        self._live: dict[str, LegOutcome] = {leg: _restored(intent) for leg, intent in history.begun.items()}
        self._live |= history.ended

    @property
    def legs(self) -> tuple[LegOutcome, ...]:
        """The newest word on every request, in the order in which they were first heard of."""
        return tuple(self._live.values())

    async def begin(self, intent: LegIntent) -> None:
        """Put a request on record; it is sent right after."""
        known = self._live.get(intent.leg)
        leg = _restored(intent) if known is None else known
        self._show(leg)
        self.history.begun[intent.leg] = intent
        await self._ledger.record([entry_of(RecordKind.INTENT, self._clock.now(), intent)], durable=True)
        self._show(msgspec.structs.replace(leg, state=LegState.SENT, sent_at=leg.sent_at or self._clock.now()))

    async def fix(self, action: ActionId, aims: Mapping[Symbol, Aim]) -> Mapping[Symbol, Aim]:
        """Put on record what the action is to reach, unless that was fixed before; returns what counts."""
        if not self.history.aims and aims:
            self.history.aims = dict(aims)
            goal = Goal(action=action, aims=self.history.aims)
            await self._ledger.record([entry_of(RecordKind.INTENT, self._clock.now(), goal)], durable=True)
        return self.history.aims

    def doubt(self, leg: str, detail: str) -> None:
        """It may have arrived."""
        self._show(msgspec.structs.replace(self._live[leg], state=LegState.UNKNOWN, detail=detail))

    def missed(self, leg: str, detail: str) -> None:
        """It did not arrive; it may be sent again."""
        self._show(msgspec.structs.replace(self._live[leg], state=LegState.PLANNED, detail=detail))

    async def refuse(self, leg: str, detail: str, *, stuck: bool = False) -> None:
        """The venue said no: to this order, or, `stuck`, to any of ours for now."""
        state = LegState.STUCK if stuck else LegState.REFUSED
        await self._end(msgspec.structs.replace(self._live[leg], status="refused", state=state, detail=detail))

    async def cancelled(self, leg: str) -> None:
        """The order no longer works."""
        known = self._live[leg]
        ended = msgspec.structs.replace(known, status="cancelled", state=LegState.DONE, detail="")
        await self._end(msgspec.structs.replace(ended, order_id=self.history.begun[leg].cancels))

    async def answer(self, leg: str, report: OrderReport) -> None:
        """The venue's word on an order, the first or a newer one; nothing new changes nothing."""
        known, mark = self._live[leg], self.history.begun[leg].mark
        is_refused = report.status is OrderStatus.REJECTED and not report.filled
        new = msgspec.structs.replace(
            known, status="refused" if is_refused else "accepted", state=_state_of(report), detail=report.reason,
            order_id=report.order_id, filled=report.filled, price=report.average_price,
            slippage=slippage_of(report.side.sign, report.average_price, mark),
        )  # fmt: skip
        if new != known:
            await self._end(new)

    async def take_over(self, action: ActionId, intent: LegIntent, report: OrderReport) -> None:
        """What an order does that was handed to us, as a request of ours: it is part of how the account got flat."""
        leg = _TAKEN + intent.leg
        own = msgspec.structs.replace(intent, action=action, leg=leg)
        self._live[leg], self.history.begun[leg] = self._live.get(leg) or _restored(own), own
        await self.answer(leg, report)

    def unfinished_orders(self) -> list[tuple[LegIntent, OrderRequest]]:
        """Orders the venue has and that were not filled when it last spoke of them."""
        open_legs = {leg for leg, live in self._live.items() if live.state in _UNFILLED}
        begun = self.history.begun.items()
        return [(intent, intent.order) for leg, intent in begun if leg in open_legs and intent.order is not None]

    def close(self, status: OutcomeStatus) -> None:
        """The action is over: what is still open never will be more."""
        if status in (OutcomeStatus.DONE, OutcomeStatus.SUPERSEDED):
            return
        for leg in self.legs:
            if leg.state in (LegState.PLANNED, LegState.ACKNOWLEDGED):
                detail = leg.detail or ("still working" if leg.order_id else "it did not reach the broker")
                self._show(msgspec.structs.replace(leg, state=LegState.STUCK, detail=detail))
            elif leg.state is LegState.SENT:
                self._show(msgspec.structs.replace(leg, state=LegState.UNKNOWN))

    async def _end(self, outcome: LegOutcome) -> None:
        now = self._clock.now()
        outcome = msgspec.structs.replace(outcome, ended_at=now)
        self.history.ended[outcome.leg] = outcome
        self._show(outcome)
        await self._ledger.record([entry_of(RecordKind.OUTCOME, now, outcome)], durable=False)

    def _show(self, leg: LegOutcome) -> None:
        self._live[leg.leg] = leg
        self._changed()


def _restored(intent: LegIntent) -> LegOutcome:
    """A request that is on record and of which nothing more is known."""
    order = intent.order
    if order is None:
        return LegOutcome(
            action=intent.action, leg=intent.leg, status="", state=LegState.PLANNED, order_id=intent.cancels
        )
    return LegOutcome(
        action=intent.action, leg=intent.leg, status="", state=LegState.PLANNED, symbol=order.symbol,
        side=order.side.value, quantity=order.quantity, mark=intent.mark,
    )  # fmt: skip


def _state_of(report: OrderReport) -> LegState:
    match report.status:
        case OrderStatus.FILLED:
            return LegState.FILLED
        case OrderStatus.PARTIALLY_FILLED:
            return LegState.PARTIAL
        case OrderStatus.PENDING | OrderStatus.WORKING:
            return LegState.DONE if report.type.is_stop else LegState.ACKNOWLEDGED
        case _:
            return LegState.PARTIAL if report.filled else LegState.REFUSED
