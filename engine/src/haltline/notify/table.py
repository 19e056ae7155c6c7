"""Where messages under way, and what is remembered between them, are kept: in memory, or in the journal's file."""

import sqlite3
from typing import Protocol

import msgspec

from haltline.api import Message


class Pending(msgspec.Struct, kw_only=True):
    """One message on its way to one channel; `queued` is its place in the order of all messages, `others` are channels
    that get the same one anyway: none of them is its substitute.
    """

    key: str
    channel: str
    message: Message
    due: int
    attempts: int = 0
    tried: tuple[str, ...] = ()
    queued: int = 0
    others: tuple[str, ...] = ()

    @property
    def spent(self) -> tuple[str, ...]:
        """Channels that need not be tried any more."""
        return (*self.tried, *self.others)


class OutboxTable(Protocol):
    """Called by the journal's writer only, inside the transaction of what the messages tell of."""

    def put(self, pending: Pending) -> None:
        """Keep or replace one."""

    def remove(self, key: str) -> None:
        """Drop one."""

    def rows(self) -> list[Pending]:
        """All of them, oldest first."""

    def remember(self, key: str, body: bytes | None) -> None:
        """Keep a note of the notifier's own (a group, a silence, a handle) or, with None, forget it."""

    def memory(self) -> dict[str, bytes]:
        """All notes."""


class MemoryOutboxTable:
    """A table that ends with the process."""

    def __init__(self) -> None:
        self._rows: dict[str, Pending] = {}
        self._notes: dict[str, bytes] = {}

    def put(self, pending: Pending) -> None:
        """Keep or replace one."""
        self._rows[pending.key] = pending

    def remove(self, key: str) -> None:
        """Drop one."""
        self._rows.pop(key, None)

    def rows(self) -> list[Pending]:
        """All of them."""
        return list(self._rows.values())

    def remember(self, key: str, body: bytes | None) -> None:
        """Keep a note, or forget it."""
        if body is None:
            self._notes.pop(key, None)
        else:
            self._notes[key] = body

    def memory(self) -> dict[str, bytes]:
        """All notes."""
        return dict(self._notes)


class SqliteOutboxTable:
    """The tables `outbox` and `notification` of a journal file, on the journal's own connection: one transaction
    covers the journal and both."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, pending: Pending) -> None:
        """Keep or replace one."""
        body = msgspec.json.encode(pending).decode()
        row = (pending.key, pending.channel, pending.due, pending.attempts, body)
        self._connection.execute("INSERT OR REPLACE INTO outbox VALUES (?, ?, ?, ?, ?)", row)

    def remove(self, key: str) -> None:
        """Drop one."""
        self._connection.execute("DELETE FROM outbox WHERE key = ?", (key,))

    def rows(self) -> list[Pending]:
        """All of them, oldest first."""
        found = self._connection.execute("SELECT message FROM outbox ORDER BY rowid").fetchall()
        return [msgspec.json.decode(body, type=Pending) for (body,) in found]

    def remember(self, key: str, body: bytes | None) -> None:
        """Keep a note, or forget it."""
        if body is None:
            self._connection.execute("DELETE FROM notification WHERE key = ?", (key,))
        else:
            self._connection.execute("INSERT OR REPLACE INTO notification VALUES (?, ?)", (key, body.decode()))

    def memory(self) -> dict[str, bytes]:
        """All notes."""
        rows = self._connection.execute("SELECT key, body FROM notification ORDER BY rowid").fetchall()
        return {key: body.encode() for key, body in rows}
