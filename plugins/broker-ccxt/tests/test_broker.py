"""The rest of the promises: any other exchange, restarts, set-up checks, and one account for a set of keys."""

import asyncio
import dataclasses
from decimal import Decimal

import msgspec
import pytest

from haltline.api import BrokerSetup, Level
from haltline.clock import SystemClock
from haltline.errors import Refused
from haltline.model.account import AccountSpec
from haltline.model.event import AccountReport, CashFlow, ConnectionUpdate, Fill, PositionReport, Quote
from haltline.model.order import OrderRequest, OrderType, Side
from haltline_broker_ccxt.plugin import ANY, BYBIT, KINDS
from haltline_broker_ccxt.watermark import Watermark
from haltline_sim_crypto.bybit import BybitSim

CLOCK = SystemClock()
KEYS = {"api_key": "key", "api_secret": "a-secret-that-is-not-shown"}


def setup_of(config: dict[str, object], *accounts: str) -> BrokerSetup:
    return BrokerSetup(
        name="venue", config=config, accounts=[AccountSpec(id=each) for each in accounts], instruments=[], clock=CLOCK
    )


@pytest.mark.parametrize("accounts", [(), ("one", "two")])
def test_keys_are_of_one_account(accounts: tuple[str, ...]) -> None:
    with pytest.raises(Refused, match="one account"):
        BYBIT.make(setup_of(KEYS, *accounts))


def test_secrets_are_in_no_text() -> None:
    broker = BYBIT.make(setup_of(KEYS, "main"))
    assert KEYS["api_secret"] not in f"{broker!r} {broker._setting!r}"


def test_an_exchange_that_is_not_known_is_refused() -> None:
    with pytest.raises(Refused, match="knows no exchange"):
        ANY.make(setup_of({"exchange": "nosuchexchange"}, "main"))


def test_what_is_not_known_of_an_exchange_is_not_promised() -> None:
    known = {kind.name: kind.capabilities for kind in KINDS}
    assert known["ccxt"] < known["bybit"]
    assert not {"reduce_only", "stop_orders", "client_order_ids", "push_positions"} & {
        each.value for each in known["ccxt"]
    }


async def test_after_a_loss_executions_are_read_again_at_once_and_flows_on_their_clock(desks) -> None:
    async with desks("bybit", flows_s=600.0) as desk:
        executions, flows = "GET /v5/execution/list", "GET /v5/account/transaction-log"
        await desk.until(lambda: len(desk.calls(flows)) == 2, timeout_s=30.0)  # what came, and what went
        before = len(desk.calls(executions))
        desk.sim.arm("status", "fills", status=503, count=1)
        desk.sim.streams.abort("private")
        await desk.until(lambda: len(desk.calls(executions)) >= before + 2, timeout_s=30.0)  # refused, and again
        assert len(desk.calls(flows)) == 2


async def test_what_a_delta_of_bybit_leaves_out_is_no_second_observation_and_is_told_again_in_time(bares) -> None:
    async with bares("bybit") as desk:
        venue = desk.reader._venue

        def heard(kind: str, **data: str) -> dict[str, float | None]:
            said = {"topic": "tickers.BTCUSDT", "type": kind, "ts": 1, "data": {"symbol": "BTCUSDT", **data}}
            (quote,) = venue.hear(said)
            return {name: getattr(quote, name) for name in ("bid", "ask", "last", "mark") if getattr(quote, name)}

        whole = {"bid1Price": "99", "ask1Price": "101", "lastPrice": "100", "markPrice": "100"}
        assert heard("snapshot", **whole) == {"bid": 99, "ask": 101, "last": 100, "mark": 100}
        assert heard("delta", lastPrice="50") == {"last": 50}
        assert heard("delta", markPrice="100.5", turnover24h="7") == {"mark": 100.5}
        known, at = venue._tickers["BTCUSDT"]
        venue._tickers["BTCUSDT"] = known, at - 10 * 10**9  # so long ago
        assert heard("delta", bid1Price="98") == {"bid": 98, "ask": 101, "last": 50, "mark": 100.5}
        assert heard("snapshot", **whole) == {"bid": 99, "ask": 101, "last": 100, "mark": 100}


async def test_any_other_exchange_is_polled() -> None:
    async with BybitSim(limits=False) as sim:
        given = sim.credentials
        config = {
            "exchange": "bybit", "api_key": given["apiKey"], "api_secret": given["secret"], "reconcile_s": 0.3,
            "host": f"127.0.0.1:{sim.port}", "symbols": {"BTCUSDT": "BTC/USDT:USDT"},
        }  # fmt: skip
        broker = ANY.make(setup_of(config, "main"))
        heard: list[object] = []
        started = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(broker.run(heard.append, started.set))
            async with asyncio.timeout(20):
                await started.wait()
                sim.trades("BTC", "0.1")
                while not any(isinstance(each, PositionReport) and each.quantity for each in heard):  # noqa: ASYNC110 - polled
                    await asyncio.sleep(0.01)
            bought = OrderRequest(
                account="main", symbol="BTCUSDT", side=Side.SELL, quantity=Decimal("0.04"), client_id="one"
            )
            await broker.submit(bought)
            assert sim.position("BTC").quantity == Decimal("0.06")
            with pytest.raises(Refused, match="stop price"):
                await broker.submit(
                    msgspec.structs.replace(bought, type=OrderType.STOP, stop_price=Decimal(1), client_id="two")
                )
            running.cancel()
        assert any(isinstance(each, Quote) for each in heard)


@pytest.mark.parametrize("venue", ["bybit", pytest.param("binance", marks=pytest.mark.long), "hyperliquid"])
async def test_what_was_executed_while_nobody_watched_is_told_once_somebody_does(desks, venue: str, tmp_path) -> None:
    """A drop of every stream at once: what is traded meanwhile is read by REST."""
    async with desks(venue, directory=tmp_path, flows_s=30.0) as desk:
        push, desk.sim.streams.push = desk.sim.streams.push, lambda link, message: None
        desk.sim.trades("BTC", "0.1")
        desk.sim.streams.push = push
        desk.sim.streams.abort()
        await desk.until(lambda: desk.of(Fill))
    assert Watermark(tmp_path, "venue-main").load() > 0


@pytest.mark.parametrize("venue", [pytest.param("binance", marks=pytest.mark.long), "hyperliquid"])
async def test_a_deposit_is_told_before_the_balance_it_made(desks, venue: str) -> None:
    """The other way round it would be a profit, and a drawdown once it is known for what it is."""
    async with desks(venue) as desk:
        desk.heard.clear()
        desk.sim.deposits(5_000)
        await desk.until(lambda: any((each.balance or 0) >= 15_000 for each in desk.of(AccountReport)))
        first = next(at for at, each in enumerate(desk.heard) if getattr(each, "balance", None) == 15_000)
        flows = [each for each in desk.heard[:first] if isinstance(each, CashFlow)]
        assert [(each.amount, each.is_result) for each in flows] == [(5_000, False)]


@pytest.mark.parametrize("content", ["", "no json", "[]", '{"read_ms": "x"}', '{"read_ms": -1}'])
def test_a_watermark_that_cannot_be_read_is_none(tmp_path, content: str) -> None:
    (tmp_path / "a.watermark.json").write_text(content)
    assert Watermark(tmp_path, "a").load() == 0


async def test_doctor_is_told_of_login_clock_permissions_and_markets(desks) -> None:
    async with desks("bybit", symbols={"BTCUSDT": "BTC/USDT:USDT", "GONE": "GONE/USDT:USDT"}) as desk:
        desk.sim.clock_skew_ms = -9_000
        found = {each.about: each for each in await desk.actuator.diagnose()}
    assert {about: each.level for about, each in found.items() if each.level is not Level.OK} == {
        "clock": Level.WARN, "market GONE": Level.FAIL,
    }  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("venue", ["bybit", pytest.param("binance", marks=pytest.mark.long), "hyperliquid"])
async def test_a_market_that_is_traded_for_the_first_time_is_priced_although_no_reading_has_its_share(
    desks, venue: str
) -> None:
    """It took nine seconds at Hyperliquid, where readings weigh much: as long, and no limit of the position counted."""

    async def never(cost: int = 1) -> None:
        await asyncio.Event().wait()

    async with desks(venue) as desk:
        reader = desk.reader._reader
        reader._setup = dataclasses.replace(reader._setup, share=never)
        desk.sim.trades("ETH", "1")
        await desk.until(lambda: any(each.symbol.startswith("ETH") for each in desk.of(PositionReport)))
        await desk.until(lambda: any(each.symbol.startswith("ETH") for each in desk.of(Quote)))


async def permission(desk) -> tuple[str, str]:
    (found,) = [each for each in await desk.actuator.diagnose() if each.about == "permissions"]
    assert bool(found.cure) is (found.level is not Level.OK)
    return found.level.value, found.text


@pytest.mark.parametrize("venue", ["bybit", "binance"])
async def test_doctor_warns_of_a_key_that_may_withdraw(desks, venue: str) -> None:
    async with desks(venue) as desk:
        assert await permission(desk) == ("ok", "the key may trade, and not withdraw")
        desk.sim.account.may_withdraw = True
        assert await permission(desk) == ("warn", "the key may withdraw money")


async def test_doctor_is_told_where_binance_does_not_say_what_a_key_may_do(desks) -> None:
    async with desks("binance") as desk:
        desk.sim.arm("status", "GET /sapi/v1/account/apiRestrictions", status=404)
        level, text = await permission(desk)
        assert level == "warn"
        assert "could not be asked" in text


async def test_doctor_knows_an_agent_s_key_of_hyperliquid_from_the_account_s_and_a_stranger_s(desks) -> None:
    async with desks("hyperliquid") as desk:
        level, text = await permission(desk)
        assert level == "warn"
        assert "itself: it may withdraw money" in text
    key = "0x" + "22" * 32
    async with desks("hyperliquid", private_key=key) as desk:
        level, text = await permission(desk)
        assert level == "fail"
        assert "may not sign for" in text
        desk.sim.add_agent(key)
        level, text = await permission(desk)
        assert level == "ok"
        assert "an agent's" in text
        assert key not in text


async def test_a_clock_apart_is_told_with_the_connection(desks) -> None:
    async with desks("binance", flows_s=0.3) as desk:
        desk.sim.clock_skew_ms = 60_000
        await desk.until(lambda: any("clock" in each.reason for each in desk.of(ConnectionUpdate)))


def test_a_reader_and_an_actuator_are_two() -> None:
    assert all(kind.paired for kind in KINDS)


@pytest.mark.parametrize("venue", ["bybit", "binance"])
async def test_a_side_of_a_hedge_has_the_price_of_its_market_before_its_position_is_told(desks, venue: str) -> None:
    """Otherwise rules cannot judge it for a moment, and entries that rest elsewhere are cancelled."""
    async with desks(venue, hedged=True) as desk:
        await desk.until(lambda: any(each.symbol == "BTCUSDT" for each in desk.of(Quote)))
        desk.sim.trades("BTC", "0.1")
        await desk.until(lambda: any(each.symbol == "BTCUSDT:LONG" for each in desk.of(PositionReport)))
        told = [each for each in desk.heard if getattr(each, "symbol", "") == "BTCUSDT:LONG"]
        first = next(at for at, each in enumerate(told) if isinstance(each, PositionReport))
        assert any(isinstance(each, Quote) for each in told[:first])
