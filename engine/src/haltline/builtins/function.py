"""Functions that need no data."""

import fnmatch
import re
from functools import lru_cache

from haltline.api import Function, Kind, Parameter


@lru_cache(maxsize=1024)
def _pattern(patterns: str) -> re.Pattern[str]:
    parts = [part.strip().casefold() for part in patterns.split(",")]
    return re.compile("|".join(fnmatch.translate(part) for part in parts if part) or r"(?!)")


def matches(symbol: str, patterns: str) -> bool:
    """Whether a text fits one of the shell-style patterns (``RTY, *Z25, BTC*``), whatever the case."""
    return _pattern(patterns).match(symbol.casefold()) is not None


def label(labels: str, name: str) -> str:
    """The label of that name in ``desk=futures; phase=funded``; empty where there is none."""
    pairs = (each.partition("=") for each in labels.split("; "))
    return next((value for key, _, value in pairs if key == name), "")


MATCHES = Function(
    name="matches",
    call=matches,
    returns=Kind.BOOL,
    meaning="whether a symbol fits one of the shell-style patterns, separated by commas; case does not matter",
    parameters=(
        Parameter(name="symbol", kind=Kind.TEXT, meaning="the text to look at"),
        Parameter(name="patterns", kind=Kind.TEXT, meaning="patterns such as RTY, *Z25, BTC*"),
    ),
    example='matches(position.symbol, "RTY, *Z25, BTC*")',
)

LABEL = Function(
    name="label",
    call=label,
    returns=Kind.TEXT,
    meaning="the label of that name, as the set-up gives it to an account; empty where it gives none",
    parameters=(
        Parameter(name="labels", kind=Kind.TEXT, meaning="the labels of an account"),
        Parameter(name="name", kind=Kind.TEXT, meaning="the name of one of them"),
    ),
    example='label(account.labels, "desk") == "futures"',
)
