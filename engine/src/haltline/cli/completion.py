"""What the shell offers when Tab is pressed: names that cost nothing to know, and rules of the set-up at hand."""

from collections.abc import Sequence
from typing import cast

from haltline.errors import CODES, EngineError


def names(incomplete: str) -> list[tuple[str, str]]:
    """Rules of the set-up here, fields, functions and error codes that begin so, each with what it is."""
    from haltline.expr.stdlib import NAMES  # noqa: PLC0415 - start-up time: only when completing
    from haltline.state.field import FIELDS  # noqa: PLC0415

    offered = dict(_rules())
    offered |= {field.name: field.meaning for field in FIELDS}
    offered |= dict.fromkeys(NAMES, "function")
    offered |= {code: entry.title for code, entry in CODES.items()}
    return [(name, meaning) for name, meaning in offered.items() if name.startswith(incomplete)]


def accounts(incomplete: str) -> list[tuple[str, str]]:
    """Accounts of the set-up here that begin so."""
    from haltline.cli.workspace import open_workspace  # noqa: PLC0415 - start-up time: only when completing

    try:
        found = open_workspace().setup.accounts
    except (EngineError, OSError):
        return []
    return [(account.id, f"account at {account.broker}") for account in found if account.id.startswith(incomplete)]


def of_set_up(command: str, words: Sequence[str], incomplete: str) -> list[tuple[str, str]]:
    """Accounts and rules of the set-up here, and words that a command knows itself, for the word after `words`."""
    from haltline.api.control import ArgumentKind  # noqa: PLC0415 - start-up time: only when completing
    from haltline.control.command.catalogue import Help, built_in_commands  # noqa: PLC0415
    from haltline.control.door import Door  # noqa: PLC0415
    from haltline.control.line import LineProblem, read_words  # noqa: PLC0415

    found = next((each for each in built_in_commands(cast("Door", None), Help()) if each.name == command), None)
    if found is None:
        return []
    try:
        waiting = read_words(found, words)[1]
    except LineProblem:
        return []
    offered: list[tuple[str, str]] = []
    for argument in waiting:
        if argument.kind in (ArgumentKind.ACCOUNT, ArgumentKind.ENTITY):
            offered += accounts(incomplete)
        elif argument.kind is ArgumentKind.RULE:
            offered += [each for each in _rules() if each[0].startswith(incomplete)]
        offered += [(choice, argument.meaning) for choice in argument.choices if choice.startswith(incomplete)]
        if argument.required:
            break
    return offered


def _rules() -> list[tuple[str, str]]:
    from haltline.cli.workspace import open_workspace  # noqa: PLC0415 - start-up time: only when completing

    try:
        return [(rule.id, rule.title or "rule") for rule in open_workspace().book.rules]
    except (EngineError, OSError):
        return []
