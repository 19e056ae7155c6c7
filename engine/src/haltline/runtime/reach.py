"""Tells people of brokers that stay out of reach, and of their return: what nobody can act on is not guarded.

Whether such an account may take new risk is not decided here: entries wait until it is confirmed, and rules may say
more (`account.blind_for`).
"""

from collections.abc import Container, Sequence

from haltline.clock import NS_PER_S, Clock, format_duration
from haltline.config.settings import Setup
from haltline.kernel.kernel import Kernel
from haltline.model.account import AccountSpec
from haltline.model.event import ConnectionStatus
from haltline.model.id import AccountId
from haltline.runtime.health import HealthBook, Tell

LOST_NS = 15 * NS_PER_S
"""For so long nothing is said: most connections are back by then. A return is told once it has held as long."""
_LOOK_NS = NS_PER_S


class Reach:
    """The service `run`. Each broker is told of once while it is away, however often it comes and goes meanwhile."""

    def __init__(
        self, setup: Setup, *, kernel: Kernel, confirmed: Container[AccountId], health: HealthBook, clock: Clock,
        tell: Tell,
    ) -> None:  # fmt: skip
        self._setup = setup
        self._kernel = kernel
        self._confirmed = confirmed
        self._health = health
        self._clock = clock
        self._tell = tell
        self._since: dict[str, int] = {}
        self._back: dict[str, int] = {}
        self._told: set[str] = set()

    async def run(self) -> None:
        """Look once a second until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep_until(self._clock.now() + _LOOK_NS)

    async def look(self) -> None:
        """One look at every broker."""
        for broker in dict.fromkeys(account.broker for account in self._setup.accounts):
            lost = [account for account in self._setup.accounts if account.broker == broker and self._is_lost(account)]
            await (self._away(broker, lost) if lost else self._there(broker))

    async def _away(self, broker: str, lost: Sequence[AccountSpec]) -> None:
        now = self._clock.now()
        self._back.pop(broker, None)
        since = self._since.setdefault(broker, now)
        if broker in self._told or now - since < LOST_NS:
            return
        self._told.add(broker)
        names = ", ".join(account.id for account in lost)
        reason = next((each.reason for each in self._health.services() if each.name == f"broker {broker}"), "")
        await self._tell(
            f"NOT guarded: {names}",
            f"The broker {broker} has been out of reach for {_seconds(now - since)}"
            f"{': ' + reason if reason else ''}. Nothing can be done on {names} until it answers, and what rules see "
            "of it may be old. It is tried again and again; look at the account at the broker now.",
        )

    async def _there(self, broker: str) -> None:
        now = self._clock.now()
        if broker not in self._told:
            self._since.pop(broker, None)
            return
        if now - self._back.setdefault(broker, now) < LOST_NS:
            return
        self._told.discard(broker)
        self._back.pop(broker)
        away = _seconds(now - self._since.pop(broker))
        await self._tell(f"The broker {broker} is back", f"After {away} its accounts are confirmed, and guarded again.")

    def _is_lost(self, account: AccountSpec) -> bool:
        known = self._kernel.state.accounts.get(account.id)
        is_cut = known is not None and known.connection == ConnectionStatus.DISCONNECTED
        return account.id not in self._confirmed or is_cut


def _seconds(length_ns: int) -> str:
    return format_duration(length_ns // NS_PER_S * NS_PER_S)
