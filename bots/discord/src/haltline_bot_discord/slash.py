"""Commands as Discord wants them declared: names, descriptions, options with choices or completion."""

import re
from collections.abc import Sequence
from typing import Any

from haltline.api import Argument, ArgumentKind, Command
from haltline_bot_kit.menu import shortened

_NAME = re.compile(r"[-_a-z0-9]{1,32}")
_MOST_COMMANDS = 100
_MOST_OPTIONS = 25
_MOST_CHOICES = 25
_LETTERS = 100
_CHAT_INPUT = 1
_STRING, _BOOLEAN = 3, 5
_FREE = frozenset({ArgumentKind.TEXT, ArgumentKind.NUMBER, ArgumentKind.QUANTITY, ArgumentKind.DURATION})


def declarations(commands: Sequence[Command]) -> list[dict[str, Any]]:
    """What is put to Discord: at most 100 commands, questions first; names that it refuses are left out."""
    ordered = sorted(commands, key=lambda each: (each.mutates, each.name))
    return [_declaration(each) for each in ordered if _NAME.fullmatch(each.name)][:_MOST_COMMANDS]


def _declaration(command: Command) -> dict[str, Any]:
    arguments = sorted(command.arguments, key=lambda argument: not argument.required)
    return {
        "name": command.name,
        "type": _CHAT_INPUT,
        "description": shortened(command.meaning, _LETTERS),
        "options": [_option(each) for each in arguments if _NAME.fullmatch(each.name)][:_MOST_OPTIONS],
    }


def _option(argument: Argument) -> dict[str, Any]:
    is_flag = argument.kind is ArgumentKind.FLAG
    option: dict[str, Any] = {
        "name": argument.name,
        "type": _BOOLEAN if is_flag else _STRING,
        "description": shortened(argument.meaning or argument.name, _LETTERS),
        "required": argument.required,
    }
    if argument.choices and len(argument.choices) <= _MOST_CHOICES:
        option["choices"] = [{"name": choice[:_LETTERS], "value": choice[:_LETTERS]} for choice in argument.choices]
    elif not is_flag and argument.kind not in _FREE:
        option["autocomplete"] = True
    return option


def given(options: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The options of an interaction as text, as the control service reads them."""
    return {str(each["name"]): _as_text(each.get("value")) for each in options}


def focused(options: Sequence[dict[str, Any]]) -> tuple[str, str] | None:
    """The option that is being typed, and what of it is there; None where none is."""
    for each in options:
        if each.get("focused"):
            return str(each["name"]), _as_text(each.get("value"))
    return None


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
