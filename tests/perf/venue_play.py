"""A scripted day at one venue, and the model beside it that knows what had to happen and what must not.

An account is *broken* while the venue's own price and position break a rule. Broken for LONGEST_S: a breach was missed.
An order or a cancel of the engine while nothing has been broken since it was last quiet: a false flatten. `Told` is
what the engine says of itself, ten times a second.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from venue_desk import Desk, Truth

LONGEST_S = 60.0
AGREE_S = 90.0
TICK_S = 0.1
DOUBT_S = 5.0
"""A price that nothing backs yet holds entries back at once, which takes resting ones away; that is no flatten."""
CALM_WORDS = 3
"""So often in a row the engine must say that it is at rest: its first word after a pause may be from before it."""
MOST_UNITS = 5
CALM_S, STORM_S = 20.0, 40.0


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the engine says of one account. `at` is when (monotonic seconds, which all processes share)."""

    at: float
    quantity: float
    average: float
    orders: int
    fills: int
    cash: float
    realized: float
    is_quiet: bool
    connection: str
    incidents: tuple[str, ...]
    suspects: tuple[str, ...]


@dataclass
class Breach:
    """One breach: when it began (0 where it only nearly did), what was under way, and how long the answer took."""

    kind: str
    at: float
    trouble: str
    order_ms: float | None = None
    flat_ms: float | None = None


@dataclass
class Findings:
    """What came of one venue."""

    breaches: list[Breach] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    agreements: int = 0


class Play:
    """Market, trader, faults and judge of one venue. `ask` sends the engine's operator an order."""

    def __init__(self, desk: Desk, lot: random.Random, ask: Callable[[str, str], None]) -> None:
        self.desk = desk
        self.found = Findings()
        self.over = asyncio.Event()
        self._lot = lot
        self._ask = ask
        self._begun = time.monotonic()
        self.told: Told | None = None
        self._calm_words = 0
        self._goal = desk.start
        self._is_guilty = False
        self._is_rude = False
        self._flat_wanted = False
        self._broken_since: float | None = None
        self._innocent_at = 0.0
        self._breach: Breach | None = None
        self._trouble = ""
        self._trouble_at = 0.0
        self._phantom_at = 0.0
        self._calm = asyncio.Event()
        self._storm = asyncio.Event()
        desk.acted = self._acted

    async def run(self, seconds: float) -> Findings:
        """Play so long; what has begun comes to its end, then everything must agree once more."""
        self.desk.say(self.desk.start)
        async with asyncio.TaskGroup() as group:
            market = group.create_task(self._market())
            trouble = group.create_task(self._make_trouble())
            phases = group.create_task(self._phases())
            trader = group.create_task(self._trade())
            outages = group.create_task(self.desk.sim.outages())
            await asyncio.sleep(seconds)  # sleeps: this is how long it lasts
            self.over.set()
            await trader
            for each in (trouble, phases):
                each.cancel()
            self.desk.mend()
            await self._agree("at the end")
            for each in (market, outages):
                each.cancel()
        return self.found

    def hear(self, told: Told) -> None:
        """The engine says what it thinks."""
        self.told = told
        self._calm_words = self._calm_words + 1 if self._is_calm(told) else 0
        self._judge()

    # -- what happens --------------------------------------------------------------------------------------------------

    async def _market(self) -> None:
        """Small steps around a goal; towards a far goal in steps that a feed would believe."""
        while True:
            last, goal = self.desk.last, self._goal
            step = max(-0.0015, min(0.0015, goal / last - 1)) + self._lot.gauss(0, 0.00008)
            self.desk.say(last * (1 + step))
            self._judge()
            await asyncio.sleep(TICK_S * self._lot.uniform(0.3, 1.7))  # sleeps: the pace of the play

    async def _phases(self) -> None:
        """Trouble and calm in turn."""
        while True:
            self._calm.clear()
            self._storm.set()
            await asyncio.sleep(STORM_S)  # sleeps: the pace of the play
            self._storm.clear()
            self._calm.set()
            await asyncio.sleep(CALM_S)  # sleeps: the pace of the play

    async def _make_trouble(self) -> None:
        while True:
            await self._storm.wait()
            await asyncio.sleep(self._lot.uniform(0.5, 5))  # sleeps: the pace of the play
            if not self._storm.is_set():
                continue
            name, seconds, does = self.desk.strike()
            self.found.done[f"fault: {name}"] += 1
            self._trouble, self._trouble_at = name, time.monotonic()
            does()
            await asyncio.sleep(seconds)  # sleeps: the pace of the play
            self.desk.mend()
            self._trouble_at = time.monotonic()

    async def _trade(self) -> None:
        does: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (40, self._crash), (12, self._oversize), (10, self._near), (12, self._phantom), (8, self._flip),
            (8, self._leave), (4, self._by_operator), (6, self._sit),
        ]  # fmt: skip
        weights, plays = [each for each, _ in does], [each for _, each in does]
        while not self.over.is_set():
            await self._open()
            play = self._lot.choices(plays, weights)[0]
            self.found.done[play.__name__.strip("_").replace("_", " ")] += 1
            await play()
            await self._until_innocent()
            if self._calm.is_set() and self._lot.random() < 0.3:
                await self._agree("in the calm")

    async def _open(self) -> None:
        """Somebody trades at the venue, and often places a stop and an order that rests."""
        self.desk.tidies()
        if not self.desk.truth().quantity:
            self._goal = self.desk.last
            self.desk.trades(self._lot.choice((-3, -2, 2, 3)))
        self._judge()
        sign, last = (1 if self.desk.truth().quantity > 0 else -1), self.desk.last
        if self._lot.random() < 0.5:
            self.desk.protects(last * (1 - sign * 0.03))
        if self._lot.random() < 0.5:
            self.desk.rests(sign, last * (1 - sign * 0.04))
        await asyncio.sleep(self._lot.uniform(0.4, 3))  # sleeps: the pace of the play

    async def _crash(self) -> None:
        """The price goes against the position until a rule is broken, and stays there; sometimes he trades on."""
        truth = self.desk.truth()
        if truth.quantity:
            fall = self.desk.limit * 1.4 / (abs(truth.quantity) * self.desk.multiplier)
            self._goal = truth.average - fall * (1 if truth.quantity > 0 else -1)
        await self._until(lambda: self._is_guilty, 10)
        if self._lot.random() < 0.15:
            self._is_rude = True
            self.found.done["trades on while broken"] += 1
            await asyncio.sleep(self._lot.uniform(0, 0.5))  # sleeps: the pace of the play
            self.desk.trades(self._lot.choice((-2, -1, 1, 2)))

    async def _oversize(self) -> None:
        held = self.desk.truth().quantity
        self.desk.trades((1 if held > 0 else -1) * (MOST_UNITS + 1 - round(abs(held) / self.desk.unit)))
        self._judge()
        await asyncio.sleep(0.5)  # sleeps: the pace of the play

    async def _near(self) -> None:
        """Nearly a breach, and back."""
        truth = self.desk.truth()
        if truth.quantity:
            fall = self.desk.limit * 0.75 / (abs(truth.quantity) * self.desk.multiplier)
            self._goal = truth.average - fall * (1 if truth.quantity > 0 else -1)
            await asyncio.sleep(1)  # sleeps: the pace of the play
            self._goal = truth.average
            await asyncio.sleep(1)  # sleeps: the pace of the play

    async def _phantom(self) -> None:
        """One tick far away; the next one is where it was."""
        self._phantom_at = time.monotonic()
        self.desk.phantom(self.desk.last * self._lot.choice((0.94, 1.06)))
        await asyncio.sleep(0.02)  # sleeps: the next tick comes at once
        self.desk.say(self.desk.last)
        await asyncio.sleep(1)  # sleeps: the pace of the play

    async def _flip(self) -> None:
        held = self.desk.truth().quantity / self.desk.unit
        self.desk.tidies()
        self.desk.trades(-2 * round(held))
        self._judge()
        await asyncio.sleep(0.5)  # sleeps: the pace of the play

    async def _leave(self) -> None:
        held = self.desk.truth().quantity / self.desk.unit
        self.desk.tidies()
        self.desk.trades(-round(held))
        await asyncio.sleep(0.5)  # sleeps: the pace of the play

    async def _sit(self) -> None:
        await asyncio.sleep(self._lot.uniform(1, 4))  # sleeps: the pace of the play

    async def _by_operator(self) -> None:
        """An operator has the engine flatten the account."""
        self._flat_wanted = True
        self._begin("operator")
        if self._breach is not None:
            self._breach.at = self._breach.at or time.monotonic()
        self._ask("flatten", self.desk.name)

    # -- judging -------------------------------------------------------------------------------------------------------

    def _acted(self, what: str) -> None:
        """The engine has sent something that changes orders."""
        now = time.monotonic()
        self._judge()
        if not self._is_guilty and what == "cancel" and now - self._phantom_at < DOUBT_S:
            self.found.done["resting entries taken back over a phantom price"] += 1
        elif not self._is_guilty:
            self.found.false.append(self._told_so(f"{what} although nothing was broken"))
        elif self._breach is not None and self._breach.order_ms is None and self._breach.at:
            self._breach.order_ms = (now - self._breach.at) * 1e3

    def _judge(self) -> None:
        now, truth = time.monotonic(), self.desk.truth()
        share, units = self.desk.loss / self.desk.limit, abs(truth.quantity) / self.desk.unit
        is_broken = share >= 1.02 or units > MOST_UNITS + 0.01 or (self._flat_wanted and truth.quantity != 0)
        if share >= 0.98 or is_broken:
            self._begin("loss" if share >= 0.98 else "size")
            self._innocent_at, self._calm_words = now, 0
        if self._breach is not None and (share >= 1.0 or is_broken) and not self._breach.at:
            self._breach.at = now
        if not is_broken:
            self._end(now, truth)
        elif self._broken_since is None:
            self._broken_since = now
        elif now - self._broken_since > LONGEST_S and self._breach is not None:
            self.found.missed.append(self._told_so(f"{self._breach.kind}: broken for {LONGEST_S:g} s"))
            self._broken_since = now
        if self._is_guilty and self._broken_since is None and self._calm_words >= CALM_WORDS:
            if truth.orders and not truth.quantity and not self._is_rude and self._breach and self._breach.order_ms:
                kinds = ("loss", "operator")
                if self._breach.kind in kinds:
                    self.found.missed.append(self._told_so("flattened, and orders still work"))
            self._is_guilty = self._is_rude = self._flat_wanted = False
            self._breach = None

    def _begin(self, kind: str) -> None:
        if not self._is_guilty:
            told = self.told
            is_well = self._calm.is_set() and told is not None and told.connection == "connected"
            is_calm = is_well and time.monotonic() - self._trouble_at > 8
            self._breach = Breach(kind=kind, at=0.0, trouble="" if is_calm else self._trouble or "storm")
            self.found.breaches.append(self._breach)
        self._is_guilty = True

    def _end(self, now: float, truth: Truth) -> None:
        breach = self._breach
        if breach is not None and breach.at and breach.flat_ms is None and not truth.quantity:
            breach.flat_ms = (now - breach.at) * 1e3
        self._broken_since = None

    def _is_calm(self, told: Told) -> bool:
        """Whether the engine has seen the end of it: quiet, and of the venue's opinion, a while after it was over."""
        if self._broken_since is not None or told.at - self._innocent_at < 1.0:
            return False
        return told.is_quiet and not told.incidents and abs(told.quantity - self.desk.truth().quantity) < 1e-9

    def _told_so(self, text: str) -> str:
        second = time.monotonic() - self._begun
        return (
            f"{self.desk.name} at {second:.1f} s: {text}; trouble {self._trouble!r}; {self.desk.truth()}; {self.told}"
        )

    async def _until_innocent(self) -> None:
        """Nobody opens anything before the engine has put the last thing behind it."""
        if not await self._until(lambda: not self._is_guilty, LONGEST_S * 1.5):
            self.found.missed.append(self._told_so("the engine did not come to rest"))
            self.desk.mend()
            self._is_guilty = False
            return

    async def _agree(self, when: str) -> None:
        """In a calm, the engine comes to hold what the venue holds."""
        if not await self._until(lambda: not self._differing(), AGREE_S):
            self.found.differences.append(self._told_so(f"{when}: {', '.join(self._differing())} differ"))
            return
        self.found.agreements += 1

    def _differing(self) -> list[str]:
        told, truth = self.told, self.desk.truth()
        if told is None:
            return ["everything"]
        names = ("quantity", "average", "orders", "fills", "cash")
        found = [name for name in names if abs(getattr(told, name) - getattr(truth, name)) > 0.006]
        return found + [f"suspect {each}" for each in told.suspects]

    async def _until(self, is_so: Callable[[], bool], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if is_so():
                return True
            await asyncio.sleep(0.02)  # sleeps: a look at the venue from inside
        return is_so()
