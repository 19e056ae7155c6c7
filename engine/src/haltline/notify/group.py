"""What goes on, grouped as people hear of it: kept over restarts, one row a group."""

from collections.abc import Iterable

import msgspec

from haltline.api import Message
from haltline.model.rule import Severity

FOREVER = 1 << 62
_LOUDNESS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


class Member(msgspec.Struct, kw_only=True):
    """One incident in a group (or one event, `once`), with the newest message about it.

    It is `over` when its end is all that is left to tell, `elsewhere` when another group tells how it goes on.
    `told` is the id of the last message that people have heard, `told_at` when; `covered` are channels that hear the
    same by another route. `deeds` is what was done about it, `actions` the ids of what is being done.
    """

    key: str
    message: Message
    labels: dict[str, str]
    begun: int
    once: bool = False
    over: bool = False
    elsewhere: bool = False
    told: str = ""
    told_at: int | None = None
    acked_until: int | None = None
    acked_by: str = ""
    covered: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    deeds: tuple[str, ...] = ()

    @property
    def is_new(self) -> bool:
        """Whether there is something to tell that nobody has heard."""
        return self.told != self.message.id

    def is_acked(self, now: int) -> bool:
        """Whether somebody has said "I have seen it", and that still counts."""
        return self.acked_until is not None and self.acked_until > now

    @property
    def is_going_on(self) -> bool:
        """Whether it goes on, and is told of here."""
        return not (self.once or self.over or self.elsewhere)

    def is_nagging(self, now: int) -> bool:
        """Whether it goes on, was told, and nobody has acknowledged it."""
        return self.told_at is not None and self.is_going_on and not self.is_acked(now)


class Group(msgspec.Struct, kw_only=True):
    """Members of one route that share the labels it groups by; people hear of them in one message.

    `due` is when it must be looked at next, `flushed` when people last heard of it, `serial` how often. `nagging` is
    since when something in it waits for an acknowledgement, `climbed` how many steps of the chain were taken then.
    """

    id: str
    route: str
    labels: dict[str, str]
    members: dict[str, Member] = {}
    due: int | None = None
    flushed: int | None = None
    serial: int = 0
    nagging: int | None = None
    climbed: int = 0
    told_to: tuple[str, ...] = ()
    inhibited: bool = False

    def look_at(self, instant_ns: int) -> None:
        """Look at it then, or earlier."""
        self.due = instant_ns if self.due is None else min(self.due, instant_ns)


def group_id(route: str, labels: dict[str, str]) -> str:
    """The same for the same route and labels, in every process."""
    return f"{route}|{','.join(f'{name}={text!r}' for name, text in sorted(labels.items()))}"


def loudest(members: Iterable[Member]) -> Severity:
    """The highest severity among them."""
    return max((member.message.severity for member in members), key=_LOUDNESS.__getitem__)


def by_loudness(members: Iterable[Member]) -> list[Member]:
    """The loudest first, then the oldest."""
    return sorted(members, key=lambda member: (-_LOUDNESS[member.message.severity], member.begun, member.key))
