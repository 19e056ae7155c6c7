"""Views as embeds with buttons: everything that people and venues wrote is escaped, nobody is mentioned."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import discord

from haltline.api import Button, Picture, Tone
from haltline_bot_kit.compose import rows_of
from haltline_bot_kit.press import ButtonBook
from haltline_bot_kit.view import Item, Style, View, pages

CUSTOM_ID_LETTERS = 100
_DESCRIPTION = 4000
_PLAIN = 1900
_ROWS, _LABEL = 5, 80
_MARKUP = re.compile(r"[\\*_~`|<>\[\]#]|^[-+](?=\s)", re.MULTILINE)
NOBODY = discord.AllowedMentions.none()
_COLOURS = {
    Tone.PLAIN: 0x58A6FF, Tone.MUTED: 0x8B98A5, Tone.GOOD: 0x3FB6A8, Tone.WARNING: 0xF0B429, Tone.BAD: 0xFF5D5D,
}  # fmt: skip
_STYLES = {Tone.GOOD: discord.ButtonStyle.success, Tone.BAD: discord.ButtonStyle.danger}


@dataclass(frozen=True, slots=True)
class Sheet:
    """One message: an embed, or plain text where embeds were refused. The last sheet has the buttons."""

    embed: discord.Embed | None
    text: str
    board: discord.ui.View | None
    pictures: Sequence[Picture] = ()

    @property
    def files(self) -> list[discord.File]:
        """The pictures, to be sent once."""
        return [discord.File(io.BytesIO(each.image), f"chart{at}.png") for at, each in enumerate(self.pictures)]

    @property
    def optional(self) -> dict[str, Any]:
        """Embed and buttons, only where there are some: where it sends, the library takes no None for them."""
        found: dict[str, Any] = {"embed": self.embed, "view": self.board}
        return {name: thing for name, thing in found.items() if thing is not None}


async def sheets(view: View, buttons: ButtonBook, *, plain: bool = False) -> list[Sheet]:
    """A view as the messages it needs."""
    board = await board_of(view.buttons, buttons)
    texts = pages(view, _as_text if plain else as_markdown, limit=_PLAIN if plain else _DESCRIPTION)
    colour = _COLOURS[view.tone]
    found = []
    for number, text in enumerate(texts):
        is_last = number == len(texts) - 1
        embed = None if plain else discord.Embed(description=text or "…", colour=colour)
        pictures = view.pictures if number == 0 else ()
        if pictures and embed is not None:
            embed.set_image(url="attachment://chart0.png")
        found.append(Sheet(embed, text or "…" if plain else "", board if is_last else None, pictures))
    return found


def as_markdown(item: Item) -> str:
    """An item with every sign of markup, mention and link made harmless."""
    match item.style:
        case Style.HEADING:
            return f"**{_escaped(item.text)}**"
        case Style.MONO:
            return "```\n" + item.text.replace("```", "`\u200b`\u200b`") + "\n```"
        case Style.NOTE:
            return "\n".join(f"-# {_escaped(line)}" for line in item.text.split("\n"))
        case _:
            return _escaped(item.text)


async def board_of(buttons: Sequence[Button], book: ButtonBook) -> discord.ui.View | None:
    """Buttons that need nobody to remember them: what they ask is in them. None where there are none."""
    if not buttons:
        return None
    board = discord.ui.View(timeout=None)
    seen: set[str] = set()
    for row, each in enumerate(rows_of(tuple(buttons), width=5, letters=60)[:_ROWS]):
        for button in each:
            payload = await book.payload(button)
            if payload in seen:
                continue
            seen.add(payload)
            board.add_item(
                discord.ui.Button(
                    label=button.label[:_LABEL], custom_id=payload, row=row,
                    style=_STYLES.get(button.tone, discord.ButtonStyle.secondary),
                )
            )  # fmt: skip
    board.stop()  # so that the library does not keep it for ever: presses are read from the payload
    return board


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\g<0>", text).replace("@", "@\u200b").replace("://", ":\u200b//")


def _as_text(item: Item) -> str:
    """For where embeds were refused: markup means something there too."""
    return _escaped(item.text)
