"""The world outside of a `haltline run` that gets killed: a plugin with a market that moves and a channel that is down.

The market is a script of prices. How far it has come is kept in a file, as a real market does not start again because
we do. The last price comes only where the file `end` lies beside it, so that a kill never hits after the end.
"""

import asyncio
import os
from decimal import Decimal
from pathlib import Path

from haltline.api import (
    BrokerKind,
    BrokerSetup,
    EventSink,
    Message,
    NotifierKind,
    NotifierSetup,
    Registry,
    Started,
    hookimpl,
)
from haltline.builtins.paper.broker import PAPER, PaperBroker
from haltline.clock import Clock
from haltline.errors import Transient
from haltline.model.event import Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderRequest, Side

PRICES = (21000, 21100, 21150, 21080, 20990, 20985, 20985, 20980, 20960, 20900, 20700, 20690, 20695, 20710, 20720, 1)
STEP_NS = 60_000_000
BOUGHT_AT = 1


class Market(PaperBroker):
    """A paper broker whose prices follow the script, and on which somebody buys by hand: one order, sent once."""

    def __init__(self, setup: BrokerSetup) -> None:
        super().__init__(setup)
        assert setup.directory is not None
        self._place = setup.directory / "market.txt"
        self._clock_of_market = setup.clock

    async def run(self, sink: EventSink, started: Started) -> None:
        """The paper broker, and the market beside it."""
        shown = int(self._place.read_text()) if self._place.exists() else 0
        await self._require_book()
        if shown:
            self.venue.on_quote(quote(shown - 1, self._clock_of_market), self._clock_of_market.now())
        async with asyncio.TaskGroup() as group:
            group.create_task(super().run(sink, started))
            group.create_task(self._move(sink, shown))

    async def _move(self, sink: EventSink, shown: int) -> None:
        clock = self._clock_of_market
        if shown:
            await self._buy(shown - 1)
        for number in range(shown, len(PRICES)):
            await clock.sleep_until(clock.now() + STEP_NS)
            while number == len(PRICES) - 1 and not self._place.with_name("end").exists():
                await clock.sleep_until(clock.now() + STEP_NS)
            sink(quote(number, clock))
            draft = self._place.with_suffix(".part")
            draft.write_text(str(number + 1))
            os.replace(draft, self._place)
            await clock.sleep_until(clock.now() + STEP_NS // 4)
            await self._buy(number)

    async def _buy(self, number: int) -> None:
        if number >= BOUGHT_AT:
            await self.submit(
                OrderRequest(
                    account=AccountId("eval"), symbol=Symbol("MNQ"), side=Side.BUY, quantity=Decimal(2), client_id="m1"
                )
            )


def quote(number: int, clock: Clock) -> Quote:
    """A price of the script, now."""
    bid, now = float(PRICES[number]), clock.now()
    return Quote(at=now, received_at=now, symbol=Symbol("MNQ"), bid=bid, ask=bid + 0.25, last=bid, mark=bid)


class Down:
    """A channel that takes nothing until the file `end` is there."""

    def __init__(self, setup: NotifierSetup) -> None:
        self._file = Path(str(setup.config["path"]))

    async def send(self, message: Message) -> None:
        """Append the message's id and rule."""
        if not self._file.with_name("end").exists():
            raise Transient("the receiver is down")
        with self._file.open("a") as file:
            file.write(f"{message.id}\t{message.rule}\t{message.phase}\n")


@hookimpl
def haltline_register_brokers(registry: Registry) -> None:
    """The market."""
    registry.add_broker(
        BrokerKind(name="market", make=Market, meaning="a market", capabilities=PAPER.capabilities, schema=PAPER.schema)
    )


@hookimpl
def haltline_register_notifiers(registry: Registry) -> None:
    """The channel that is down."""
    registry.add_notifier(
        NotifierKind(
            name="down",
            make=Down,
            meaning="takes messages only in the end",
            schema={
                "type": "object",
                "additionalProperties": False,
                "required": ["path"],
                "properties": {"path": {"type": "string"}},
            },
        )
    )
