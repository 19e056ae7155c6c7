"""An enforcement on its way: how often it was tried, when it is tried again, and what is waiting behind it.

Contract. A failed try is repeated after 2, 4, 8, 16, 32 seconds and then every minute, for as long as it is wanted:
nothing here ever gives up. An outcome that names an instant (a venue that is closed, a rate limit) is taken at its word
for at most an hour. When the position changes, by a try itself too, there is a new situation: the pauses begin anew,
and the next try comes at once, though never sooner than the shortest pause after the last one.
"""

import msgspec

from haltline.clock import NS_PER_S
from haltline.model.plan import PlannedAction

FIRST_WAIT_NS = 2 * NS_PER_S
"""The shortest pause between two tries of one action."""
LONGEST_WAIT_NS = 60 * NS_PER_S
LONGEST_NAMED_NS = 3600 * NS_PER_S
"""How long an instant that an outcome names is waited for: a wrong one must not end enforcement."""
ECHO_NS = 5 * NS_PER_S
"""How long a deed is remembered that our books may not show yet."""
INSTANT_NS = 300 * NS_PER_S
"""How long that is tried which an instant asked for: nothing tells us when it stops making sense."""
_DETAIL = 500


class Flight(msgspec.Struct):
    """An action whose outcome is not known yet, or that is to be asked for again at `retry_at`.

    `attempt` counts tries from 0, `failures` those that ended badly, `row` those since the `situation` last changed.
    `since` is when it was first asked for; `brief` marks what an instant asked for (a fill, an order that ended), which
    no incident goes on asking for, `begun` half of what must be done whole. `told` are the steps of escalation already
    taken, by incident.
    `covered` are requests left out because of it. `echo` marks one that is done, and that our books may not show yet:
    it is kept until `retry_at` so that the governor does not ask again for the very same `state` of order or position.
    """

    action: PlannedAction
    retry_at: int | None = None
    attempt: int = 0
    covered: list[PlannedAction] = []
    state: str = ""
    echo: bool = False
    since: int = 0
    failures: int = 0
    row: int = 0
    failed_at: int | None = None
    situation: str = ""
    detail: str = ""
    told: dict[str, list[int]] = {}
    brief: bool = False
    begun: bool = False

    @property
    def origin(self) -> str:
        """The id of the first try."""
        return origin_of(self.action.id)

    @property
    def asked_at(self) -> int:
        """When it was first asked for; that of this try where an older version has saved it."""
        return self.since or self.action.at

    def insists(self, now: int) -> bool:
        """Whether it is wanted although no incident lives: it is half done, or an instant asked for it not long ago."""
        return self.begun or (self.brief and now < self.asked_at + INSTANT_NS)

    def fail(self, now: int, *, detail: str, situation: str, named: int | None) -> None:
        """Note a try that ended badly, and when the next one is due."""
        self.failures += 1
        self.row = 1 if situation != self.situation else self.row + 1
        self.failed_at = now
        self.detail = detail[:_DETAIL]
        self.situation = situation
        self.retry_at = next_try(now, self.row, named)

    def hasten(self, situation: str, now: int) -> None:
        """Something changed: begin the pauses anew if it is not the situation in which the last try failed."""
        if self.echo or self.retry_at is None or self.failed_at is None or situation == self.situation:
            return
        self.situation, self.row = situation, 0
        self.retry_at = min(self.retry_at, max(now, self.failed_at + FIRST_WAIT_NS))


def next_try(now: int, failures: int, named: int | None = None) -> int:
    """When to try again after so many failures in one situation; `named` is what the other side asked for."""
    pause = min(LONGEST_WAIT_NS, FIRST_WAIT_NS << min(max(failures - 1, 0), 10))
    if named is not None:
        return max(now + FIRST_WAIT_NS, min(named, now + LONGEST_NAMED_NS))
    return now + pause


def origin_of(action_id: str) -> str:
    """The id of the first try of an action: its repeats are ``id~1``, ``id~2`` and so on."""
    return action_id.partition("~")[0]
