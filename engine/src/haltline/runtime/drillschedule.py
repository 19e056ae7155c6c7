"""Drills that come again: each begun at its time, and told where it was missed, not heard or not acknowledged."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from haltline.clock import NS_PER_S, Clock, format_duration, to_iso
from haltline.config.drill import DrillEntry
from haltline.control.practice import PracticeAccount
from haltline.control.readiness import Standing, Standings
from haltline.errors import EngineError, Refused
from haltline.notify.drillreport import is_flattened
from haltline.runtime.drillroom import DrillRoom
from haltline.runtime.health import Tell

GRACE_NS = 900 * NS_PER_S
"""How late a drill still begins: after a restart, or after another drill."""
_LOOK_NS = 60 * NS_PER_S
_AGAIN_NS = 10 * NS_PER_S
_MOST_COUNTED = 1000


class DrillSchedule:
    """Runs the drills of a set-up, one after the other. `run` is a service; what it knows outlives the process."""

    def __init__(
        self, entries: Sequence[DrillEntry], room: DrillRoom, standings: Standings, *, clock: Clock, tell: Tell,
        account: str, practice: Callable[[str], PracticeAccount],
    ) -> None:  # fmt: skip
        self._entries = entries
        self._room = room
        self._standings = standings
        self._clock = clock
        self._tell = tell
        self._account = account
        self._practice = practice

    async def run(self) -> None:
        """Begin what is due until cancelled. A drill that is new in the set-up is first due after its first look."""
        if not self._entries:
            await asyncio.Event().wait()
        for entry in self._entries:
            if not self._standings.get(entry.name).due:
                await self._standings.put(Standing(name=entry.name, due=self._clock.now()))
        while True:
            for entry in self._entries:
                await self._look(entry)
            now = self._clock.now()
            times = (entry.next_after(self._standings.get(entry.name).due) for entry in self._entries)
            due = min((time for time in times if time is not None), default=now + _LOOK_NS)
            await self._clock.sleep_until(min(max(due, now + 1), now + _LOOK_NS))

    async def _look(self, entry: DrillEntry) -> None:
        """Begin it where it is due; what is too late by now is missed."""
        now, standing = self._clock.now(), self._standings.get(entry.name)
        missed, last, due = 0, standing.due, entry.next_after(standing.due)
        while due is not None and due < now - GRACE_NS and missed < _MOST_COUNTED:
            missed, last, due = missed + 1, due, entry.next_after(due)
        if missed:
            await self._miss(entry, standing, missed, last, "the engine did not run, or another drill went on")
        if due is not None and due <= now:
            await self._carry_out(entry, due)

    async def _carry_out(self, entry: DrillEntry, due: int) -> None:
        account = entry.account or self._account
        practice, refusal = self._practice_of(entry, account)
        labels = {"account": account, "severity": entry.severity.value, "rule": "drill"}
        while True:
            try:
                name = self._room.begin(labels, wait_ns=entry.wait_ns, schedule=entry.name, due=due, practice=practice)
                break
            except EngineError:  # another one goes on
                if self._clock.now() + _AGAIN_NS > due + GRACE_NS:
                    return
                await self._clock.sleep_until(self._clock.now() + _AGAIN_NS)
        report = await self._room.ended(name)
        if report is None:
            return
        if not report.is_heard:
            lost = "; ".join(report.faults) or "no channel took it"
            await self._tell(f"The drill {entry.name} was not heard", f"An alarm would not have arrived: {lost}.")
        elif entry.wait_ns and not report.acknowledged_by:
            text = f"Nobody acknowledged it within {format_duration(entry.wait_ns)}."
            await self._tell(f"The drill {entry.name} was not acknowledged", f"{text} See 'readiness'.")
        if entry.flatten and not is_flattened(report):
            await self._tell(f"The drill {entry.name} did not flatten {account}", f"{report.flatten or refusal}.")

    def _practice_of(self, entry: DrillEntry, account: str) -> tuple[PracticeAccount | None, str]:
        """The account it flattens; none, and why, where the set-up in force is another than the file that was read."""
        try:
            return self._practice(account) if entry.flatten else None, ""
        except Refused as refusal:
            return None, str(refusal)

    async def _miss(self, entry: DrillEntry, standing: Standing, missed: int, last: int, reason: str) -> None:
        await self._standings.put(
            msgspec.structs.replace(standing, due=last, missed=standing.missed + missed, reason=reason)
        )
        times = f"{missed} times, the last time" if missed > 1 else "It should have begun"
        text = f"{times} at {to_iso(last)}; {reason}. Run it now: drill {entry.account}".rstrip()
        await self._tell(f"The drill {entry.name} was missed", f"{text[:1].upper()}{text[1:]}.")
