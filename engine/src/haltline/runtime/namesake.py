"""Two markets under one name: the engine keeps one price of a name, so whoever set it up so is told, once a name.

Two brokers at the same venue quote the same market, and a feed beside a broker is a second witness of it. Two brokers
at different venues quote two markets, whose prices would take turns in valuing the positions of both.
"""

import asyncio

from haltline.api import EventSink
from haltline.model.event import Event, Quote
from haltline.model.id import Symbol
from haltline.runtime.health import Tell

TITLE = "Two markets share a name"
_MOST_NAMES = 10_000
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
                known = self._first.get(event.symbol)
                if known is not None:
                    self._compare(event, broker, *known)
                elif len(self._first) < _MOST_NAMES:
                    self._first[event.symbol] = broker, event.source

        return heard

    async def run(self, tell: Tell) -> None:
        """Tell of each until cancelled."""
        while True:
            await tell(TITLE, f"{await self._news.get()}: {CURE}")

    def _compare(self, quote: Quote, broker: str, first: str, source: str) -> None:
        if first == broker or source == quote.source or quote.symbol in self.found:
            return
        who = f"the brokers {first!r} and {broker!r} from different venues"
        text = f"{quote.symbol} is quoted by {who}, and is one price to the engine"
        self.found[quote.symbol] = text
        self._news.put_nowait(text)
