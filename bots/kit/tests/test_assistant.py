"""What was said, chosen or pressed reaches the control service unchanged, as the person who did it."""

from collections.abc import Callable
from typing import cast

import pytest

from haltline.api import Button, Caller, Control, Reply, ReplyStatus
from haltline.testing.surface import FakeControl, FakeMemory
from haltline_bot_kit.assistant import Assistant
from haltline_bot_kit.press import ButtonBook

ANNA = Caller(platform="telegram", user="7", name="Anna")


type Made = tuple[Assistant, FakeControl, ButtonBook]


@pytest.fixture
def make() -> Callable[..., Made]:
    def made(reply: Reply | None = None) -> Made:
        control, book = FakeControl(), ButtonBook(FakeMemory(), limit=64)
        control.ended.set()
        if reply is not None:
            control.replies["flatten"] = reply
        return Assistant(cast("Control", control), book), control, book

    return made


async def test_a_line_is_passed_on_with_the_commands_own_name(make: Callable[..., Made]) -> None:
    assistant, control, _ = make()
    await assistant.said(ANNA, "/flatten_all my_account")
    assert control.asked == [("7", "/flatten-all my_account", {})]


async def test_a_press_asks_as_whoever_pressed(make: Callable[..., Made]) -> None:
    assistant, control, book = make()
    payload = await book.payload(Button(label="Ack", command="ack", arguments={"incident": "i"}))
    await assistant.pressed(ANNA, payload)
    assert control.asked == [("7", "ack", {"incident": "i"})]


async def test_an_unknown_payload_asks_nothing(make: Callable[..., Made]) -> None:
    assistant, control, _ = make()
    assert await assistant.pressed(ANNA, "=garbage") is None
    assert control.asked == []


async def test_actions_under_way_are_worth_waiting_for_and_questions_are_not(make: Callable[..., Made]) -> None:
    assistant, _, _ = make(Reply(title="flattening", actions=("a",)))
    answer = await assistant.asked(ANNA, "flatten", {"account": "eval"})
    assert answer.is_open
    assert (await assistant.outcome(answer)).view.text == "flat"
    asking = Reply(title="sure?", actions=("a",), status=ReplyStatus.ASKS)
    assert not (await make(asking)[0].asked(ANNA, "flatten", {})).is_open
