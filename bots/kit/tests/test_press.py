"""Buttons survive the platforms' few bytes and a restart; strange payloads are nobody's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haltline.api import Button
from haltline.testing.surface import FakeMemory
from haltline_bot_kit.press import ButtonBook

LONG = Button(label="Acknowledge", command="ack", arguments={"incident": "daily-loss/eval#" + "1" * 60})


async def test_a_short_button_is_carried_whole() -> None:
    memory = FakeMemory()
    book = ButtonBook(memory, limit=64)
    payload = await book.payload(Button(label="Why", command="why", arguments={"incident": "a#1"}))
    assert book.read(payload) == ("why", {"incident": "a#1"})
    assert memory.puts == 0


async def test_a_long_button_is_kept_once_and_works_after_a_restart() -> None:
    memory = FakeMemory()
    payload = await ButtonBook(memory, limit=64).payload(LONG)
    assert await ButtonBook(memory, limit=64).payload(LONG) == payload
    assert (len(payload) <= 64, memory.puts) == (True, 1)
    assert ButtonBook(memory, limit=64).read(payload) == ("ack", LONG.arguments)


async def test_a_button_that_was_forgotten_is_nobodys() -> None:
    memory = FakeMemory()
    payload = await ButtonBook(memory, limit=64).payload(LONG)
    memory.texts.clear()
    assert ButtonBook(memory, limit=64).read(payload) is None


@pytest.mark.parametrize(
    "payload", ["", "x", "=", "=[]", '=["a"]', '=["a",{"b":1}]', '={"a":1}', "#", "#nothing", "=[1,{}]"]
)
def test_a_payload_of_another_shape_is_nobodys(payload: str) -> None:
    assert ButtonBook(FakeMemory(), limit=64).read(payload) is None


@given(payload=st.text(max_size=100))
def test_no_payload_raises(payload: str) -> None:
    ButtonBook(FakeMemory(), limit=64).read(payload)
