"""One desk before a venue of two symbols, on a clock that moves on whenever everybody sleeps."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec
from lane_world import EVAL, MES, MNQ, QUICK, SPECS, FakeVenue

from haltline.api import AccountSnapshot
from haltline.clock import NS_PER_S, ManualClock
from haltline.enforce.budget import Budget
from haltline.enforce.desk import ActionDesk
from haltline.enforce.ledger import client_id
from haltline.enforce.legs import History
from haltline.journal.memory import MemoryJournal
from haltline.journal.receipt import LegIntent, LegOutcome, LegState
from haltline.model.id import AccountId, ActionId, OrderId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderReport, OrderRequest, OrderStatus, OrderType, Side
from haltline.runtime.writer import InlineWriter

ACTION = ActionId("a")
MARK = 20_999.0


@dataclass
class DeskVenue(FakeVenue):
    """A fake venue that keeps what it was sent. `hidden` are orders that its snapshots do not list, `averages` the
    prices of positions where they differ; with `lists_ended` a cancelled order stays in the list as such.
    """

    sent: list[OrderRequest] = field(default_factory=list)
    hidden: set[OrderId] = field(default_factory=set)
    averages: dict[Symbol, Decimal] = field(default_factory=dict)
    lists_ended: bool = False

    async def submit(self, request: OrderRequest) -> OrderReport:
        self.sent.append(request)
        return await super().submit(request)

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        found = await super().snapshot(account)
        positions = tuple(
            msgspec.structs.replace(each, average_price=self.averages.get(each.symbol, each.average_price))
            for each in found.positions
        )
        orders = tuple(order for order in found.orders if order.order_id not in self.hidden)
        return msgspec.structs.replace(found, positions=positions, orders=orders)

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        order = self.orders.get(order_id)
        await super().cancel(account, order_id)
        if self.lists_ended and order is not None:
            self.end(order)

    def end(self, order: OrderReport, status: OrderStatus = OrderStatus.CANCELLED, filled: int = 0) -> OrderReport:
        """An order that works no more and is still listed."""
        ended = msgspec.structs.replace(order, status=status, filled=Decimal(filled))
        self.orders[order.order_id] = ended
        if order.client_id:
            self.by_client[order.client_id] = ended
        return ended

    def working(self) -> dict[str, Decimal]:
        """The quantities of what works, by client id, or by order id where it is somebody else's."""
        return {
            order.client_id or order.order_id: order.quantity
            for order in self.orders.values()
            if order.status.is_working
        }


@dataclass
class DeskWorld:
    """A venue, a clock, a journal, and the desk of one action; `desk(history)` is the one of a later life."""

    venue: DeskVenue = field(default_factory=lambda: DeskVenue(held={MNQ: Decimal(3)}))
    clock: ManualClock = field(default_factory=lambda: ManualClock(NS_PER_S))
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    budget: Budget = QUICK
    mark: float | None = MARK
    instruments: Mapping[Symbol, InstrumentSpec] = field(default_factory=lambda: SPECS)
    shown: list[tuple[LegState | None, str]] = field(default_factory=list)
    called: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        watch, begun_at = self.venue.on_call, self.clock.now()

        def on_call(verb: str) -> None:
            self.called.append((verb, (self.clock.now() - begun_at) // 1_000_000))
            watch(verb)

        self.venue.on_call = on_call

    def desk(self, history: History | None = None) -> ActionDesk:
        """A desk; every change of its last leg is noted in `shown`."""
        desk = ActionDesk(
            ACTION, broker=self.venue, clock=self.clock, ledger=InlineWriter(self.journal), budget=self.budget,
            instruments=self.instruments, mark_of=lambda symbol: self.mark, history=history,
            changed=lambda: self.shown.append((desk.book.legs[-1].state, desk.book.legs[-1].detail)),
        )  # fmt: skip
        return desk

    def on_call(self, watch: Callable[[str], None]) -> None:
        """Tell somebody of each call as well, before it takes effect; what they raise the call raises."""
        noted = self.venue.on_call

        def both(verb: str) -> None:
            noted(verb)
            watch(verb)

        self.venue.on_call = both

    async def do[T](self, work: Awaitable[T], *, on_step: Callable[[], None] = lambda: None) -> T:
        """Await what a desk does; time passes whenever it sleeps."""
        task = asyncio.ensure_future(work)
        for _ in range(5_000):
            for _ in range(6):
                await asyncio.sleep(0)
            if task.done():
                return await task
            on_step()
            wake = self.clock.next_wake_ns()
            if wake is not None:
                self.clock.advance_to(wake)
        task.cancel()
        raise AssertionError("the desk does not come to an end")

    def times(self, verb: str) -> list[int]:
        """When the venue was called so, in milliseconds from the start."""
        return [at for name, at in self.called if name == verb]


def order_of(leg: str, **more: object) -> OrderRequest:
    """What a desk asks for under that leg: by default a close of 3 MNQ at the market."""
    order = OrderRequest(
        account=EVAL,
        symbol=MNQ,
        side=Side.SELL,
        quantity=Decimal(3),
        reduce_only=True,
        client_id=client_id(ACTION, leg),
    )
    return msgspec.structs.replace(order, **more)


def stop_of(leg: str, quantity: int = 3, price: int = 20_899) -> OrderRequest:
    """A protective stop of a desk."""
    return order_of(leg, quantity=Decimal(quantity), type=OrderType.STOP, stop_price=Decimal(price))


def before(*orders: tuple[str, OrderRequest], ended: str = "accepted") -> History:
    """What is on record of a former life: these legs were begun, and ended so (empty: cut off)."""
    history = History()
    for leg, order in orders:
        history.begun[leg] = LegIntent(action=ACTION, leg=leg, account=EVAL, order=order)
        if ended:
            history.ended[leg] = LegOutcome(
                action=ACTION, leg=leg, status=ended, state=LegState.ACKNOWLEDGED, symbol=order.symbol
            )
    return history


def legs(desk: ActionDesk) -> list[str]:
    """The names of a desk's requests."""
    return [leg.leg for leg in desk.book.legs]


__all__ = ["ACTION", "EVAL", "MARK", "MES", "MNQ", "DeskVenue", "DeskWorld", "before", "legs", "order_of", "stop_of"]
