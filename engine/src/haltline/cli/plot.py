"""A line chart made of characters: braille dots where the terminal can show them, stars elsewhere."""

from collections.abc import Sequence

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_SPARKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int, *, unicode: bool = True) -> str:
    """The last `width` samples as one row of blocks; empty where there are too few or no blocks to draw."""
    shown = thin(values, width)
    if not unicode or len(shown) < 2:
        return ""
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0
    return "".join(_SPARKS[min(7, int((value - low) / span * 8))] for value in shown)


def thin[T](values: Sequence[T], count: int) -> list[T]:
    """At most `count` of the values, evenly spaced, the first and the last among them."""
    if len(values) <= count or count < 2:
        return list(values)[-count:] if count < 2 else list(values)
    return [values[round(index * (len(values) - 1) / (count - 1))] for index in range(count)]


def plot(
    values: Sequence[float], *, width: int, height: int, marks: Sequence[tuple[float, str]] = (), unicode: bool = True
) -> list[str]:
    """Lines of a chart `width` by `height` with a scale at the left.

    `marks` are (position from 0 to 1, one character) and stand in a row below the chart.
    """
    if not values:
        return []
    low, high = min(values), max(values)
    labels = [f"{high:,.0f}", f"{low:,.0f}"]
    margin = max(len(label) for label in labels)
    inner = max(width - margin - 3, 10)
    rows = _braille(values, inner, height) if unicode else _stars(values, inner, height)
    edge = "┤" if unicode else "|"
    lines = [f"{_label(index, height, labels):>{margin}} {edge} {row}" for index, row in enumerate(rows)]
    if marks:
        lines.append(" " * (margin + 3) + _mark_row(marks, inner))
    return lines


def _label(index: int, height: int, labels: Sequence[str]) -> str:
    if index == 0:
        return labels[0]
    return labels[1] if index == height - 1 else ""


def _braille(values: Sequence[float], width: int, height: int) -> list[str]:
    cells = [[0] * width for _ in range(height)]
    columns = _scale(values, width * 2, height * 4)
    previous = columns[0]
    for x, y in enumerate(columns):
        for dot in range(min(previous, y), max(previous, y) + 1):
            cells[dot // 4][x // 2] |= _DOTS[dot % 4][x % 2]
        previous = y
    return ["".join(chr(0x2800 + cell) for cell in row) for row in cells]


def _stars(values: Sequence[float], width: int, height: int) -> list[str]:
    cells = [[" "] * width for _ in range(height)]
    for x, y in enumerate(_scale(values, width, height)):
        cells[y][x] = "*"
    return ["".join(row) for row in cells]


def _scale(values: Sequence[float], columns: int, rows: int) -> list[int]:
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    last = len(values) - 1
    picked = [values[round(column * last / max(columns - 1, 1))] for column in range(columns)]
    return [round((high - value) / span * (rows - 1)) for value in picked]


def _mark_row(marks: Sequence[tuple[float, str]], width: int) -> str:
    row = [" "] * width
    for position, sign in marks:
        column = min(max(round(position * (width - 1)), 0), width - 1)
        row[column] = sign if row[column] == " " else "*"
    return "".join(row)
