"""Incidents as a journal tells them: when each began, fired and ended, and between which records."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from haltline.config.finding import did_you_mean
from haltline.control.basis import Beginning, InForce
from haltline.control.capsule import UnknownIncident
from haltline.journal.receipt import LegOutcome, Receipt
from haltline.journal.record import Record, RecordKind, planned_of, transition_of
from haltline.model.id import ActionId
from haltline.model.verdict import Phase, Transition

KINDS = (RecordKind.CONFIG, RecordKind.TRANSITION, RecordKind.PLAN, RecordKind.OUTCOME)
_ENDED = frozenset({Phase.OK, Phase.RESOLVED})
_OUTCOMES: msgspec.json.Decoder[LegOutcome | Receipt] = msgspec.json.Decoder(LegOutcome | Receipt)
_IN_FORCE = msgspec.json.Decoder(InForce)


class Source(Protocol):
    """What reading incidents needs of a journal."""

    def iterate(self, from_seq: int = 1, *, kinds: Sequence[RecordKind] = ()) -> Iterator[Record]:
        """Records in order."""


@dataclass(slots=True, kw_only=True)
class Span:
    """One incident. `first` and `last` are the records of its first and newest transition; `began` the record with
    which its engine began from nothing; `settled` that of the last receipt of its actions; `limit` the last record
    before another engine began from nothing on the same journal."""

    incident: str
    rule: str
    entity: str
    first: int
    opened_at: int
    began: int
    last: int = 0
    moved_at: int = 0
    fired_at: int | None = None
    phase: Phase = Phase.OK
    settled: int = 0
    limit: int | None = None
    actions: set[ActionId] = field(default_factory=set)

    @property
    def is_open(self) -> bool:
        """Whether it had not ended where the journal ends."""
        return self.phase not in _ENDED


def read_spans(source: Source) -> list[Span]:
    """All incidents, by when they last moved, oldest first; events are not read."""
    reading = SpanReader()
    for record in source.iterate(kinds=KINDS):
        reading.take(record)
    return reading.all()


def find_span(spans: Sequence[Span], wanted: str | None) -> Span:
    """The incident of an id, or the newest of ``rule/entity`` or of a rule; for None the newest that fired, or that is.

    Raises UnknownIncident naming the nearest, or what there is.
    """
    if wanted is None:
        fired = [span for span in spans if span.fired_at is not None]
        if not spans:
            raise UnknownIncident("the journal has no incident", "nothing has come near a limit yet")
        return max(fired or spans, key=lambda span: (span.fired_at or span.opened_at, span.first))
    found = [span for span in spans if wanted in (span.incident, span.rule, f"{span.rule}/{span.entity}")]
    if not found:
        known = list(dict.fromkeys(span.incident for span in reversed(spans)))
        raise UnknownIncident(
            f"there is no incident {wanted!r} in the journal", did_you_mean(wanted, known, sort="its incidents")
        )
    return found[-1]


def outcome_of(record: Record) -> LegOutcome | Receipt | None:
    """What an `outcome` record says; None for other records."""
    return _OUTCOMES.decode(record.body) if record.kind is RecordKind.OUTCOME else None


class SpanReader:
    """Reads incidents record by record, so that a reader can rest and go on."""

    def __init__(self) -> None:
        self.spans: dict[str, Span] = {}
        self.closed: list[Span] = []
        self._owners: dict[ActionId, list[Span]] = {}
        self._began = 1

    def all(self) -> list[Span]:
        """All incidents so far, by when they last moved, oldest first."""
        return sorted([*self.closed, *self.spans.values()], key=lambda span: span.last)

    def forget(self, spans: Sequence[Span]) -> None:
        """Let go of incidents that nobody will ask for again."""
        gone = {span.first for span in spans}
        for span in spans:
            if self.spans.get(span.incident) is span:
                del self.spans[span.incident]
            for action in span.actions:
                self._owners.pop(action, None)
        self.closed = [span for span in self.closed if span.first not in gone]

    def take(self, record: Record) -> None:
        """The next record of `KINDS`."""
        match record.kind:
            case RecordKind.CONFIG:
                self._config(record)
            case RecordKind.TRANSITION:
                self._transition(record.seq, transition_of(record))
            case RecordKind.PLAN:
                planned = planned_of(record)
                owners = [self.spans[incident] for incident in planned.incidents if incident in self.spans]
                for span in owners:
                    span.actions.add(planned.id)
                self._owners[planned.id] = owners
            case _:
                outcome = outcome_of(record)
                for span in self._owners.get(outcome.action, ()) if isinstance(outcome, Receipt) else ():
                    span.settled = record.seq

    def _config(self, record: Record) -> None:
        try:
            said = _IN_FORCE.decode(record.body)
        except msgspec.ValidationError:
            return
        if said.start is Beginning.FRESH:
            for span in self.spans.values():
                span.limit = record.seq - 1
            self.closed += self.spans.values()
            self.spans.clear()
            self._began = record.seq

    def _transition(self, seq: int, moved: Transition) -> None:
        span = self.spans.get(moved.incident)
        if span is None:
            span = Span(
                incident=moved.incident, rule=moved.rule, entity=moved.entity, first=seq, opened_at=moved.at,
                began=self._began,
            )  # fmt: skip
            self.spans[span.incident] = span
        span.last, span.moved_at, span.phase = seq, moved.at, moved.phase
        if moved.phase is Phase.BREACHED and span.fired_at is None:
            span.fired_at = moved.at
