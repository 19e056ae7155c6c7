"""Replies as plain text: complete by itself, for logs, terminals without colours and media that draw nothing."""

import math
from collections.abc import Iterator

from haltline.api.field import Kind
from haltline.api.reply import Branch, Button, Card, Cell, Column, Paragraph, Part, Picture, Reply, Table
from haltline.clock import format_duration, to_iso
from haltline.errors.inert import inert

UNKNOWN = "unknown"
_DEEPEST = 12
_DECIMALS = {Kind.MONEY: 2}


def reply_text(reply: Reply) -> str:
    """The reply in lines: title, parts, and what its buttons would do."""
    blocks = [reply.title, *("\n".join(part_lines(part)) for part in reply.parts)]
    blocks += [f"  {button.label}: {button_text(button)}" for button in reply.buttons]
    return inert("\n".join(block for block in blocks if block))


def part_lines(part: Part) -> Iterator[str]:
    """One part in lines."""
    match part:
        case Paragraph():
            yield part.text
        case Table():
            yield from _table_lines(part)
        case Card():
            yield part.title
            for fact in part.facts:
                yield f"  {fact.label}: {cell_text(fact.value, fact.kind, fact.unit)}"
        case Branch():
            yield from _branch_lines(part, 0)
        case Picture():
            yield part.text


def cell_text(cell: Cell, kind: Kind = Kind.TEXT, unit: str = "") -> str:
    """A value as people write it: thousands with commas, durations as 1h30m, instants as ISO-8601 in whole seconds."""
    if cell is None or (isinstance(cell, float) and not math.isfinite(cell)):
        return UNKNOWN
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, str):
        return cell
    return f"{_number_text(cell, kind)} {unit}".rstrip()


def button_text(button: Button) -> str:
    """The command line behind a button."""
    return " ".join([button.command, *(f"{name}={value}" for name, value in button.arguments.items())])


def _number_text(number: float, kind: Kind) -> str:
    match kind:
        case Kind.TIME:
            return f"{to_iso(int(number))[:19]}Z"
        case Kind.DURATION:
            return format_duration(round(number * 1e9))
        case Kind.FRACTION:
            return f"{number:.0%}"
        case _ if kind in _DECIMALS:
            return f"{number:,.{_DECIMALS[kind]}f}"
        case _:
            return f"{number:,.10g}"


def _table_lines(table: Table) -> Iterator[str]:
    if table.title:
        yield table.title
    if not table.rows:
        yield table.empty
        return
    rows = [[column.label for column in table.columns]]
    rows += [[cell_text(*each) for each in _cells(table.columns, row)] for row in table.rows]
    widths = [max(len(row[at]) for row in rows) for at in range(len(table.columns))]
    for row in rows:
        padded = [
            text.rjust(width) if column.kind.is_numeric else text.ljust(width)
            for text, width, column in zip(row, widths, table.columns, strict=True)
        ]
        yield "  ".join(padded).rstrip()


def _cells(columns: tuple[Column, ...], row: tuple[Cell, ...]) -> Iterator[tuple[Cell, Kind, str]]:
    for column, cell in zip(columns, row, strict=True):
        yield cell, column.kind, column.unit


def _branch_lines(branch: Branch, depth: int) -> Iterator[str]:
    yield f"{'  ' * depth}{branch.text}"
    if depth < _DEEPEST:
        for child in branch.children:
            yield from _branch_lines(child, depth + 1)
