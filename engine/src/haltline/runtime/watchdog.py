"""Watches the engine from inside: does the event loop turn, is everything evaluated in time, is the guardian there.

It measures with a steady clock of its own. What it finds goes to people once per episode; it ends by itself.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from haltline.clock import NS_PER_S, Clock, format_duration
from haltline.journal.recover import Store
from haltline.kernel.kernel import Kernel
from haltline.model.id import AccountId
from haltline.runtime.guarded import Guarded
from haltline.runtime.handover import Lease
from haltline.runtime.health import HealthBook, Tell
from haltline.runtime.heartbeat import (
    GUARDING,
    STARTING,
    AccountBeat,
    Heartbeat,
    HeartbeatFile,
    NoHeartbeat,
    Vigil,
    heartbeat_path,
    read_heartbeat,
)
from haltline.runtime.inbox import Inbox
from haltline.runtime.pump import Pump

LOOP, EVALUATION, CLOCK, GUARDIAN = "event loop", "evaluation", "clock", "guardian"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchLimits:
    """When the watchdog speaks up. `again_ns` is the shortest time between two alarms about the same thing."""

    every_ns: int = NS_PER_S
    lag_ns: int = 2 * NS_PER_S
    evaluation_ns: int = 5 * NS_PER_S
    again_ns: int = 60 * NS_PER_S


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """What one look found: how late the event loop was, and for how long something has been waiting to be evaluated."""

    lag_ns: int
    overdue_ns: int
    is_well: bool
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The parts of an engine that the watchdog reads, and whom it tells. It changes none of them.

    `tell` goes through the journal's outbox; `shout` past it, for when the journal may be what hangs.
    """

    kernel: Kernel
    pump: Pump
    inbox: Inbox
    store: Store
    clock: Clock
    health: HealthBook
    reconciled: set[AccountId]
    guarded: Guarded
    tell: Tell
    shout: Tell


class Watchdog:
    """The services `run` (measure) and `beat` (leave heartbeats, watch the guardian's); `journal` None: no files.

    `guardian_silence_ns` is how long the guardian may be silent; None: none is expected, until one shows up. Each
    heartbeat that is on disk renews the `lease`.
    """

    def __init__(
        self, watched: Watched, *, steady: Clock, journal: Path | None, pid: int,
        guardian_silence_ns: int | None = None, limits: WatchLimits | None = None, lease: Lease | None = None,
    ) -> None:  # fmt: skip
        self._watched = watched
        self._steady = steady
        self._journal = journal
        self._file = None if journal is None else HeartbeatFile(heartbeat_path(journal, "engine"))
        self._pid = pid
        self._limits = limits or WatchLimits()
        self._lease = lease
        self._run = f"{pid}-{steady.now()}"
        self._number = 0
        self._turns = -1
        self._waiting_since = steady.now()
        self._clocks = (watched.clock.now(), steady.now())
        self._held_ns = 0
        self._wrong: set[str] = set()
        self._told: dict[str, int] = {}
        self._is_guardian_expected = guardian_silence_ns is not None
        self._guardian = Vigil(
            silence_ns=guardian_silence_ns or 15 * NS_PER_S, longest_gap_ns=2 * self._limits.every_ns
        )
        self.subscribers: list[Callable[[Pulse], object]] = []
        self.is_started = False
        self._is_stuck = False

    async def run(self) -> None:
        """Measure once a second until cancelled."""
        while True:
            before = self._steady.now()
            await self._steady.sleep_until(before + self._limits.every_ns)
            await self.look(self._steady.now() - before - self._limits.every_ns)

    async def look(self, lag_ns: int) -> None:
        """One look, after a sleep that was `lag_ns` too long."""
        overdue_ns = self._overdue_ns()
        self._is_stuck = overdue_ns > self._limits.evaluation_ns
        pulse = Pulse(lag_ns=lag_ns, overdue_ns=overdue_ns, is_well=not self._is_stuck, status=self._status())
        for subscriber in tuple(self.subscribers):
            subscriber(pulse)
        await self._judge_lag(lag_ns)
        await self._judge_clock()
        await self._judge_evaluation(overdue_ns)

    async def beat(self) -> None:
        """Leave a heartbeat and look for the guardian's, once a second, until cancelled."""
        if self._journal is None or self._file is None:
            await asyncio.Event().wait()
            return
        while True:
            began, beat = self._steady.now(), self.next_beat()
            await asyncio.to_thread(self._file.write, beat)
            if self._lease is not None:
                self._lease.renew(beat.guards or (), began)
            await self._watch_guardian(self._journal)
            await self._steady.sleep_until(self._steady.now() + self._limits.every_ns)

    def last_beat(self, state: str) -> None:
        """The last heartbeat of this run: ``stopped`` or ``failed``. A disk that refuses it changes nothing."""
        if self._file is None:
            return
        try:
            self._file.write(self.next_beat(state))
        except OSError as error:
            self._watched.health.set("heartbeat", "down", str(error), at=self._watched.clock.now())

    def next_beat(self, state: str = "") -> Heartbeat:
        """The engine as it is now."""
        watched = self._watched
        self._number += 1
        accounts = {
            name: AccountBeat(
                mode=account.mode,
                live=account.live,
                confirmed=name in watched.reconciled,
                equity=account.equity if math.isfinite(account.equity) else None,
                unguarded=watched.guarded.flaw(AccountId(name)),
                pull_age_ns=watched.guarded.pull_age_ns(AccountId(name)),
            )
            for name, account in watched.kernel.state.accounts.items()
        }
        seq, head = watched.store.written
        doing = state or ("stuck" if self._is_stuck else GUARDING if self.is_started else STARTING)
        is_guarding = doing in (GUARDING, STARTING)
        return Heartbeat(
            role="engine", run=self._run, number=self._number, pid=self._pid, wall=watched.clock.now(),
            steady=self._steady.now(), state=doing, journal=self._journal.name if self._journal else "",
            seq=seq, head=head, accounts=accounts,
            guards=tuple(name for name, each in accounts.items() if is_guarding and not each.unguarded),
        )  # fmt: skip

    def _overdue_ns(self) -> int:
        """For how long something has waited while no turn of the pump ended; wakes a pump that overslept."""
        watched, pump, now = self._watched, self._watched.pump, self._steady.now()
        deadline = watched.kernel.deadline
        is_due = deadline is not None and deadline <= watched.clock.now()
        is_waiting = is_due or pump.is_busy or len(watched.inbox) > 0
        if not is_waiting or pump.turns != self._turns:
            self._turns, self._waiting_since = pump.turns, now
        if is_due and not pump.is_busy:
            watched.inbox.wake.set()  # the host's clock was set forward while the pump slept by the other count
        return now - self._waiting_since

    async def _judge_lag(self, lag_ns: int) -> None:
        if lag_ns <= self._limits.lag_ns:
            self._is_over(LOOP)
            return
        late = format_duration(lag_ns)
        self._begins(LOOP, f"it stood still for {late}")
        if self._may_tell(LOOP):
            await self._watched.tell(
                "The engine stood still",
                f"For {late} nothing was evaluated and nothing enforced; it goes on now. Something blocked the process "
                "or the machine: look for a plugin that computes or waits, for swapping, or for a suspended host.",
            )

    async def _judge_clock(self) -> None:
        """The host's clock against the steady one, from look to look."""
        wall, steady = self._watched.clock.now(), self._steady.now()
        before, self._clocks = self._clocks, (wall, steady)
        passed_ns = steady - before[1]
        leap_ns = wall - before[0] - passed_ns
        is_slow = 4 * (wall - before[0]) < 3 * passed_ns
        self._held_ns = self._held_ns + passed_ns if is_slow else 0
        if leap_ns > self._limits.lag_ns and self._may_tell(CLOCK):
            await self._watched.tell(
                "The clock was set forward",
                f"The clock of this machine went forward by {format_duration(leap_ns)} at once: hold times, locks and "
                "trading days ended that much earlier.",
            )
        if self._held_ns <= self._limits.lag_ns:
            self._is_over(CLOCK)
        elif self._begins(CLOCK, "set back; time passes slowly until it has caught up") and self._may_tell(CLOCK):
            await self._watched.tell(
                "The clock was set back",
                "For the engine time passes at half its speed until the clock of this machine has caught up: whatever "
                "waits, hold times and locks, takes up to twice as long. Quotes and fills are judged as ever.",
            )

    async def _judge_evaluation(self, overdue_ns: int) -> None:
        if not self._is_stuck:
            if self._is_over(EVALUATION):
                await self._watched.shout("The engine evaluates again", "Rules are evaluated and enforced again.")
            return
        late = format_duration(overdue_ns)
        is_new = self._begins(EVALUATION, f"nothing was evaluated for {late}")
        if is_new:
            await self._watched.shout(
                "Rules are not evaluated",
                f"Something has waited for {late} and no evaluation ended; perhaps the disk of the journal hangs. "
                "Accounts are NOT guarded by the engine until it goes on; check them now.",
            )

    async def _watch_guardian(self, journal: Path) -> None:
        reason = ""
        try:
            beat: Heartbeat | None = await asyncio.to_thread(
                read_heartbeat, heartbeat_path(journal, GUARDIAN), role=GUARDIAN, journal=journal.name
            )
        except NoHeartbeat as error:
            beat, reason = None, str(error)
        vigil = self._guardian
        vigil.look(beat, self._steady.now())
        if not self._is_guardian_expected and not vigil.was_heard:
            return
        if not vigil.is_silent:
            if self._is_over(GUARDIAN):
                await self._watched.tell("The guardian is back", "It watches this engine again.")
            return
        reason = reason or (f"its last word was “{vigil.last.state}”" if vigil.last else "it never spoke")
        silent = format_duration(vigil.silent_ns // NS_PER_S * NS_PER_S)
        if self._begins(GUARDIAN, f"silent for {silent}: {reason}"):
            await self._watched.tell(
                "The guardian is silent",
                f"Nothing was heard of it for {silent}: {reason}. The engine guards on; if it failed now, nobody would "
                "flatten an account at its floor. Start `haltline guardian` again.",
            )

    def _status(self) -> str:
        watched = self._watched
        confirmed = f"{len(watched.reconciled)} of {len(watched.kernel.state.accounts)} accounts confirmed"
        return f"{'NOT evaluating' if self._is_stuck else 'guarding'}; {confirmed}; {watched.pump.events} events"

    def _begins(self, what: str, reason: str) -> bool:
        """Something is wrong; whether that is news."""
        is_new = what not in self._wrong
        self._wrong.add(what)
        if is_new:
            self._watched.health.set(what, "degraded", reason, at=self._watched.clock.now())
        return is_new

    def _is_over(self, what: str) -> bool:
        """It is fine; whether it was wrong until now."""
        if what not in self._wrong:
            return False
        self._wrong.discard(what)
        self._watched.health.set(what, "up", at=self._watched.clock.now())
        return True

    def _may_tell(self, what: str) -> bool:
        """At most one alarm about the same thing in `again_ns`."""
        now = self._steady.now()
        if now - self._told.get(what, now - self._limits.again_ns) < self._limits.again_ns:
            return False
        self._told[what] = now
        return True
