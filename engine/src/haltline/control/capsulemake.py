"""A capsule from a journal: find the incident, take the kernel to just before it, keep what followed, and prove it.

The journal is read once, record by record, from the newest saved state that is early enough (else from its beginning);
nothing but one record, one kernel and what concerns the incident is held in memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from haltline.api import Message
from haltline.clock import NS_PER_S
from haltline.control.basis import Basis
from haltline.control.capsule import (
    BASIS,
    EXPLANATION,
    FORMAT,
    MESSAGES,
    RECORDS,
    RULES,
    SNAPSHOT,
    VERSION,
    HoldsSecret,
    IncidentFacts,
    Line,
    Manifest,
    NotTraceable,
    Slice,
    file_stem,
)
from haltline.control.capsulefile import CapsuleWriter, needles
from haltline.control.capsuleplay import (
    DECISIONS,
    PROGRESS_EVERY,
    Comparer,
    Comparison,
    Player,
    Progress,
    RegistryOf,
    in_force,
)
from haltline.control.incidentspan import Span, outcome_of
from haltline.errors import EngineError
from haltline.journal.chain import ORIGIN, digest_of
from haltline.journal.error import JournalBroken, QuotesRemoved
from haltline.journal.gap import Gaps
from haltline.journal.receipt import Receipt
from haltline.journal.record import Record, RecordKind, transition_of
from haltline.kernel.view import Reasoning
from haltline.model.plan import Result
from haltline.model.verdict import Phase
from haltline.notify.notice import messages_of
from haltline.notify.render import receipt_message

LEAD_NS = 600 * NS_PER_S
_MAY_BE_HIDDEN = frozenset({RecordKind.NOTICE, RecordKind.INTENT, RecordKind.OUTCOME, RecordKind.COMMAND})
_MOVING = frozenset({RecordKind.EVENT, RecordKind.CONFIG, *DECISIONS})


class Source(Protocol):
    """What making a capsule needs of a journal."""

    @property
    def last_seq(self) -> int:
        """The sequence number of the last record."""

    def iterate(self, from_seq: int = 1, *, kinds: Sequence[RecordKind] = ()) -> Iterator[Record]:
        """Records in order."""

    def snapshot_before(self, at: int) -> tuple[int, bytes] | None:
        """The newest good snapshot taken at or before an instant."""

    @property
    def gaps(self) -> Gaps:
        """Which records are gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A capsule that was written, and how its replay went."""

    path: Path
    manifest: Manifest
    comparison: Comparison


def make_capsule(
    source: Source, span: Span, folder: Path, registry_of: RegistryOf, *,
    lead_ns: int = LEAD_NS, secrets: Sequence[str] = (), progress: Progress | None = None,
) -> Made:  # fmt: skip
    """Write the capsule of an incident into a folder; it begins at least `lead_ns` before the incident, if it can.

    Raises NotTraceable, HoldsSecret, JournalBroken, and ConfigError where a plugin that the rules need is missing.
    """
    stem = file_stem(span.incident)
    with CapsuleWriter(folder, stem, secrets=secrets) as writer:
        making = _Making(source, span, writer, registry_of, lead_ns, secrets)
        manifest, comparison = making.run(progress)
        path, complete = writer.finish(manifest)
        return Made(path=path, manifest=complete, comparison=comparison)


@dataclass(slots=True)
class _Kept:
    """What concerns the incident, collected on the way."""

    first: int = 0
    before: bytes = ORIGIN
    basis: Basis | None = None
    state: bytes | None = None
    reasoning: Reasoning | None = None
    hidden: int = 0
    messages: list[Message] = field(default_factory=list)


class _Making:
    def __init__(
        self, source: Source, span: Span, writer: CapsuleWriter, registry_of: RegistryOf, lead_ns: int,
        secrets: Sequence[str],
    ) -> None:  # fmt: skip
        self._source = source
        self._span = span
        self._writer = writer
        self._player = Player(registry_of)
        self._comparer = Comparer()
        self._needles = needles(secrets)
        self._lead_ns = lead_ns
        self._begin_at = span.opened_at - max(lead_ns, 1)
        self._kept = _Kept()
        self._digest = ORIGIN

    def run(self, progress: Progress | None) -> tuple[Manifest, Comparison]:
        span, source, player = self._span, self._source, self._player
        last = last_record(source, span)
        base, taken_from = self._take_up()
        last, is_open = self._up_to_a_gap(base, last)
        records = self._chained(base, last)
        with self._writer.part(RECORDS) as write:
            last_event_at, inside = -1, False
            for record in records:
                if not inside and self._begins(record, last_event_at):
                    self._open(record, fresh=taken_from is None and record.seq == base + 1)
                    inside = True
                self._take(record, inside=inside)
                if inside:
                    write(self._line(record))
                if record.kind is RecordKind.EVENT:
                    last_event_at = record.at
                if progress is not None and record.seq % PROGRESS_EVERY == 0:
                    progress(record.seq - base, last - base)
        comparison = self._comparer.finish(is_open=is_open)
        self._put_parts()
        assert player.basis is not None
        return self._manifest(last, taken_from, comparison, is_open=is_open), comparison

    # -- where to begin --------------------------------------------------------------------------------------------

    def _take_up(self) -> tuple[int, int | None]:
        """Bring the player to the record to begin behind; returns its number, and that of the saved state used."""
        span = self._span
        found = self._source.snapshot_before(self._begin_at)
        if found is not None and span.began <= found[0] < span.first:
            basis = self._basis_at(found[0])
            self._player.take_up(basis, found[1])
            return found[0], found[0]
        return span.began - 1, None

    def _up_to_a_gap(self, base: int, last: int) -> tuple[int, bool]:
        """The last record before one that is gone, and whether the incident had not ended there; raises QuotesRemoved
        where what led to the incident is gone."""
        gaps = self._source.gaps.between(base + 1, last)
        if not gaps:
            return last, self._span.is_open
        if gaps[0].first <= self._fired():
            raise QuotesRemoved(
                f"the records from {gaps[0].first} to {gaps[0].last}, on the way to this incident, are not in the"
                " journal any more",
                "ask for less with --lead, or use a backup; see `store: keep_quotes` and `keep_incidents`",
            )
        return gaps[0].first - 1, True

    def _fired(self) -> int:
        """The record of the transition with which the incident fired; of the first one where it did not."""
        span = self._span
        for record in self._source.iterate(span.first, kinds=[RecordKind.TRANSITION]):
            moved = transition_of(record)
            if moved.incident == span.incident and moved.phase is Phase.BREACHED:
                return record.seq
        return span.first

    def _basis_at(self, seq: int) -> Basis:
        basis = None
        for record in self._source.iterate(self._span.began, kinds=[RecordKind.CONFIG]):
            said = in_force(record) if record.seq <= seq else None
            if said is not None:
                basis = said.basis
        if basis is None:
            raise NotTraceable(
                "the journal does not hold the rules that were in force",
                "it was written by an older haltline; incidents after the next start can be traced",
            )
        return basis

    def _begins(self, record: Record, last_event_at: int) -> bool:
        """Whether the slice begins here: late enough, and not in the middle of what happened at one instant."""
        if self._player.basis is None:
            return record.at > self._begin_at or self._span.first == record.seq
        return record.kind in _MOVING and record.at > self._begin_at and record.at != last_event_at

    def _open(self, record: Record, *, fresh: bool) -> None:
        kept = self._kept
        kept.first = record.seq
        kept.before = self._digest
        if not fresh:
            kept.basis = self._player.basis
            kept.state = self._player.kernel.snapshot()

    # -- record by record ------------------------------------------------------------------------------------------

    def _chained(self, base: int, last: int) -> Iterator[Record]:
        """The records behind `base`, each proven to follow the one before."""
        self._digest = self._digest_at(base)
        seq = base
        for record in self._source.iterate(base + 1):
            if record.seq > last:
                return
            seq += 1
            expected = digest_of(self._digest, seq, record.kind, record.at, record.body)
            if record.seq != seq or record.digest != expected:
                raise JournalBroken(
                    f"record {seq} of the journal is not what was written",
                    "see what 'haltline journal verify' says, and make the capsule from a backup",
                )
            yield record
            self._digest = record.digest

    def _digest_at(self, seq: int) -> bytes:
        if seq == 0:
            return ORIGIN
        return next(iter(self._source.iterate(seq))).digest

    def _take(self, record: Record, *, inside: bool) -> None:
        result = self._player.take(record)
        if not inside:
            return
        kept = self._kept
        kept.basis = kept.basis or self._player.basis
        self._comparer.note_record(record)
        if result is not None:
            self._comparer.note_result(result)
            self._collect(result)
        receipt = outcome_of(record)
        if isinstance(receipt, Receipt) and receipt.action in self._span.actions:
            kept.messages.append(receipt_message(receipt))

    def _collect(self, result: Result) -> None:
        span, kept = self._span, self._kept
        ours = {action.id for action in result.plan if span.incident in action.incidents}
        if ours:
            told = messages_of(result, self._player.registry.actions)
            kept.messages += [message for message, _ in told if message.id in ours]
        moved = [each for each in result.transitions if each.incident == span.incident]
        if kept.reasoning is None and any(each.phase is Phase.BREACHED for each in moved):
            try:
                kept.reasoning = self._player.kernel.explain(span.rule, span.entity)
            except EngineError:  # an entity of one instant, a fill, is gone already
                kept.reasoning = None

    def _line(self, record: Record) -> bytes:
        body, hidden = record.body, False
        for needle in self._needles:
            if needle in body:
                if record.kind not in _MAY_BE_HIDDEN:
                    raise HoldsSecret(
                        f"record {record.seq} ({record.kind}) holds a value that the set-up keeps secret",
                        "take it out of labels, titles and rules, or keep the journal itself as evidence",
                    )
                body, hidden = body.replace(needle, b"***"), True
        self._kept.hidden += hidden
        line = Line(
            seq=record.seq, at=record.at, kind=record.kind, body=msgspec.Raw(body), digest=record.digest.hex(),
            hidden=hidden,
        )  # fmt: skip
        return msgspec.json.encode(line) + b"\n"

    # -- the rest of the file --------------------------------------------------------------------------------------

    def _put_parts(self) -> None:
        kept, writer = self._kept, self._writer
        assert kept.basis is not None
        writer.put(BASIS, msgspec.json.encode(kept.basis))
        if kept.state is not None:
            writer.put(SNAPSHOT, kept.state)
        if kept.reasoning is not None:
            writer.put(EXPLANATION, msgspec.json.encode(kept.reasoning))
        if kept.messages:
            hide = self._hide_in_message
            writer.put(MESSAGES, b"".join(hide(msgspec.json.encode(each)) + b"\n" for each in kept.messages))
        for name, text in kept.basis.sources.items():
            writer.put(RULES + name, text.encode())

    def _hide_in_message(self, text: bytes) -> bytes:
        for needle in self._needles:
            text = text.replace(needle, b"***")
        return text

    def _manifest(self, last: int, taken_from: int | None, comparison: Comparison, *, is_open: bool) -> Manifest:
        span, kept = self._span, self._kept
        assert kept.basis is not None
        head = self._source.last_seq
        return Manifest(
            format=FORMAT, version=VERSION, engine=kept.basis.engine, python=kept.basis.python,
            plugins=kept.basis.plugins, rules=kept.basis.digest,
            incident=IncidentFacts(
                id=span.incident, rule=span.rule, entity=span.entity, phase=span.phase.value, opened_at=span.opened_at,
                fired_at=span.fired_at, ended_at=None if span.is_open else span.moved_at,
            ),
            journal=Slice(
                first=kept.first, last=last, before=kept.before.hex(), head_seq=head,
                head=self._digest_at(head).hex(), is_open=is_open,
            ),
            lead_ns=self._lead_ns, transitions=comparison.transitions, plans=comparison.plans,
            proof=str(comparison), taken_from=taken_from, hidden=kept.hidden,
        )  # fmt: skip


def last_record(source: Source, span: Span) -> int:
    """The last record of the slice: everything up to the incident's end and its last receipt, and what was decided in
    the same turn; of a live incident, everything there is."""
    limit = span.limit if span.limit is not None else source.last_seq
    if span.is_open:
        return limit
    last = max(span.last, span.settled)
    for record in source.iterate(last + 1):
        if record.seq > min(limit, last + 1) or record.kind in (RecordKind.EVENT, RecordKind.CONFIG):
            break  # the first event after it, or where that event was removed
        last = record.seq
    return min(last, limit)
