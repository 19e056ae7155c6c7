"""Replies on a terminal: tables, cards and trees with rich; as plain text, or as JSON."""

from rich.table import Table as Grid
from rich.text import Text
from rich.tree import Tree

from haltline.api.reply import Branch, Card, Paragraph, Part, Picture, Reply, Table, Tone
from haltline.api.replytext import button_text, cell_text, reply_text
from haltline.cli.output import Output
from haltline.errors.inert import inert

_STYLES = {Tone.PLAIN: "", Tone.MUTED: "dim", Tone.GOOD: "green", Tone.WARNING: "yellow", Tone.BAD: "bold red"}


def show_reply(output: Output, reply: Reply) -> None:
    """Write a reply the way this output wants it."""
    if output.json:
        output.emit(reply)
    elif output.plain:
        for line in reply_text(reply).splitlines():
            output.say(line)
    else:
        output.console.print(Text(inert(reply.title), style=f"bold {_STYLES[reply.tone]}".strip()))
        for part in reply.parts:
            output.console.print(drawn(part))
        for button in reply.buttons:
            output.console.print(Text(inert(f"  {button.label}: haltline {button_text(button)}"), style="dim"))


def drawn(part: Part) -> Text | Grid | Tree:
    """One part for rich. What others wrote is text, never markup."""
    match part:
        case Paragraph():
            return Text(inert(part.text), style=_STYLES[part.tone])
        case Table():
            return _grid(part)
        case Card():
            grid = Grid(box=None, show_header=False, title=Text(inert(part.title), style=f"bold {_STYLES[part.tone]}"),
                        title_justify="left", pad_edge=False, padding=(0, 2))  # fmt: skip
            for fact in part.facts:
                value = Text(inert(cell_text(fact.value, fact.kind, fact.unit)), style=_STYLES[fact.tone])
                grid.add_row(Text(f"  {inert(fact.label)}", style="dim"), value)
            return grid
        case Branch():
            return _tree(part)
        case Picture():
            return Text(inert(part.text))


def _grid(table: Table) -> Grid | Text:
    if not table.rows:
        return Text(inert(": ".join(filter(None, (table.title, table.empty)))), style="dim")
    title = Text(inert(table.title), style="bold") if table.title else None
    grid = Grid(box=None, title=title, title_justify="left", pad_edge=False, padding=(0, 2), header_style="dim")
    for column in table.columns:
        grid.add_column(Text(inert(column.label)), justify="right" if column.kind.is_numeric else "left")
    tones = table.tones or (Tone.PLAIN,) * len(table.rows)
    for row, tone in zip(table.rows, tones, strict=True):
        cells = [
            Text(inert(cell_text(cell, column.kind, column.unit)))
            for cell, column in zip(row, table.columns, strict=True)
        ]
        grid.add_row(*cells, style=_STYLES[tone])
    return grid


def _tree(branch: Branch) -> Tree:
    tree = Tree(Text(inert(branch.text), style=_STYLES[branch.tone]), guide_style="dim")
    for child in branch.children:
        tree.children.append(_tree(child))
    return tree
