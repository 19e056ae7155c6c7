"""How ready the alarm path has shown itself: what every drill has shown the last time, over restarts."""

from collections.abc import Sequence

import msgspec

from haltline.clock import NS_PER_S, format_duration
from haltline.config.arming import ArmingTerms
from haltline.control.note import Note, Notes
from haltline.notify.drillreport import DrillReport

SPACE = "drill"
_MINUTE_NS = 60 * NS_PER_S
BY_HAND = "by hand"
"""The name under which drills are kept that people start; no drill of a set-up can have it."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One drill, and what it has shown the last time it was run (UTC ns); `score` is None where it never was.

    `due` is the last time at which it should have begun, `missed` how many of those were missed since it was run.
    """

    name: str
    due: int = 0
    at: int = 0
    score: int | None = None
    is_heard: bool = False
    acknowledged_by: str = ""
    ack_ns: int | None = None
    unmet: tuple[str, ...] = ()
    missed: int = 0
    reason: str = ""

    @property
    def readiness(self) -> int | None:
        """0 for one that was missed; None for one whose time has not come yet."""
        return 0 if self.missed else self.score

    def after(self, report: DrillReport, due: int) -> "Standing":
        """The standing once it was run."""
        return Standing(
            name=self.name, due=due, at=report.at, score=report.score, is_heard=report.is_heard,
            acknowledged_by=report.acknowledged_by, ack_ns=report.ack_ns,
            unmet=tuple(check.question for check in report.checks if not check.is_met),
        )  # fmt: skip


class Standings:
    """All standings, on disk before they count."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def get(self, name: str) -> Standing:
        """That of a drill; an empty one where nothing is known of it, or nothing that can be read."""
        kept = self._notes.get(SPACE, name)
        try:
            return msgspec.json.decode(kept or "", type=Standing)
        except msgspec.MsgspecError:
            return Standing(name=name)

    def of(self, drills: Sequence[str]) -> list[Standing]:
        """Those of the drills of a set-up, then that of the last one that somebody started, if one was."""
        by_hand = self.get(BY_HAND)
        return [*(self.get(name) for name in drills), *([by_hand] if by_hand.score is not None else [])]

    async def put(self, standing: Standing) -> None:
        """Keep one; returns once it is on disk."""
        text = msgspec.json.encode(standing).decode()
        await self._notes.put(Note(SPACE, standing.name, max(standing.due, standing.at), text))


def readiness_of(standings: Sequence[Standing]) -> int | None:
    """That of the worst drill that comes again; of the last one by hand where none was run yet; None without any."""
    again = [each.readiness for each in standings if each.name != BY_HAND and each.readiness is not None]
    by_hand = [each.readiness for each in standings if each.name == BY_HAND and each.readiness is not None]
    return min(again or by_hand, default=None)


def shortfall(terms: ArmingTerms, standings: Sequence[Standing], now: int) -> str:
    """What keeps an account from being armed by the terms of the set-up; empty where nothing does."""
    score = readiness_of(standings)
    if not terms.readiness:
        return ""
    if score is None:
        return f"no drill was run yet, and a readiness of {terms.readiness} is asked for"
    if score < terms.readiness:
        worst = next(each for each in standings if each.readiness == score)
        lacks = f"missed {worst.missed} times" if worst.missed else f"not met: {'; '.join(worst.unmet)}"
        return f"the drill {worst.name} has shown a readiness of {score}, and {terms.readiness} is asked for ({lacks})"
    age_ns = now - max(each.at for each in standings)
    if terms.drilled_within_ns and age_ns > terms.drilled_within_ns:
        within = format_duration(terms.drilled_within_ns)
        return f"the last drill was {format_duration(age_ns // _MINUTE_NS * _MINUTE_NS)} ago, and {within} is the most"
    return ""


def readiness_sentence(standings: Sequence[Standing], now: int) -> str:
    """The readiness for a line of its own, with what is wrong; empty where no drill was ever run."""
    score = readiness_of(standings)
    if score is None:
        return ""
    missed = [each.name for each in standings if each.missed]
    unheard = [each.name for each in standings if each.score is not None and not each.is_heard]
    last = max(each.at for each in standings)
    minutes = (now - last) // _MINUTE_NS
    ago = f"{format_duration(minutes * _MINUTE_NS)} ago" if minutes else "just now"
    age = f"last drill {ago}" if last else "never run"
    flaws = [f"{word}: {', '.join(names)}" for word, names in (("missed", missed), ("not heard", unheard)) if names]
    return "; ".join([f"Alarm path: readiness {score} of 100, {age}", *flaws])
