"""What a run of the cases has shown, as a file: the docs read it, and a test holds it true."""

import tempfile
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec

from haltline.api import Capability
from haltline.errors import EngineError
from haltline.testing.conformance.bench import Bench
from haltline.testing.conformance.case import BrokerCase
from haltline.testing.conformance.world import BrokerWorld

type OpenWorld = Callable[[Path], AbstractAsyncContextManager[BrokerWorld]]
"""Makes a fresh world in an empty folder, and takes it down again."""

PASSED = "passed"
FAILED = "failed"


class ConformanceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One broker: its flags, and of each case ``passed``, ``failed: why``, or what was not promised for it to count."""

    name: str
    kind: str
    meaning: str
    capabilities: tuple[str, ...]
    limits: str = ""
    paired: bool = False
    cases: dict[str, str]

    @property
    def failed(self) -> tuple[str, ...]:
        """The cases that did not pass."""
        return tuple(identity for identity, shown in self.cases.items() if shown.startswith(FAILED))

    @property
    def passed(self) -> tuple[str, ...]:
        """The cases that passed."""
        return tuple(identity for identity, shown in self.cases.items() if shown == PASSED)


async def run_case(case: BrokerCase, world: BrokerWorld) -> None:
    """Run one case on a fresh world; raises AssertionError in words where the broker does not keep its promise."""
    try:
        async with Bench(world) as bench:
            if case.is_served:
                await bench.start()
            await case.check(bench)
    except (EngineError, ExceptionGroup) as failure:
        raise AssertionError(f"{case.id} ({case.title}): it raised {failure!r}") from failure


async def record_cases(
    cases: Iterable[BrokerCase], open_world: OpenWorld, *, name: str = "",
    told: Callable[[str], None] = lambda line: None,
) -> ConformanceRecord:  # fmt: skip
    """Run every case that the world promises, each on a world of its own; `told` hears a line for each."""
    shown: dict[str, str] = {}
    kind = None
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            async with open_world(Path(folder)) as world:
                kind = world.kind
                shown[case.id] = await _shown(case, world)
                told(f"{case.id}  {shown[case.id]:<12}  {case.title}")
    assert kind is not None, "there are no cases"
    limits = [f"{each.calls} in {each.per_s:g} s" for each in (kind.limit, kind.order_limit) if each is not None]
    return ConformanceRecord(
        name=name or kind.name, kind=kind.name, meaning=kind.meaning, paired=kind.paired,
        limits=", orders ".join(limits), cases=shown,
        capabilities=tuple(flag.value for flag in Capability if flag in kind.capabilities),
    )  # fmt: skip


async def _shown(case: BrokerCase, world: BrokerWorld) -> str:
    missing = case.missing(world)
    if missing:
        return f"not promised: {', '.join(missing)}"
    try:
        await run_case(case, world)
    except AssertionError as failure:
        return f"{FAILED}: {failure}"
    return PASSED


def read_record(file: Path) -> ConformanceRecord:
    """A record as it was written; raises msgspec.DecodeError."""
    return msgspec.json.decode(file.read_bytes(), type=ConformanceRecord)


def write_record(record: ConformanceRecord, file: Path) -> None:
    """Write it so that a change shows line by line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")


def check_record(file: Path, world: type[BrokerWorld], cases: Iterable[BrokerCase]) -> None:
    """Raises AssertionError where a record is not of the present cases and flags, or holds a failure."""
    record = read_record(file)
    due = {case.id: case.missing(world) for case in cases}
    again = f"run python -m haltline.testing.conformance with --write {file.name}"
    assert record.failed == (), f"failures are on record: {again}"
    assert set(record.cases) == set(due), f"the cases have changed: {again}"
    assert set(record.passed) == {identity for identity, missing in due.items() if not missing}, again
    assert set(record.capabilities) == {flag.value for flag in world.kind.capabilities}, f"the flags changed: {again}"
