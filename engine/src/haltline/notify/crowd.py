"""What is not known is seldom one thing: a feed that goes stale makes hundreds of conditions UNKNOWN at once.

Where a route groups nothing, each would be a message of its own, and the one that matters would be the five hundredth.
What is told of UNKNOWN at the same time to the same channel, equally loud, is one message; anything else is left alone.
"""

from collections.abc import Sequence

import msgspec

from haltline.api import Message
from haltline.model.verdict import Phase

type Outgoing = list[tuple[Message, str]]

MOST = 5
"""So many are told one by one."""
SHOWN = 8
_NAMED = 3
_COMMON = frozenset({"kind", "severity", "phase"})


def crowded(outgoing: Outgoing) -> Outgoing:
    """The same, but one message in the place of the first where there are too many to be read."""
    crowds: dict[tuple[str, str], list[Message]] = {}
    for message, channel in outgoing:
        if _is_alone(message):
            crowds.setdefault((channel, message.severity.value), []).append(message)
    large = {key: members for key, members in crowds.items() if len(members) > MOST}
    if not large:
        return outgoing
    found: Outgoing = []
    for message, channel in outgoing:
        members = large.get((channel, message.severity.value), []) if _is_alone(message) else []
        if not members:
            found.append((message, channel))
        elif message is members[0]:
            found.append((_together(members), channel))
    return found


def _is_alone(message: Message) -> bool:
    """Whether it tells of something UNKNOWN, and belongs to no thread."""
    return message.phase == Phase.UNKNOWN.value and not message.thread


def _together(members: Sequence[Message]) -> Message:
    first, count = members[0], len(members)
    accounts = list(dict.fromkeys(each.account for each in members if each.account))
    more = len(accounts) - _NAMED
    named = ", ".join(accounts[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    items = [each.text for each in members[:SHOWN]]
    if count > SHOWN:
        items.append(f"{count - SHOWN} more like these: `haltline incidents` shows them all.")
    return msgspec.structs.replace(
        first,
        id=f"{first.id}+{count - 1}",
        title=f"{count} conditions are not known{f' on {named}' if named else ''}: {first.title}",
        text="\n".join(items),
        items=tuple(items),
        facts=(),
        rule="",
        account=accounts[0] if len(accounts) == 1 else "",
        buttons=(),
        labels={name: text for name, text in first.labels.items() if name in _COMMON},
    )
