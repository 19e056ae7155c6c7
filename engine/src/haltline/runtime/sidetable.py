"""What stands beside the chain in the journal's file and cannot be read any more is taken out before anything reads it.

Messages that wait, what the notifier remembers and the notes of the control service are not part of the chain. One bad
byte in them, or a row of another version, must keep no engine from guarding. What is taken out goes on record, as far
as it can be told, and people hear of it.
"""

from collections.abc import Callable, Iterator

import msgspec

from haltline.control import question, readiness
from haltline.journal.error import in_words
from haltline.journal.record import notice_entry
from haltline.journal.store import Journal
from haltline.notify.desk import GROUP, SILENCE
from haltline.notify.group import Group
from haltline.notify.silence import StandingSilence
from haltline.notify.table import Pending

type _Check = Callable[[str, bytes], object]
_MOST = 2000
_JSON: dict[str, type] = {question.SPACE: question.Question, readiness.SPACE: readiness.Standing}


def set_aside(journal: Journal, now: int) -> str:
    """Take out every row that cannot be read, with a notice in the chain; returns what to tell people, or nothing."""
    with in_words(journal.path):
        found = [each for table in _TABLES for each in _unreadable(journal, *table)]
    if not found:
        return ""
    with journal.transaction(durable=True):
        for table, row, words in found:
            journal.connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (row,))
            journal.insert([notice_entry(now, "journal", f"could not be read and was taken out: {words}")])
    counts = {name: sum(table == each for each, *_ in found) for name, table in _NAMES.items()}
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return f"Rows beside the chain could not be read and were taken out: {told}. What they said was perhaps never told."


def _unreadable(journal: Journal, table: str, key: str, text: str, check: _Check) -> Iterator[tuple[str, int, str]]:
    as_bytes = "CAST(coalesce({}, '') AS BLOB)"
    query = f"SELECT rowid, {as_bytes.format(key)}, {as_bytes.format(text)} FROM {table} ORDER BY rowid"
    for row, name, body in journal.connection.execute(query).fetchall():
        try:
            check(name.decode(), body)
        except (msgspec.MsgspecError, ValueError) as error:
            words = b": ".join((name, body)).decode(errors="backslashreplace")
            yield table, row, f"{table} {words[:_MOST]!r} ({error})"


def _check_message(_: str, body: bytes) -> object:
    return msgspec.json.decode(body, type=Pending)


def _check_memory(key: str, body: bytes) -> object:
    kind = {GROUP: Group, SILENCE: StandingSilence}.get(f"{key.partition(':')[0]}:")
    return body.decode() if kind is None else msgspec.json.decode(body, type=kind)


def _check_note(key: str, body: bytes) -> object:
    space, _, instant = key.split(_BETWEEN)
    int(instant)
    if space in (question.CODES, question.WRONG):
        return [int(each) for each in body.split()]
    kind = _JSON.get(space)
    return body.decode() if kind is None else msgspec.json.decode(body, type=kind)


_BETWEEN = "\x1f"
_NAMES = {"waiting messages": "outbox", "notes of the notifier": "notification", "notes of operators": "control_note"}
_TABLES: tuple[tuple[str, str, str, _Check], ...] = (
    ("outbox", "key", "message", _check_message),
    ("notification", "key", "body", _check_memory),
    ("control_note", "space || char(31) || key || char(31) || at", "text", _check_note),
)
