"""Which accounts their brokers have confirmed: each is asked for by itself, whenever its broker connects.

One account or broker that does not answer holds up no other. What is learnt over a connection that has ended meanwhile
confirms nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from haltline.api import AccountSnapshot
from haltline.clock import NS_PER_S, Clock
from haltline.config.settings import Setup
from haltline.errors import InvariantBroken
from haltline.kernel.kernel import Kernel
from haltline.model.account import AccountSpec
from haltline.model.event import ConnectionStatus, ConnectionUpdate, Event
from haltline.model.id import AccountId
from haltline.runtime.discreet import Puller
from haltline.runtime.health import HealthBook
from haltline.runtime.reconcile import activity_of, corrections

_RETRY_NS = 2 * NS_PER_S
_CALL_S = 15.0
_PULLS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a `Believer` works with. `puller` gives the broker to ask, by name; `settle` returns once the kernel has
    taken everything in; `resume` carries on what a crash left half done on an account; `answered` hears of each pull
    that was answered.
    """

    setup: Setup
    kernel: Kernel
    clock: Clock
    health: HealthBook
    puller: Callable[[str], Puller]
    put: Callable[[Event], None]
    settle: Callable[[], Awaitable[None]]
    resume: Callable[[AccountId], Awaitable[None]]
    answered: Callable[[AccountId], None] = lambda account: None


class Believer:
    """`confirmed` are the accounts whose state their broker has confirmed since it last connected."""

    def __init__(self, means: Means) -> None:
        self.confirmed: set[AccountId] = set()
        self.on_all: Callable[[], None] = lambda: None
        self._means = means
        self._connections: dict[str, int] = {}
        self._asked: dict[AccountId, asyncio.Queue[int]] = {each.id: asyncio.Queue() for each in means.setup.accounts}
        self._awaited: set[str] = set()

    def expect(self, brokers: set[str], on_all: Callable[[], None]) -> None:
        """Call `on_all` once, when every account of these brokers has been confirmed for the first time."""
        self._awaited, self.on_all = set(brokers), on_all
        if not brokers:
            on_all()

    def connected(self, broker: str) -> None:
        """A broker has connected: its accounts are to be asked for."""
        accounts = self._accounts(broker)
        for account in accounts:
            self._asked[account.id].put_nowait(self._connections.get(broker, 0))
        if not accounts:
            self._is_up(broker)

    def lost(self, broker: str, reason: str) -> None:
        """A broker's connection has ended: nothing of its accounts is confirmed, and the kernel is told."""
        self._connections[broker] = self._connections.get(broker, 0) + 1
        for account in self._accounts(broker):
            self.confirmed.discard(account.id)
            self._put(account.id, ConnectionStatus.DISCONNECTED, reason)

    async def run(self, account: AccountSpec) -> None:
        """Believe what the broker shows of an account whenever it connects, until cancelled."""
        while True:
            connection = await self._asked[account.id].get()
            await self._reconcile(account)
            if connection != self._connections.get(account.broker, 0):
                continue
            self._believe(account)
            await self._means.resume(account.id)

    async def _reconcile(self, account: AccountSpec) -> None:
        means = self._means
        for _ in range(_PULLS):
            before = activity_of(means.kernel, account.id)
            snapshot = await self._pull(account)
            await means.settle()
            if activity_of(means.kernel, account.id) == before:
                break  # otherwise something was filled or cancelled meanwhile, and the snapshot may be from before it
        for event in corrections(means.kernel, snapshot, means.clock.now()):
            means.put(event)
        await means.settle()

    def _believe(self, account: AccountSpec) -> None:
        self.confirmed.add(account.id)
        if self._means.kernel.state.accounts[account.id].connection in (None, ConnectionStatus.DISCONNECTED):
            # a plugin may say more of its connection than we know, but need not
            self._put(account.id, ConnectionStatus.CONNECTED, "")
        if all(each.id in self.confirmed for each in self._accounts(account.broker)):
            self._is_up(account.broker)

    def _is_up(self, broker: str) -> None:
        self._means.health.set(f"broker {broker}", "up", at=self._means.clock.now())
        was_awaited = broker in self._awaited
        self._awaited.discard(broker)
        if was_awaited and not self._awaited:
            self.on_all()

    async def _pull(self, account: AccountSpec) -> AccountSnapshot:
        """The broker's truth, asked for until it answers."""
        means = self._means
        broker = means.puller(account.broker)
        while True:
            try:
                async with asyncio.timeout(_CALL_S):
                    snapshot = await broker.snapshot(account.id)
                means.answered(account.id)
                return snapshot
            except InvariantBroken:
                raise
            except Exception as failure:  # noqa: BLE001 - the wall around plugin code: a broker may raise anything
                reason = f"account {account.id}: {str(failure) or type(failure).__name__}"
                means.health.set(f"broker {account.broker}", "starting", reason, at=means.clock.now())
                await means.clock.sleep_until(means.clock.now() + _RETRY_NS)

    def _accounts(self, broker: str) -> list[AccountSpec]:
        return [account for account in self._means.setup.accounts if account.broker == broker]

    def _put(self, account: AccountId, status: ConnectionStatus, reason: str) -> None:
        now = self._means.clock.now()
        self._means.put(ConnectionUpdate(at=now, received_at=now, account=account, status=status, reason=reason))
