"""State and rules of a set-up, joined into a kernel."""

from collections.abc import Callable

from haltline.api.calendar import Calendar
from haltline.api.registry import Registry
from haltline.compose.vocabulary import build_vocabulary
from haltline.config.settings import RuleBook, Setup
from haltline.errors import ConfigError, Problem
from haltline.kernel.kernel import Kernel
from haltline.rules.compile import CompiledRules, compile_rules
from haltline.state.hours import always_open
from haltline.state.state import State, StateSettings


def build_kernel(setup: Setup, book: RuleBook, registry: Registry, *, now: int = 0) -> Kernel:
    """A kernel at the instant `now` (UTC nanoseconds), before any event.

    Raises ConfigError with every problem of rules, calendars and instruments.
    """
    compiled = compile_book(book, registry)
    kernel = Kernel(build_state(setup, registry, now=now), compiled)
    kernel.loosenings.policy = setup.loosening
    kernel.gate.caps = setup.caps
    return kernel


def build_state(setup: Setup, registry: Registry, *, now: int) -> State:
    """The empty state of a set-up; raises ConfigError where a calendar is unknown."""
    problems = calendar_problems(setup, registry)
    if problems:
        raise ConfigError(problems)
    return State(
        StateSettings(
            accounts=setup.accounts,
            instruments=setup.instruments,
            calendars=calendar_source(registry),
            stale_after_ns=setup.stale_after_ns,
            now=now,
            tolerance=setup.evidence.tolerance,
            hold_ns=setup.evidence.hold_ns,
        )
    )


def compile_book(book: RuleBook, registry: Registry) -> CompiledRules:
    """Check the meaning of every rule; raises ConfigError with all problems."""
    return compile_rules(book.rules, build_vocabulary(registry, book.definitions), registry.actions.get)


def meaning_problems(setup: Setup | None, book: RuleBook, registry: Registry) -> list[Problem]:
    """Everything that is wrong with the meaning of a set-up and its rules, for `haltline check`."""
    problems = calendar_problems(setup, registry) if setup is not None else []
    try:
        compile_book(book, registry)
    except ConfigError as error:
        problems += error.problems
    return problems


def calendar_source(registry: Registry) -> Callable[[str], Calendar]:
    """Calendars by name from every registered source; raises KeyError for a name that none of them knows."""

    def find(name: str) -> Calendar:
        if name == "24/7":
            return always_open(name)
        for _, kind, _ in registry.calendars.items():
            try:
                return kind.make(name)
            except KeyError:
                continue
        raise KeyError(name)

    return find


def calendar_problems(setup: Setup, registry: Registry) -> list[Problem]:
    """One problem for every account or instrument whose calendar nobody knows."""
    find = calendar_source(registry)
    listed = {"24/7"}.union(*(kind.calendars for _, kind, _ in registry.calendars.items()))
    named = [(f"account {item.id!r}", item.calendar, f"accounts.{item.id}.calendar") for item in setup.accounts]
    named += [
        (f"instrument {item.symbol!r}", item.calendar, f"instruments.{item.symbol}.calendar")
        for item in setup.instruments
    ]
    problems = []
    for where, calendar, key in named:
        if calendar in listed:  # making one may be slow
            continue
        try:
            find(calendar)
        except KeyError:
            cure = "write an exchange's code (CMES, XNYS), 24/7, or hours such as mon-fri 09:30-16:00 Zone/Name"
            what = f"calendar {calendar!r} is unknown"
            problems.append(Problem(code="E458", place=setup.places.get(key), where=where, what=what, cure=cure))
    return problems
