"""What the YAML parser complains about, in plain words, at the place a person would look."""

import re

import yaml

from haltline.errors import Place, Problem

_TAB = re.compile(r"^[ ]*(\t)[ \t]*\S", re.MULTILINE)
_WORDS: tuple[tuple[str, str, str], ...] = (
    (
        "mapping values are not allowed",
        "a ':' stands where no key can be",
        "check the indentation, and quote a value that holds ': '",
    ),
    (
        "block sequence entries are not allowed",
        "a list item stands where none can be",
        "start the list on its own line below the key",
    ),
    ("did not find expected key", "this line is indented differently from its neighbours", "align it with them"),
    (
        "did not find expected '-'",
        "this line belongs to no list item",
        "indent it below the item, or start it with '- '",
    ),
    ("did not find expected ',' or ']'", "a '[' is not closed", "add the missing ',' or ']'"),
    ("did not find expected ',' or '}'", "a '{' is not closed", "add the missing ',' or '}'"),
    ("unexpected end of stream", "a quotation mark is not closed", "add the closing quote"),
    (
        "cannot start any token",
        "a value cannot start with this character",
        "quote the value (@ ` % and tabs need quotes)",
    ),
    (
        "unknown escape character",
        "unknown escape after a backslash",
        "use single quotes, or write the backslash twice",
    ),
    ("could not find expected ':'", "a key has no ':' after it", "write 'key: value'"),
    ("<document start>", "this line does not belong to what stands above it", "check the indentation and the brackets"),
)


def explain(error: yaml.YAMLError, text: str, file: str) -> Problem:
    """The problem (E106, or E107 for tabs) that a parser error means."""
    mark = getattr(error, "problem_mark", None)
    raw = getattr(error, "problem", None) or "it is not YAML"
    if mark is None:
        return Problem(code="E106", place=Place(file=file), what=f"not valid YAML: {raw}", cure="restore the file")
    line, column = mark.line + 1, mark.column + 1
    tab = next((match for match in _TAB.finditer(text) if _line_of(text, match.start(1)) in (line, line - 1)), None)
    if tab is not None:
        start = tab.start(1)
        place = Place(file=file, line=_line_of(text, start), column=start - text.rfind("\n", 0, start))
        return Problem(code="E107", place=place, what="a tab is used for indentation", cure="indent with spaces")
    what, cure = next(((what, cure) for key, what, cure in _WORDS if key in raw), (raw, "check this line"))
    opened = getattr(error, "context_mark", None)
    if opened is not None and "not closed" in what:
        line, column = opened.line + 1, opened.column + 1
    return Problem(
        code="E106", place=Place(file=file, line=line, column=column), what=f"not valid YAML: {what}", cure=cure
    )


def _line_of(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1
