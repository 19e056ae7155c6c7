"""Bars and colours of limits."""

import math

import pytest

from haltline.cli.gauge import amount, bar, colour_of, percent


@pytest.mark.parametrize(
    ("utilization", "colour"),
    [(0.0, "green"), (0.499, "green"), (0.5, "yellow"), (0.8, "yellow"), (0.801, "red"), (3.0, "red")],
)
def test_colours_change_at_half_and_at_four_fifths(utilization, colour):
    assert colour_of(utilization) == colour


@pytest.mark.parametrize("utilization", [None, math.nan])
def test_unknown_is_never_green(utilization):
    assert colour_of(utilization) == "magenta"
    assert set(bar(utilization, 10).plain) == {"?"}
    assert percent(utilization) == "?"


def test_a_full_bar_fills_its_width_and_no_more():
    assert bar(1.0, 10).plain == "█" * 10
    assert bar(7.0, 10).plain == "█" * 10


def test_an_empty_bar_is_as_wide():
    assert bar(0.0, 10).plain == " " * 10
    assert bar(-1.0, 10).plain == " " * 10


def test_a_bar_moves_in_eighths_of_a_character():
    assert bar(0.5625, 2).plain == "█▏"


def test_a_plain_bar_needs_no_unicode():
    assert bar(0.5, 10, unicode=False).plain == "#####....."


@pytest.mark.parametrize(
    ("value", "text"),
    [(1000.0, "1,000"), (587.5, "587.50"), (0.0342, "0.0342"), (None, "?"), (math.nan, "?"), (-12.0, "-12")],
)
def test_amounts_are_short(value, text):
    assert amount(value) == text
