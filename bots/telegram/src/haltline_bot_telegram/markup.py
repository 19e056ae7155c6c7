"""Views as Telegram's HTML, and length as Telegram counts it."""

import html

from haltline_bot_kit.view import Item, Style

MESSAGE_UNITS = 4096
CAPTION_UNITS = 1024


def as_html(item: Item) -> str:
    """An item with everything escaped that people and venues may have put into it."""
    text = html.escape(item.text, quote=False)
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
    return item.text


def units(text: str) -> int:
    """Length in UTF-16 units, tags and escapes counted too: never less than what Telegram counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
