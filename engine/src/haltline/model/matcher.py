"""Matchers over labels, as people write them: ``severity=critical``, ``rule=~"daily-.*"``, ``account!=eval``.

Regular expressions are anchored, and kept so simple that no label can make one slow: no repeated groups, at most three
open repeats, no look-around, no back-references.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache

import msgspec

LONGEST = 200
_MATCHER = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)
_REPEATED_GROUP = re.compile(r"(?<!\\)\)[*+{?]")
_REPEATS = re.compile(r"(?<!\\)[*+{]")
_SPECIAL_GROUP = re.compile(r"(?<!\\)\(\?(?!:)")
_MOST_REPEATS = 3


class Operator(StrEnum):
    """How a label is compared."""

    IS = "="
    IS_NOT = "!="
    FITS = "=~"
    FITS_NOT = "!~"


class Matcher(msgspec.Struct, frozen=True, kw_only=True):
    """One condition on one label; a label that is not there counts as empty."""

    label: str
    operator: Operator
    text: str

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels fulfil it."""
        found = labels.get(self.label, "")
        match self.operator:
            case Operator.IS:
                return found == self.text
            case Operator.IS_NOT:
                return found != self.text
            case Operator.FITS:
                return _fits(self.text, found)
            case Operator.FITS_NOT:
                return not _fits(self.text, found)

    def __str__(self) -> str:
        return f'{self.label}{self.operator.value}"{self.text}"'


def parse_matcher(text: str) -> Matcher:
    """The matcher in a text; raises ValueError saying what is wrong."""
    found = _MATCHER.fullmatch(text)
    if found is None or len(text) > LONGEST:
        raise ValueError(f"{text[:60]!r} is not a matcher; write severity=critical, account!=eval or rule=~daily-.*")
    operator, value = Operator(found[2]), found[3]
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    if operator in (Operator.FITS, Operator.FITS_NOT):
        _require_simple(value)
    return Matcher(label=found[1], operator=operator, text=value)


def parse_matchers(texts: Iterable[str]) -> tuple[Matcher, ...]:
    """All of them; raises ValueError for the first wrong one, and where there is none."""
    matchers = tuple(parse_matcher(text) for text in texts)
    if not matchers:
        raise ValueError("at least one matcher is needed")
    return matchers


def match_all(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether the labels fulfil every matcher; without any they do."""
    return all(matcher.matches(labels) for matcher in matchers)


def _require_simple(pattern: str) -> None:
    if _REPEATED_GROUP.search(pattern) or _SPECIAL_GROUP.search(pattern) or re.search(r"\\[1-9]", pattern):
        raise ValueError(f"{pattern!r} is too clever; repeat no group, look nowhere else")
    if len(_REPEATS.findall(pattern)) > _MOST_REPEATS:
        raise ValueError(f"{pattern!r} repeats more than {_MOST_REPEATS} times; write several matchers")
    try:
        re.compile(pattern)
    except (re.error, OverflowError) as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


def _fits(pattern: str, found: str) -> bool:
    return _compiled(pattern).fullmatch(found[:LONGEST]) is not None
