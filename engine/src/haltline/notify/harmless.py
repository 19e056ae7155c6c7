"""What people and venues wrote, before it goes to any channel: without signs that a screen would obey."""

import msgspec

from haltline.api import Message
from haltline.errors.inert import inert


def harmless(message: Message) -> Message:
    """The same message in signs that are shown as they are. Names that are looked up by (its id, the rule) stay."""
    return msgspec.structs.replace(
        message,
        title=inert(message.title),
        text=inert(message.text),
        items=tuple(inert(item) for item in message.items),
        facts=tuple((inert(label), inert(value)) for label, value in message.facts),
        labels={inert(name): inert(text) for name, text in message.labels.items()},
        buttons=tuple(msgspec.structs.replace(each, label=inert(each.label)) for each in message.buttons),
    )
