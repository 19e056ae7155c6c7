"""The engine's last recorded moment: a kernel put together again from the journal, for questions after the fact."""

from haltline.api.registry import Registry
from haltline.compose.kernel import build_kernel
from haltline.config.settings import RuleBook, Setup
from haltline.journal.record import RecordKind, event_of
from haltline.journal.recover import Store, recover
from haltline.journal.store import Journal
from haltline.kernel.kernel import Kernel


def recall_kernel(setup: Setup, book: RuleBook, registry: Registry) -> Kernel:
    """The kernel as the journal of a set-up left it; reads only, also while an engine is running.

    Raises ConfigError for the set-up and JournalError where there is no journal or its chain does not fit.
    """
    with Journal.read(setup.store.path) as journal:
        return recall_from(journal, setup, book, registry)


def recall_from(store: Store, setup: Setup, book: RuleBook, registry: Registry) -> Kernel:
    """The kernel as a journal left it: the newest snapshot, then every event after it."""
    recovery = recover(store)
    kernel = build_kernel(setup, book, registry)
    if recovery.state is not None:
        kernel.restore(recovery.state)
    for record in recovery.later:
        if record.kind is RecordKind.EVENT:
            kernel.step(event_of(record), record.at)
    return kernel
