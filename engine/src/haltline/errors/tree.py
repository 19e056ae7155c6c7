"""The exception tree; the class says what the caller should do.

EngineError
├── ConfigError        a user's file or argument is wrong: fix it and try again (carries all problems)
├── Transient          the same call may succeed later: retry with back-off
├── Refused            the other side understood and said no: do not retry
│   └── SessionClosed  it says no because its market is closed: ask again once it is open
├── OutcomeUnknown     a mutating call may or may not have happened: look before doing anything again
├── DataRefused        an event from outside was not usable: it is quarantined, the engine goes on
├── PluginFailed       a plugin broke its contract: it is isolated and shown red
└── InvariantBroken    our own promise does not hold: stop the process, start-up is recovery
"""

from collections.abc import Sequence

from haltline.errors.problem import Problem


class EngineError(Exception):
    """Anything the engine raises on purpose."""


class ConfigError(EngineError):
    """What a user wrote cannot be used; `problems` holds every reason found, sorted by place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.sort_key))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Transient(EngineError):
    """The call did not happen; the same call may succeed later, `retry_after_s` from now where the venue said so."""

    def __init__(self, *args: object, retry_after_s: float = 0.0) -> None:
        super().__init__(*args)
        self.retry_after_s = retry_after_s


class Refused(EngineError):
    """The other side understood the call and refused it; repeating it is pointless."""


class SessionClosed(Refused):
    """The venue takes no order now because its market is closed; it keeps none for the opening."""


class OutcomeUnknown(EngineError):
    """A mutating call may or may not have taken effect; query before acting again."""


class DataRefused(EngineError):
    """An event from outside cannot be used (non-finite, wrong sign, unknown account, …)."""

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{reason} [{code}]")


class PluginFailed(EngineError):
    """A plugin raised, or returned something its contract forbids."""


class InvariantBroken(EngineError):
    """Something we guarantee does not hold; the process must end."""
