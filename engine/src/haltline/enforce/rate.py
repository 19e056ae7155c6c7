"""How many calls a venue takes: one budget per broker, of which reading never takes the last share.

Calls count for what they are worth to the venue (`api.Metered`), 1 where a broker says nothing.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from haltline.api import AccountSnapshot, Broker, BrokerCall, EventSink, Metered, OrderLookup, RateLimit, Started
from haltline.clock import NS_PER_S, Clock
from haltline.enforce.spacing import Spacing
from haltline.errors import Transient
from haltline.model.id import AccountId, OrderId
from haltline.model.order import OrderReport, OrderRequest

RESERVED = 0.5
"""The part of a limit that only enforcement may use."""
READ_S = 10.0
"""How long an answer to a pull is waited for, once there was a share for it."""
SPELL_NS = 10 * NS_PER_S
BURST = 20
"""Beyond so many calls, reading spreads its share of a long limit over spells of 10 s: a burst of readings after every
push would leave it blind until the minute is over.
"""


class _Count:
    """What was taken in the last `per_ns`, at most `most`."""

    __slots__ = ("_most", "_per_ns", "_taken", "_used")

    def __init__(self, most: int, per_ns: int) -> None:
        self._most = most
        self._per_ns = per_ns
        self._taken: deque[tuple[int, int]] = deque()
        self._used = 0

    def share_used(self, now: int) -> float:
        """What part of it is taken, 0 to 1."""
        while self._taken and self._taken[0][0] <= now - self._per_ns:
            self._used -= self._taken.popleft()[1]
        return self._used / self._most

    def free_at(self, now: int, cost: int) -> int:
        """The first instant at which so much more fits; what is more than all there is waits for everything."""
        self.share_used(now)
        excess, free = self._used + min(cost, self._most) - self._most, now
        for at, worth in self._taken:
            if excess <= 0:
                break
            excess -= worth
            free = at + self._per_ns
        return free

    def take(self, now: int, cost: int) -> None:
        self._taken.append((now, cost))
        self._used += cost


class _Window:
    """One limit: what everybody takes of it, and what reading does."""

    __slots__ = ("_all", "_read", "_spell")

    def __init__(self, limit: RateLimit) -> None:
        per_ns = round(limit.per_s * NS_PER_S)
        shared = limit.calls - round(limit.calls * RESERVED)
        spells = max(1, per_ns // SPELL_NS)
        self._all = _Count(limit.calls, per_ns)
        self._read = _Count(shared, per_ns)
        self._spell = _Count(min(shared, max(BURST, -(-shared // spells))), min(per_ns, SPELL_NS))

    def free_at(self, now: int, cost: int, *, is_reading: bool) -> int:
        """The first instant at which a call fits; `now` if it fits already."""
        counts = (self._all, self._read, self._spell) if is_reading else (self._all,)
        return max(count.free_at(now, cost) for count in counts)

    def is_half_used(self, now: int) -> bool:
        """Whether more than half of it was taken within its time."""
        return self._all.share_used(now) > 0.5

    def take(self, now: int, cost: int, *, is_reading: bool = False) -> None:
        for count in (self._all, self._read, self._spell) if is_reading else (self._all,):
            count.take(now, cost)


class RateBudget:
    """The calls of one broker, whoever makes them. Reading waits for its share, one after the other, so that a heavy
    call is not passed over for ever; enforcement is told when to come back.

    What enforcement takes of what is reserved for it delays no reading: a guard that acts must go on seeing. A limit of
    a single call has no share for reading beside the reserved one: reading and enforcement then take turns.

    A budget made `beside` another one counts its calls with that one's, for a venue that counts both as one caller's.
    Orders it counts for itself.
    """

    def __init__(
        self, *, name: str, clock: Clock, calls: RateLimit | None, orders: RateLimit | None,
        beside: "RateBudget | None" = None,
    ) -> None:  # fmt: skip
        self._name = name
        self._clock = clock
        own = _Window(calls) if calls is not None else None
        self._all: _Window | None = own if beside is None else beside._all
        self._orders = _Window(orders) if orders is not None else None
        self._turn: asyncio.Lock = asyncio.Lock() if beside is None else beside._turn
        self.spacing = Spacing(clock)

    async def share(self, cost: int = 1, /) -> None:
        """Return once a reading call that is worth so much fits beside what is reserved, and count it."""
        if self._all is None:
            return
        async with self._turn:
            while (free := self._all.free_at(self._clock.now(), cost, is_reading=True)) > self._clock.now():
                await self._clock.sleep_until(free)
            self._all.take(self._clock.now(), cost, is_reading=True)

    @property
    def is_scarce(self) -> bool:
        """Whether half of the calls are used up: from then on they are not spent on one symbol alone."""
        return self._all is not None and self._all.is_half_used(self._clock.now())

    def claim(self, cost: int = 1, *, is_order: bool) -> None:
        """Count a call of enforcement; raises Transient, with the time to come back, where it would be too many. Of the
        limit of orders each is worth one.
        """
        now = self._clock.now()
        windows = [(self._all, cost), (self._orders if is_order else None, 1)]
        wanted = [(window, worth) for window, worth in windows if window is not None]
        free = max((window.free_at(now, worth, is_reading=False) for window, worth in wanted), default=now)
        if free > now:
            wait_s = (free - now) / NS_PER_S
            raise Transient(f"broker {self._name} takes no more calls for {wait_s:.2f} s", retry_after_s=wait_s)
        for window, worth in wanted:
            window.take(now, worth)


class ReadingBroker:
    """`api.Broker` whose pulls wait for their share, where its calls are limited; it sends nothing."""

    __slots__ = ("_broker", "_budget")

    def __init__(self, broker: Broker, budget: RateBudget | None) -> None:
        self._broker = broker
        self._budget = budget

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """The broker's truth, once there is a share for it; raises Transient where it then does not answer in time."""
        return await self._ask(BrokerCall.SNAPSHOT, lambda: self._broker.snapshot(account))

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        """The order sent under a client id, once there is a share for it; raises like `snapshot`."""
        return await self._ask(BrokerCall.FIND_ORDER, lambda: self._broker.find_order(account, client_id))

    async def look_up(self, order: OrderReport) -> OrderReport | None:
        """What became of an order, once there is a share for it; None where the broker cannot be asked by its id."""
        broker = self._broker
        if not isinstance(broker, OrderLookup):
            return None
        return await self._ask(BrokerCall.FIND_ORDER, lambda: broker.look_up(order))

    async def _ask[T](self, call: BrokerCall, answer: Callable[[], Awaitable[T]]) -> T:
        if self._budget is not None:
            await self._budget.share(_cost(self._broker, call))
        try:
            async with asyncio.timeout(READ_S):
                return await answer()
        except TimeoutError as failure:
            raise Transient(str(failure) or f"no answer within {READ_S:g} s") from failure


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
        self._claim(BrokerCall.SNAPSHOT)
        return await self._broker.snapshot(account)

    async def submit(self, request: OrderRequest) -> OrderReport:
        """Send an order."""
        if self._budget.is_scarce:
            self._budget.spacing.require(request)
        self._claim(BrokerCall.SUBMIT)
        self._budget.spacing.note(request)
        return await self._broker.submit(request)

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        """Cancel an order."""
        self._claim(BrokerCall.CANCEL)
        await self._broker.cancel(account, order_id)

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        """The order sent under a client id."""
        self._claim(BrokerCall.FIND_ORDER)
        return await self._broker.find_order(account, client_id)

    def _claim(self, call: BrokerCall) -> None:
        is_order = call in (BrokerCall.SUBMIT, BrokerCall.CANCEL)
        self._budget.claim(_cost(self._broker, call), is_order=is_order)


def _cost(broker: Broker, call: BrokerCall) -> int:
    return max(1, broker.cost(call)) if isinstance(broker, Metered) else 1
