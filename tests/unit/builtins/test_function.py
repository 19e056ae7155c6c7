"""Functions that need no data."""

import pytest

from haltline.builtins.function import label, matches


@pytest.mark.parametrize(
    ("symbol", "patterns", "expected"),
    [
        ("btcz25", "BTC*", True),
        ("ES", "RTY, *Z25, BTC*", False),
        ("MESZ25", "RTY, *z25, BTC*", True),
        ("rty", "RTY", True),
        ("RTYH6", "RTY", False),
        ("ES", "", False),
        ("ES", " , ", False),
        ("E[S", "E[[]S", True),
    ],
)
def test_a_symbol_matches_a_wildcard_whatever_its_case(symbol: str, patterns: str, expected: bool) -> None:
    assert matches(symbol, patterns) is expected


@pytest.mark.parametrize(
    ("labels", "name", "expected"),
    [
        ("desk=futures; phase=funded", "phase", "funded"),
        ("desk=futures; phase=funded", "desk", "futures"),
        ("desk=futures; phase=funded", "fund", ""),
        ("note=a=b; phase=funded", "note", "a=b"),
        ("phase=", "phase", ""),
        ("", "phase", ""),
        ("", "", ""),
    ],
)
def test_a_label_is_read_by_its_whole_name(labels: str, name: str, expected: str) -> None:
    assert label(labels, name) == expected
