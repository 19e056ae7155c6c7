"""Small notes that outlive the process: questions that wait for a press, and what front ends remember."""

import sqlite3
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from haltline.errors import Refused

type Write = Callable[[Callable[[], None]], Awaitable[None]]
"""Runs a change of the table in the journal's writer; returns once it is on disk."""

MOST = 10_000
LONGEST = 10_000


class Note(NamedTuple):
    """One text under a key of a space; `at` in UTC nanoseconds."""

    space: str
    key: str
    at: int
    text: str


class NoteTable(Protocol):
    """Where notes are kept. Called by the journal's writer only, but for `rows`, at the start."""

    def put(self, note: Note) -> None:
        """Keep or replace one."""

    def remove(self, space: str, key: str) -> None:
        """Drop one."""

    def rows(self) -> list[Note]:
        """All of them, oldest first."""


class MemoryNoteTable:
    """A table that ends with the process."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Note] = {}

    def put(self, note: Note) -> None:
        """Keep or replace one."""
        self._rows[note.space, note.key] = note

    def remove(self, space: str, key: str) -> None:
        """Drop one."""
        self._rows.pop((space, key), None)

    def rows(self) -> list[Note]:
        """All of them."""
        return sorted(self._rows.values(), key=lambda note: note.at)


class SqliteNoteTable:
    """The table `control_note` of a journal file, on the journal's own connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, note: Note) -> None:
        """Keep or replace one."""
        self._connection.execute("INSERT OR REPLACE INTO control_note VALUES (?, ?, ?, ?)", note)

    def remove(self, space: str, key: str) -> None:
        """Drop one."""
        self._connection.execute("DELETE FROM control_note WHERE space = ? AND key = ?", (space, key))

    def rows(self) -> list[Note]:
        """All of them, oldest first."""
        query = "SELECT space, key, at, text FROM control_note ORDER BY at, rowid"
        return [Note(*row) for row in self._connection.execute(query)]


class Notes:
    """All notes, read once and then from memory; every change is on disk before it counts."""

    def __init__(self, table: NoteTable, write: Write) -> None:
        self._table = table
        self._write = write
        self._notes: dict[str, dict[str, Note]] = {}
        for note in table.rows():
            self._notes.setdefault(note.space, {})[note.key] = note

    def get(self, space: str, key: str) -> str | None:
        """What is kept under a key, or None."""
        note = self._notes.get(space, {}).get(key)
        return note.text if note is not None else None

    def of(self, space: str) -> list[Note]:
        """All notes of a space, oldest first."""
        return list(self._notes.get(space, {}).values())

    async def put(self, note: Note) -> None:
        """Keep or replace one; past `MOST` in its space the oldest goes."""
        kept = self._notes.setdefault(note.space, {})
        oldest = next(iter(kept)) if len(kept) >= MOST and note.key not in kept else None

        def change() -> None:
            self._table.put(note)
            if oldest is not None:
                self._table.remove(note.space, oldest)

        await self._write(change)
        kept.pop(note.key, None)
        kept[note.key] = note
        if oldest is not None:
            kept.pop(oldest, None)

    async def forget(self, space: str, key: str) -> bool:
        """Drop one; whether it was there. Of two who drop the same at once, one is told that it was."""
        note = self._notes.get(space, {}).pop(key, None)
        if note is None:
            return False
        await self._write(lambda: self._table.remove(space, key))
        return True


class SurfaceNotes:
    """The memory of one front end: the notes of its own space."""

    def __init__(self, notes: Notes, space: str, now: Callable[[], int]) -> None:
        self._notes = notes
        self._space = space
        self._now = now

    def get(self, key: str) -> str | None:
        """What was kept under a key, or None."""
        return self._notes.get(self._space, key)

    async def put(self, key: str, text: str) -> None:
        """Keep a text; raises Refused for one that is too long."""
        if len(text) > LONGEST or len(key) > LONGEST:
            raise Refused(f"a note of {max(len(text), len(key)):,} characters is too long; at most {LONGEST:,}")
        await self._notes.put(Note(self._space, key, self._now(), text))

    async def forget(self, key: str) -> None:
        """Drop a key."""
        await self._notes.forget(self._space, key)
