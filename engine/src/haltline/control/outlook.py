"""What other rules would do now: tried on the state that a journal ends with, which stays as it is."""

from pathlib import Path

from haltline.api.registry import Registry
from haltline.compose.kernel import compile_book
from haltline.config.settings import RuleBook, Setup
from haltline.control.recall import recall_from
from haltline.journal.store import Journal
from haltline.model.plan import Result


def outlook(setup: Setup, registry: Registry, *, old: RuleBook, new: RuleBook, journal: Path) -> tuple[int, Result]:
    """The last instant of a journal (UTC nanoseconds), and what exchanging `old` for `new` would set off then.

    Reads only, also while an engine is running. Raises ConfigError for the set-up and JournalError where there is no
    journal or its chain does not fit.
    """
    with Journal.read(journal) as store:
        kernel = recall_from(store, setup, old, registry)
    kernel.evaluate_all(kernel.now)
    return kernel.now, kernel.replace_rules(compile_book(new, registry), kernel.now)
