"""Silences: what operators do not want to hear of until an instant. Enforcement and the journal never rest."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from haltline.model.event import Silence, Unsilence
from haltline.model.matcher import Matcher, match_all, parse_matchers


class StandingSilence(msgspec.Struct, frozen=True, kw_only=True):
    """One silence, in ``[since, until)``."""

    id: str
    matchers: tuple[Matcher, ...]
    since: int
    until: int
    operator: str
    reason: str


class SilenceBook:
    """The silences that stand. Ended ones are forgotten; the journal keeps who asked for them and why."""

    def __init__(self, standing: Iterable[StandingSilence] = ()) -> None:
        self._standing = {silence.id: silence for silence in standing}

    def __iter__(self) -> Iterator[StandingSilence]:
        return iter(self._standing.values())

    def add(self, event: Silence, now: int) -> StandingSilence:
        """A new silence, or another end for one of the same id; raises ValueError for a matcher that is none."""
        silence = StandingSilence(
            id=event.silence_id, matchers=parse_matchers(event.matchers), since=now, until=event.until,
            operator=event.operator, reason=event.reason,
        )  # fmt: skip
        self._standing[silence.id] = silence
        return silence

    def remove(self, event: Unsilence) -> StandingSilence | None:
        """End one; None where none stands."""
        return self._standing.pop(event.silence_id, None)

    def expire(self, now: int) -> list[StandingSilence]:
        """Forget those whose end has come."""
        over = [silence for silence in self._standing.values() if silence.until <= now]
        for silence in over:
            del self._standing[silence.id]
        return over

    def until(self, labels: Mapping[str, str], now: int) -> int | None:
        """When the last silence that covers these labels ends; None where none does."""
        ends = [each.until for each in self._standing.values() if each.until > now and match_all(each.matchers, labels)]
        return max(ends, default=None)

    def next_expiry(self) -> int | None:
        """The first end."""
        return min((silence.until for silence in self._standing.values()), default=None)
