"""One client at work: served as the engine serves it, with everything that it says kept."""

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from types import TracebackType
from typing import Self

from haltline.api import AccountSnapshot, Broker, Capability
from haltline.errors import EngineError, OutcomeUnknown, Refused, Transient
from haltline.model.event import (
    AccountReport,
    ConnectionStatus,
    ConnectionUpdate,
    Event,
    Fill,
    OrderUpdate,
    PositionReport,
)
from haltline.model.id import AccountId
from haltline.model.order import OrderReport, OrderRequest, OrderType, Side
from haltline.testing.conformance.world import BrokerWorld
from haltline.testing.patience import Patient

_AGAIN_S = 0.05
_NEAR_TICKS = 40


class Bench(Patient):
    """A client of a world. Inside `async with`, `start` serves it; the end stops it and waits.

    `heard` has every event it pushed, `losses` what ended its `run` (it is then run again, as the engine does), and
    `said` every text it raised.
    """

    def __init__(self, world: BrokerWorld) -> None:
        self.world = world
        self.patience_s = world.patience_s
        self.heard: list[Event] = []
        self.losses: list[EngineError] = []
        self.said: list[str] = []
        self.broker: Broker = world.make()
        self._started = asyncio.Event()
        self._group = asyncio.TaskGroup()
        self._serving: asyncio.Task[None] | None = None
        self._sent = 0

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        await self._group.__aexit__(None, None, None)

    async def start(self) -> None:
        """Serve the client until it says that it has started."""
        self._started.clear()
        self._serving = self._group.create_task(self._serve(), name="conformance-run")
        await self.within(self._started.wait(), "run() to call started")

    def begin(self) -> None:
        """Serve the client without waiting for its start."""
        self._serving = self._group.create_task(self._serve(), name="conformance-run")

    async def stop(self) -> None:
        """Cancel `run` and wait until it has ended."""
        serving, self._serving = self._serving, None
        if serving is not None:
            serving.cancel()
            await self.within(asyncio.wait([serving]), "run() to end after it was cancelled")

    async def _serve(self) -> None:
        while True:
            try:
                await self.broker.run(self.heard.append, self._started.set)
            except EngineError as loss:
                self.losses.append(loss)
                self.said.append(_words(loss))
            await asyncio.sleep(_AGAIN_S)

    async def until_held(self, quantity: Decimal) -> None:
        """Wait until the client has told of this position, by a report, or by fills that add up to it."""
        account = self.world.account
        await self.until(lambda: self.told(account) == quantity, f"the push of a position of {quantity}")

    def told(self, account: AccountId) -> Decimal | None:
        """The position in the world's symbol as the pushes tell it.

        A broker that promises to push positions is believed by its reports alone, as the engine does; for others each
        fill after the last report counts, once.
        """
        told: Decimal | None = None
        reports_only = Capability.PUSH_POSITIONS in self.world.kind.capabilities
        seen: set[str] = set()
        for event in self.heard:
            if not isinstance(event, PositionReport | Fill):
                continue
            if (event.account, event.symbol) != (account, self.world.symbol):
                continue
            if isinstance(event, PositionReport):
                told = event.quantity
            elif event.fill_id not in seen and not reports_only:
                told = (told or Decimal(0)) + event.side.sign * event.quantity
                seen.add(event.fill_id)
        return told

    def of[E](self, kind: type[E]) -> list[E]:
        """What was heard of one kind."""
        return [event for event in self.heard if isinstance(event, kind)]

    def order_updates(self, client_id: str) -> list[OrderReport]:
        """What was pushed of one order."""
        return [event.order for event in self.of(OrderUpdate) if event.order.client_id == client_id]

    def was_told_of_trouble(self, since: int = 0) -> bool:
        """Whether the loss of the connection was said: `run` ended, or an update says so."""
        updates = [event for event in self.heard[since:] if isinstance(event, ConnectionUpdate)]
        return bool(self.losses) or any(update.status is not ConnectionStatus.CONNECTED for update in updates)

    def accounts_told(self) -> list[AccountReport]:
        """Reports on the world's account."""
        return [event for event in self.of(AccountReport) if event.account == self.world.account]

    def order(
        self, side: Side = Side.BUY, lots: int = 1, *, type: OrderType = OrderType.MARKET, reduce_only: bool = False
    ) -> OrderRequest:  # fmt: skip
        """An order under a new client id, of the length the engine's have; one that rests does so near the market."""
        self._sent += 1
        world = self.world
        away = world.price - side.sign * _NEAR_TICKS * world.tick
        beyond = world.price + side.sign * _NEAR_TICKS * world.tick
        return OrderRequest(
            account=world.account, symbol=world.symbol, side=side, quantity=lots * world.lot, type=type,
            limit_price=away if type is OrderType.LIMIT else None,
            stop_price=beyond if type is OrderType.STOP else None,
            reduce_only=reduce_only, client_id=f"hl-{id(self) % 10**9:09d}{self._sent:015d}",
        )  # fmt: skip

    async def snapshot(self, account: AccountId | None = None) -> AccountSnapshot:
        """Pull an account."""
        return await self.call(self.broker.snapshot(account or self.world.account))

    async def submit(self, request: OrderRequest) -> OrderReport:
        """Send an order."""
        return await self.call(self.broker.submit(request))

    async def cancel(self, order: OrderReport) -> None:
        """Cancel an order."""
        await self.call(self.broker.cancel(order.account, order.order_id))

    async def find(self, request: OrderRequest) -> OrderReport | None:
        """Look for an order."""
        return await self.call(self.broker.find_order(request.account, request.client_id))

    async def held(self, account: AccountId | None = None) -> Decimal:
        """The position in the world's symbol, pulled."""
        found = await self.snapshot(account)
        return sum((each.quantity for each in found.positions if each.symbol == self.world.symbol), Decimal(0))

    async def call[T](self, work: Coroutine[object, object, T]) -> T:
        """One call of the client; what it raises must be of the three kinds that are allowed."""
        try:
            return await self.within(work, "a call to be answered, or given up")
        except (Transient, Refused, OutcomeUnknown) as failure:
            self.said.append(_words(failure))
            raise
        except AssertionError:
            raise
        except Exception as failure:
            raise AssertionError(f"a broker raises Transient, Refused or OutcomeUnknown, not {failure!r}") from failure

    async def after_trouble[T](self, work: Callable[[], Coroutine[object, object, T]]) -> T:
        """Call again until nothing Transient is in the way."""

        async def again() -> T:
            while True:
                try:
                    return await work()
                except Transient as failure:
                    await asyncio.sleep(min(max(failure.retry_after_s, _AGAIN_S), self.world.patience_s))

        return await self.within(again(), "the venue to be used again")

    async def filled(self, request: OrderRequest) -> OrderReport:
        """Send an order and wait until the venue says that all of it was done."""
        await self.submit(request)
        found: list[OrderReport] = []

        async def look() -> None:
            while not found:
                there = await self.find(request)
                if there is not None and there.filled == request.quantity:
                    found.append(there)
                else:
                    await asyncio.sleep(_AGAIN_S)

        await self.within(look(), "an order at the market to be filled")
        return found[0]

    async def gone(self, request: OrderRequest) -> None:
        """Wait until a pull no longer shows the order."""

        async def look() -> None:
            while True:
                if all(order.client_id != request.client_id for order in (await self.snapshot()).orders):
                    return
                await asyncio.sleep(_AGAIN_S)

        await self.within(look(), "a cancelled order to be gone")

    def known(self) -> str:
        """What was heard last, and what ended `run`."""
        last = ", ".join(type(event).__name__ for event in self.heard[-8:]) or "nothing"
        lost = f"; run() ended with {self.losses[-1]}" if self.losses else ""
        return f"heard last: {last}{lost}"


def _words(failure: BaseException) -> str:
    """The failure and what it came from, as people would see it in a log."""
    parts: list[str] = []
    cause: BaseException | None = failure
    while cause is not None:
        parts.append(f"{type(cause).__name__}: {cause}")
        cause = cause.__cause__ or cause.__context__
    return " < ".join(parts)
