"""The feed kind `replay`: files of bars, ticks and fills, merged in order of time."""

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from haltline.api import FeedKind, FeedSetup
from haltline.builtins.replay.bar import BarReader, points_of
from haltline.builtins.replay.column import find
from haltline.builtins.replay.fill import FillReader
from haltline.builtins.replay.guard import RowGuard
from haltline.builtins.replay.problem import empty, lacks_column
from haltline.builtins.replay.setting import SCHEMA, BadRows, FileSetting, ReplaySetting
from haltline.builtins.replay.table import Table
from haltline.builtins.replay.tick import TickReader
from haltline.clock import parse_duration
from haltline.errors import ConfigError, Problem
from haltline.model.event import Fill, Quote

_NEEDED = {
    "bars": ("time", "open", "high", "low", "close"),
    "ticks": ("time",),
    "fills": ("time", "quantity", "price"),
}
_OPTIONAL = {
    "bars": ("symbol",),
    "ticks": ("symbol", "price", "bid", "ask"),
    "fills": ("symbol", "account", "side", "fee", "pnl", "id"),
}


class Reader(Protocol):
    """Turns batches of one file into events."""

    @property
    def events_per_row(self) -> int:
        """How many events a row gives."""

    def events(self, batches: Iterator[Any], guard: RowGuard, time_format: str) -> Iterator[Quote | Fill]:
        """Events in order of time; raises ConfigError at a bad row where those are errors."""


class _File:
    """One file, opened for what it holds; raises ConfigError where it cannot be read or lacks a column."""

    def __init__(self, path: Path, given: FileSetting, setting: ReplaySetting) -> None:
        self.table = Table(path)
        found = find(self.table.names, given.columns)
        self.kind = given.kind or _kind_of(found)
        usable = (*_NEEDED[self.kind], *_OPTIONAL[self.kind])
        self.columns = {meaning: name for meaning, name in found.items() if meaning in usable}
        if given.symbol:
            self.columns.pop("symbol", None)
        self._time_format = given.time_format
        self._policy = setting.bad_rows
        self._require_columns(given)
        self.reader = self._reader(given, setting)

    def events(self, skipped: Counter[str]) -> Iterator[Quote | Fill]:
        """Events of this file; raises ConfigError at a bad row, or at the end if there was no usable one."""
        guard = RowGuard(self.table.path, first_row=self.table.first_row, policy=self._policy)
        names = list(dict.fromkeys(self.columns.values()))
        batches = self.table.batches(names, skip_torn=self._policy is BadRows.SKIP)
        is_empty = True
        for event in self.reader.events(batches, guard, self._time_format):
            is_empty = False
            yield event
        skipped.update(guard.skipped)
        if self.table.torn_rows:
            skipped["too few or too many cells"] += self.table.torn_rows
        if is_empty:
            raise empty(self.table.path)

    def _require_columns(self, given: FileSetting) -> None:
        for meaning in _NEEDED[self.kind]:
            if meaning not in self.columns:
                raise lacks_column(self.table.path, meaning, self.table.names)
        if "symbol" not in self.columns and not given.symbol:
            raise lacks_column(self.table.path, "symbol", self.table.names)
        if self.kind == "ticks" and not {"price", "bid", "ask"} & self.columns.keys():
            raise lacks_column(self.table.path, "price, bid or ask", self.table.names)
        if self.kind == "fills" and "account" not in self.columns and not given.account:
            raise lacks_column(self.table.path, "account", self.table.names)

    def _reader(self, given: FileSetting, setting: ReplaySetting) -> Reader:
        if self.kind == "bars":
            interval_ns = parse_duration(given.interval) if given.interval else None
            points = points_of(setting.path, setting.side)
            return BarReader(self.columns, symbol=given.symbol, points=points, interval_ns=interval_ns)
        if self.kind == "ticks":
            return TickReader(self.columns, symbol=given.symbol)
        name = self.table.path.name.partition(".")[0]
        return FillReader(self.columns, symbol=given.symbol, account=given.account, name=name)


class ReplayRecording:
    """An `api.Recording`. `skipped` counts the rows left out in the last complete reading, by file and reason."""

    def __init__(self, setting: ReplaySetting, directory: Path | None = None) -> None:
        self.skipped: dict[str, Counter[str]] = {}
        self._files: list[_File] = []
        problems: list[Problem] = []
        for given in setting.files:
            path = Path(given.file).expanduser()
            try:
                self._files.append(_File(directory / path if directory is not None else path, given, setting))
            except ConfigError as error:
                problems.extend(error.problems)
        if problems:
            raise ConfigError(problems)

    def events(self) -> Iterator[Quote | Fill]:
        """All events, oldest first; at one instant in the order of the files. Raises ConfigError at a bad row."""
        self.skipped = {str(file.table.path): Counter() for file in self._files}
        streams = [file.events(self.skipped[str(file.table.path)]) for file in self._files]
        if len(streams) == 1:
            return streams[0]
        return heapq.merge(*streams, key=_when)

    def size(self) -> int:
        """How many events there are if no row is bad."""
        return sum(file.table.count() * file.reader.events_per_row for file in self._files)


def _when(event: Quote | Fill) -> int:
    return event.received_at


def _kind_of(found: Mapping[str, str]) -> str:
    if {"open", "high", "low", "close"} <= found.keys():
        return "bars"
    if {"quantity", "price"} <= found.keys() and {"side", "account", "pnl", "fee"} & found.keys():
        return "fills"
    return "ticks"


def make_replay(setup: FeedSetup) -> ReplayRecording:
    """A recording from its `config`; raises ConfigError with the problems of all files."""
    return ReplayRecording(msgspec.convert(setup.config, ReplaySetting), setup.directory)


REPLAY = FeedKind(
    name="replay",
    make=make_replay,
    meaning="recorded bars, ticks and fills from CSV, Parquet or Feather files",
    schema=SCHEMA,
    recorded=True,
)
