"""What a data plugin is to the engine: live feeds push, recordings are read on a virtual clock."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from haltline.api.broker import EventSink, Started
from haltline.clock import Clock
from haltline.model.event import Event
from haltline.model.instrument import InstrumentSpec


class Feed(Protocol):
    """A live source of events."""

    async def run(self, sink: EventSink, started: Started) -> None:
        """Connect, call `started`, push events until cancelled."""


class Recording(Protocol):
    """A finite, deterministic source of events in order of `received_at`; reading it twice gives the same events."""

    def events(self) -> Iterator[Event]:
        """All events, oldest first."""

    def size(self) -> int | None:
        """How many events there are, for a progress bar; None if unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSetup:
    """What a feed is made from. Relative paths in `config` are resolved against `directory`."""

    name: str
    config: Mapping[str, object]
    instruments: Sequence[InstrumentSpec]
    clock: Clock
    directory: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedKind:
    """A registered kind of feed; `make` returns a Feed, or a Recording when `recorded`."""

    name: str
    make: Callable[[FeedSetup], Feed | Recording]
    meaning: str
    schema: Mapping[str, object]
    recorded: bool = False
