"""What incidents still need of a journal: their quotes from the saved state before them, and that state."""

from dataclasses import dataclass
from typing import Protocol

from haltline.config.settings import StoreEntry
from haltline.control.capsulemake import LEAD_NS
from haltline.control.incidentspan import KINDS, SpanReader
from haltline.control.incidentspan import Span as Incident
from haltline.journal.compact import Span
from haltline.journal.store import Journal

_LOOKS = 2000
"""Incidents that one step looks at, about a millisecond, if the journal need not be asked."""


class Source(Protocol):
    """What this needs of a journal."""

    @property
    def last_seq(self) -> int:
        """The sequence number of the last record."""

    def seq_at(self, at: int) -> int:
        """The last record at or before an instant."""

    def state_before(self, at: int) -> int | None:
        """The record of the newest state saved at or before an instant."""


@dataclass(frozen=True, slots=True)
class Need:
    """Records whose quotes must stay, and the saved state they follow from (None: the engine's beginning)."""

    span: Span
    state: int | None
    until: int


def need_of(incident: Incident, source: Source, store: StoreEntry, now: int) -> Need | None:
    """What a capsule of an incident needs; None where it last moved longer than `keep_incidents` ago.

    The quotes from the saved state before it until it ended, at most until `keep_quotes` after it fired. One whose way
    back to a saved state, or to the engine's beginning, is longer than `keep_quotes` needs nothing.
    """
    until = _needed_until(incident, store)
    if until < now:
        return None
    first, state = _beginning(incident, source)
    if state is None and source.seq_at(incident.opened_at - store.keep_quotes_ns) >= first:
        return None
    return Need(span=Span(first, _end(incident, source, store)), state=state, until=until)


def _needed_until(incident: Incident, store: StoreEntry) -> int:
    return max(incident.moved_at, incident.opened_at) + store.keep_incidents_ns


def _beginning(incident: Incident, source: Source) -> tuple[int, int | None]:
    state = source.state_before(incident.opened_at - LEAD_NS)
    if state is not None and incident.began <= state < incident.first:
        return state, state
    return incident.began, None


def _end(incident: Incident, source: Source, store: StoreEntry) -> int:
    longest = source.seq_at((incident.fired_at or incident.opened_at) + store.keep_quotes_ns)
    ended = source.last_seq if incident.is_open else max(incident.last, incident.settled)
    return max(incident.first, min(longest, ended))


class Needs:
    """The needs of all incidents of a journal, brought up to date a little at a time.

    Whoever drives it calls `read` until it says that nothing is left, then `weigh` until that does.
    """

    def __init__(self, journal: Journal, store: StoreEntry) -> None:
        self._journal = journal
        self._store = store
        self._reader = SpanReader()
        self._seq = 0
        self._known: dict[tuple[str, int], tuple[tuple[int, int, bool], Need | None]] = {}
        self._todo: list[Incident] = []
        self._over: list[Incident] = []

    def read(self, limit: int = 200) -> bool:
        """Read some more records; False once all are read."""
        for count, record in enumerate(self._journal.iterate(self._seq + 1, kinds=KINDS), 1):
            self._reader.take(record)
            self._seq = record.seq
            if count >= limit:
                return True
        self._todo, self._over = self._reader.all(), []
        return False

    def weigh(self, now: int, limit: int = 10) -> bool:
        """See what some incidents need, and have their saved states kept; False once all are weighed.

        The journal is asked about at most `limit` of them; those that need nothing to be asked are many after an
        outage, and cost nothing. What is over for longer than `keep_incidents` is forgotten.
        """
        for _ in range(min(_LOOKS, len(self._todo))):
            if limit <= 0:
                break
            limit -= self._weigh(self._todo.pop(), now)
        if not self._todo and self._over:
            self._reader.forget(self._over)
            self._over = []
        return bool(self._todo)

    def spans(self, now: int) -> list[Span]:
        """The records whose quotes must stay."""
        return [need.span for _, need in self._known.values() if need is not None and need.until >= now]

    def _weigh(self, incident: Incident, now: int) -> bool:
        """See what one incident needs; whether the journal was asked for it."""
        shape = (incident.last, incident.settled, incident.is_open)
        key = (incident.incident, incident.first)
        known = self._known.get(key)
        if not incident.is_open and _needed_until(incident, self._store) < now:
            self._known.pop(key, None)
            self._over.append(incident)
            return False
        if known is not None and known[0] == shape and not incident.is_open:
            return False
        need = need_of(incident, self._journal, self._store, now)
        self._known[key] = (shape, need)
        if need is not None and need.state is not None and self._journal.is_writer:
            self._journal.snapshots.keep(need.state, need.until)
        return True
