"""Small pictures for a phone: equity with its limits and incidents, drawdown, and how full each limit is.

Drawing takes some 100 ms of processor time: call it in a thread.
"""

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from haltline_bot_kit.theme import DARK, Theme

if TYPE_CHECKING:  # matplotlib takes half a second to import: a bot that draws nothing does not pay for it
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES = (6.4, 3.6)
_DPI = 125
_NS_PER_DAY = 86_400 * 1_000_000_000
_FULLEST = 12
_LONGEST_NAME = 34
_LETTER = 0.0115
"""The part of the width that a letter of a label takes."""
_ROWS = 4
_ROW = 0.06
"""The part of the height that a label takes."""
_SHORTEST_DAYS = 1 / 24


class CurvePoint(msgspec.Struct, frozen=True, kw_only=True):
    """What an account was worth from `at` (UTC nanoseconds) on, in its currency; None where it was not known."""

    at: int
    equity: float | None


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """A limit, as the equity at which it is reached."""

    name: str
    equity: float


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """An incident on the curve; `severity` is info, warning or critical."""

    at: int
    label: str
    severity: str


class Gauge(msgspec.Struct, frozen=True, kw_only=True):
    """How full a limit is: `used` is 1 where it is reached, None where it is not known. `room` says what is left."""

    name: str
    used: float | None
    warn: float | None = None
    room: str = ""


def equity_chart(
    curve: Sequence[CurvePoint], *, title: str, currency: str, zone: str = "UTC", levels: Sequence[Level] = (),
    marks: Sequence[Mark] = (), theme: Theme = DARK,
) -> bytes:  # fmt: skip
    """A PNG of equity over time in `zone`; gaps are where nothing was known. Raises ValueError without any point."""
    figure, axes = _canvas(title, theme)
    times, equities = _steps(curve)
    axes.step(times, equities, where="post", color=theme.line, linewidth=1.8)
    _corner(axes, f"{_last(equities):,.2f} {currency}", theme)
    _levels(axes, [each for each in levels if _is_near(each.equity, equities)], equities, theme)
    _marks(axes, marks, times, theme)
    axes.set_ylabel(currency, color=theme.faint, fontsize=8, parse_math=False)
    _time_axis(axes, zone, times)
    return _png(figure)


def drawdown_chart(
    curve: Sequence[CurvePoint], *, title: str, currency: str, zone: str = "UTC", limit: float | None = None,
    theme: Theme = DARK,
) -> bytes:  # fmt: skip
    """A PNG of the fall from the highest equity of the curve so far; `limit` (positive) in the same currency."""
    figure, axes = _canvas(title, theme)
    times, equities = _steps(curve)
    falls = _falls(equities)
    axes.fill_between(times, falls, 0, step="post", color=theme.loss, alpha=0.35, linewidth=0)
    axes.step(times, falls, where="post", color=theme.loss, linewidth=1.4)
    if limit is not None:
        _line(axes, -limit, f"limit {limit:,.10g}", theme)
    _corner(axes, f"{_last(falls):,.2f} {currency}, worst {min(each for each in falls if each == each):,.2f}", theme)
    axes.set_ylim(top=0)
    axes.set_ylabel(currency, color=theme.faint, fontsize=8, parse_math=False)
    _time_axis(axes, zone, times)
    return _png(figure)


def headroom_chart(gauges: Sequence[Gauge], *, title: str, theme: Theme = DARK) -> bytes:
    """A PNG of one bar a limit, fullest first and at most 12; one that is not known is hatched and full width."""
    shown = sorted(gauges, key=lambda gauge: -(math.inf if gauge.used is None else gauge.used))[:_FULLEST]
    if not shown:
        raise ValueError("there is no limit to draw")
    figure, axes = _canvas(title, theme)
    for row, gauge in enumerate(reversed(shown)):
        _bar(axes, row, gauge, theme)
    axes.axvline(1, color=theme.limit, linewidth=1)
    axes.set_yticks(range(len(shown)), [_short(gauge.name) for gauge in reversed(shown)], parse_math=False)
    axes.set_xlim(0, 1.42)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.set_xticks([0, 0.5, 1], ["0", "50 %", "limit"])
    axes.grid(visible=False)
    return _png(figure)


def _bar(axes: "Axes", row: int, gauge: Gauge, theme: Theme) -> None:
    axes.barh(row, 1, height=0.56, color=theme.trough)
    if gauge.used is None:
        axes.barh(row, 1, height=0.56, color="none", edgecolor=theme.faint, hatch="////", linewidth=0)
        text = "not known"
    else:
        axes.barh(row, min(max(gauge.used, 0), 1), height=0.56, color=theme.fill(gauge.used, gauge.warn))
        text = gauge.room or f"{gauge.used:.0%}"
    axes.annotate(text, (1.02, row), va="center", fontsize=7.5, color=theme.text, parse_math=False)


def _levels(axes: "Axes", levels: Sequence[Level], equities: Sequence[float], theme: Theme) -> None:
    """Limits from the highest down, each with its name; below its line where another is just above."""
    known = [*(equity for equity in equities if equity == equity), *(level.equity for level in levels)]
    near, above = (max(known) - min(known)) * _ROW, math.inf
    for level in sorted(levels, key=lambda each: -each.equity):
        _line(axes, level.equity, level.name, theme, is_below=above - level.equity < near)
        above = level.equity


def _line(axes: "Axes", height: float, name: str, theme: Theme, *, is_below: bool = False) -> None:
    axes.axhline(height, color=theme.limit, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        _short(name), (1, height), xycoords=("axes fraction", "data"), xytext=(-3, -9 if is_below else 3),
        textcoords="offset points", ha="right", fontsize=7.5, color=theme.limit, parse_math=False,
        bbox=_plate(theme),
    )  # fmt: skip


def _marks(axes: "Axes", marks: Sequence[Mark], times: Sequence[float], theme: Theme) -> None:
    """Incidents as lines, with names in rows where they would cover each other; what finds no row stays a line."""
    width = max(times[-1] - times[0], _SHORTEST_DAYS)
    rows = [-math.inf] * _ROWS
    for mark in sorted(marks, key=lambda each: each.at):
        at, colour = _day(mark.at), theme.severity(mark.severity)
        axes.axvline(at, color=colour, linewidth=1, alpha=0.8)
        row = next((number for number, taken in enumerate(rows) if at >= taken), None)
        if row is None:
            continue
        label, is_late = _short(mark.label), at > times[0] + width * 0.7
        rows[row] = at + width * _LETTER * (1 if is_late else len(label) + 2)
        axes.annotate(
            label, (at, 1), xycoords=("data", "axes fraction"), xytext=(-3 if is_late else 3, -9 - 11 * row),
            textcoords="offset points", fontsize=7.5, color=colour, parse_math=False, bbox=_plate(theme),
            ha="right" if is_late else "left",
        )  # fmt: skip


def _plate(theme: Theme) -> dict[str, object]:
    """A ground for text that stands on a curve."""
    return {"facecolor": theme.back, "alpha": 0.75, "edgecolor": "none", "pad": 1}


def _corner(axes: "Axes", text: str, theme: Theme) -> None:
    axes.set_title(text, loc="right", fontsize=9, color=theme.faint, parse_math=False)


def _last(values: Sequence[float]) -> float:
    return next(value for value in reversed(values) if value == value)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _canvas(title: str, theme: Theme) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, and only for those who draw

    figure = Figure(figsize=_INCHES, dpi=_DPI, facecolor=theme.back, layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor(theme.back)
    axes.set_title(title, loc="left", fontsize=10, color=theme.text, parse_math=False)
    axes.tick_params(colors=theme.faint, labelsize=8, length=0)
    axes.grid(color=theme.trough, linewidth=0.7)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure, axes


def _time_axis(axes: "Axes", zone: str, times: Sequence[float]) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter  # noqa: PLC0415 - as above

    axes.set_xlim(times[0], max(times[-1], times[0] + _SHORTEST_DAYS))
    locator = AutoDateLocator(minticks=3, maxticks=7, tz=ZoneInfo(zone))  # type: ignore[no-untyped-call] # matplotlib has no types here
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        ConciseDateFormatter(locator, tz=ZoneInfo(zone))  # type: ignore[no-untyped-call] # nor here
    )
    axes.yaxis.set_major_formatter(
        lambda number, _: f"{number:,.0f}" if abs(number) >= 100 or number == 0 else f"{number:,.2f}"
    )


def _steps(curve: Sequence[CurvePoint]) -> tuple[list[float], list[float]]:
    """Times and equities, NaN for what is not known."""
    if not any(point.equity is not None for point in curve):
        raise ValueError("there is no equity to draw")
    ordered = sorted(curve, key=lambda point: point.at)
    equities = [math.nan if point.equity is None else point.equity for point in ordered]
    return [_day(point.at) for point in ordered], equities


def _falls(equities: Sequence[float]) -> list[float]:
    """The distance to the highest value so far, 0 or less; NaN stays."""
    peak, falls = -math.inf, []
    for equity in equities:
        peak = equity if equity > peak else peak
        falls.append(equity - peak if equity == equity else math.nan)
    return falls


def _is_near(level: float, equities: Sequence[float]) -> bool:
    """Whether a limit is close enough to be seen without flattening the curve: within three times its own height."""
    known = [equity for equity in equities if equity == equity]
    height = max(max(known) - min(known), abs(max(known)) * 0.002)
    return min(known) - 3 * height <= level <= max(known) + 3 * height


def _day(at: int) -> float:
    """Matplotlib's own count: days since 1970."""
    return at / _NS_PER_DAY


def _png(figure: "Figure") -> bytes:
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()
