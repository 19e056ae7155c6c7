"""What decides besides events: rules, accounts, instruments and versions, as one record that the journal keeps.

With it a journal explains itself: what was decided can be decided again later, whatever became of the files. It holds
nothing of brokers, feeds or channels but the accounts' names for them, so no secret can be in it.
"""

import platform
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path, PurePath

import msgspec

from haltline.api.registry import Registry
from haltline.compose.kernel import build_kernel
from haltline.config.evidence import EvidenceEntry
from haltline.config.settings import RuleBook, Setup, StoreEntry
from haltline.journal.record import Entry, RecordKind, entry_of
from haltline.kernel.kernel import Kernel
from haltline.model.account import AccountSpec
from haltline.model.instrument import InstrumentSpec
from haltline.model.loosening import LooseningPolicy
from haltline.model.plan import Caps
from haltline.model.rule import Definition, RuleSpec
from haltline.plugins.discover import PACK_GROUP, PLUGIN_GROUP, distribution_of, installed, version_of
from haltline.plugins.version import engine_version
from haltline.rules.meaning import bare_of


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """Everything besides events that a decision depends on. `digest` identifies what the rules say.

    `rules` and `definitions` are what was compiled; `sources` the YAML they came from, by file name, with references
    to the environment as they were written. `plugins` maps a plugin of the set-up, or a rule pack, to its version.
    """

    engine: str
    python: str
    digest: str
    live: bool
    stale_after_ns: int
    accounts: tuple[AccountSpec, ...]
    instruments: tuple[InstrumentSpec, ...]
    rules: tuple[RuleSpec, ...]
    definitions: tuple[Definition, ...] = ()
    sources: dict[str, str] = {}
    plugins: dict[str, str] = {}
    enabled: tuple[str, ...] = ()
    loosening: LooseningPolicy = LooseningPolicy.AT_ONCE
    tolerance: float = EvidenceEntry().tolerance
    hold_ns: int = EvidenceEntry().hold_ns
    caps: Caps = Caps()


class Beginning(StrEnum):
    """Why a basis came into force: from nothing, after an earlier run, or in the middle of one."""

    FRESH = "fresh"
    RESUME = "resume"
    RELOAD = "reload"


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a `config` record. `built` is the instant of the kernel's own clock when it was made.

    Records of other versions may lack what has a default; without `basis` they cannot be used to decide anything again.
    """

    rules: str
    files: tuple[str, ...] = ()
    start: Beginning | None = None
    built: int | None = None
    basis: Basis | None = None


def basis_of(setup: Setup, book: RuleBook) -> Basis:
    """The basis that a set-up and its rules make."""
    return Basis(
        engine=engine_version(),
        python=platform.python_version(),
        digest=book.digest,
        live=setup.live,
        stale_after_ns=setup.stale_after_ns,
        accounts=setup.accounts,
        instruments=setup.instruments,
        rules=tuple(bare_of(spec) for spec in book.rules),
        definitions=tuple(msgspec.structs.replace(each, place=None) for each in book.definitions),
        sources=_by_name(book.sources),
        plugins=_versions([entry.name for entry in setup.plugins]),
        enabled=tuple(entry.name for entry in setup.plugins),
        loosening=setup.loosening,
        tolerance=setup.evidence.tolerance,
        hold_ns=setup.evidence.hold_ns,
        caps=setup.caps,
    )


def in_force(basis: Basis, start: Beginning, *, built: int | None = None) -> dict[str, object]:
    """What a `config` record needs to hold for its journal to explain itself; more may stand beside it."""
    return {"rules": basis.digest, "files": list(basis.sources), "start": start, "built": built, "basis": basis}


def config_entry(at: int, basis: Basis, start: Beginning, *, built: int | None = None) -> Entry:
    """The record that says what is in force from now on."""
    return entry_of(RecordKind.CONFIG, at, in_force(basis, start, built=built))


def kernel_of(basis: Basis, registry: Registry, now: int) -> Kernel:
    """An empty kernel with these rules, at an instant; raises ConfigError for what this installation does not know."""
    return build_kernel(_setup_of(basis), book_of(basis), registry, now=now)


def book_of(basis: Basis) -> RuleBook:
    """The rules as a book."""
    return RuleBook(
        rules=basis.rules, definitions=basis.definitions, files=tuple(basis.sources), sources=basis.sources,
        digest=basis.digest,
    )  # fmt: skip


def _setup_of(basis: Basis) -> Setup:
    here = Path()
    return Setup(
        path=here, directory=here, store=StoreEntry(path=here), live=basis.live, stale_after_ns=basis.stale_after_ns,
        accounts=basis.accounts, instruments=basis.instruments, loosening=basis.loosening,
        evidence=EvidenceEntry(tolerance=basis.tolerance, hold_ns=basis.hold_ns), caps=basis.caps,
    )  # fmt: skip


def _by_name(sources: Mapping[str, str]) -> dict[str, str]:
    """Texts by the names of their files alone: where they lie on this machine is nobody's business."""
    named: dict[str, str] = {}
    for file, text in sources.items():
        path = PurePath(file)
        name, number = path.name, 1
        while name in named:
            number += 1
            name = f"{path.stem}-{number}{path.suffix}"
        named[name] = text
    return named


def _versions(enabled: Sequence[str]) -> dict[str, str]:
    entries = [entry for entry in installed(PLUGIN_GROUP) if entry.name in enabled]
    return {
        f"{entry.group}:{entry.name}": f"{distribution_of(entry)} {version_of(entry)}".strip()
        for entry in sorted((*entries, *installed(PACK_GROUP)), key=lambda entry: (entry.group, entry.name))
    }
