"""One journal record as one line that people can read."""

from collections.abc import Mapping

import msgspec
from rich.text import Text

from haltline.clock import to_iso
from haltline.journal.record import Record, RecordKind

COLOURS = {
    RecordKind.EVENT: "dim",
    RecordKind.TRANSITION: "yellow",
    RecordKind.PLAN: "cyan",
    RecordKind.INTENT: "magenta",
    RecordKind.OUTCOME: "green",
    RecordKind.COMMAND: "bright_blue",
    RecordKind.SNAPSHOT: "dim",
    RecordKind.CONFIG: "bright_blue",
    RecordKind.EQUITY: "dim",
    RecordKind.NOTICE: "white",
    RecordKind.COMPACTION: "dim",
    RecordKind.DAMAGE: "bold red",
}
_DULL = frozenset({"type", "at", "received_at", "id", "incident", "action_id", "labels", "rules", "incidents"})


def line_of(record: Record) -> Text:
    """Number, time, kind, and what it says."""
    return Text.assemble(
        (f"{record.seq:>7}  ", "dim"),
        f"{to_iso(record.at)}  ",
        (f"{record.kind.value:<11}", COLOURS[record.kind]),
        summary(record),
    )


def summary(record: Record) -> str:
    """What a record says, in a few words."""
    body = msgspec.json.decode(record.body)
    if not isinstance(body, Mapping):
        return str(body)
    if record.kind is RecordKind.TRANSITION:
        return _transition(body)
    if record.kind is RecordKind.NOTICE and "text" in body:
        return f"{body.get('topic', '')}: {body['text']}"
    if record.kind is RecordKind.CONFIG:
        return _config(body)
    head = str(body.get("type") or body.get("name") or "")
    return " ".join([head, *_pairs(body)]).strip()


def _transition(body: Mapping[str, object]) -> str:
    text = f"{body.get('rule')} on {body.get('entity')}: {body.get('previous')} → {body.get('phase')}"
    measured, threshold = body.get("measured"), body.get("threshold")
    if isinstance(measured, int | float) and isinstance(threshold, int | float):
        text += f", {measured:g} of {threshold:g}"
    if body.get("reason"):
        text += f" ({body['reason']})"
    return text + (" [shadow]" if body.get("shadow") else "")


def _config(body: Mapping[str, object]) -> str:
    """Which rules are in force; their texts are in the export."""
    said = str(body.get("summary") or f"rules in force ({body.get('start') or 'start'})")
    return f"{said}; digest {str(body.get('rules', ''))[:12]}"


def _pairs(body: Mapping[str, object]) -> list[str]:
    found = []
    for name, part in body.items():
        if name in _DULL or name == "name" or part in (None, "", [], {}, False):
            continue
        if isinstance(part, Mapping):
            found += _pairs(part)
        else:
            found.append(f"{name}={part}")
    return found
