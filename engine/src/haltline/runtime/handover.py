"""One at a time: engine and guardian do not send orders for the same account at the same moment.

Each says what it does before it looks at what the other says. While the engine's newest heartbeat on disk says that it
guards an account, it holds a lease on it: the guardian keeps away, and the engine sends without looking. Without one
(it stood still, or has only just reached the broker again) it first lets a request of the guardian end, and sends
nothing that the position no longer asks for.
"""

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from haltline.api import AccountSnapshot, Broker, EventSink, Started
from haltline.clock import NS_PER_S, Clock
from haltline.enforce.order import quantity_of
from haltline.errors import Transient
from haltline.model.id import AccountId, OrderId
from haltline.model.order import OrderReport, OrderRequest
from haltline.runtime.heartbeat import FileWork, Heartbeat, NoHeartbeat, heartbeat_path, read_heartbeat

LEASE_NS = 2 * NS_PER_S
"""Less than the shortest silence after which a guardian acts."""
LONGEST_NS = 5 * NS_PER_S
"""A guardian that hangs in a request holds the engine up no longer."""
_AGAIN_S = 0.2
_READ_S = 1.0


class Lease:
    """What the engine has told of itself, and what the guardian tells. `steady` is a clock that nobody can set."""

    def __init__(self, journal: Path, *, steady: Clock) -> None:
        self._journal = journal
        self._steady = steady
        self._renewed: dict[str, int] = {}
        self._yielding: dict[AccountId, int] = {}
        self._reading, self._one_reads = FileWork(_READ_S), asyncio.Lock()

    def renew(self, guards: Iterable[str], at: int) -> None:
        """A heartbeat begun at `at` is on disk, and says that these accounts are guarded."""
        self._renewed = dict.fromkeys(guards, at)

    def is_held(self, account: AccountId) -> bool:
        """Whether a guardian knows that it has to keep away."""
        at = self._renewed.get(account)
        return at is not None and self._steady.now() - at <= LEASE_NS

    async def guardian(self) -> Heartbeat | None:
        """The guardian's word; None where there is none to be read."""
        path = heartbeat_path(self._journal, "guardian")
        read = partial(read_heartbeat, path, role="guardian", journal=self._journal.name)
        async with self._one_reads:
            try:
                return await self._reading.run(read)
            except (NoHeartbeat, OSError):
                return None

    def must_yield(self, account: AccountId, guardian: Heartbeat) -> bool:
        """Whether a request of the guardian is on its way, and not for too long already."""
        told = guardian.accounts.get(account)
        if told is None or not told.sending:
            self._yielding.pop(account, None)
            return False
        return self._steady.now() - self._yielding.setdefault(account, self._steady.now()) <= LONGEST_NS


class HandoverBroker:
    """`api.Broker` for the engine's enforcement. Without a lease an order that closes may be put off with Transient."""

    __slots__ = ("_broker", "_lease")

    def __init__(self, broker: Broker, lease: Lease) -> None:
        self._broker = broker
        self._lease = lease

    async def run(self, sink: EventSink, started: Started) -> None:
        """Keep the connection."""
        await self._broker.run(sink, started)

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """The broker's truth."""
        return await self._broker.snapshot(account)

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        """The order sent under a client id."""
        return await self._broker.find_order(account, client_id)

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        """Cancel an order: that both may do it at once does no harm."""
        await self._broker.cancel(account, order_id)

    async def submit(self, request: OrderRequest) -> OrderReport:
        """Send an order; raises Transient, with nothing sent, where the guardian's request must end first or has
        changed the position."""
        if not self._lease.is_held(request.account):
            await self._require_turn(request)
        return await self._broker.submit(request)

    async def _require_turn(self, request: OrderRequest) -> None:
        guardian = await self._lease.guardian()
        if guardian is None:
            return
        if self._lease.must_yield(request.account, guardian):
            text = f"the guardian sends an order for {request.account} at this moment"
            raise Transient(text, retry_after_s=_AGAIN_S)
        if request.reduce_only:
            held = quantity_of(await self._broker.snapshot(request.account), request.symbol)
            if held * request.side.sign >= 0 or request.quantity > abs(held):
                raise Transient(f"the position of {request.symbol} is {held:+f} by now: the guardian may have acted")


def taking_turns(brokers: Mapping[AccountId, Broker], lease: Lease | None) -> Mapping[AccountId, Broker]:
    """The brokers of enforcement, of which each takes turns with a guardian where there may be one."""
    if lease is None:
        return brokers
    return {account: HandoverBroker(broker, lease) for account, broker in brokers.items()}
