"""Commands as the menus of chat platforms list them."""

import re
from collections.abc import Sequence

import msgspec

from haltline.api import Command, Role

_NAME = re.compile(r"[a-z0-9_]{1,32}")


class MenuEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a menu."""

    name: str
    meaning: str


def menu_of(commands: Sequence[Command], *, most: int = 100, letters: int = 256) -> list[MenuEntry]:
    """What everybody may ask first, then what changes something; names that platforms refuse are left to be typed."""
    ordered = sorted(commands, key=lambda each: (each.mutates, each.role.rank if each.mutates else 0))
    entries = [
        MenuEntry(name=menu_name(each.name), meaning=shortened(_meaning(each), letters))
        for each in ordered
        if _NAME.fullmatch(menu_name(each.name))
    ]
    return entries[:most]


def menu_name(command: str) -> str:
    """The name of a command as menus spell it: they know no hyphens."""
    return command.replace("-", "_")


def shortened(text: str, letters: int) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= letters else text[: letters - 1].rstrip() + "…"


def _meaning(command: Command) -> str:
    return command.meaning if command.role is Role.VIEWER else f"{command.meaning} ({command.role.replace('-', ' ')})"
