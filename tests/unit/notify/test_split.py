"""Long texts in parts: between items, then sentences, then words; nothing is lost, nothing is too long."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from haltline.api import Button, Message
from haltline.model.rule import Severity
from haltline.notify.split import length, split_message

BASE = Message(id="m", at=1, severity=Severity.INFO, title="t", text="", thread="th", image=b"png",
               buttons=(Button(label="Ack", command="ack"),))  # fmt: skip


def parts(*items: str, most: int = 40) -> list[str]:
    message = msgspec.structs.replace(BASE, text="\n".join(items), items=items)
    return [part.text for part in split_message(message, most)]


def test_what_fits_is_left_alone() -> None:
    assert split_message(BASE, 10) == [BASE]
    assert split_message(msgspec.structs.replace(BASE, text="x" * 99), None)[0].text == "x" * 99


def test_whole_items_stay_together() -> None:
    assert parts("first item.", "second item.", "third item is long.") == [
        "(1/2) first item.\nsecond item.", "(2/2) third item is long."
    ]  # fmt: skip


def test_an_item_too_long_by_itself_is_cut_between_sentences_then_words() -> None:
    assert parts("One sentence here. And another here.", "b", most=34) == [
        "(1/2) One sentence here.", "(2/2) And another here.\nb"
    ]  # fmt: skip
    assert parts("word " * 9 + "word") == ["(1/2) word word word word word", "(2/2) word word word word word"]


def test_length_is_counted_in_utf_16_units() -> None:
    assert length("a😀") == 3
    assert all(length(text) <= 40 for text in parts("😀" * 100))


def test_buttons_image_and_thread_go_with_the_last_part_alone() -> None:
    found = split_message(msgspec.structs.replace(BASE, text="a " * 50), 40)
    assert [bool(part.buttons) for part in found] == [False] * (len(found) - 1) + [True]
    assert [part.thread for part in found[:-1]] == [""] * (len(found) - 1)
    assert (found[-1].thread, found[-1].image) == ("th", b"png")


@given(st.lists(st.text(min_size=1, max_size=120), min_size=1, max_size=8), st.integers(14, 90))
def test_no_part_is_too_long_and_no_sign_is_lost(items: list[str], most: int) -> None:
    message = msgspec.structs.replace(BASE, text="\n".join(items), items=tuple(items))
    found = split_message(message, most)
    assert all(length(part.text) <= most for part in found)
    joined = "".join(part.text.partition(") ")[2] if len(found) > 1 else part.text for part in found)
    assert [sign for sign in joined if not sign.isspace()] == [
        sign for sign in message.text if not sign.isspace()
    ]  # fmt: skip
