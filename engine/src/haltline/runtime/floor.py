"""One account under a hard floor: while the engine does not guard it its equity is asked for; at the floor it is
flattened."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Protocol

from haltline.api import AccountSnapshot, Broker
from haltline.builtins.action.order import is_protective
from haltline.clock import NS_PER_S, Clock, format_duration
from haltline.config.settings import GuardianEntry
from haltline.enforce.verify import is_flat, remaining_of
from haltline.errors import EngineError, InvariantBroken
from haltline.journal.receipt import Receipt
from haltline.model.account import AccountSpec
from haltline.model.event import OutcomeStatus
from haltline.model.id import AccountId
from haltline.model.rule import Severity

_CALL_S = 10.0
_LONGEST_PAUSE_NS = 60 * NS_PER_S
REHEARSE_NS = 30 * NS_PER_S

type Say = Callable[[str, Severity, str, str], Awaitable[None]]
"""Tells people: the account (or ""), how grave it is, a title, sentences."""

type CarryOut = Callable[[str, str], Awaitable[Receipt]]
"""Carries an action out on the account: its name, and why."""


class EngineView(Protocol):
    """What a floor needs to know of the engine."""

    @property
    def away(self) -> frozenset[AccountId]:
        """The accounts that it has not guarded for longer than allowed: all of them once it is silent."""

    def absence(self, account: AccountId) -> str:
        """In a clause: why the guardian acts on it."""

    def is_live(self, account: AccountSpec) -> bool:
        """Whether the account is armed: by the engine's last word, else by the set-up."""


class FloorGuard:
    """Asks the broker itself, acts only while the engine is away, and says each thing once while that lasts."""

    def __init__(
        self, account: AccountSpec, *, entry: GuardianEntry, broker: Broker, clock: Clock, wall: Clock,
        engine: EngineView, carry_out: CarryOut, say: Say,
    ) -> None:  # fmt: skip
        self.account = account
        self.equity: float | None = None
        self.is_reached = False
        self._entry = entry
        self._floor: Decimal | None = entry.floors.get(account.id)
        self._broker = broker
        self._clock = clock
        self._wall = wall
        self._engine = engine
        self._carry_out = carry_out
        self._say = say
        self._said: set[str] = set()
        self._failures = 0
        self._not_before = 0
        self._rehearse_at = 0

    async def run(self) -> None:
        """Look every interval until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep_until(self._clock.now() + self._entry.interval_ns)

    async def look(self) -> None:
        """One look: a rehearsal now and then while the engine guards, the real thing while it does not."""
        if self.account.id not in self._engine.away:
            self._said -= {"breach", "flat", "shadow", "unknown"}
            self._failures = self._not_before = 0
            await self._rehearse()
            return
        snapshot, flaw = await self._pull()
        if self.equity is None:
            await self._judge_unknown(snapshot, flaw)
            return
        self._said.discard("unknown")
        if self._floor is None or self.equity > self._floor:
            self._said -= {"breach", "flat", "shadow"}
            return
        assert snapshot is not None
        await self._judge_breach(snapshot, self.equity)

    async def _rehearse(self) -> None:
        """Can we see the account at all? Better to learn it before it matters."""
        if self._clock.now() < self._rehearse_at:
            return
        self._rehearse_at = self._clock.now() + REHEARSE_NS
        _, flaw = await self._pull()
        if not flaw and "blind" in self._said:
            self._said.discard("blind")
            await self._tell(Severity.INFO, "the guardian sees it again", "Its broker answers again.")
        if flaw and self._is_news("blind"):
            await self._tell(
                Severity.WARNING, "the guardian cannot see its equity",
                f"The guardian asked the broker: {flaw}. If the engine failed now, the floor would not be guarded.",
            )  # fmt: skip

    async def _pull(self) -> tuple[AccountSnapshot | None, str]:
        """The account as its broker shows it now, and why its equity is not known (empty if it is)."""
        self.equity, self.is_reached = None, False
        try:
            async with asyncio.timeout(_CALL_S):
                snapshot = await self._broker.snapshot(self.account.id)
        except InvariantBroken:
            raise
        except (EngineError, TimeoutError) as failure:
            return None, str(failure) or "the broker did not answer in time"
        self.is_reached = True
        report = snapshot.account
        age_ns = self._wall.now() - report.received_at
        if report.equity is None or not math.isfinite(report.equity):
            return snapshot, "the broker does not say what the equity is"
        if age_ns > self._entry.silence_ns:
            return snapshot, f"what the broker says of the equity is {format_duration(age_ns)} old"
        self.equity = report.equity
        return snapshot, ""

    async def _judge_unknown(self, snapshot: AccountSnapshot | None, flaw: str) -> None:
        if self._floor is None:
            return
        if self._is_news("unknown"):
            also = "; working orders that could open or enlarge a position are cancelled" if self._blocks else ""
            await self._tell(
                Severity.CRITICAL, f"equity unknown while {self._absence}",
                f"{flaw[:1].upper()}{flaw[1:]}. Nothing is closed on an unknown equity{also}. "
                "Look at the account at the broker now.",
            )  # fmt: skip
        if self._blocks and snapshot is not None and _may_open(snapshot) and self._may_try():
            await self._act("cancel_orders", f"{self._absence}, and the equity of {self.account.id} is unknown")

    async def _judge_breach(self, snapshot: AccountSnapshot, equity: float) -> None:
        facts = f"The broker shows an equity of {equity:,.2f}, the floor is {self._floor:,.2f}, {self._absence}"
        if is_flat(remaining_of(snapshot)):
            if self._is_news("flat"):
                await self._tell(Severity.WARNING, "at its floor, and flat", f"{facts}. Nothing is open.")
        elif not self._engine.is_live(self.account):
            if self._is_news("shadow"):
                await self._tell(
                    Severity.CRITICAL, "at its floor, in shadow",
                    f"{facts}. The account is in shadow: nothing was done; live, it would be flattened.",
                )  # fmt: skip
        elif self._may_try():
            if self._is_news("breach"):
                await self._tell(
                    Severity.CRITICAL, "the guardian flattens it",
                    f"{facts}. All orders are being cancelled and all positions closed.",
                )  # fmt: skip
            reason = f"equity {equity:,.2f} at or below the floor {self._floor:,.2f}, and {self._absence}"
            await self._act("flatten", reason)

    async def _act(self, name: str, reason: str) -> None:
        receipt = await self._carry_out(name, reason)
        if receipt.status is OutcomeStatus.DONE:
            self._failures = self._not_before = 0
            self._said.discard("flat")
            return
        self._failures += 1
        pause_ns = min(_LONGEST_PAUSE_NS, self._entry.interval_ns << min(self._failures, 10))
        self._not_before = self._clock.now() + pause_ns

    @property
    def _absence(self) -> str:
        return self._engine.absence(self.account.id)

    @property
    def _blocks(self) -> bool:
        return self._entry.on_unknown == "block" and self._engine.is_live(self.account)

    def _may_try(self) -> bool:
        return self._clock.now() >= self._not_before

    def _is_news(self, what: str) -> bool:
        is_news = what not in self._said
        self._said.add(what)
        return is_news

    async def _tell(self, severity: Severity, title: str, text: str) -> None:
        await self._say(str(self.account.id), severity, f"{self.account.id}: {title}", text)


def _may_open(snapshot: AccountSnapshot) -> bool:
    return any(order.status.is_working and not is_protective(order, snapshot.positions) for order in snapshot.orders)
