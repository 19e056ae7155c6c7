"""Which action takes the lane from which: what is urgent never waits for what is not."""

from haltline.errors import EngineError
from haltline.model.plan import PlannedAction
from haltline.rules.arbiter import CANCEL, CLOSE, FLATTEN, makes_pointless

CONFIRMED = frozenset({FLATTEN, CLOSE})
"""Actions that count as done only once their result was held, by push and by pull."""


class Superseded(EngineError):
    """The action must end here: `by` takes over. Raised between two requests, never in the middle of one."""

    def __init__(self, by: PlannedAction) -> None:
        self.by = by
        super().__init__(f"superseded by {by.name}")


def supersedes(strong: PlannedAction, weak: PlannedAction) -> bool:
    """Whether the weaker action ends for good: the stronger one does all of it."""
    return strong.id != weak.id and makes_pointless(strong, weak)


def goes_before(strong: PlannedAction, weak: PlannedAction) -> bool:
    """Whether the weaker action makes room at once: it has become pointless, or waits until a flatten is through.

    What cancels orders of a symbol lets its close go first, which cancels them too. It is not pointless: a close that
    fails waits between its tries.
    """
    if strong.account != weak.account or strong.id == weak.id:
        return False
    if strong.name == CLOSE and weak.name == CANCEL:
        return strong.symbol == weak.symbol
    return makes_pointless(strong, weak) or (strong.name == FLATTEN and weak.name != FLATTEN)
