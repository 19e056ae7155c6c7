"""Which actions have no receipt yet, so that a start reads only what concerns them, however long the journal is."""

import sqlite3
from collections.abc import Collection, Iterable

import msgspec

from haltline.journal.record import Entry, Record, RecordKind
from haltline.model.id import ActionId

KINDS = (RecordKind.PLAN, RecordKind.INTENT, RecordKind.OUTCOME)
_RECEIPT = "action"


class _Named(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan, an intent or an outcome says about its action."""

    type: str = ""
    id: str = ""
    action: str = ""
    name: str = ""
    shadow: bool = False


_DECODER = msgspec.json.Decoder(_Named)


class ActionTable:
    """The tables `unfinished` (records of actions without a receipt) and `receipt` (where each receipt stands)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def take(self, records: Iterable[Record]) -> None:
        """Note records as they are written, in the same transaction."""
        for record in records:
            if record.kind in KINDS:
                self._take(record)

    def records_of_unfinished(self, names: Collection[str]) -> list[int]:
        """The records of actions of these names that have no receipt, in order; shadow ones are left out."""
        marks = ", ".join("?" * len(names))
        query = (
            "SELECT seq FROM unfinished WHERE action IN"
            f" (SELECT action FROM unfinished WHERE kind = 'plan' AND name IN ({marks})) ORDER BY seq"
        )
        return [seq for (seq,) in self._connection.execute(query, tuple(names))]

    def records_of_receipts(self, actions: Iterable[ActionId]) -> list[int]:
        """Where the receipts of these actions stand, in order; those without one are left out."""
        find = "SELECT seq FROM receipt WHERE action = ?"
        return sorted(row[0] for action in actions for row in self._connection.execute(find, (action,)))

    def _take(self, record: Record) -> None:
        try:
            said = _DECODER.decode(record.body)
        except msgspec.MsgspecError:
            return
        run = self._connection.execute
        if record.kind is RecordKind.OUTCOME and said.type == _RECEIPT:
            run("INSERT OR REPLACE INTO receipt VALUES (?, ?)", (said.action, record.seq))
            run("DELETE FROM unfinished WHERE action = ?", (said.action,))
            return
        action = said.id if record.kind is RecordKind.PLAN else said.action
        if said.shadow or run("SELECT 1 FROM receipt WHERE action = ?", (action,)).fetchone():
            return
        run("INSERT OR REPLACE INTO unfinished VALUES (?, ?, ?, ?)", (record.seq, record.kind.value, action, said.name))


def unfinished_among(records: Iterable[Record], names: Collection[str]) -> list[Record]:
    """The same from the records themselves: all of them are read, so this is for journals in memory, and for proof."""
    open_now: dict[str, list[Record]] = {}
    wanted: set[str] = set()
    done: set[str] = set()
    for record in records:
        said = _DECODER.decode(record.body)
        if record.kind is RecordKind.OUTCOME and said.type == _RECEIPT:
            done.add(said.action)
            open_now.pop(said.action, None)
            continue
        action = said.id if record.kind is RecordKind.PLAN else said.action
        if said.shadow or action in done:
            continue
        open_now.setdefault(action, []).append(record)
        if record.kind is RecordKind.PLAN and said.name in names:
            wanted.add(action)
    return sorted((each for action in wanted for each in open_now.get(action, ())), key=lambda record: record.seq)


def receipts_among(records: Iterable[Record], actions: Collection[ActionId]) -> list[Record]:
    """The newest receipt of each of these actions, in order."""
    found: dict[str, Record] = {}
    for record in records:
        said = _DECODER.decode(record.body)
        if record.kind is RecordKind.OUTCOME and said.type == _RECEIPT and said.action in actions:
            found[said.action] = record
    return sorted(found.values(), key=lambda record: record.seq)


def touches(entries: Iterable[Entry]) -> bool:
    """Whether any of these concerns an action."""
    return any(entry.kind in KINDS for entry in entries)
