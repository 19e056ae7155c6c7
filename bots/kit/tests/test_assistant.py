"""What was said, chosen or pressed reaches the control service unchanged, as the person who did it."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from haltline.api import Button, Caller, Control, Reply, ReplyStatus, Request
from haltline_bot_kit.assistant import Assistant
from haltline_bot_kit.press import ButtonBook

ANNA = Caller(platform="telegram", user="7", name="Anna")


class FakeControl:
    """Answers everything with its own request."""

    def __init__(self, reply: Reply | None = None) -> None:
        self.said: list[Any] = []
        self.reply = reply or Reply(title="done")

    async def run(self, request: Request) -> Reply:
        self.said.append((request.caller.user, request.command, dict(request.arguments)))
        return self.reply

    async def say(self, caller: Caller, line: str) -> Reply:
        self.said.append((caller.user, line))
        return self.reply

    async def follow(self, reply: Reply) -> Reply:
        return Reply(title="flat", parts=reply.parts)


type Made = tuple[Assistant, FakeControl, ButtonBook]


@pytest.fixture
def make(empty_memory: Callable[[], Any]) -> Callable[..., Made]:
    def made(reply: Reply | None = None) -> Made:
        control, book = FakeControl(reply), ButtonBook(empty_memory(), limit=64)
        return Assistant(cast("Control", control), book), control, book

    return made


async def test_a_line_is_passed_on_with_the_commands_own_name(make: Callable[..., Made]) -> None:
    assistant, control, _ = make()
    await assistant.said(ANNA, "/flatten_all my_account")
    assert control.said == [("7", "/flatten-all my_account")]


async def test_a_press_asks_as_whoever_pressed(make: Callable[..., Made]) -> None:
    assistant, control, book = make()
    payload = await book.payload(Button(label="Ack", command="ack", arguments={"incident": "i"}))
    await assistant.pressed(ANNA, payload)
    assert control.said == [("7", "ack", {"incident": "i"})]


async def test_an_unknown_payload_asks_nothing(make: Callable[..., Made]) -> None:
    assistant, control, _ = make()
    assert await assistant.pressed(ANNA, "=garbage") is None
    assert control.said == []


async def test_actions_under_way_are_worth_waiting_for_and_questions_are_not(make: Callable[..., Made]) -> None:
    assistant, _, _ = make(Reply(title="flattening", actions=("a",)))
    answer = await assistant.asked(ANNA, "flatten", {"account": "eval"})
    assert answer.is_open
    assert (await assistant.outcome(answer)).view.text == "flat"
    asking = Reply(title="sure?", actions=("a",), status=ReplyStatus.ASKS)
    assert not (await make(asking)[0].asked(ANNA, "flatten", {})).is_open
