"""Cutting into messages: nothing lost, nothing too long, items whole where they fit."""

import html

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haltline_bot_kit.view import Item, Style, View, pages


def escaped(item: Item) -> str:
    return f"<pre>{html.escape(item.text)}</pre>" if item.style is Style.MONO else html.escape(item.text)


def plain(item: Item) -> str:
    return item.text


ITEMS = st.builds(
    Item, text=st.text(alphabet="ab<&\n\U0001f600", max_size=200), style=st.sampled_from([Style.TEXT, Style.MONO])
)


@settings(deadline=None)
@given(items=st.lists(ITEMS, max_size=8), limit=st.integers(min_value=20, max_value=120))
def test_every_page_fits_and_no_character_is_lost(items: list[Item], limit: int) -> None:
    view = View(items=tuple(items))
    found = pages(view, escaped, limit=limit)
    assert all(len(page) <= limit for page in found)
    shown = "".join(html.unescape(page.replace("<pre>", "").replace("</pre>", "")) for page in found)
    assert shown.replace("\n", "") == "".join(item.text for item in items).replace("\n", "")


def test_an_item_that_fits_a_message_is_never_torn_apart() -> None:
    view = View(items=(Item(text="a" * 15), Item(text="b" * 15)))
    assert pages(view, plain, limit=20) == ["a" * 15, "b" * 15]


def test_short_items_share_a_message() -> None:
    assert pages(View(items=(Item(text="one"), Item(text="two"))), plain, limit=20) == ["one\ntwo"]


def test_a_long_item_is_cut_at_its_lines() -> None:
    view = View(items=(Item(text="first line\nsecond line\nthird"),))
    assert pages(view, plain, limit=18) == ["first line", "second line\nthird"]


def test_an_empty_view_is_one_empty_page() -> None:
    assert pages(View(items=()), plain, limit=20) == [""]


def test_length_is_the_platforms_own_count() -> None:
    view = View(items=(Item(text="\U0001f600" * 10),))
    found = pages(view, plain, limit=8, measure=lambda text: len(text.encode("utf-16-le")) // 2)
    assert [len(page) for page in found] == [4, 4, 2]


def test_a_message_without_room_for_a_character_is_refused() -> None:
    with pytest.raises(ValueError, match="no room for text"):
        pages(View(items=(Item(text="abc", style=Style.MONO),)), escaped, limit=5)
