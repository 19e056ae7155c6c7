"""What each venue must know; the rest of the plugin is the same for all."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from haltline.api import AccountSnapshot, Finding
from haltline.model.event import Event, Quote
from haltline.model.id import OrderId
from haltline.model.order import OrderReport, OrderRequest
from haltline_broker_ccxt.client import Line
from haltline_broker_ccxt.market import Market, Markets


class Doubt(Exception):
    """A message says that something may have been missed: everything is read again and the streams are made anew."""


class Ask(StrEnum):
    """What is asked of a venue: one of these may be many of its calls."""

    OPEN = "open"
    CLOCK = "clock"
    PULL = "pull"
    QUOTES = "quotes"
    FILLS = "fills"
    FLOWS = "flows"
    FIND = "find"
    PLACE = "place"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One connection: how it is opened. `open` returns only by raising; `is_public` is True where prices come in.

    One that `answers` says something as soon as it is open; another is silent until something happens.
    """

    name: str
    open: Callable[[], Awaitable[None]]
    is_public: bool = False
    answers: bool = True


class Venue(Protocol):
    """One account at one venue. Methods raise Transient, Refused, OutcomeUnknown; `hear` raises Malformed and Doubt."""

    name: str
    quiet_s: float
    """Streams that tell no price for so long, while something is held, have prices asked for by REST."""
    line: Line
    markets: Markets

    def cost(self, ask: Ask) -> int:
        """What the next such question is worth of the kind's limit, at most."""

    async def open(self) -> None:
        """Load what must be known before anything can be read: markets, the mode of positions."""

    async def pull(self) -> AccountSnapshot:
        """Everything, from the venue itself."""

    async def quotes(self, symbols: Collection[str]) -> Sequence[Quote]:
        """The present prices of some symbols."""

    async def fills(self, since_ms: int) -> Sequence[Event]:
        """Executions since an instant of the venue's clock."""

    async def flows(self, since_ms: int) -> Sequence[Event]:
        """Deposits, withdrawals and funding since an instant of the venue's clock."""

    async def place(self, request: OrderRequest, market: Market) -> OrderReport:
        """Send an order, once per client id."""

    async def cancel(self, order_id: OrderId) -> None:
        """Cancel an order; one that does not work is no error."""

    async def find(self, client_id: str) -> OrderReport | None:
        """An order by our client id."""

    async def find_by_id(self, order: OrderReport) -> OrderReport | None:
        """What became of an order that no longer works; None where the venue does not say."""

    def subscriptions(self, symbols: Collection[str]) -> Sequence[Subscription]:
        """The connections to keep."""

    def hear(self, message: object) -> Iterable[Event] | None:
        """What a message of a stream says; None where it is not for us but for ccxt."""

    async def refresh(self) -> None:
        """Keep alive what expires (a listen key)."""

    async def permissions(self) -> Sequence[Finding]:
        """What the key may do that matters, as far as the venue says."""

    async def arm_dead_man(self, seconds: int) -> None:
        """Let the venue cancel open orders once we are not heard of for so long; 0 takes it back."""


async def together[A, B, C](one: Awaitable[A], two: Awaitable[B], three: Awaitable[C]) -> tuple[A, B, C]:
    """Await three at once; the first failure is raised as itself, and the others end."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = (group.create_task(_of(one)), group.create_task(_of(two)), group.create_task(_of(three)))
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    return tasks[0].result(), tasks[1].result(), tasks[2].result()


async def each_of[T](awaitables: Iterable[Awaitable[T]]) -> list[T]:
    """Await all at once, in order; the first failure is raised as itself, and the others end."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_of(each)) for each in awaitables]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    return [task.result() for task in tasks]


async def _of[T](awaitable: Awaitable[T]) -> T:
    return await awaitable
