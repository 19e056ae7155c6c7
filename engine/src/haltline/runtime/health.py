"""What is up and what is not, for status pages and checks."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from haltline.config.secret import hidden

type Tell = Callable[[str, str], Awaitable[None]]
"""Tells people of the engine itself: a title, sentences."""


class ServiceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One broker, feed or channel. `status` is ``starting``, ``up``, ``down`` or ``degraded``."""

    name: str
    status: str
    reason: str = ""
    since: int = 0


class RulesStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The rules in force: their digest, how many, since when (UTC nanoseconds).

    `problems` is what the last look at the files found, empty while they are good: until then nothing of them is in
    force. `waiting` lists changes of the set-up that need a restart.
    """

    digest: str = ""
    rules: int = 0
    since: int = 0
    problems: tuple[str, ...] = ()
    failed_at: int | None = None
    waiting: tuple[str, ...] = ()


class EngineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The engine in one record. `reconciled` lists the accounts whose broker has confirmed their state, `unguarded`
    says of those on which the engine cannot act now why that is so."""

    now: int
    events: int
    waiting: int
    conflated: int
    enforcing: bool
    undelivered: bool
    accounts: tuple[str, ...]
    reconciled: tuple[str, ...]
    services: tuple[ServiceHealth, ...]
    modes: dict[str, str]
    rules: RulesStatus = RulesStatus()
    unguarded: dict[str, str] = {}


class HealthBook:
    """The newest word on every service. What it says holds none of `secrets`."""

    def __init__(self, *, secrets: Sequence[str] = ()) -> None:
        self._secrets = secrets
        self._services: dict[str, ServiceHealth] = {}

    def set(self, name: str, status: str, reason: str = "", *, at: int = 0) -> None:
        """Note a change."""
        reason = self.inert(reason)
        self._services[name] = ServiceHealth(name=name, status=status, reason=reason, since=at)

    def inert(self, reason: str) -> str:
        """What a plugin said, without secrets."""
        return hidden(reason, self._secrets)

    def of(self, name: str) -> ServiceHealth | None:
        """That of one service; None where nothing was said of it."""
        return self._services.get(name)

    def services(self) -> tuple[ServiceHealth, ...]:
        """All services, by name."""
        return tuple(self._services[name] for name in sorted(self._services))
