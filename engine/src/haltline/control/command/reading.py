"""Values of a call as the type a command needs, and replies of events that the kernel took."""

from collections.abc import Callable

from haltline.api.control import Argument, ArgumentKind, Call
from haltline.api.reply import Paragraph, Reply, ReplyStatus, Tone
from haltline.clock import NS_PER_S
from haltline.control.door import Door
from haltline.kernel.loosening import describe_pending
from haltline.model.event import Event
from haltline.model.plan import Result

ACCOUNT = Argument(name="account", meaning="the account", kind=ArgumentKind.ACCOUNT)
MAYBE_ACCOUNT = Argument(
    name="account", meaning="one account; all that you may see if left out", kind=ArgumentKind.ACCOUNT, required=False
)
REASON = Argument(name="reason", meaning="why, for the record", rest=True)
MAYBE_REASON = Argument(name="reason", meaning="why, for the record", required=False, rest=True)


def text_of(call: Call, name: str, default: str = "") -> str:
    """A text argument."""
    value = call.arguments.get(name)
    return value if isinstance(value, str) else default


def number_of(call: Call, name: str) -> float | None:
    """A number, quantity or duration (in seconds); None where it was left out."""
    value = call.arguments.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def until_of(call: Call, name: str = "for") -> int | None:
    """The instant at which a duration from now ends; None where it was left out."""
    length_s = number_of(call, name)
    return None if length_s is None else call.now + round(length_s * NS_PER_S)


def accounts_of(call: Call) -> tuple[str, ...]:
    """The account that was named, or all that the operator may see."""
    named = text_of(call, "account")
    return (named,) if named else tuple(call.accounts)


def reason_of(call: Call) -> str:
    """The reason given, or who asked."""
    return text_of(call, "reason") or f"asked for by {call.operator}"


def notices_of(result: Result) -> tuple[Paragraph, ...]:
    """What the kernel said, sentence by sentence."""
    return tuple(Paragraph(text=notice) for notice in result.notices)


async def take(door: Door, call: Call, event: Event, *, title: str, is_done: Callable[[], bool]) -> Reply:
    """Have an event taken; the reply says whether it was, whether it waits, or why it was refused."""
    before = {pending.id for pending in door.kernel.loosenings}
    result = await call.submit(event)
    if is_done():
        return Reply(title=title, tone=Tone.GOOD, parts=notices_of(result), actions=actions_of(result))
    waiting = [pending for pending in door.kernel.loosenings if pending.id not in before]
    if waiting:
        parts = tuple(Paragraph(text=describe_pending(pending)) for pending in waiting)
        return Reply(title="It waits", tone=Tone.WARNING, parts=parts or notices_of(result))
    return Reply(
        title="Not done", status=ReplyStatus.REFUSED, tone=Tone.BAD, code="E854", parts=notices_of(result), private=True
    )


def actions_of(result: Result) -> tuple[str, ...]:
    """What of a plan is carried out at a broker."""
    at_broker = ("flatten", "close_position", "cancel_orders", "reduce_to")
    return tuple(str(action.id) for action in result.plan if action.name in at_broker and not action.shadow)
