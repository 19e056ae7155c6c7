"""Views as Telegram's HTML, and length as Telegram counts it."""

import html
import re

from haltline_bot_kit.view import Item, Style

MESSAGE_UNITS = 4096
CAPTION_UNITS = 1024
JOINER = "\u2060"
"""A sign without width. Telegram itself makes links of names, commands and addresses that stand in a text."""
_SELF_MADE = re.compile(r"(?<!\w)@(?=\w)|(?<![\w/])/(?=\w)|(?<=:)//|\.(?=[^\W\d])")


def as_html(item: Item) -> str:
    """An item with everything escaped that people and venues may have put into it."""
    text = html.escape(item.text if item.style is Style.MONO else unlinked(item.text), quote=False)
    match item.style:
        case Style.HEADING:
            return f"<b>{text}</b>"
        case Style.MONO:
            return f"<pre>{text}</pre>"
        case Style.NOTE:
            return f"<i>{text}</i>"
        case _:
            return text


def as_plain(item: Item) -> str:
    """An item without any markup."""
    return unlinked(item.text)


def unlinked(text: str) -> str:
    """A text in which Telegram finds nobody to mention, no command to offer and no address to link."""
    return _SELF_MADE.sub(lambda found: f"{JOINER}//" if found[0] == "//" else f"{found[0]}{JOINER}", text)


def units(text: str) -> int:
    """Length in UTF-16 units, tags and escapes counted too: never less than what Telegram counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
