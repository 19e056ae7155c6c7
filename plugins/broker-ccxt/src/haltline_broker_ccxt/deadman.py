"""The venue's dead-man switch: it cancels open orders once it has not heard from us for so long.

It cancels ORDERS, protective stops among them, and closes no position. So it is armed only where that was set up, and
it rests while a protective stop works, unless the set-up says that losing those is wanted.
"""

import logging
from collections.abc import Callable

from haltline.clock import NS_PER_S, Clock
from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline_broker_ccxt.setting import Setting
from haltline_broker_ccxt.venue import Venue

_log = logging.getLogger(__name__)


class DeadMan:
    """One account's switch."""

    def __init__(self, venue: Venue, setting: Setting, clock: Clock, *, has_stops: Callable[[], bool]) -> None:
        self._venue = venue
        self._seconds = setting.dead_man_s
        self._strips = setting.dead_man_strips_stops
        self._clock = clock
        self._has_stops = has_stops
        self.is_armed = False

    async def keep(self, renew: Callable[[str], None]) -> None:
        """Arm it again and again; take it back where a stop appears. `renew` makes the streams anew, as some venues
        watch those.
        """
        while True:
            was_armed = self.is_armed
            try:
                await self._turn()
            except Refused as refusal:
                _log.error(
                    "%s refuses its dead-man switch, orders stay if we fall silent: %s", self._venue.name, refusal
                )
                return
            except (Transient, OutcomeUnknown) as failure:
                _log.warning("the dead-man switch of %s could not be set: %s", self._venue.name, failure)
            if was_armed is not self.is_armed:
                renew("the dead-man switch was changed")
            await self._clock.sleep_until(self._clock.now() + round(self._seconds / 4 * NS_PER_S))

    async def clear(self) -> None:
        """Take it back: we go on purpose."""
        if self.is_armed:
            await self._venue.arm_dead_man(0)
            self.is_armed = False

    async def _turn(self) -> None:
        if self._has_stops() and not self._strips:
            if self.is_armed:
                _log.warning("the dead-man switch of %s rests: it would cancel protective stops", self._venue.name)
            await self.clear()
            return
        was_armed, self.is_armed = self.is_armed, True  # it may take effect though its answer is lost
        await self._venue.arm_dead_man(self._seconds)
        if not was_armed:
            _log.warning(
                "the dead-man switch of %s is armed: %d s after it last heard of us it cancels ALL open orders, "
                "protective stops included, and closes no position",
                self._venue.name, self._seconds,
            )  # fmt: skip
