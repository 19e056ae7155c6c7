"""The conformance suite on `paper_remote`: a genuine network client against a venue that can be broken."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from haltline.api import Broker, BrokerSetup
from haltline.clock import SystemClock
from haltline.model.account import AccountSpec
from haltline.model.event import Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import Side
from haltline.testing.broker import BrokerCase, VenueFault, broker_cases, check_broker, check_broker_record
from haltline_sim_paper.broker import PAPER_REMOTE, RemotePaperBroker
from haltline_sim_paper.fault import Fault, FaultKind
from haltline_sim_paper.host import Host
from haltline_sim_paper.server import Venue

CLOCK = SystemClock()
KEY = "a-key-that-nobody-may-see"
ARMED = {
    VenueFault.REFUSE: Fault(kind=FaultKind.REJECT, verb="submit", reason="price band"),
    VenueFault.LOST_ACK: Fault(kind=FaultKind.LOST_ACK, verb="submit"),
    VenueFault.LOST_REQUEST: Fault(kind=FaultKind.DROP, verb="submit"),
    VenueFault.LOST_CANCEL: Fault(kind=FaultKind.LOST_ACK, verb="cancel"),
    VenueFault.HANG: Fault(kind=FaultKind.HANG, verb="snapshot"),
    VenueFault.THROTTLE: Fault(kind=FaultKind.THROTTLE, verb="submit", after_s=0.2),
    VenueFault.EXPIRE: Fault(kind=FaultKind.EXPIRE, verb="snapshot"),
    VenueFault.MUTE: Fault(kind=FaultKind.MUTE, count=None),
    VenueFault.SILENCE: Fault(kind=FaultKind.SILENCE, count=None),
    VenueFault.DUPLICATE: Fault(kind=FaultKind.DUPLICATE_FILL),
    VenueFault.REORDER: Fault(kind=FaultKind.REORDER, count=2),
    VenueFault.CLOSED: Fault(kind=FaultKind.CLOSED, count=None),
}
HOSTILE = {
    VenueFault.NOT_JSON: b"<html>502 Bad Gateway</html>\n",
    VenueFault.MISSING_FIELD: b'{"seq":1,"event":{"type":"Fill","at":1}}\n',
    VenueFault.NOT_A_NUMBER: b'{"seq":1,"event":{"type":"Quote","at":1,"received_at":1,"symbol":"MNQ","bid":NaN}}\n',
    VenueFault.HUGE_NUMBER: b'{"seq":1,"event":{"type":"Quote","at":1,"received_at":1,"symbol":"MNQ","bid":1e999}}\n',
}


class RemoteWorld:
    """A venue in this process, reached over TCP."""

    kind = PAPER_REMOTE
    faults = frozenset({*ARMED, *HOSTILE, VenueFault.DROP, VenueFault.AWAY, VenueFault.WRONG_KEY, VenueFault.PARTIAL})
    account, other, symbol = AccountId("eval"), AccountId("second"), Symbol("MNQ")
    lot, tick, price = Decimal(1), Decimal("0.25"), Decimal("21000.25")
    secrets = (KEY,)
    patience_s = 60.0

    def __init__(self, host: Host, venue: Venue) -> None:
        self._host = host
        self._venue = venue

    def make(self, config: Mapping[str, object] | None = None) -> Broker:
        usual = {"port": self._venue.port, "timeout_s": 0.3, "silence_s": 0.5, "key": KEY}
        accounts = [AccountSpec(id=each, balance=Decimal(50_000)) for each in (self.account, self.other)]
        spec = InstrumentSpec(symbol=self.symbol, tick_size=self.tick, tick_value=Decimal("0.50"))
        self._host.open(accounts, [spec])
        return RemotePaperBroker(
            BrokerSetup(
                name="v", config={**usual, **(config or {})}, accounts=accounts, instruments=[spec], clock=CLOCK
            )
        )

    async def move(self, price: Decimal) -> None:
        bid, now = float(price), CLOCK.now()
        ask = bid + float(self.tick)
        self._host.quote(Quote(at=now, received_at=now, symbol=self.symbol, bid=bid, ask=ask, last=bid, mark=bid))
        await self._venue._tell()

    async def trade(self, account: AccountId, side: Side, quantity: Decimal) -> None:
        self._host.trade(account, self.symbol, side, quantity, self.price)
        await self._venue._tell()

    async def held(self, account: AccountId) -> Decimal:
        return sum((each.quantity for each in self._host.snapshot(account).positions), Decimal(0))

    async def orders(self) -> int:
        return len(self._host.orders())

    async def arm(self, fault: VenueFault) -> None:
        venue = self._venue
        if fault in ARMED:
            venue.faults.arm(ARMED[fault])
            self._host.is_open = fault is not VenueFault.CLOSED
        elif fault in HOSTILE:
            for session in tuple(venue._sessions):
                if session.is_subscribed and session._transport is not None:
                    session._transport.write(HOSTILE[fault])
        elif fault is VenueFault.PARTIAL:
            self._host.venue.setting = msgspec.structs.replace(self._host.venue.setting, max_fill=self.lot)
        else:
            await self._break(fault)

    async def _break(self, fault: VenueFault) -> None:
        if fault is VenueFault.WRONG_KEY:
            self._venue._key = "another"
            self._venue._tokens.clear()
        if fault is VenueFault.DROP:
            for session in tuple(self._venue._sessions):
                session.abort()
        else:
            self._venue._hang_up()
        if fault is not VenueFault.AWAY:
            await self.mend()

    async def mend(self) -> None:
        self._venue.faults.clear()
        self._host.is_open = True
        if self._venue._server is None or not self._venue._server.is_serving():
            await self._venue._listen()


@contextlib.asynccontextmanager
async def open_world(folder: Path) -> AsyncIterator[RemoteWorld]:
    """A venue with a market, until the end."""
    ready: asyncio.Queue[int] = asyncio.Queue()
    host = Host(folder / "book.sqlite", CLOCK)
    venue = Venue(host, CLOCK, beat_s=0.1, key=KEY)
    serving = asyncio.create_task(venue.run(ready.put_nowait))
    await ready.get()
    world = RemoteWorld(host, venue)
    world.make()
    await world.move(world.price)
    try:
        yield world
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


@pytest.mark.parametrize("case", broker_cases(RemoteWorld), ids=str)
async def test_paper_remote_keeps_its_promise(case: BrokerCase, tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await check_broker(case, world)


def test_the_record_that_the_docs_show_is_of_these_cases() -> None:
    check_broker_record(Path(__file__).parents[1] / "conformance/paper_remote.json", RemoteWorld)
