"""Replies and notices as views: what fits on a phone."""

from collections.abc import Iterable, Iterator

from haltline.api import Branch, Button, Card, Message, Paragraph, Part, Picture, Reply, Table, Tone, cell_text
from haltline.errors.inert import inert
from haltline.model.rule import Severity
from haltline.model.verdict import Phase
from haltline_bot_kit.view import Item, Style, View

PHONE_COLUMNS = 38
_DEEPEST = 12
_TONES = {Severity.INFO: Tone.PLAIN, Severity.WARNING: Tone.WARNING, Severity.CRITICAL: Tone.BAD}
_BY_PHASE: dict[str, Tone] = {Phase.WARNING: Tone.WARNING, Phase.RESOLVED: Tone.GOOD}
_SIGNS = {Tone.GOOD: "✅", Tone.WARNING: "⚠️", Tone.BAD: "⛔", Tone.PLAIN: "", Tone.MUTED: ""}


def sign_of(tone: Tone) -> str:
    """One character that says what a colour would; empty for what needs none."""
    return _SIGNS[tone]


def heading(text: str, tone: Tone = Tone.PLAIN) -> Item:
    """A title, with its sign before it."""
    return Item(text=f"{sign_of(tone)} {text}".strip(), style=Style.HEADING)


def reply_view(reply: Reply, *, columns: int = PHONE_COLUMNS) -> View:
    """A reply as it is shown; tables wider than `columns` characters become one card a row."""
    items = [heading(reply.title, reply.tone)]
    pictures: list[Picture] = []
    for part in reply.parts:
        if isinstance(part, Picture):
            pictures.append(part)
        else:
            items.extend(_items(part, columns))
    asks = reply.confirmation.text if reply.confirmation is not None else ""
    if asks and not any(asks in item.text for item in items):
        items.append(Item(text=asks))
    return View(
        items=_harmless(items), tone=reply.tone, buttons=reply.buttons,
        pictures=tuple(pictures), private=reply.private,
    )  # fmt: skip


def message_view(message: Message) -> View:
    """A notice as it is shown: title, sentences, facts beneath them, buttons and picture."""
    tone = _BY_PHASE.get(message.phase, _TONES[message.severity])
    items = [heading(message.title, tone)]
    items += [Item(text=_without(message.title, text)) for text in message.items or (message.text,)]
    items.append(Item(text="\n".join(_fact(label, value) for label, value in message.facts), style=Style.NOTE))
    return View(
        items=_harmless(items), tone=tone, buttons=message.buttons,
        pictures=(Picture(image=message.image, text=message.title),) if message.image else (),
    )  # fmt: skip


def _harmless(items: Iterable[Item]) -> tuple[Item, ...]:
    """Those that say something, without signs that a screen would obey."""
    return tuple(Item(text=inert(item.text), style=item.style) for item in items if item.text)


def _without(title: str, text: str) -> str:
    """A text that begins with its own title, without it: the title stands above it."""
    rest = text.removeprefix(title).lstrip(" :.,;") if title else text
    return text if rest == text else rest[:1].upper() + rest[1:]


def rows_of(buttons: tuple[Button, ...], *, width: int = 3, letters: int = 24) -> list[tuple[Button, ...]]:
    """Buttons in rows of at most `width`, fewer where their labels are long."""
    rows: list[tuple[Button, ...]] = []
    row: tuple[Button, ...] = ()
    for button in buttons:
        longer = (*row, button)
        if row and (len(longer) > width or sum(len(each.label) for each in longer) > letters):
            rows.append(row)
            row = (button,)
        else:
            row = longer
    return [*rows, row] if row else rows


def _items(part: Part, columns: int) -> Iterator[Item]:
    match part:
        case Paragraph():
            style = Style.NOTE if part.tone is Tone.MUTED else Style.TEXT
            yield Item(text=f"{sign_of(part.tone)} {part.text}".strip(), style=style)
        case Card():
            lines = [heading(part.title, part.tone).text]
            lines += [_fact(fact.label, cell_text(fact.value, fact.kind, fact.unit), fact.tone) for fact in part.facts]
            yield Item(text="\n".join(lines))
        case Branch():
            yield Item(text="\n".join(_branch(part, 0)), style=Style.MONO)
        case Table():
            yield from _table(part, columns)
        case Picture():
            yield Item(text=part.text, style=Style.NOTE)


def _fact(label: str, value: str, tone: Tone = Tone.PLAIN) -> str:
    return f"{label}: {value} {sign_of(tone)}".rstrip()


def _branch(branch: Branch, depth: int) -> Iterator[str]:
    yield f"{'  ' * depth}{branch.text}"
    if depth < _DEEPEST:
        for child in branch.children:
            yield from _branch(child, depth + 1)


def _table(table: Table, columns: int) -> Iterator[Item]:
    if table.title:
        yield Item(text=table.title, style=Style.HEADING)
    if not table.rows:
        yield Item(text=table.empty, style=Style.NOTE)
        return
    rows = [
        [cell_text(cell, column.kind, column.unit) for cell, column in zip(row, table.columns, strict=True)]
        for row in table.rows
    ]
    widths = [max(len(table.columns[at].label), *(len(row[at]) for row in rows)) for at in range(len(table.columns))]
    if sum(widths) + 2 * (len(widths) - 1) <= columns:
        yield Item(text="\n".join(_grid(table, rows, widths)), style=Style.MONO)
        return
    for number, row in enumerate(rows):
        yield Item(text="\n".join(_as_card(table, row, table.tones[number] if table.tones else Tone.PLAIN)))


def _grid(table: Table, rows: list[list[str]], widths: list[int]) -> Iterator[str]:
    for row in ([column.label for column in table.columns], *rows):
        padded = [
            text.rjust(width) if column.kind.is_numeric else text.ljust(width)
            for text, width, column in zip(row, widths, table.columns, strict=True)
        ]
        yield "  ".join(padded).rstrip()


def _as_card(table: Table, row: list[str], tone: Tone) -> Iterator[str]:
    """A row that is too wide: its first cell, then the others with their labels."""
    yield f"{sign_of(tone)} {row[0]}".strip()
    for column, text in zip(table.columns[1:], row[1:], strict=True):
        if text:
            yield f"  {column.label}: {text}" if column.label else f"  {text}"
