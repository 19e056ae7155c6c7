"""Break-even and trailing on a whole engine: rule, kernel, enforcement and paper broker together (S0-16)."""

from decimal import Decimal
from pathlib import Path
from typing import cast

from haltline import Haltline
from haltline.builtins.paper.broker import PaperBroker
from haltline.clock import NS_PER_S, ManualClock
from haltline.model.event import Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderRequest, Side
from haltline.runtime.embed import load_parts

START = 1_746_540_000 * NS_PER_S
EVAL, NQ = AccountId("eval"), Symbol("NQ")
SETUP = """\
version: 1
mode: live
accounts: {eval: {broker: paper, balance: 500000}}
instruments: {NQ: {tick_size: 0.25, tick_value: 5, asset_class: future, stale_after: 1h}}
rules: [rules.yaml]
"""
RULES = "version: 1\nrules: [{use: starter/break-even-and-trail, id: manage}]\n"


def started(folder: Path) -> Haltline:
    (folder / "haltline.yaml").write_text(SETUP)
    (folder / "rules.yaml").write_text(RULES)
    return Haltline.from_parts(load_parts(folder / "haltline.yaml", environ={}), clock=ManualClock(START))


async def see(engine: Haltline, price: float) -> list[Decimal | None]:
    """The stops that work once everybody has dealt with a price."""
    at = engine.engine.clock.now()
    engine.put(Quote(at=at, received_at=at, symbol=NQ, bid=price, ask=price, last=price, mark=price))
    await engine.until_idle()
    return [order.stop_price for order in (await broker_of(engine).snapshot(EVAL)).orders if order.status.is_working]


def broker_of(engine: Haltline) -> PaperBroker:
    return cast("PaperBroker", engine.engine._brokers["paper"])


async def test_the_stop_goes_to_break_even_then_trails_and_takes_the_trade_out(tmp_path: Path) -> None:
    async with started(tmp_path) as engine:
        await see(engine, 21_000)
        await broker_of(engine).submit(OrderRequest(account=EVAL, symbol=NQ, side=Side.BUY, quantity=Decimal(1)))
        await engine.until_idle()
        assert await see(engine, 21_002.25) == []
        assert await see(engine, 21_002.5) == [Decimal("21000.25")]
        assert await see(engine, 21_005) == [Decimal("21002.50")]
        assert await see(engine, 21_003) == [Decimal("21002.50")]
        assert await see(engine, 21_006) == [Decimal("21003.50")]
        assert await see(engine, 21_003.5) == []
        assert (await broker_of(engine).snapshot(EVAL)).positions == ()
