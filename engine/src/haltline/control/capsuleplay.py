"""Records through a kernel again: what was decided must be decided again, word for word."""

from collections import deque
from collections.abc import Callable

import msgspec

from haltline.api.registry import Registry
from haltline.control.basis import Basis, Beginning, InForce, kernel_of
from haltline.control.capsule import NotTraceable
from haltline.control.capsulefile import Capsule
from haltline.journal.record import Record, RecordKind, event_of
from haltline.kernel.kernel import Kernel
from haltline.model.event import Event, Tick
from haltline.model.plan import Result
from haltline.rules.compile import CompiledRules

type RegistryOf = Callable[[Basis], Registry]
"""Finds the plugins that a basis needs; raises ConfigError where one is missing."""
type Progress = Callable[[int, int], None]
"""Told of the records done so far, and of all of them."""
type Watch = Callable[[Record, Result, Kernel], None]
"""Told of everything that was decided, with the record that led to it and the kernel after it."""

DECISIONS = (RecordKind.TRANSITION, RecordKind.PLAN)
PROGRESS_EVERY = 5_000
_ENCODER = msgspec.json.Encoder()
_IN_FORCE = msgspec.json.Decoder(InForce)


class Player:
    """A kernel driven by records instead of by the world."""

    def __init__(self, registry_of: RegistryOf) -> None:
        self._registry_of = registry_of
        self._kernel: Kernel | None = None
        self.basis: Basis | None = None

    @property
    def kernel(self) -> Kernel:
        """The kernel; raises NotTraceable before there is one."""
        if self._kernel is None:
            raise NotTraceable(
                "the records do not say which rules were in force when they began",
                "the journal was written by an older haltline; incidents after the next start can be traced",
            )
        return self._kernel

    @property
    def registry(self) -> Registry:
        """The plugins of the basis in force."""
        assert self.basis is not None
        return self._registry_of(self.basis)

    def take_up(self, basis: Basis, state: bytes) -> None:
        """Go on from a saved state."""
        self._use(basis, kernel_of(basis, self._registry_of(basis), 0))
        self.kernel.restore(state)

    def take(self, record: Record) -> Result | None:
        """What the kernel decides on a record; None where a record asks nothing of it."""
        if record.kind is RecordKind.EVENT:
            return self.kernel.step(_event(record), record.at)
        if record.kind is RecordKind.CONFIG:
            return self._change(record)
        if record.kind in DECISIONS and record.at > self.kernel.now:
            # time passed without an event: a deadline between two of them
            return self.kernel.step(Tick(at=record.at, received_at=record.at), record.at)
        return None

    def _change(self, record: Record) -> Result | None:
        said = in_force(record)
        if said is None:
            return None
        basis, start = _required(record, said)
        registry = self._registry_of(basis)
        if start is Beginning.RELOAD:
            self.basis = basis
            return self.kernel.replace_rules(_compiled(basis, registry), record.at)
        built = record.at if said.built is None or start is Beginning.RESUME else said.built
        fresh = kernel_of(basis, registry, built)
        if start is Beginning.RESUME:
            fresh.restore(self.kernel.snapshot())
        self._use(basis, fresh)
        return fresh.evaluate_all(record.at)

    def _use(self, basis: Basis, kernel: Kernel) -> None:
        self.basis, self._kernel = basis, kernel


def in_force(record: Record) -> InForce | None:
    """What a `config` record says about rules; None for one about something else."""
    try:
        return _IN_FORCE.decode(record.body)
    except msgspec.ValidationError:
        return None


def _required(record: Record, said: InForce) -> tuple[Basis, Beginning]:
    if said.basis is None or said.start is None:
        raise NotTraceable(
            f"record {record.seq} names rules that came into force, and the journal does not hold them",
            "it was written by an older haltline; incidents after the next start can be traced",
        )
    return said.basis, said.start


def _compiled(basis: Basis, registry: Registry) -> CompiledRules:
    return kernel_of(basis, registry, 0).compiled


def _event(record: Record) -> Event:
    try:
        return event_of(record)
    except msgspec.ValidationError as error:
        what = f"record {record.seq} is an event that this haltline does not know ({error})"
        raise NotTraceable(what, "use the version that wrote it, or a later one") from error


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The first thing that came out otherwise: the `number`-th transition or plan. None stands for nothing."""

    sort: str
    number: int
    recorded: dict[str, object] | None
    replayed: dict[str, object] | None

    def __str__(self) -> str:
        if self.replayed is None:
            return f"{self.sort} {self.number} is on record and was not decided again: {_named(self.recorded)}"
        if self.recorded is None:
            return f"{self.sort} {self.number} was decided now and is not on record: {_named(self.replayed)}"
        return f"{self.sort} {self.number} differs ({_named(self.recorded)}): {', '.join(self.fields)}"

    @property
    def fields(self) -> list[str]:
        """Which values differ, in words."""
        old, new = self.recorded or {}, self.replayed or {}
        names = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
        return [f"{name} {_shown(old.get(name))} on record, {_shown(new.get(name))} now" for name in names]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """How a replay went: how many transitions and plans came out the same, and the first difference if there is one."""

    transitions: int
    plans: int
    difference: Difference | None = None

    @property
    def is_identical(self) -> bool:
        """Whether everything came out word for word."""
        return self.difference is None

    def __str__(self) -> str:
        return "identical" if self.difference is None else str(self.difference)


class Comparer:
    """Holds decisions on record against decisions made now, in order, keeping only what has no partner yet.

    Transitions and plans are two lists: how they interleave depends on how often the kernel was woken.
    """

    def __init__(self) -> None:
        self._lists = {kind: _Pairing(kind) for kind in DECISIONS}
        self._last_event = -1

    def note_record(self, record: Record) -> None:
        """Something that is on record."""
        if record.kind in DECISIONS:
            self._lists[record.kind].add(recorded=record.body)
        elif record.kind is RecordKind.EVENT and record.at != self._last_event:
            self._last_event = record.at
            for pairing in self._lists.values():
                pairing.mark()

    def note_result(self, result: Result) -> None:
        """Something that is decided now."""
        for moved in result.transitions:
            self._lists[RecordKind.TRANSITION].add(replayed=_ENCODER.encode(moved))
        for action in result.plan:
            self._lists[RecordKind.PLAN].add(replayed=_ENCODER.encode(action))

    def finish(self, *, is_open: bool) -> Comparison:
        """The comparison. Of an open slice, what the last turn decided may not be on record yet."""
        transitions, plans = (self._lists[kind] for kind in DECISIONS)
        difference = transitions.end(is_open=is_open) or plans.end(is_open=is_open)
        return Comparison(transitions=transitions.same, plans=plans.same, difference=difference)


class _Pairing:
    def __init__(self, kind: RecordKind) -> None:
        self._kind = kind
        self._recorded: deque[bytes] = deque()
        self._replayed: deque[bytes] = deque()
        self._settled = 0
        self.same = 0
        self.difference: Difference | None = None

    def add(self, *, recorded: bytes | None = None, replayed: bytes | None = None) -> None:
        if self.difference is not None:
            return
        if recorded is not None:
            self._recorded.append(recorded)
        if replayed is not None:
            self._replayed.append(replayed)
        while self._recorded and self._replayed and self.difference is None:
            one, other = self._recorded.popleft(), self._replayed.popleft()
            if one == other:
                self.same += 1
            else:
                self.difference = self._differ(one, other)

    def mark(self) -> None:
        """A new turn begins: what is decided from here on may be missing at an open end."""
        self._settled = self.same + len(self._replayed)

    def end(self, *, is_open: bool) -> Difference | None:
        if self.difference is not None:
            return self.difference
        if self._recorded:
            return self._differ(self._recorded[0], None)
        if self._replayed and not (is_open and self.same >= self._settled):
            return self._differ(None, self._replayed[0])
        return None

    def _differ(self, recorded: bytes | None, replayed: bytes | None) -> Difference:
        one, other = (None if body is None else msgspec.json.decode(body) for body in (recorded, replayed))
        return Difference(sort=self._kind.value, number=self.same + 1, recorded=one, replayed=other)


def replay(
    capsule: Capsule, registry_of: RegistryOf, *, progress: Progress | None = None, watch: Watch | None = None
) -> Comparison:
    """Decide everything again from the capsule alone.

    Raises NotTraceable, and ConfigError where a plugin that the rules need is not installed.
    """
    player, comparer = Player(registry_of), Comparer()
    state = capsule.snapshot
    if state is not None:
        player.take_up(capsule.basis, state)
    journal = capsule.manifest.journal
    for record in capsule.records():
        comparer.note_record(record)
        result = player.take(record)
        if result is not None:
            comparer.note_result(result)
            if watch is not None and (result.transitions or result.plan):
                watch(record, result, player.kernel)
        if progress is not None and record.seq % PROGRESS_EVERY == 0:
            progress(record.seq - journal.first, journal.last - journal.first)
    return comparer.finish(is_open=journal.is_open)


def _named(decision: dict[str, object] | None) -> str:
    found = decision or {}
    what = found.get("incident") or found.get("id") or found.get("name") or "unnamed"
    return f"{what} {found.get('phase') or found.get('name') or ''}".strip()


def _shown(value: object) -> str:
    return "nothing" if value is None else str(value)
