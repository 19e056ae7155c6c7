"""A broker connection that can read, cancel and close, and nothing else: what the guardian holds in its hands."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from haltline.api import AccountSnapshot, Broker, EventSink, Started
from haltline.enforce.order import quantity_of
from haltline.errors import Refused
from haltline.model.id import AccountId, OrderId
from haltline.model.order import OrderReport, OrderRequest, OrderType

type Objection = Callable[[AccountId], Awaitable[str]]
"""Why nothing may be changed on an account right now; empty if it may."""

type Announce = Callable[[AccountId], AbstractAsyncContextManager[None]]
"""Says, before a request on an account and until it has ended, that one is on its way."""


@asynccontextmanager
async def _unannounced(account: AccountId) -> AsyncIterator[None]:
    yield


class ExitOnlyBroker:
    """`api.Broker` over another one. Raises Refused for every order that could open, enlarge or flip a position.

    Only a reduce-only market order against the position that the venue shows now, and no larger than it, passes.
    `objection` is asked before each order and each cancel, once `announce` has said that it is on its way.
    """

    __slots__ = ("_announce", "_broker", "_objection")

    def __init__(self, broker: Broker, objection: Objection, announce: Announce = _unannounced) -> None:
        self._broker = broker
        self._objection = objection
        self._announce = announce

    async def run(self, sink: EventSink, started: Started) -> None:
        """Connect and hear what the venue pushes."""
        await self._broker.run(sink, started)

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """The venue's truth, pulled now."""
        return await self._broker.snapshot(account)

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        """The order sent under a client id."""
        return await self._broker.find_order(account, client_id)

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        """Cancel a working order; raises Refused while there is an objection."""
        async with self._announce(account):
            await self._require_consent(account)
            await self._broker.cancel(account, order_id)

    async def submit(self, request: OrderRequest) -> OrderReport:
        """Send an order that closes; raises Refused for any other, and while there is an objection."""
        if request.type is not OrderType.MARKET or not request.reduce_only or not request.client_id:
            raise Refused(f"the guardian sends nothing but reduce-only market orders, not {_named(request)} [E821]")
        async with self._announce(request.account):
            held = quantity_of(await self._broker.snapshot(request.account), request.symbol)
            if not request.quantity.is_finite() or not 0 < request.quantity <= -held * request.side.sign:
                raise Refused(f"{_named(request)} would not close a position of {held:+f} [E821]")
            await self._require_consent(request.account)
            return await self._broker.submit(request)

    async def _require_consent(self, account: AccountId) -> None:
        objection = await self._objection(account)
        if objection:
            raise Refused(f"{objection} [E821]")


def _named(request: OrderRequest) -> str:
    kind = f"{'reduce-only ' if request.reduce_only else ''}{request.type} order"
    return f"a {kind} to {request.side} {request.quantity:f} {request.symbol}"
