"""Formatted text is read, and refused, as the platform does; lengths and limits are the platform's."""

import pytest

from haltline_sim_telegram.entity import finish
from haltline_sim_telegram.failure import ApiError
from haltline_sim_telegram.html_mode import parse_html
from haltline_sim_telegram.limit import Pace, Rate
from haltline_sim_telegram.markdown_mode import parse_markdown, parse_markdown_v2
from haltline_sim_telegram.markup import check_photo, read_keyboard, read_text
from haltline_sim_telegram.record import File

PARSERS = {"HTML": parse_html, "MarkdownV2": parse_markdown_v2, "Markdown": parse_markdown}


@pytest.mark.parametrize(
    ("mode", "source", "text", "kinds"),
    [
        ("HTML", "<b>a</b> &lt;i&gt; &amp;amp; &quot;", 'a <i> &amp; "', ["bold"]),
        ("HTML", "&#65;&#x42;&copy;&nbsp;", "AB&copy;&nbsp;", []),
        ("HTML", '<a href="http://x/?a&b">x</a><span class="tg-spoiler">y</span>', "xy", ["text_link", "spoiler"]),
        ("HTML", "<b><i>x</i></b><code>1 < 2</code>".replace(" < ", " &lt; "), "x1 < 2", ["italic", "bold", "code"]),
        ("HTML", "<blockquote expandable>q</blockquote>", "q", ["expandable_blockquote"]),
        ("HTML", "<b></b>x", "x", []),
        ("HTML", "a > b", "a > b", []),
        ("MarkdownV2", r"*b* _i_ __u__ ~s~ ||p|| `c`", "b i u s p c",
         ["bold", "italic", "underline", "strikethrough", "spoiler", "code"]),
        ("MarkdownV2", r"1\.5\% \- \(x\)\!", "1.5% - (x)!", []),
        ("MarkdownV2", "```python\nx = 1.5\n```", "x = 1.5\n", ["pre"]),
        ("MarkdownV2", r"`a.b_c`", "a.b_c", ["code"]),
        ("MarkdownV2", r"[x](https://a\.b/\))", "x", ["text_link"]),
        ("MarkdownV2", ">q1\n>q2\nrest", "q1\nq2\nrest", ["blockquote"]),
        ("Markdown", r"*b* _i_ `c_d` \_x [t](http://y)", "b i c_d _x t", ["bold", "italic", "code", "text_link"]),
    ],
)  # fmt: skip
def test_formatted_text_becomes_plain_text_with_entities(mode: str, source: str, text: str, kinds: list[str]) -> None:
    plain, entities = PARSERS[mode](source)
    assert plain == text
    assert [entity.kind for entity in entities] == kinds


@pytest.mark.parametrize(
    ("mode", "source", "words"),
    [
        ("HTML", "1 <2", 'Unsupported start tag "2" at byte offset 2'),
        ("HTML", "é<foo>", 'Unsupported start tag "foo" at byte offset 2'),
        ("HTML", "<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("HTML", "x</b>", "Unexpected end tag at byte offset 1"),
        ("HTML", "<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("HTML", "<b x", "Unclosed start tag at byte offset 0"),
        ("HTML", "<b>x</b", "Unclosed end tag at byte offset 4"),
        ("HTML", "<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("MarkdownV2", "1.5", "Character '.' is reserved and must be escaped with the preceding '\\'"),
        ("MarkdownV2", "a-b", "Character '-' is reserved and must be escaped with the preceding '\\'"),
        ("MarkdownV2", "a | b", "Character '|' is reserved and must be escaped with the preceding '\\'"),
        ("MarkdownV2", "a!", "Character '!' is reserved and must be escaped with the preceding '\\'"),
        ("MarkdownV2", "snake_case", "Can't find end of Italic entity at byte offset 5"),
        ("MarkdownV2", "é *x", "Can't find end of Bold entity at byte offset 3"),
        ("MarkdownV2", "[x](http://y", "Can't find end of a URL at byte offset 3"),
        ("Markdown", "snake_case", "Can't find end of the entity starting at byte offset 5"),
    ],
)
def test_broken_markup_is_refused_in_the_platforms_words(mode: str, source: str, words: str) -> None:
    with pytest.raises(ApiError) as found:
        PARSERS[mode](source)
    assert found.value.description == f"Bad Request: can't parse entities: {words}"
    assert found.value.code == 400


@pytest.mark.parametrize("mode", PARSERS)
@pytest.mark.parametrize(
    "source", ["", "<", "&", "&#", "\\", "`", "```", "[", "](", "![", ">", "|", "||", "</", "<a", "_" * 999]
)
def test_any_text_is_read_or_refused(mode: str, source: str) -> None:
    try:
        PARSERS[mode](source)
    except ApiError as refusal:
        assert refusal.code == 400


def test_places_are_counted_in_utf16_units() -> None:
    plain, entities = finish(*parse_html("  😀 <b>x</b> "))
    assert plain == "😀 x"
    assert [(e.offset, e.length) for e in entities] == [(3, 1)]


def test_what_clients_make_clickable_is_found_outside_of_code() -> None:
    text, entities = finish(*parse_html("/flatten @admin $NQ #now x.com <code>/lock @bob</code>"))
    assert [e.kind for e in entities] == ["bot_command", "mention", "cashtag", "hashtag", "url", "code"]
    assert text.endswith("/lock @bob")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"text": " \n "}, "message text is empty"),
        ({"text": "x" * 4097}, "message is too long"),
        ({"text": "😀" * 2049}, "message is too long"),
        ({"text": "x", "parse_mode": "bbcode"}, "unsupported parse_mode"),
        ({"text": "x", "entities": [1]}, "can't parse MessageEntity"),
    ],
)
def test_a_text_that_cannot_be_sent_is_refused(given: dict, words: str) -> None:
    with pytest.raises(ApiError, match=f"Bad Request: {words}"):
        read_text(given)


def test_the_length_counts_after_the_markup_is_taken_away() -> None:
    assert read_text({"text": f"<b>{'x' * 4096}</b>", "parse_mode": "HTML"})[0] == "x" * 4096
    with pytest.raises(ApiError, match="message caption is too long"):
        read_text({"caption": "x" * 1025}, "caption")


@pytest.mark.parametrize(
    ("button", "words"),
    [
        ({"text": "a"}, "text buttons are unallowed"),
        ({"text": "a", "callback_data": "x" * 65}, "BUTTON_DATA_INVALID"),
        ({"text": "a", "callback_data": "é" * 33}, "BUTTON_DATA_INVALID"),
        ({"text": "a", "callback_data": ""}, "BUTTON_DATA_INVALID"),
        ({"text": "a", "url": "nowhere"}, "Wrong HTTP URL"),
        ({"callback_data": "x"}, "can't parse inline keyboard button"),
        ("x", "can't parse inline keyboard button"),
    ],
)
def test_a_button_that_cannot_be_is_refused(button: object, words: str) -> None:
    with pytest.raises(ApiError, match=words):
        read_keyboard({"reply_markup": {"inline_keyboard": [[button]]}})


def test_a_hundred_buttons_are_the_most() -> None:
    row = [{"text": "a", "callback_data": "x" * 64}] * 10
    assert len(read_keyboard({"reply_markup": {"inline_keyboard": [row] * 10}})) == 10
    with pytest.raises(ApiError, match="REPLY_MARKUP_TOO_LONG"):
        read_keyboard({"reply_markup": {"inline_keyboard": [row] * 11}})


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(ApiError, match="IMAGE_PROCESS_FAILED"):
        check_photo(File(file_id="", name="x.png", content=content))


def test_limits_are_kept_by_chat_by_group_and_overall() -> None:
    now = [100.0]
    pace = Pace(Rate(overall_per_s=5, chat_per_s=1, chat_burst=2, group_per_min=3), lambda: now[0])
    pace.spend(1, is_group=False)
    pace.spend(1, is_group=False)
    with pytest.raises(ApiError) as found:
        pace.spend(1, is_group=False)
    assert found.value.parameters == {"retry_after": 1}
    for _ in range(3):
        pace.spend(-5, is_group=True)
    with pytest.raises(ApiError, match="429"):
        pace.spend(2, is_group=False)
    now[0] += 1
    pace.spend(1, is_group=False)
    with pytest.raises(ApiError) as found:
        pace.spend(-5, is_group=True)
    assert found.value.parameters == {"retry_after": 59}
