"""One conversation partner for every chat: what was said or pressed goes to the control service, what it answers comes
back as a view.
"""

from collections.abc import Mapping

from haltline.api import Caller, Control, Reply, ReplyStatus, Request, Tone
from haltline_bot_kit.compose import heading, reply_view
from haltline_bot_kit.press import ButtonBook
from haltline_bot_kit.view import Item, View

_JOINERS = str.maketrans("", "", "\u200b\u2060")
"""Signs without width that bots put into what would be a link or a mention: copied from a chat, they come back."""
_SETTLING = frozenset({"confirm", "decline"})
FORGOTTEN = View(
    items=(heading("This button is no longer known", Tone.WARNING), Item(text="Ask again with a command.")),
    tone=Tone.WARNING, private=True,
)  # fmt: skip


class Answer:
    """A reply and how it is shown. One that `is_open` has begun something: `Assistant.outcome` tells how it ends.

    One that `settles` answers a question of ours: it takes the place of the question.
    """

    __slots__ = ("reply", "settles", "view")

    def __init__(self, reply: Reply, *, settles: bool = False) -> None:
        self.reply = reply
        self.view = reply_view(reply)
        self.settles = settles

    @property
    def is_open(self) -> bool:
        """Whether something was begun whose end is worth waiting for."""
        return bool(self.reply.actions) and self.reply.status is ReplyStatus.DONE


class Assistant:
    """The control service as chats use it. It decides nothing: who may do what is the service's business."""

    def __init__(self, control: Control, buttons: ButtonBook) -> None:
        self._control = control
        self._buttons = buttons

    async def said(self, caller: Caller, line: str) -> Answer:
        """Answer a typed line; a command may be spelt as menus spell it."""
        word, space, rest = line.translate(_JOINERS).strip().partition(" ")
        return Answer(await self._control.say(caller, f"{word.replace('_', '-')}{space}{rest}"))

    async def asked(self, caller: Caller, command: str, arguments: Mapping[str, str]) -> Answer:
        """Answer a command whose arguments the platform has already taken apart."""
        given = {name: text.translate(_JOINERS) for name, text in arguments.items()}
        return Answer(await self._control.run(Request(caller=caller, command=command, arguments=given)))

    async def pressed(self, caller: Caller, payload: str) -> Answer | None:
        """Answer a pressed button; None where the payload is not ours or is forgotten."""
        found = self._buttons.read(payload)
        if found is None:
            return None
        command, arguments = found
        reply = await self._control.run(Request(caller=caller, command=command, arguments=arguments))
        return Answer(reply, settles=command in _SETTLING)

    async def outcome(self, answer: Answer) -> Answer:
        """How the actions of an answer ended; waits for it."""
        return Answer(await self._control.follow(answer.reply))
