"""Functions that need no data."""

import pytest

from haltline.builtins.function import matches


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
