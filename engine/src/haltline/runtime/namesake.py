"""Two markets under one name: the engine keeps one price of a name, so whoever set it up so is told, once a name.

Two brokers at the same venue quote the same market, and a feed beside a broker is a second witness of it. Two brokers
at different venues quote two markets, whose prices would take turns in valuing the positions of both.
"""

import asyncio
from collections.abc import Awaitable, Callable

from haltline.api import EventSink
from haltline.model.event import Event, Quote
from haltline.model.id import Symbol

TITLE = "Two markets share a name"
CURE = "name one of them apart in its broker's config (`symbols`)"


class Namesakes:
    """`found` says of each name what is wrong; only names are kept."""

    def __init__(self) -> None:
        self.found: dict[Symbol, str] = {}
        self._first: dict[Symbol, tuple[str, str]] = {}
        self._news: asyncio.Queue[str] = asyncio.Queue()

    def between(self, broker: str, sink: EventSink) -> EventSink:
        """The sink of a broker, which looks at the names that it quotes."""

        def heard(event: Event) -> None:
            sink(event)
            if type(event) is Quote and isinstance(event.symbol, str):
                other, source = self._first.setdefault(event.symbol, (broker, event.source))
                if other != broker and source != event.source and event.symbol not in self.found:
                    self._note(event.symbol, other, broker)

        return heard

    async def run(self, tell: Callable[[str, str], Awaitable[None]]) -> None:
        """Tell of each until cancelled."""
        while True:
            await tell(TITLE, f"{await self._news.get()}: {CURE}")

    def _note(self, symbol: Symbol, one: str, other: str) -> None:
        who = f"the brokers {one!r} and {other!r} from different venues"
        text = f"{symbol} is quoted by {who}, and is one price to the engine"
        self.found[symbol] = text
        self._news.put_nowait(text)
