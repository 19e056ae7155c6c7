"""The message of a group: one card that tells of an incident, or of several, as they go on and end."""

from collections.abc import Sequence

import msgspec

from haltline.api import Button, Message
from haltline.clock import format_duration
from haltline.notify.group import Group, Member, by_loudness, loudest
from haltline.notify.render import incident_buttons

MOST = 40
"""So many things one message tells of: more are counted, because nobody reads on."""


def first_card(group: Group, member: Member) -> Message:
    """The first message about a group of one: what its rule said."""
    return _threaded(member.message, group)


def card(
    group: Group,
    shown: Sequence[Member],
    now: int,
    *,
    seen: Sequence[Member] = (),
    lead: str = "",
    update: bool = False,
) -> Message:
    """One message about `shown`, the loudest first; what else of `seen` goes on follows by title.

    `lead` says why it comes again. An `update` may replace the message before.
    """
    members = by_loudness(shown)
    rest = [member for member in by_loudness(seen) if member not in members and member.is_going_on]
    items = [_item(member, now) for member in members[:MOST]]
    if len(members) > MOST:
        items.append(f"{len(members) - MOST} more: `haltline incidents` shows them all.")
    if rest:
        more = f"; and {len(rest) - MOST} more" if len(rest) > MOST else ""
        items.append("Also: " + "; ".join(member.message.title for member in rest[:MOST]) + f"{more}.")
    if lead:
        items.insert(0, lead)
    first = members[0].message
    title = first.title if len(members) == 1 else f"{len(members)} notices{_about(group)}: {first.title}"
    going_on = [member for member in members if member.is_going_on]
    one = len(members) == 1
    return msgspec.structs.replace(
        first,
        id=f"{group.id}@{now}#{group.serial}",
        at=now,
        severity=loudest(members),
        title=f"{lead.rstrip('.')}: {title}" if lead else title,
        text="\n".join(items),
        items=tuple(items),
        facts=first.facts if one else (),
        rule=first.rule if one else "",
        phase=first.phase if going_on else "resolved",
        thread=group.id,
        update=update,
        buttons=_buttons(going_on, now),
        labels=first.labels if one else dict(group.labels),
    )


def _threaded(message: Message, group: Group) -> Message:
    return msgspec.structs.replace(message, thread=group.id)


def _item(member: Member, now: int) -> str:
    if member.is_acked(now) and not member.over:
        return f"{member.message.text} Acknowledged by {member.acked_by}."
    begun_s = (now - member.begun) // 10**9
    if member.over or member.once or member.told_at is None or begun_s < 1:
        return member.message.text
    return f"{member.message.text} It has gone on for {format_duration(begun_s * 10**9)}."


def _about(group: Group) -> str:
    names = [text for name, text in group.labels.items() if text and name in ("account", "rule", "symbol")]
    return f" about {', '.join(names)}" if names else ""


def _buttons(going_on: Sequence[Member], now: int) -> tuple[Button, ...]:
    """What can be done about the loudest one that goes on."""
    if not going_on:
        return ()
    return incident_buttons(going_on[0].labels, acked=going_on[0].is_acked(now))
