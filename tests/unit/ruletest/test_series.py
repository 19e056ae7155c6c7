"""Series of prices as text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haltline.ruletest.series import MAX_POINTS, Gap, parse_series


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("21000", [21000]),
        ("21000 -25x4", [21000, 20975, 20950, 20925, 20900]),
        ("1+2x3", [1, 3, 5, 7]),
        ("5-2x2", [5, 3, 1]),
        ("7x2", [7, 7, 7]),
        ("-37.5 +0.5x1", [-37.5, -37]),
        ("0.1 +0.1x2", [0.1, 0.2, 0.3]),
        ("1 _ 2", [1, Gap.MISSING, 2]),
        ("_x3", [Gap.MISSING] * 3),
        ("1 stale", [1, Gap.STALE]),
        ("10 _x2 +1x2", [10, Gap.MISSING, Gap.MISSING, 11, 12]),
        ("1e3", [1000]),
    ],
)
def test_a_series_is_read_as_documented(text, points):
    assert list(parse_series(text).points) == points


@pytest.mark.parametrize(
    "text", ["", "   ", "abc", "1..2", "x5", "+5x3", "1+x3", "1+2x", "nan", "inf", "Stale", "1,000"]
)
def test_what_is_no_series_is_named(text):
    with pytest.raises(ValueError, match=r"not understood|empty"):
        parse_series(text)


@pytest.mark.parametrize("text", ["1x200000", "_x99999999999", "1x60000 1x60000"])
def test_a_series_that_would_fill_the_memory_is_refused(text):
    with pytest.raises(ValueError, match=str(MAX_POINTS)):
        parse_series(text)


def test_a_series_that_has_ended_says_nothing():
    series = parse_series("1 2")
    assert [series.at(index) for index in range(3)] == [1, 2, Gap.MISSING]


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="0123456789.+-x_ estal", max_size=30))
def test_any_text_is_a_series_or_refused_in_words(text):
    try:
        series = parse_series(text)
    except ValueError as error:
        assert str(error)
    else:
        assert series.points


@settings(deadline=None, max_examples=100)
@given(st.integers(-(10**6), 10**6), st.integers(-1000, 1000), st.integers(0, 50))
def test_a_step_of_so_many_repeats_ends_where_arithmetic_says(start, step, times):
    points = parse_series(f"{start}{step:+d}x{times}").points
    assert len(points) == times + 1
    assert points[-1] == start + step * times
