"""The engine's last recorded moment: a kernel put together again from the journal, for questions after the fact."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from haltline.api.registry import Registry
from haltline.compose.kernel import build_kernel
from haltline.config.settings import RuleBook, Setup
from haltline.control.basis import Basis
from haltline.control.capsule import NotTraceable
from haltline.control.capsuleplay import Player, in_force
from haltline.journal.record import RecordKind, event_of
from haltline.journal.recover import Store, recover
from haltline.journal.store import Journal
from haltline.kernel.kernel import Kernel

type Files = Callable[[], tuple[Setup, RuleBook]]
"""Reads the set-up and its rules; raises ConfigError with every problem."""


class Recalled(NamedTuple):
    """A kernel, and the basis that the journal keeps; None where the rules are those of the files."""

    kernel: Kernel
    basis: Basis | None


def recall_kernel(journal: Path, registry: Registry, files: Files) -> Recalled:
    """The kernel as a journal left it, by the rules that were in force; by those of the files, which are only read
    then, for a journal of an older version that does not keep them. Reads only, also while an engine is running.

    Raises ConfigError for the files, or for a plugin that the rules in force need, and JournalError where there is no
    journal or its chain does not fit.
    """
    with Journal.read(journal) as store:
        player = _played(store, registry)
        if player is not None:
            return Recalled(player.kernel, player.basis)
        setup, book = files()
        return Recalled(recall_from(store, setup, book, registry), None)


def recall_from(store: Store, setup: Setup, book: RuleBook, registry: Registry) -> Kernel:
    """The kernel as a journal left it, but with these rules: the newest snapshot, then every event after it."""
    recovery = recover(store)
    kernel = build_kernel(setup, book, registry)
    if recovery.state is not None:
        kernel.restore(recovery.state)
    for record in recovery.later:
        if record.kind is RecordKind.EVENT:
            kernel.step(event_of(record), record.at)
    return kernel


def _played(store: Store, registry: Registry) -> Player | None:
    """The newest snapshot and everything after it, exchanges of rules too; None where the rules are not on record."""
    recovery = recover(store)
    player = Player(lambda basis: registry)
    try:
        if recovery.state is not None:
            player.take_up(_basis_at(store, recovery.seq), recovery.state)
        for record in recovery.later:
            player.take(record)
        return player if player.basis is not None else None
    except NotTraceable:
        return None


def _basis_at(store: Store, seq: int) -> Basis:
    """What was in force at a record; raises NotTraceable where the journal does not say."""
    basis = None
    for record in store.iterate(kinds=[RecordKind.CONFIG]):
        if record.seq > seq:
            break
        said = in_force(record)
        basis = said.basis if said is not None else basis
    if basis is None:
        raise NotTraceable("the journal does not hold the rules that were in force", "")
    return basis
