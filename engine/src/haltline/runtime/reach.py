"""Tells people of brokers that stay out of reach, and of their return: what nobody can act on is not guarded.

Whether such an account may take new risk is not decided here: entries wait until it is confirmed, and rules may say
more (`account.blind_for`).
"""

from collections.abc import Sequence

from haltline.clock import NS_PER_S, Clock, format_duration
from haltline.config.settings import Setup
from haltline.model.account import AccountSpec
from haltline.runtime.guarded import Guarded
from haltline.runtime.health import Tell

LOST_NS = 15 * NS_PER_S
"""For so long nothing is said: most connections are back by then. A return is told once it has held as long."""
_LOOK_NS = NS_PER_S


class Reach:
    """The service `run`. Each broker is told of once while it is away, however often it comes and goes meanwhile."""

    def __init__(self, setup: Setup, *, guarded: Guarded, clock: Clock, tell: Tell) -> None:
        self._setup = setup
        self._guarded = guarded
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
            there = [account for account in self._setup.accounts if account.broker == broker]
            lost = [account for account in there if self._guarded.flaw(account.id)]
            await (self._away(broker, lost) if lost else self._there(broker))

    async def _away(self, broker: str, lost: Sequence[AccountSpec]) -> None:
        now = self._clock.now()
        self._back.pop(broker, None)
        since = self._since.setdefault(broker, now)
        if broker in self._told or now - since < LOST_NS:
            return
        self._told.add(broker)
        names = ", ".join(account.id for account in lost)
        reason = self._guarded.flaw(lost[0].id)
        await self._tell(
            f"NOT guarded: {names}",
            f"{reason[:1].upper()}{reason[1:]}. That is so for {_seconds(now - since)}. Nothing can be done on {names} "
            "until it answers, and what rules see of it may be old. It is tried again and again; look at the account "
            "at the broker now.",
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


def _seconds(length_ns: int) -> str:
    return format_duration(length_ns // NS_PER_S * NS_PER_S)
