"""The verbs of one action at one broker: on record before they are sent, repeated in time, confirmed by query.

Doubt comes first: after a cut-off request the desk looks for the order by its client id and reads the position again
before it sends anything. The size of every reducing order comes from a snapshot pulled just before it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from haltline.api import AccountSnapshot, Broker
from haltline.clock import Clock, format_duration
from haltline.enforce.budget import Budget
from haltline.enforce.ledger import Ledger, client_id
from haltline.enforce.order import (
    ZERO,
    is_as_tight,
    protecting_stop,
    protects,
    quantity_of,
    reducing_order,
    whole_lots,
)
from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline.journal.receipt import LegIntent, LegOutcome
from haltline.journal.record import RecordKind, entry_of
from haltline.model.id import AccountId, ActionId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderReport, OrderRequest, OrderStatus

type MarkOf = Callable[[Symbol], float | None]
"""The mark in force for a symbol, or None."""


@dataclass(slots=True)
class History:
    """What is on record of an action from before a restart: legs that were begun, and how those that ended did."""

    begun: dict[str, LegIntent] = field(default_factory=dict)
    ended: dict[str, LegOutcome] = field(default_factory=dict)


class ActionDesk:
    """`api.Desk` for one action. Raises Transient, Refused or OutcomeUnknown once the budget is used up."""

    def __init__(
        self, action: ActionId, *, broker: Broker, clock: Clock, ledger: Ledger, budget: Budget,
        instruments: Mapping[Symbol, InstrumentSpec], mark_of: MarkOf, history: History | None = None,
    ) -> None:  # fmt: skip
        self._action = action
        self._broker = broker
        self._clock = clock
        self._ledger = ledger
        self._budget = budget
        self._instruments = instruments
        self._mark_of = mark_of
        self._history = history or History()
        self._deadline = clock.now() + budget.action_ns
        self._doubt = ""
        self._last_failure = ""
        self.proven_at: int | None = None

    @property
    def legs(self) -> tuple[LegOutcome, ...]:
        """The newest word on every request, in the order in which they were first heard of."""
        return tuple(self._history.ended.values())

    def instrument(self, symbol: Symbol) -> InstrumentSpec | None:
        """The economics of an instrument, or None."""
        return self._instruments.get(symbol)

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """The broker's truth, pulled now; repeated while the broker cannot be reached."""
        return await self._ask(lambda: self._broker.snapshot(account))

    async def recall(self) -> None:
        """Ask the broker what became of the requests that a crash cut off, and put it on record."""
        for leg, intent in tuple(self._history.begun.items()):
            if leg in self._history.ended:
                continue
            outcome = await (self._recall_order(intent) if intent.order else self._recall_cancel(intent))
            if outcome is not None:
                await self._end(outcome)

    async def _recall_order(self, intent: LegIntent) -> LegOutcome | None:
        """How the order of a cut-off request ended; None where it never arrived."""
        request = intent.order
        assert request is not None
        report = await self._ask(lambda: self._broker.find_order(intent.account, request.client_id))
        if report is None:
            return None
        status = "refused" if report.status is OrderStatus.REJECTED and not report.filled else "accepted"
        return LegOutcome(
            action=self._action, leg=intent.leg, status=status, detail=report.reason, order_id=report.order_id,
            filled=report.filled,
        )  # fmt: skip

    async def _recall_cancel(self, intent: LegIntent) -> LegOutcome | None:
        """Whether a cut-off cancel took effect; None where the order still works."""
        present = await self.snapshot(intent.account)
        if any(order.order_id == intent.cancels and order.status.is_working for order in present.orders):
            return None
        return LegOutcome(action=self._action, leg=intent.leg, status="cancelled", order_id=intent.cancels)

    async def cancel(self, account: AccountId, order: OrderReport) -> None:
        """Cancel one working order and confirm that it no longer works."""
        leg = f"cancel {order.order_id}"
        await self._begin(LegIntent(action=self._action, leg=leg, account=account, cancels=order.order_id))
        attempt = 0
        while True:
            refusal = await self._try_cancel(account, order)
            present = await self.snapshot(account)
            if not any(other.order_id == order.order_id and other.status.is_working for other in present.orders):
                self._doubt = ""
                await self._end(LegOutcome(action=self._action, leg=leg, status="cancelled", order_id=order.order_id))
                return
            if refusal:
                await self._end(LegOutcome(action=self._action, leg=leg, status="refused", detail=refusal))
                raise Refused(refusal)
            attempt = await self._pause(attempt)

    async def reduce(self, account: AccountId, symbol: Symbol, *, to: Decimal) -> None:
        """Bring a position down to size `to` with reduce-only orders, and confirm it from a pulled snapshot."""
        pending: _Sent | None = None
        attempt, number = 0, self._next_number(symbol)
        if number > 0:
            pending = _Sent(client_id(self._action, _reduce_leg(symbol, number - 1)), None, self._clock.now())
        while True:
            held = quantity_of(await self.snapshot(account), symbol)
            if abs(held) <= to:
                self._doubt = ""
                return
            if pending is not None and await self._is_settling(account, pending, abs(held)):
                attempt = await self._pause(attempt)
                continue
            if number >= self._budget.orders:
                raise Transient(f"{symbol} is still {held:+f} after {number} orders")
            leg = _reduce_leg(symbol, number)
            request = reducing_order(
                account, symbol, held=held, to=to, spec=self.instrument(symbol), client=client_id(self._action, leg)
            )
            try:
                report = await self._submit(leg, request)
            except Refused:
                if not await self._has_changed(account, symbol, held):
                    raise
                pending, number, attempt = None, number + 1, 0
                continue
            if report is None:
                attempt = await self._pause(attempt)
                continue
            pending, number, attempt = _Sent(request.client_id, abs(held), self._clock.now()), number + 1, 0

    async def place_stop(self, account: AccountId, symbol: Symbol, *, distance: Decimal) -> None:
        """Protect the whole position, `distance` from the mark (from its average price where there is no mark)."""
        attempt, number, spec = 0, self._next_stop(symbol), self.instrument(symbol)
        while True:
            present = await self.snapshot(account)
            held = whole_lots(quantity_of(present, symbol), spec)
            if not held or any(protects(order, symbol, held) for order in present.orders):
                break
            stop = self._reference(present, symbol) - distance * (1 if held > 0 else -1)
            if stop <= ZERO:
                raise Refused(f"a stop {distance} away from the price of {symbol} would be at {stop}")
            leg = _stop_leg(symbol, number)
            client = client_id(self._action, leg)
            if any(order.client_id == client for order in present.orders):
                number += 1  # it works and covers too little: the position has grown
                continue
            request = protecting_stop(account, symbol, held=held, stop=stop, spec=spec, client=client)
            try:
                await self._submit(leg, request)
            except Refused:
                if not await self._has_changed(account, symbol, quantity_of(present, symbol)):
                    raise
                number += 1
            attempt = await self._pause(attempt) if attempt or self._last_failure else 1
        self._doubt = ""
        outgrown = {client_id(self._action, _stop_leg(symbol, each)) for each in range(number)}
        for order in present.orders:
            if order.client_id in outgrown and order.status.is_working and not protects(order, symbol, held):
                await self.cancel(account, order)

    async def move_stop(self, account: AccountId, symbol: Symbol, *, price: Decimal) -> None:
        """Have a stop for the whole position at `price` or closer to the market, then cancel those that are looser."""
        attempt = 0
        leg = f"stop {symbol} at {price}"
        while True:
            present = await self.snapshot(account)
            held = whole_lots(quantity_of(present, symbol), self.instrument(symbol))
            stops = [order for order in present.orders if protects(order, symbol, held)]
            if not held or any(is_as_tight(order, price, held) for order in stops):
                break
            client, spec = client_id(self._action, leg), self.instrument(symbol)
            request = protecting_stop(account, symbol, held=held, stop=price, spec=spec, client=client)
            await self._submit(leg, request)
            attempt = await self._pause(attempt) if attempt or self._last_failure else 1
        self._doubt = ""
        for order in stops:
            if order.stop_price is not None and not is_as_tight(order, price, held):
                await self.cancel(account, order)

    async def _has_changed(self, account: AccountId, symbol: Symbol, held: Decimal) -> bool:
        """Whether the position is no longer the one that a refused order was made for: somebody else traded."""
        return quantity_of(await self.snapshot(account), symbol) != held

    def _reference(self, present: AccountSnapshot, symbol: Symbol) -> Decimal:
        mark = self._mark_of(symbol)
        if mark is not None:
            return Decimal(str(mark))
        return next(position.average_price for position in present.positions if position.symbol == symbol)

    async def _submit(self, leg: str, request: OrderRequest) -> OrderReport | None:
        """Send one order; None where it did not reach the venue and the caller must look before it tries again."""
        self._last_failure = ""
        await self._begin(LegIntent(action=self._action, leg=leg, account=request.account, order=request))
        try:
            async with asyncio.timeout(self._budget.call_s):
                report: OrderReport | None = await self._broker.submit(request)
        except Transient as failure:
            self._last_failure = str(failure)
            return None
        except Refused as refusal:
            await self._end(LegOutcome(action=self._action, leg=leg, status="refused", detail=str(refusal)))
            raise
        except (OutcomeUnknown, TimeoutError) as failure:
            self._last_failure = self._doubt = str(failure) or "the broker did not answer in time"
            report = await self._ask(lambda: self._broker.find_order(request.account, request.client_id))
        if report is None:
            return None
        self._doubt = ""
        await self._end(
            LegOutcome(action=self._action, leg=leg, status="accepted", order_id=report.order_id, filled=report.filled)
        )
        return report

    async def _try_cancel(self, account: AccountId, order: OrderReport) -> str:
        """Send the cancel once; returns the venue's refusal, empty for anything else."""
        try:
            async with asyncio.timeout(self._budget.call_s):
                await self._broker.cancel(account, order.order_id)
        except Refused as refusal:
            return str(refusal)
        except Transient as failure:
            self._last_failure = str(failure)
        except (OutcomeUnknown, TimeoutError) as failure:
            self._last_failure = self._doubt = str(failure) or "the broker did not answer in time"
        return ""

    async def _is_settling(self, account: AccountId, sent: "_Sent", size: Decimal) -> bool:
        """Whether the last order still works, or has filled and the position does not show it yet."""
        report = await self._ask(lambda: self._broker.find_order(account, sent.client))
        if report is None:
            return False
        if report.status.is_working:
            return True
        is_shown = sent.size is None or size <= sent.size - report.filled
        return not is_shown and self._clock.now() < sent.at + self._budget.settle_ns

    async def _ask[T](self, call: Callable[[], Awaitable[T]]) -> T:
        """A query, repeated while the broker cannot be reached."""
        attempt = 0
        while True:
            try:
                async with asyncio.timeout(self._budget.call_s):
                    return await call()
            except (Transient, OutcomeUnknown, TimeoutError) as failure:
                self._last_failure = str(failure) or "the broker did not answer in time"
            attempt = await self._pause(attempt)

    async def _pause(self, attempt: int) -> int:
        """Wait before the next attempt; raises once the time of the action is used up."""
        now = self._clock.now()
        if now >= self._deadline:
            waited = format_duration(self._budget.action_ns)
            cause = self._doubt or self._last_failure
            text = f"not confirmed within {waited}" + (f" ({cause})" if cause else "")
            raise (OutcomeUnknown if self._doubt else Transient)(text)
        await self._clock.sleep_until(min(self._deadline, now + self._budget.wait_ns(attempt)))
        return attempt + 1

    def _next_number(self, symbol: Symbol) -> int:
        """The first reducing leg that has no outcome: a leg that was begun and cut off keeps its client id."""
        number = 0
        while _reduce_leg(symbol, number) in self._history.ended:
            number += 1
        return number

    def _next_stop(self, symbol: Symbol) -> int:
        """The first stop that was not refused: a venue may remember the client id of one that was."""
        number = 0
        while (ended := self._history.ended.get(_stop_leg(symbol, number))) is not None and ended.status == "refused":
            number += 1
        return number

    async def _begin(self, intent: LegIntent) -> None:
        self._history.begun[intent.leg] = intent
        entry = entry_of(RecordKind.INTENT, self._clock.now(), intent)
        await self._ledger.record([entry], durable=True)

    async def _end(self, outcome: LegOutcome) -> None:
        self._history.ended[outcome.leg] = outcome
        await self._ledger.record([entry_of(RecordKind.OUTCOME, self._clock.now(), outcome)], durable=False)


@dataclass(frozen=True, slots=True)
class _Sent:
    """The last reducing order: its client id, the size just before it (None after a restart), and when it was sent."""

    client: str
    size: Decimal | None
    at: int


def _reduce_leg(symbol: Symbol, number: int) -> str:
    return f"reduce {symbol} {number}"


def _stop_leg(symbol: Symbol, number: int) -> str:
    return f"stop {symbol} {number}" if number else f"stop {symbol}"
