"""Which accounts the engine guards at this moment, and what keeps it from guarding the others.

Guarded is an account whose broker has confirmed it over the connection there is, is reached, answers what it is asked,
and takes what is sent. That rules are evaluated at all is the watchdog's question.
"""

from collections.abc import Container

from haltline.clock import Clock
from haltline.config.settings import Setup
from haltline.kernel.kernel import Kernel
from haltline.model.account import AccountSpec
from haltline.model.event import ConnectionStatus
from haltline.model.id import AccountId
from haltline.runtime.health import HealthBook, ServiceHealth

_AWAY = frozenset({"down", "degraded"})
MISSES = 2
"""So many pulls in a row without an answer count; one alone may have been in the way of something."""


class PullBook:
    """When each account's broker last answered a pull, and how often it has not since."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answered: dict[AccountId, int] = {}
        self._missed: dict[AccountId, tuple[int, str]] = {}

    def answered(self, account: AccountId) -> None:
        """A pull was answered."""
        self._answered[account] = self._clock.now()
        self._missed.pop(account, None)

    def missed(self, account: AccountId, reason: str) -> None:
        """A pull was refused, failed, or not answered in time."""
        count, _ = self._missed.get(account, (0, ""))
        self._missed[account] = (count + 1, reason)

    def is_missing(self, account: AccountId) -> bool:
        """Whether the last pull was not answered."""
        return account in self._missed

    def flaw(self, account: AccountId) -> str:
        """What the broker said last, where it has not answered for several pulls in a row; empty otherwise."""
        count, reason = self._missed.get(account, (0, ""))
        return reason if count >= MISSES else ""

    def age_ns(self, account: AccountId) -> int | None:
        """How long ago a pull was answered; None before the first."""
        at = self._answered.get(account)
        return None if at is None else max(0, self._clock.now() - at)


class Guarded:
    """Reads the kernel, the accounts that are `confirmed`, the services and the pulls; changes none of them."""

    def __init__(
        self, setup: Setup, *, kernel: Kernel, confirmed: Container[AccountId], health: HealthBook, pulls: PullBook
    ) -> None:
        self._accounts = {account.id: account for account in setup.accounts}
        self._kernel = kernel
        self._confirmed = confirmed
        self._health = health
        self._pulls = pulls

    def flaw(self, account: AccountId) -> str:
        """Why the account is not guarded now; empty if it is."""
        spec = self._accounts.get(account)
        if spec is None:
            return "it is not in the set-up"
        if not self._is_reached(spec):
            return f"the broker {spec.broker} is out of reach{_reason(self._health.of(f'broker {spec.broker}'))}"
        actuator = self._health.of(f"actuator {spec.broker}")
        if actuator is not None and actuator.status in _AWAY:
            return f"the broker {spec.broker} takes no orders{_reason(actuator)}"
        unanswered = self._pulls.flaw(account)
        return f"the broker {spec.broker} does not answer what it is asked: {unanswered}" if unanswered else ""

    def pull_age_ns(self, account: AccountId) -> int | None:
        """How long ago its broker last answered what it was asked; None before the first time."""
        return self._pulls.age_ns(account)

    def _is_reached(self, account: AccountSpec) -> bool:
        known = self._kernel.state.accounts.get(account.id)
        is_cut = known is not None and known.connection == ConnectionStatus.DISCONNECTED
        return account.id in self._confirmed and not is_cut


def _reason(service: ServiceHealth | None) -> str:
    return f": {service.reason}" if service is not None and service.reason else ""
