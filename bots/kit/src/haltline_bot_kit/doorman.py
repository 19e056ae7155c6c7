"""Keeps strangers from making noise: whoever is not an operator is heard now and then, for the record, and no more."""

from collections import OrderedDict, deque
from collections.abc import Collection

from haltline.clock import NS_PER_S, Clock

_HEARD_EVERY_NS = 60 * NS_PER_S
_HEARD_A_MINUTE = 20
_REMEMBERED = 1000


class Doorman:
    """Decides what reaches the control service. `people` are the platform's ids of operators: they always do.

    A stranger is heard once a minute, all strangers together 20 times a minute; the rest is dropped and counted.
    """

    def __init__(self, people: Collection[str], clock: Clock) -> None:
        self._people = frozenset(people)
        self._clock = clock
        self._heard: OrderedDict[str, int] = OrderedDict()
        self._recent: deque[int] = deque(maxlen=_HEARD_A_MINUTE)
        self.dropped = 0

    def admits(self, user: str) -> bool:
        """Whether what this person said is passed on."""
        if user in self._people:
            return True
        now = self._clock.now()
        last = self._heard.get(user)
        is_full = len(self._recent) == _HEARD_A_MINUTE and now - self._recent[0] < _HEARD_EVERY_NS
        if is_full or (last is not None and now - last < _HEARD_EVERY_NS):
            self.dropped += 1
            return False
        self._recent.append(now)
        self._heard[user] = now
        self._heard.move_to_end(user)
        while len(self._heard) > _REMEMBERED:
            self._heard.popitem(last=False)
        return True
