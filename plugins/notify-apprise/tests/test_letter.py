"""Title and text fit what a service takes: the text whole, the rest as far as there is room."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from haltline.api import Message
from haltline.model.rule import Severity
from haltline_notify_apprise.letter import Room, length, letter_of, tame

MAIL, PAGER, CHAT = Room(body=32768, title=250), Room(body=40, title=0), Room(body=60, title=20, shared=True)


def message(text: str, **more: Any) -> Message:
    return Message(**{"id": "m", "at": 0, "severity": Severity.WARNING, "title": "eval", "text": text, **more})


def test_there_is_room_for_everything() -> None:
    letter = letter_of(message("a loss", facts=(("Account", "eval"),)), MAIL)
    assert (letter.title, letter.body, letter.kind) == ("WARNING eval", "a loss\n\nAccount: eval", "warning")


def test_a_title_without_a_place_of_its_own_comes_first() -> None:
    assert letter_of(message("a loss"), PAGER).body == "WARNING eval\na loss"


def test_the_text_comes_before_title_and_facts() -> None:
    letter = letter_of(message("x" * 40, facts=(("Account", "eval"),)), PAGER)
    assert (letter.title, letter.body) == ("", "x" * 40)
    assert letter_of(message("x" * 60), CHAT).title == ""


def test_as_many_facts_as_fit_whole() -> None:
    facts = (("A", "1"), ("B", "2" * 50), ("C", "3"))
    assert letter_of(message("x", title="", facts=facts), PAGER).body == "WARNING\nx\n\nA: 1"


def test_a_long_title_is_cut_between_characters() -> None:
    letter = letter_of(message("x", title="📉" * 300), MAIL)
    assert length(letter.title) <= 250
    assert letter.title.endswith("📉…")


def test_a_message_without_text_is_its_title() -> None:
    assert letter_of(message(""), MAIL).body == "eval"


def test_where_lines_would_be_cut_off_there_is_one() -> None:
    found = message("one\n\ntwo", facts=(("A", "1"),))
    assert letter_of(found, Room(body=0, title=9, lines=2)).body == "one · two · A: 1"
    assert letter_of(message("one\ntwo"), Room(body=0, title=9, lines=2)).body == "one\ntwo"


def test_any_length_may_be_allowed() -> None:
    assert letter_of(message("x" * 100_000, facts=(("A", "1"),)), Room(body=0, title=0)).body.endswith("A: 1")


def test_what_is_made_harmless_is_no_longer_than_before() -> None:
    text = "@all <@1> [x](http://evil) <!here> desk@example.org 1 < 2"
    assert tame(text) == "＠all ‹＠1> [x］(http://evil) ‹!here> desk@example.org 1 < 2"
    assert length(tame(text)) == length(text)


@given(st.text(max_size=200), st.text(max_size=80), st.sampled_from([MAIL, PAGER, CHAT]))
def test_whatever_is_said_never_takes_more_room_than_the_text_and_what_is_left(
    text: str, title: str, room: Room
) -> None:
    text = text[:10] if room.body < 100 else text
    letter = letter_of(message(text, title=title, facts=((title, text),)), room)
    taken = length(letter.body) + (length(letter.title) if room.shared else 0)
    assert taken <= max(room.body, length(tame(text) or tame(title)))
    assert length(letter.title) <= max(room.title, 0)
    assert "\n" not in letter.title
    assert "\r" not in letter.title
