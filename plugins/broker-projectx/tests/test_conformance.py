"""The conformance suite on the genuine clients, project-x-py and pysignalr, against the simulator."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from haltline.api import Broker, BrokerSetup
from haltline.clock import SystemClock
from haltline.model.account import AccountSpec
from haltline.model.id import AccountId, Symbol
from haltline.model.order import Side
from haltline.testing.broker import BrokerCase, VenueFault, broker_cases, check_broker, check_broker_record
from haltline_broker_projectx.kind import PROJECTX
from haltline_sim_projectx.server import KEY, USER, ProjectXSim

CLOCK = SystemClock()
CALLS = {
    VenueFault.LOST_ACK: ("drop", "Order/place", {"stage": "after"}),
    VenueFault.LOST_REQUEST: ("drop", "Order/place", {}),
    VenueFault.LOST_CANCEL: ("drop", "Order/cancel", {"stage": "after"}),
    VenueFault.HANG: ("hang", "Position/searchOpen", {}),
    VenueFault.GARBAGE: ("garbage", "Position/searchOpen", {}),
    VenueFault.THROTTLE: ("status", "Order/place", {"status": 429, "retry_after_s": 0.2}),
    VenueFault.REFUSE: ("status", "Order/place", {"status": 200, "code": 3, "reason": "margin"}),
}
WRAPPED = '{"type":1,"target":"GatewayUserPosition","arguments":[{"action":1,"data":%s}]}\x1e'
QUOTED = '{"type":1,"target":"GatewayQuote","arguments":["CON.F.US.MNQ.Z25",{"lastPrice":%s,"bestBid":%s}]}\x1e'
HOSTILE = {
    VenueFault.NOT_JSON: "<html>502 Bad Gateway</html>",
    VenueFault.MISSING_FIELD: WRAPPED % '{"accountId":77,"contractId":"CON.F.US.MNQ.Z25","type":1}',
    VenueFault.NOT_A_NUMBER: QUOTED % ("NaN", "NaN"),
    VenueFault.HUGE_NUMBER: QUOTED % ("1e999", "1e999"),
}
OTHERS = {
    VenueFault.CLOSED, VenueFault.EXPIRE, VenueFault.WRONG_KEY, VenueFault.DROP, VenueFault.MUTE, VenueFault.SILENCE,
    VenueFault.DUPLICATE, VenueFault.REORDER, VenueFault.AWAY, VenueFault.UNKNOWN_SYMBOL,
}  # fmt: skip


class SimWorld:
    """The simulator in this process, reached over HTTP and websockets."""

    kind = PROJECTX
    faults = frozenset({*CALLS, *HOSTILE, *OTHERS})
    account, other, symbol = AccountId("eval"), AccountId("second"), Symbol("MNQZ5")
    lot, tick, price = Decimal(1), Decimal("0.25"), Decimal("21000.25")
    secrets = (KEY,)
    patience_s = 90.0

    def __init__(self, sim: ProjectXSim) -> None:
        self._sim = sim
        self._hands = {self.account: sim.trader("PRACTICE77"), self.other: sim.trader("EVAL-2")}
        self._taken = 0

    def make(self, config: Mapping[str, object] | None = None) -> Broker:
        usual = {
            "user": USER, "key": KEY, "api_url": f"{self._sim.url}/api", "hub_url": f"{self._sim.url}/hubs",
            "accounts": {"eval": "PRACTICE77", "second": "EVAL-2"}, "contracts": ["MNQ"],
            "timeout_s": 5.0, "silence_s": 1.0, "poll_s": 0.5, "blind_s": 1.0,
        }  # fmt: skip
        accounts = [AccountSpec(id=each) for each in (self.account, self.other)]
        return PROJECTX.make(
            BrokerSetup(name="px", config={**usual, **(config or {})}, accounts=accounts, instruments=[], clock=CLOCK)
        )

    async def move(self, price: Decimal) -> None:
        self._sim.price("MNQZ5", float(price))

    async def trade(self, account: AccountId, side: Side, quantity: Decimal) -> None:
        hand = self._hands[account]
        (hand.buys if side is Side.BUY else hand.sells)("MNQZ5", int(quantity))
        self._taken += 1

    async def held(self, account: AccountId) -> Decimal:
        return Decimal(self._hands[account].holds("MNQZ5"))

    async def orders(self) -> int:
        return len(self._sim.market.orders) - self._taken

    async def arm(self, fault: VenueFault) -> None:
        sim = self._sim
        if fault in CALLS:
            kind, call, more = CALLS[fault]
            sim.arm(kind, call, **more)
        elif fault in HOSTILE:
            (sim.market_hub if "Quote" in HOSTILE[fault] else sim.user_hub).send_raw(HOSTILE[fault])
        else:
            await self._break(fault)

    async def _break(self, fault: VenueFault) -> None:
        sim = self._sim
        match fault:
            case VenueFault.CLOSED:
                sim.market.is_open = False
            case VenueFault.EXPIRE:
                sim.expire_tokens()
            case VenueFault.WRONG_KEY:
                sim.key = "another"
            case VenueFault.DROP:
                sim.user_hub.abort()
                sim.market_hub.abort()
            case VenueFault.MUTE:
                sim.user_hub.loses_pushes = True
            case VenueFault.SILENCE:
                sim.user_hub.is_muted = True
            case VenueFault.DUPLICATE | VenueFault.REORDER:
                sim.arm(fault.value, count=2)
            case VenueFault.UNKNOWN_SYMBOL:
                self._hands[self.account].buys("MYMZ5", 1)
            case _:
                await sim.down()

    async def mend(self) -> None:
        self._sim.faults.clear()
        self._sim.market.is_open = True
        self._sim.user_hub.loses_pushes = self._sim.user_hub.is_muted = False
        self._sim.key = KEY
        await self._sim.up()


@contextlib.asynccontextmanager
async def open_world(_: Path | None = None) -> AsyncIterator[SimWorld]:
    async with ProjectXSim(calls=None, beat_s=0.3) as sim:
        world = SimWorld(sim)
        await world.move(world.price)
        yield world


@pytest.mark.long
@pytest.mark.parametrize("case", broker_cases(SimWorld), ids=str)
async def test_projectx_keeps_its_promise(case: BrokerCase) -> None:
    async with open_world() as world:
        await check_broker(case, world)


def test_the_record_that_the_docs_show_is_of_these_cases() -> None:
    check_broker_record(Path(__file__).parents[1] / "conformance/projectx.json", SimWorld)
