"""Pictures: real PNG files of a phone's size, gaps where nothing was known, text from people drawn as text."""

import struct

import pytest

from haltline_bot_kit.chart import (
    CurvePoint,
    Gauge,
    Level,
    Mark,
    drawdown_chart,
    equity_chart,
    headroom_chart,
)  # fmt: skip
from haltline_bot_kit.theme import DARK, LIGHT, THEMES

MINUTE = 60_000_000_000
START = 1_746_500_000_000_000_000
CURVE = [CurvePoint(at=START + i * MINUTE, equity=None if i == 5 else 50_000 - i * 7) for i in range(30)]


def size_of(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_the_equity_curve_is_a_small_picture(theme: object) -> None:
    assert theme in (DARK, LIGHT)
    png = equity_chart(
        CURVE, title="eval today", currency="USD", zone="America/Chicago",
        levels=[Level(name="daily loss", equity=49_900)], marks=[Mark(at=CURVE[9].at, label="x", severity="critical")],
        theme=DARK if theme is DARK else LIGHT,
    )  # fmt: skip
    assert size_of(png) == (800, 450)
    assert len(png) < 100_000


def test_a_level_far_away_does_not_flatten_the_curve() -> None:
    bare = equity_chart(CURVE, title="t", currency="USD")
    assert equity_chart(CURVE, title="t", currency="USD", levels=[Level(name="far", equity=1.0)]) == bare
    assert equity_chart(CURVE, title="t", currency="USD", levels=[Level(name="near", equity=49_900)]) != bare


def test_dollar_signs_and_backslashes_are_text_and_no_formula() -> None:
    title = r"$\frac{1}{0}$ $x_{ \input{secret} ${}"
    assert size_of(equity_chart(CURVE, title=title, currency="$", marks=[Mark(at=START, label=title, severity="?")]))
    assert size_of(headroom_chart([Gauge(name=title, used=0.5, room=title)], title=title))


def test_a_drawdown_is_measured_from_the_peak_so_far() -> None:
    assert size_of(drawdown_chart(CURVE, title="Drawdown", currency="USD", limit=500)) == (800, 450)


def test_a_hundred_incidents_and_limits_and_long_names_stay_a_small_picture() -> None:
    marks = [Mark(at=START + number * MINUTE // 5, label="x" * 200, severity="warning") for number in range(100)]
    levels = [Level(name="y" * 200, equity=49_900 - number) for number in range(20)]
    assert size_of(equity_chart(CURVE, title="t", currency="USD", marks=marks, levels=levels)) == (800, 450)
    assert size_of(headroom_chart([Gauge(name="z" * 200, used=0.5)], title="t")) == (800, 450)


def test_one_point_is_enough() -> None:
    assert size_of(equity_chart(CURVE[:1], title="t", currency="USD"))


@pytest.mark.parametrize("curve", [[], [CurvePoint(at=START, equity=None)]], ids=["empty", "unknown"])
def test_nothing_known_is_no_picture(curve: list[CurvePoint]) -> None:
    with pytest.raises(ValueError, match="no equity to draw"):
        equity_chart(curve, title="t", currency="USD")
    with pytest.raises(ValueError, match="no equity to draw"):
        drawdown_chart(curve, title="t", currency="USD")


def test_the_fullest_limits_are_drawn_and_an_unknown_one_is_among_them() -> None:
    gauges = [Gauge(name=f"rule {number}", used=number / 20) for number in range(20)]
    unknown = Gauge(name="unknown", used=None)
    drawn = headroom_chart([*gauges, unknown], title="Headroom")
    assert size_of(drawn) == (800, 450)
    assert drawn == headroom_chart([unknown, *gauges[9:]], title="Headroom")


def test_no_limit_is_no_picture() -> None:
    with pytest.raises(ValueError, match="no limit to draw"):
        headroom_chart([], title="Headroom")


@pytest.mark.parametrize(("used", "name"), [(0.2, "ok"), (0.8, "warning"), (1.0, "critical"), (7.0, "critical")])
def test_a_gauge_has_the_colour_of_how_full_it_is(used: float, name: str) -> None:
    assert DARK.fill(used, None) == getattr(DARK, name)
