"""How full a limit is, as a bar and a colour: green below 50 %, yellow from 50 to 80 %, red above."""

import math

from rich.text import Text

_EIGHTHS = " ▏▎▍▌▋▊▉"


def colour_of(utilization: float | None) -> str:
    """The colour of a fraction used; magenta where it is unknown."""
    if utilization is None or math.isnan(utilization):
        return "magenta"
    if utilization < 0.5:
        return "green"
    return "yellow" if utilization <= 0.8 else "red"


def bar(utilization: float | None, width: int, *, unicode: bool = True) -> Text:
    """A bar of `width` characters, full at 1; ``?`` throughout where unknown."""
    if utilization is None or math.isnan(utilization):
        return Text("?" * width, style="magenta")
    part = min(max(utilization, 0.0), 1.0)
    if not unicode:
        full = round(part * width)
        return Text("#" * full + "." * (width - full))
    eighths = round(part * width * 8)
    full, rest = divmod(eighths, 8)
    blocks = "█" * full + (_EIGHTHS[rest] if rest else "")
    return Text(blocks.ljust(width), style=f"{colour_of(utilization)} on grey23")


def percent(utilization: float | None) -> str:
    """``58 %``, or ``?``."""
    return "?" if utilization is None or math.isnan(utilization) else f"{utilization * 100:.0f} %"


def amount(value: float | None) -> str:
    """A number as short as it can be read: ``1,000``, ``587.50``, ``0.034``; ``?`` where unknown."""
    if value is None or not math.isfinite(value):
        return "?"
    if value == round(value) and abs(value) < 1e12:
        return f"{value + 0.0:,.0f}"
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.4g}"
