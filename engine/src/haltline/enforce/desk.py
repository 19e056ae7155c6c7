"""The verbs of one action at one broker: on record before they are sent, repeated in time, confirmed by query.

Doubt comes first: after a cut-off request the desk looks for the order by its client id and reads the position again
before it sends anything. The size of every reducing order comes from a snapshot pulled just before it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from haltline.api import AccountSnapshot, Broker
from haltline.clock import NS_PER_S, Clock, format_duration
from haltline.enforce.budget import Budget
from haltline.enforce.ledger import Ledger, client_id
from haltline.enforce.legs import History, LegBook
from haltline.enforce.order import (
    ZERO,
    has_tight_stop,
    is_looser,
    is_passed,
    protecting_stop,
    protects,
    quantity_of,
    reducing_order,
    whole_lots,
)
from haltline.enforce.precedence import Superseded
from haltline.enforce.wait import Wait
from haltline.errors import OutcomeUnknown, Refused, SessionClosed, Transient
from haltline.journal.receipt import LegIntent
from haltline.model.id import AccountId, ActionId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import Aim, OrderReport, OrderRequest, OrderType
from haltline.model.plan import PlannedAction

_MOST_STOPS = 5
"""Stops of one move that may vanish before it counts as failed."""
_NEWEST_NS = NS_PER_S // 10
"""For so long the newest snapshot, with nothing sent since, is as good as one more: venues count their calls."""

type MarkOf = Callable[[Symbol], float | None]
"""The mark in force for a symbol, or None."""


class ActionDesk:
    """`api.Desk` for one action. Raises Transient, Refused or OutcomeUnknown once the budget is used up, and Superseded
    once `make_way` was called.
    """

    def __init__(
        self, action: ActionId, *, broker: Broker, clock: Clock, ledger: Ledger, budget: Budget,
        instruments: Mapping[Symbol, InstrumentSpec], mark_of: MarkOf, history: History | None = None,
        marks: Mapping[Symbol, float] | None = None, changed: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._action = action
        self._broker = broker
        self._clock = clock
        self._budget = budget
        self._instruments = instruments
        self._mark_of = mark_of
        self._marks = marks or {}
        self._history = history or History()
        self._deadline = clock.now() + budget.action_ns
        self._wait = Wait()
        self._behind: PlannedAction | None = None
        self._adopted: dict[Symbol, str] = {}
        self._handed: dict[Symbol, str] = {}
        self._sent: dict[Symbol, _Sent] = {}
        self._doubt = ""
        self._last_failure = ""
        self._not_before = 0
        self._newest: _Pulled | None = None
        self.book = LegBook(clock=clock, ledger=ledger, history=self._history, changed=changed)
        self.superseded_by: PlannedAction | None = None

    def make_way(self, stronger: PlannedAction) -> None:
        """End between two requests: now, where nothing is under way that could not be looked up by the stronger one."""
        self.superseded_by = stronger
        self._wait.cut()

    def hurry(self, stronger: PlannedAction | None) -> None:
        """Something stronger waits behind (None: no more): end at the first thing that is in the way."""
        self._behind = stronger

    def renew(self) -> None:
        """What was done did not hold: take up the work again, with as much time as before."""
        self._deadline = self._clock.now() + self._budget.action_ns

    @property
    def come_back_at(self) -> int | None:
        """When the broker wants to be asked again, where it said so and that is still to come."""
        return self._not_before if self._not_before > self._clock.now() else None

    def instrument(self, symbol: Symbol) -> InstrumentSpec | None:
        """The economics of an instrument, or None."""
        return self._instruments.get(symbol)

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """The broker's truth, pulled now; repeated while the broker cannot be reached."""
        asked, found = await self._ask(lambda: self._pull(account))
        self._newest = _Pulled(account, asked, self._clock.now(), found)
        return found

    async def newest(self, account: AccountId) -> tuple[int, AccountSnapshot]:
        """What the broker shows after the last request of this desk, and the instant it was asked for.

        The snapshot that an action ended with is not pulled again a moment later; an older one is.
        """
        seen = self._newest
        if seen is None or seen.account != account or self._clock.now() - seen.answered_at > _NEWEST_NS:
            await self.snapshot(account)
            seen = self._newest
        assert seen is not None
        return seen.asked_at, seen.snapshot

    async def _pull(self, account: AccountId) -> tuple[int, AccountSnapshot]:
        asked = self._clock.now()
        return asked, await self._broker.snapshot(account)

    async def fix(self, aims: Mapping[Symbol, Aim]) -> Mapping[Symbol, Aim]:
        """What the action is to reach: what was fixed first and is on record, whatever is asked for now."""
        return await self.book.fix(self._action, aims)

    async def recall(self) -> None:
        """Ask the broker what became of the requests that were cut off, ours and those handed to us."""
        for leg, intent in tuple(self._history.begun.items()):
            if leg not in self._history.ended:
                await (self._recall_order(intent, intent.order) if intent.order else self._recall_cancel(intent))
        for client, intent in self._history.handed().items():
            if intent.order is not None:
                await self._take_over(client, intent, intent.order)

    async def _recall_order(self, intent: LegIntent, request: OrderRequest) -> None:
        """How the order of a cut-off request ended; nothing where it never arrived."""
        report = await self._find(intent.account, request.client_id)
        if report is not None:
            await self.book.answer(intent.leg, report)

    async def _take_over(self, client: str, intent: LegIntent, request: OrderRequest) -> None:
        """An order in doubt of an action that gave way: what it does is waited for. One that has not arrived may be on
        its way still: the next order for the symbol takes its id, so that only one of them can ever take effect.
        """
        report = await self._find(intent.account, client)
        if report is not None:
            await self.book.take_over(self._action, intent, report)
        if request.type is OrderType.MARKET:
            (self._adopted if report is None else self._handed)[request.symbol] = client

    async def _recall_cancel(self, intent: LegIntent) -> None:
        """Whether a cut-off cancel took effect; nothing where the order still works."""
        present = await self.snapshot(intent.account)
        if not any(order.order_id == intent.cancels and order.status.is_working for order in present.orders):
            await self.book.cancelled(intent.leg)

    async def settle(self) -> None:
        """Ask once what became of orders that had not filled when last heard of; silence is no failure."""
        for intent, request in self.book.unfinished_orders():
            find = self._broker.find_order(intent.account, request.client_id)
            try:
                report = await self._wait.for_(find, longest_s=self._budget.call_s)
            except (Transient, Refused, OutcomeUnknown, TimeoutError):
                return
            if report is not None:
                await self.book.answer(intent.leg, report)

    async def cancel(self, account: AccountId, order: OrderReport) -> None:
        """Cancel one working order and confirm that it no longer works."""
        leg = f"cancel {order.order_id}"
        await self._begin(LegIntent(action=self._action, leg=leg, account=account, cancels=order.order_id))
        attempt = 0
        while True:
            refusal = await self._try_cancel(account, order, leg)
            present = await self.snapshot(account)
            if not any(other.order_id == order.order_id and other.status.is_working for other in present.orders):
                self._doubt = ""
                await self.book.cancelled(leg)
                return
            if refusal is not None:
                await self.book.refuse(leg, str(refusal), stuck=isinstance(refusal, SessionClosed))
                raise refusal
            attempt = await self._pause(attempt)

    async def reduce(self, account: AccountId, symbol: Symbol, *, to: Decimal, was: Decimal = ZERO) -> None:
        """Bring a position down to size `to` with reduce-only orders, and confirm it from a pulled snapshot.

        One that is no longer on the side of `was` (signed; 0 for either) counts as closed.
        """
        pending = self._sent.get(symbol)
        attempt, number = 0, self._next_number(symbol)
        before = self._handed.get(symbol) if number == 0 else self._client_of(_reduce_leg(symbol, number - 1), symbol)
        if pending is None and before is not None:
            pending = _Sent(before, None)
        while True:
            held = quantity_of(await self.snapshot(account), symbol)
            if abs(held) <= to or held * was < ZERO:
                self._doubt = ""
                self._sent.pop(symbol, None)
                return
            if pending is not None and await self._is_settling(account, symbol, pending, held):
                attempt = await self._pause(attempt)
                continue
            if number >= self._budget.orders:
                raise Transient(f"{symbol} is still {held:+f} after {number} orders")
            leg = _reduce_leg(symbol, number)
            request = reducing_order(
                account, symbol, held=held, to=to, spec=self.instrument(symbol), client=self._client_of(leg, symbol)
            )
            try:
                report = await self._submit(leg, request)
            except Refused as refusal:
                if not await self._has_changed(account, symbol, held):
                    raise await self._judged(leg, request, refusal) from refusal
                pending, number, attempt = None, number + 1, 0
                continue
            if report is None:
                attempt = await self._pause(attempt)
                continue
            pending = self._sent[symbol] = _Sent(request.client_id, held, leg)
            number, attempt = number + 1, 0

    async def place_stop(self, account: AccountId, symbol: Symbol, *, distance: Decimal) -> None:
        """Protect the whole position, `distance` from the mark (from its average price where there is no mark)."""

        def price_at(present: AccountSnapshot, held: Decimal) -> Decimal:
            stop = self._reference(present, symbol) - distance.copy_sign(held)
            if stop <= ZERO:
                raise Refused(f"a stop {distance} away from the price of {symbol} would be at {stop}")
            return stop

        def is_enough(present: AccountSnapshot, held: Decimal) -> bool:
            return any(protects(order, symbol, held) for order in present.orders)

        present, held = await self._protect(account, symbol, f"stop {symbol}", price_at, is_enough)
        ours = self._stops_sent(symbol)
        for order in present.orders:
            if order.client_id in ours and order.status.is_working and not protects(order, symbol, held):
                await self.cancel(account, order)

    async def move_stop(self, account: AccountId, symbol: Symbol, *, price: Decimal) -> None:
        """Have a stop for the whole position at `price` or closer to the market, then cancel those that are looser.

        Where it is refused because the market has passed the price, so that the stop would trigger at once, the
        position is closed as the stop would have closed it.
        """
        try:
            await self._protect(
                account, symbol, f"stop {symbol} at {price}", lambda present, held: price,
                lambda present, held: has_tight_stop(present, symbol, price, held),
            )  # fmt: skip
        except Refused as refusal:
            assert self._newest is not None  # after a refusal the position was read again, and was as before
            held = quantity_of(self._newest.snapshot, symbol)
            if isinstance(refusal, SessionClosed) or not is_passed(price, held, self._mark_of(symbol)):
                raise
            await self.reduce(account, symbol, to=ZERO, was=held)
        else:
            await self._cancel_looser(account, symbol, price)

    async def _protect(
        self, account: AccountId, symbol: Symbol, name: str, price_at: Callable[[AccountSnapshot, Decimal], Decimal],
        is_enough: Callable[[AccountSnapshot, Decimal], bool],
    ) -> tuple[AccountSnapshot, Decimal]:  # fmt: skip
        """Have a stop at that price until there is enough; returns the snapshot that shows it, and the whole lots held.

        After a refusal everything is read again: another position gets another order.
        """
        attempt, number, spec = 0, 0, self.instrument(symbol)
        while True:
            present = await self.snapshot(account)
            held = whole_lots(quantity_of(present, symbol), spec)
            if not held or is_enough(present, held):
                self._doubt = ""
                return present, held
            number, working = await self._next_stop(account, name, held, number)
            if working is None:
                leg, stop = _stop_leg(name, number), price_at(present, held)
                client = client_id(self._action, leg)
                request = protecting_stop(account, symbol, held=held, stop=stop, spec=spec, client=client)
                try:
                    await self._submit(leg, request)
                except Refused:
                    if not await self._has_changed(account, symbol, quantity_of(present, symbol)):
                        raise
            attempt = await self._pause(attempt) if attempt or self._last_failure else 1

    async def _next_stop(
        self, account: AccountId, name: str, held: Decimal, number: int
    ) -> tuple[int, OrderReport | None]:
        """The first stop whose id is not used up, and its order where that works and covers all, though the snapshot
        does not list it yet. One that was refused, has ended or is too small by now has used its id up; one that the
        venue does not find is asked for under its id again.
        """
        while (ended := self._history.ended.get(_stop_leg(name, number))) is not None:
            if ended.status != "refused":
                report = await self._find(account, client_id(self._action, ended.leg))
                if report is None or (report.status.is_working and report.remaining >= abs(held)):
                    return number, report
            number += 1
            if number >= _MOST_STOPS:
                raise Transient(f"no stop stays in place after {number} orders")
        return number, None

    async def _cancel_looser(self, account: AccountId, symbol: Symbol, price: Decimal) -> None:
        """Cancel looser stops, and ours that were outgrown, each once, and only while a tight one is seen to work; ours
        go with the position too, since not every venue lets a stop only reduce."""
        tried, ours = set[str](), self._stops_sent(symbol)
        while True:
            present = await self.snapshot(account)
            held = whole_lots(quantity_of(present, symbol), self.instrument(symbol))
            if held and not has_tight_stop(present, symbol, price, held):
                return
            orders = [order for order in present.orders if order.order_id not in tried]
            looser = next((each for each in orders if is_looser(each, symbol, price, held, ours)), None)
            if looser is None:
                return
            tried.add(looser.order_id)
            await self.cancel(account, looser)

    async def _judged(self, leg: str, request: OrderRequest, refusal: Refused) -> Refused:
        """A refusal in plain words: what is smaller than the venue's smallest lot no order of ours takes off."""
        spec = self.instrument(request.symbol)
        if spec is None or request.quantity >= spec.lot_size or isinstance(refusal, SessionClosed):
            return refusal
        await self.book.refuse(leg, str(refusal), stuck=True)
        left = f"{request.quantity:f} {request.symbol} is less than the smallest lot of {spec.lot_size:f}"
        return Refused(f"{left}, and the venue does not take it: {refusal}")

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
        mark = self._mark(request.symbol)
        await self._begin(LegIntent(action=self._action, leg=leg, account=request.account, order=request, mark=mark))
        try:
            report: OrderReport | None = await self._mutate(self._broker.submit(request))
        except Transient as failure:
            self._note(failure)
            self.book.missed(leg, self._last_failure)
            return None
        except Refused as refusal:
            await self.book.refuse(leg, str(refusal), stuck=isinstance(refusal, SessionClosed))
            raise
        except (OutcomeUnknown, TimeoutError) as failure:
            self._note(failure, in_doubt=True)
            self.book.doubt(leg, self._doubt)
            report = await self._find(request.account, request.client_id)
        if report is None:
            return None
        self._doubt = self._last_failure = ""
        await self.book.answer(leg, report)
        return report

    async def _try_cancel(self, account: AccountId, order: OrderReport, leg: str) -> Refused | None:
        """Send the cancel once; returns the venue's refusal, None for anything else."""
        try:
            await self._mutate(self._broker.cancel(account, order.order_id))
        except Refused as refusal:
            return refusal
        except Transient as failure:
            self._note(failure)
            self.book.missed(leg, self._last_failure)
        except (OutcomeUnknown, TimeoutError) as failure:
            self._note(failure, in_doubt=True)
            self.book.doubt(leg, self._doubt)
        return None

    def _note(self, failure: Exception, *, in_doubt: bool = False) -> None:
        """Remember why a call failed, and when the broker wants to be asked again."""
        self._last_failure = str(failure) or "the broker did not answer in time"
        if in_doubt:
            self._doubt = self._last_failure
        if isinstance(failure, Transient) and failure.retry_after_s > 0:
            self._not_before = self._clock.now() + round(failure.retry_after_s * NS_PER_S)

    async def _is_settling(self, account: AccountId, symbol: Symbol, sent: "_Sent", held: Decimal) -> bool:
        """Whether the last order works, or was lately seen to have filled and the position does not show it. One that
        is on the other side shows it: somebody has opened it. It may have filled after `held` was read."""
        report = await self._find(account, sent.client)
        if report is None:
            return False
        if sent.leg is not None:
            await self.book.answer(sent.leg, report)
        if report.status.is_working:
            return True
        if sent.held is None:
            return await self._has_changed(account, symbol, held)
        is_shown = held * sent.held < ZERO or abs(held) <= abs(sent.held) - report.filled
        sent.ended_at = sent.ended_at or self._clock.now()
        return not is_shown and self._clock.now() < sent.ended_at + self._budget.settle_ns

    async def _ask[T](self, call: Callable[[], Awaitable[T]]) -> T:
        """A query, repeated while the broker cannot be reached."""
        attempt = 0
        while True:
            self._require_lane()
            try:
                return await self._wait.for_(call(), longest_s=self._longest_s)
            except (Transient, OutcomeUnknown, TimeoutError) as failure:
                self._note(failure)
            attempt = await self._pause(attempt)

    async def _find(self, account: AccountId, client: str) -> OrderReport | None:
        return await self._ask(lambda: self._broker.find_order(account, client))

    async def _mutate[T](self, call: Awaitable[T]) -> T:
        """A request that changes something: whoever takes over lets it end within its grace."""
        self._newest = None
        return await self._wait.for_(call, longest_s=self._longest_s, grace_s=self._budget.grace_s)

    @property
    def _longest_s(self) -> float:
        return self._budget.call_s if self._behind is None else min(self._budget.call_s, self._budget.grace_s)

    def _require_lane(self) -> None:
        if self.superseded_by is not None:
            raise Superseded(self.superseded_by)

    async def _pause(self, attempt: int) -> int:
        """Wait before the next attempt; raises once the time of the action is used up, or another needs the lane."""
        self.superseded_by = self.superseded_by or self._behind
        self._require_lane()
        now = self._clock.now()
        if now >= self._deadline:
            waited = format_duration(self._budget.action_ns)
            cause = self._doubt or self._last_failure
            text = f"not confirmed within {waited}" + (f" ({cause})" if cause else "")
            raise (OutcomeUnknown if self._doubt else Transient)(text)
        wake = max(now + self._budget.wait_ns(attempt), self._not_before)
        await self._wait.until(self._clock, min(self._deadline, wake))
        self._require_lane()
        return attempt + 1

    def _next_number(self, symbol: Symbol) -> int:
        """The first reducing leg that has no outcome: a leg that was begun and cut off keeps its client id."""
        number = 0
        while _reduce_leg(symbol, number) in self._history.ended:
            number += 1
        return number

    def _stops_sent(self, symbol: Symbol) -> frozenset[str]:
        """The ids of every stop that this action has asked for, before a restart too."""
        orders = [intent.order for intent in self._history.begun.values()]
        return frozenset(order.client_id for order in orders if order and order.symbol == symbol and order.type.is_stop)

    def _client_of(self, leg: str, symbol: Symbol) -> str:
        """The id of a reducing order: as on record, taken over from an order in doubt, or made from action and leg."""
        begun = self._history.begun.get(leg)
        if begun is not None and begun.order is not None:
            return begun.order.client_id
        return self._adopted.pop(symbol, None) or client_id(self._action, leg)

    def _mark(self, symbol: Symbol) -> Decimal | None:
        """The mark when the action was decided, else the one in force."""
        mark = self._marks.get(symbol)
        mark = self._mark_of(symbol) if mark is None else mark
        return None if mark is None else Decimal(str(mark))

    async def _begin(self, intent: LegIntent) -> None:
        self._require_lane()
        await self.book.begin(intent)
        if self.superseded_by is not None:
            self.book.missed(intent.leg, "it was not sent")
            self._require_lane()


@dataclass(frozen=True, slots=True)
class _Pulled:
    """A snapshot, and when it was asked for and answered."""

    account: AccountId
    asked_at: int
    answered_at: int
    snapshot: AccountSnapshot


@dataclass(slots=True)
class _Sent:
    """The last reducing order: its client id, what was held just before it (None after a restart), which of ours it is
    (None for one that was handed to us), and when it was first seen to work no more (0: not yet)."""

    client: str
    held: Decimal | None
    leg: str | None = None
    ended_at: int = 0


def _reduce_leg(symbol: Symbol, number: int) -> str:
    return f"reduce {symbol} {number}"


def _stop_leg(name: str, number: int) -> str:
    return f"{name} {number}" if number else name
