"""Matchers: what they compare, what is refused, and that none can be made slow."""

import time

import pytest

from haltline.model.matcher import match_all, parse_matcher, parse_matchers

LABELS = {"severity": "critical", "rule": "daily-loss"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("severity=critical", True),
        ('severity = "critical"', True),
        ("severity!=critical", False),
        ("rule=~daily-.*", True),
        ("rule=~daily", False),
        ("rule!~(weekly|monthly)-loss", True),
        ("absent=", True),
        ("absent!=x", True),
        ("absent=~.*", True),
    ],
)
def test_labels_are_compared(text: str, wanted: bool) -> None:
    assert parse_matcher(text).matches(LABELS) is wanted


@pytest.mark.parametrize(
    "text",
    ["", "severity", "=x", "a b=c", "rule=~(a+)+", "rule=~(a|aa)*b", "rule=~a*a*a*a*", "rule=~[", "rule=~(?=x)",
     r"rule=~(a)\1", "rule=~" + "x" * 300],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_matcher(text)


def test_no_matcher_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        parse_matchers([])


def test_the_slowest_pattern_allowed_is_fast_on_the_worst_label() -> None:
    matcher = parse_matcher("rule=~a*a*a*b")
    begun = time.process_time()
    assert not match_all([matcher], {"rule": "a" * 100_000})
    assert time.process_time() - begun < 2


def test_a_matcher_reads_as_it_is_written() -> None:
    assert str(parse_matcher("rule =~ daily-.*")) == 'rule=~"daily-.*"'
