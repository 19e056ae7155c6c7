"""The conformance suite on the paper broker: what it promises, it keeps."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest

from haltline.api import Broker, BrokerSetup
from haltline.builtins.paper.broker import PAPER, PaperBroker, Verb
from haltline.clock import SystemClock
from haltline.errors import OutcomeUnknown, Transient
from haltline.model.account import AccountSpec
from haltline.model.event import Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import Side
from haltline.testing.broker import BrokerCase, VenueFault, broker_cases, check_broker, check_broker_record

CLOCK = SystemClock()
RETRY_S = 0.05


class PaperWorld:
    """The venue lives in the broker, so that one made later has the same book only through the directory."""

    kind = PAPER
    faults = frozenset(
        {VenueFault.REFUSE, VenueFault.LOST_ACK, VenueFault.LOST_REQUEST, VenueFault.THROTTLE, VenueFault.PARTIAL}
    )
    account, other, symbol = AccountId("eval"), AccountId("second"), Symbol("MNQ")
    lot, tick, price = Decimal(1), Decimal("0.25"), Decimal("21000.25")
    secrets = ()
    patience_s = 60.0

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._armed: list[VenueFault] = []
        self._brokers: list[PaperBroker] = []

    def make(self, config: Mapping[str, object] | None = None) -> Broker:
        setup = BrokerSetup(
            name="paper", config=dict(config or {}), clock=CLOCK, directory=self._folder,
            accounts=[AccountSpec(id=each, balance=Decimal(50_000)) for each in (self.account, self.other)],
            instruments=[InstrumentSpec(symbol=self.symbol, tick_size=self.tick, tick_value=Decimal("0.50"))],
        )  # fmt: skip
        broker = PaperBroker(setup, faults=self._strike)
        broker.on_quote(self._quote(self.price))
        self._brokers.append(broker)
        return broker

    async def move(self, price: Decimal) -> None:
        self._brokers[-1].on_quote(self._quote(price))

    async def trade(self, account: AccountId, side: Side, quantity: Decimal) -> None:
        broker = self._brokers[-1]
        await broker.snapshot(account)
        broker.venue.execute(account, self.symbol, side, quantity=quantity, price=self.price, now=CLOCK.now())
        await broker.snapshot(account)

    async def held(self, account: AccountId) -> Decimal:
        return sum((each.quantity for each in self._venue.snapshot(account, CLOCK.now()).positions), Decimal(0))

    async def orders(self) -> int:
        return sum(row[0] == "order" for row in self._venue.to_builtins()["rows"])  # type: ignore[index,attr-defined]

    async def arm(self, fault: VenueFault) -> None:
        if fault is VenueFault.REFUSE:
            self._venue.reject_next("price band")
        elif fault is VenueFault.PARTIAL:
            self._venue.setting = type(self._venue.setting)(max_fill=self.lot)
        else:
            self._armed.append(fault)

    async def mend(self) -> None:
        self._armed.clear()

    @property
    def _venue(self):  # type: ignore[no-untyped-def]
        return self._brokers[-1].venue

    def _quote(self, price: Decimal) -> Quote:
        bid, now = float(price), CLOCK.now()
        return Quote(at=now, received_at=now, symbol=self.symbol, bid=bid, ask=bid + float(self.tick), last=bid)

    def _strike(self, verb: Verb, stage: Literal["before", "after"]) -> None:
        if verb != "submit" or not self._armed:
            return
        struck = {"after": VenueFault.LOST_ACK, "before": VenueFault.LOST_REQUEST}[stage]
        if self._armed[0] is VenueFault.THROTTLE:
            self._armed.pop()
            raise Transient("too many requests", retry_after_s=RETRY_S)
        if self._armed[0] is struck:
            self._armed.pop()
            raise OutcomeUnknown("no answer came")


@contextlib.asynccontextmanager
async def open_world(folder: Path) -> AsyncIterator[PaperWorld]:
    yield PaperWorld(folder)


@pytest.mark.parametrize("case", broker_cases(PaperWorld), ids=str)
async def test_the_paper_broker_keeps_its_promise(case: BrokerCase, tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await check_broker(case, world)


def test_the_record_that_the_docs_show_is_of_these_cases() -> None:
    check_broker_record(Path(__file__).parents[3] / "engine/conformance/paper.json", PaperWorld)
