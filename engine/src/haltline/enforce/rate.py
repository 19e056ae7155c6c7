"""How many calls a venue takes: one budget per broker, of which reading never takes the last share."""

from collections import deque

from haltline.api import AccountSnapshot, Broker, EventSink, RateLimit, Started
from haltline.clock import NS_PER_S, Clock
from haltline.errors import Transient
from haltline.model.id import AccountId, OrderId
from haltline.model.order import OrderReport, OrderRequest

RESERVED = 0.5
"""The part of a limit that only enforcement may use."""
SPELL_NS = 10 * NS_PER_S
BURST = 20
"""Beyond so many calls, reading spreads its share of a long limit over spells of 10 s: a burst of readings after every
push would leave it blind until the minute is over.
"""


class _Window:
    """Calls of the last `per_s` seconds."""

    __slots__ = ("_calls", "_limit", "_per_ns", "_per_spell", "_read", "_shared")

    def __init__(self, limit: RateLimit) -> None:
        self._limit = limit.calls
        self._shared = limit.calls - max(1, round(limit.calls * RESERVED))
        self._per_ns = round(limit.per_s * NS_PER_S)
        spells = max(1, self._per_ns // SPELL_NS)
        self._per_spell = max(BURST, -(-self._shared // spells))
        self._calls: deque[int] = deque()
        self._read: deque[int] = deque(maxlen=self._per_spell)

    def free_at(self, now: int, *, is_reading: bool) -> int:
        """The first instant at which one more call fits; `now` if it fits already."""
        while self._calls and self._calls[0] <= now - self._per_ns:
            self._calls.popleft()
        most = max(1, self._shared) if is_reading else self._limit
        free = now if len(self._calls) < most else self._calls[len(self._calls) - most] + self._per_ns
        if is_reading and len(self._read) == self._per_spell:
            free = max(free, self._read[0] + min(self._per_ns, SPELL_NS))
        return free

    def take(self, now: int, *, is_reading: bool = False) -> None:
        self._calls.append(now)
        if is_reading:
            self._read.append(now)


class RateBudget:
    """The calls of one broker, whoever makes them. Reading waits for its share; enforcement is told when to come back.

    A limit of a single call has no share for reading beside the reserved one: reading and enforcement then take turns.
    """

    def __init__(self, *, name: str, clock: Clock, calls: RateLimit | None, orders: RateLimit | None) -> None:
        self._name = name
        self._clock = clock
        self._all = _Window(calls) if calls is not None else None
        self._orders = _Window(orders) if orders is not None else None

    async def share(self) -> None:
        """Return once a reading call fits beside what is reserved, and count it."""
        while self._all is not None:
            now = self._clock.now()
            free = self._all.free_at(now, is_reading=True)
            if free <= now:
                self._all.take(now, is_reading=True)
                return
            await self._clock.sleep_until(free)

    def claim(self, *, is_order: bool) -> None:
        """Count a call of enforcement; raises Transient, with the time to come back, where it would be too many."""
        now = self._clock.now()
        windows = [each for each in (self._all, self._orders if is_order else None) if each is not None]
        free = max((each.free_at(now, is_reading=False) for each in windows), default=now)
        if free > now:
            wait_s = (free - now) / NS_PER_S
            raise Transient(f"broker {self._name} takes no more calls for {wait_s:.2f} s", retry_after_s=wait_s)
        for each in windows:
            each.take(now)


class ReadingBroker:
    """`api.Broker` whose pulls wait for their share; it sends nothing."""

    __slots__ = ("_broker", "_budget")

    def __init__(self, broker: Broker, budget: RateBudget) -> None:
        self._broker = broker
        self._budget = budget

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """The broker's truth, once there is a share for it."""
        await self._budget.share()
        return await self._broker.snapshot(account)


class ActingBroker:
    """`api.Broker` for enforcement: every call is counted, and one that does not fit is not sent."""

    __slots__ = ("_broker", "_budget")

    def __init__(self, broker: Broker, budget: RateBudget) -> None:
        self._broker = broker
        self._budget = budget

    async def run(self, sink: EventSink, started: Started) -> None:
        """Keep the connection."""
        await self._broker.run(sink, started)

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """The broker's truth."""
        self._budget.claim(is_order=False)
        return await self._broker.snapshot(account)

    async def submit(self, request: OrderRequest) -> OrderReport:
        """Send an order."""
        self._budget.claim(is_order=True)
        return await self._broker.submit(request)

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        """Cancel an order."""
        self._budget.claim(is_order=True)
        await self._broker.cancel(account, order_id)

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        """The order sent under a client id."""
        self._budget.claim(is_order=False)
        return await self._broker.find_order(account, client_id)
