"""Which messages a result calls for: one for every planned action that channels carry out."""

from haltline.api import HandledBy, Message
from haltline.api.action import Action
from haltline.api.registry import Shelf
from haltline.model.plan import PlannedAction, Result
from haltline.notify.render import notice_message


def messages_of(result: Result, actions: Shelf[Action]) -> list[tuple[Message, str]]:
    """The messages, each with the channels that its action names (empty: those of the routes)."""
    found = []
    for planned in result.plan:
        action = actions.get(planned.name)
        if action is None or action.handled_by is not HandledBy.NOTIFY:
            continue
        named = planned.params.get("channels")
        transitions = (item for item in result.transitions if item.incident in planned.incidents)
        siblings = [other for other in result.plan if _together(planned, other)]
        message = notice_message(planned, next(transitions, None), siblings)
        found.append((message, named if isinstance(named, str) else ""))
    return found


def _together(one: PlannedAction, other: PlannedAction) -> bool:
    return other is not one and bool(set(one.incidents) & set(other.incidents))
