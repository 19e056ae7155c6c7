"""What is asked of a venue, what it is worth there, and that enough is asked while streams are silent."""

import asyncio
import gc
import importlib
from decimal import Decimal

import ccxt
import ccxt.pro
import pytest

from haltline.api import BrokerCall, Metered
from haltline.model.event import Quote
from haltline.model.order import OrderRequest, OrderType, Side
from haltline_broker_ccxt.client import make_exchange
from haltline_broker_ccxt.plugin import BINANCE, BYBIT, HYPERLIQUID
from haltline_broker_ccxt.venue import Ask
from haltline_sim_crypto.limit import Limit

VENUES = ("bybit", "binance", "hyperliquid")


def used(sim) -> int:
    """What the venue has counted: weight, or requests where it has no weights."""
    kinds = {"binance": 2400, "hyperliquid": 1200}
    if sim.venue not in kinds:
        return len(sim.requests)
    return sim.pace.used("weight", Limit(weight=kinds[sim.venue], seconds=60.0))


@pytest.fixture(params=VENUES)
async def desk(request, bares):
    """Something is held, and two orders work, one of them a stop."""
    async with bares(request.param) as made:
        made.sim.trades("BTC", "0.3")
        made.sim.orders("BTC", "0.1", price=40_000)
        made.sim.orders("BTC", "-0.3", stop=45_000, reduces=True)
        yield made


async def asked(desk, ask: Ask, broker, present) -> None:
    venue = broker._venue
    match ask:
        case Ask.CLOCK:
            await venue.line.set_clock()
        case Ask.QUOTES:
            await venue.quotes([desk.symbol])
        case Ask.FIND if broker is desk.reader:
            await venue.find_by_id(present.orders[0])
        case Ask.FIND:
            await venue.find("hl-0123456789ab0123456789ab")
        case Ask.CANCEL:
            await venue.cancel(present.orders[0].order_id)
        case Ask.PLACE:
            market, _ = venue.markets.find(desk.symbol)
            request = OrderRequest(
                account="main", symbol=desk.symbol, side=Side.SELL, quantity=Decimal("0.1"), reduce_only=True,
                client_id="hl-0123456789ab0123456789ab",
            )  # fmt: skip
            await venue.place(request, market)
        case Ask.FILLS | Ask.FLOWS:
            await getattr(venue, ask)(max(0, venue.line.venue_ms(0)))
        case _:
            await getattr(venue, ask)()


@pytest.mark.long
@pytest.mark.parametrize("half", ["reader", "actuator"])
@pytest.mark.parametrize("ask", list(Ask))
async def test_no_question_is_worth_more_to_the_venue_than_we_say(desk, ask: Ask, half: str) -> None:
    broker = getattr(desk, half)
    present = await broker.snapshot("main")  # opens, and knows its market from then on
    said, before = broker._venue.cost(ask), used(desk.sim)
    await asked(desk, ask, broker, present)
    assert used(desk.sim) - before <= said


async def test_a_broker_says_what_its_calls_are_worth(desk) -> None:
    assert isinstance(desk.actuator, Metered)
    assert {call: desk.actuator.cost(call) >= 1 for call in BrokerCall} == dict.fromkeys(BrokerCall, True)


def test_the_limits_are_within_those_of_the_venues() -> None:
    assert BINANCE.limit.calls < 2400
    assert HYPERLIQUID.limit.calls < 1200
    assert BYBIT.limit.calls < 600


async def test_orders_of_all_markets_are_read_now_and_then_and_those_of_known_ones_in_between(bares) -> None:
    async with bares("binance") as desk:
        sim, broker, venue = desk.sim, desk.actuator, desk.actuator._venue
        sim.trades("BTC", "0.3")
        assert broker.cost(BrokerCall.SNAPSHOT) == 90
        await broker.snapshot("main")
        sim.orders("BTC", "0.1", price=40_000)
        sim.orders("ETH", "0.1", price=1_000)
        assert broker.cost(BrokerCall.SNAPSHOT) == 12
        assert [order.symbol for order in (await broker.snapshot("main")).orders] == ["BTCUSDT"]
        venue._whole_at -= 4 * 10**9  # so long ago
        assert {order.symbol for order in (await broker.snapshot("main")).orders} == {"BTCUSDT", "ETHUSDT"}
        assert {order.symbol for order in (await broker.snapshot("main")).orders} == {"BTCUSDT", "ETHUSDT"}


async def test_the_list_of_orders_is_read_now_and_then_and_those_on_it_are_asked_for_in_between(bares) -> None:
    async with bares("hyperliquid") as desk:
        sim, broker, venue = desk.sim, desk.actuator, desk.actuator._venue
        sim.trades("BTC", "0.3")
        resting = sim.orders("BTC", "0.1", price=40_000)
        sim.orders("BTC", "-0.3", stop=45_000, reduces=True)
        assert broker.cost(BrokerCall.SNAPSHOT) == 22
        first = await broker.snapshot("main")
        assert broker.cost(BrokerCall.SNAPSHOT) == 6
        assert (await broker.snapshot("main")).orders == first.orders
        sim.cancels(resting)
        sim.orders("BTC", "0.2", price=41_000)
        assert [order.type for order in (await broker.snapshot("main")).orders] == [OrderType.STOP]
        assert broker.cost(BrokerCall.SNAPSHOT) == 4
        venue._listed_at -= 4 * 10**9  # so long ago
        assert broker.cost(BrokerCall.SNAPSHOT) == 22
        assert len((await broker.snapshot("main")).orders) == 2


async def test_an_order_that_only_a_stream_has_told_of_is_read_with_all_others(bares) -> None:
    async with bares("hyperliquid") as desk:
        venue = desk.reader._venue
        await desk.reader.snapshot("main")
        assert venue.cost(Ask.PULL) == 2
        made = {"coin": "BTC", "side": "B", "limitPx": "40000", "sz": "0.1", "oid": 77, "timestamp": 1, "origSz": "0.1"}
        told = {"order": made, "status": "open", "statusTimestamp": 1}
        assert list(venue.hear({"channel": "orderUpdates", "data": [told]})) == []
        assert venue.cost(Ask.PULL) == 22


@pytest.mark.parametrize("venue", VENUES)
async def test_a_state_of_an_order_that_is_new_to_us_blinds_nobody(bares, monkeypatch, venue: str) -> None:
    """A list of orders that cannot be read is an account that cannot be read, and a position that stays open."""
    async with bares(venue) as desk:
        desk.sim.trades("BTC", "0.3")
        desk.sim.orders("BTC", "0.1", price=40_000)
        await desk.actuator.snapshot("main")
        shape = importlib.import_module(f"haltline_sim_crypto.{venue}_shape")
        monkeypatch.setattr(shape, "status", lambda order: "SLUMBERING")
        for _ in range(2):
            found = await desk.actuator.snapshot("main")
            assert [order.status.is_working for order in found.orders] == [True]
            assert len(found.positions) == 1
        await desk.actuator.cancel("main", found.orders[0].order_id)
        assert not desk.sim.open_orders


async def test_more_orders_than_are_worth_asking_for_one_by_one_are_listed(bares) -> None:
    async with bares("hyperliquid") as desk:
        for place in range(10):
            desk.sim.orders("BTC", "0.1", price=40_000 + place)
        await desk.actuator.snapshot("main")
        assert desk.actuator.cost(BrokerCall.SNAPSHOT) == 22
        assert len((await desk.actuator.snapshot("main")).orders) == 10


async def test_where_nothing_is_held_little_is_asked_until_all_orders_are_due_again(bares) -> None:
    async with bares("binance") as desk:
        await desk.actuator.snapshot("main")
        assert desk.actuator.cost(BrokerCall.SNAPSHOT) == 10
        desk.sim.trades("ETH", "1")
        assert [each.symbol for each in (await desk.actuator.snapshot("main")).positions] == ["ETHUSDT"]
        assert desk.actuator.cost(BrokerCall.SNAPSHOT) == 12


async def test_where_many_markets_are_known_all_are_read_at_once(bares) -> None:
    async with bares("binance") as desk:
        await desk.actuator.snapshot("main")
        desk.actuator._venue._note(f"COIN{number}USDT" for number in range(9))
        assert desk.actuator.cost(BrokerCall.SNAPSHOT) == 90
        await desk.actuator.snapshot("main")
        assert all("symbol" not in each for each in desk.calls("GET /fapi/v1/openOrders"))


@pytest.mark.long
@pytest.mark.parametrize("venue", VENUES)
async def test_what_is_held_is_priced_by_rest_while_the_streams_tell_no_price(desks, venue: str) -> None:
    """A stream is only known to be dead after `silence_s`; a loss in the meantime must be seen."""
    async with desks(venue, silence_s=600, quote_silence_s=600, reconcile_s=600) as desk:
        desk.sim.trades("BTC", "0.3")
        await desk.until(desk.reader._reader._told.symbols)
        desk.sim.streams.mute("*")
        desk.sim.price("BTC", 47_000)
        await desk.until(
            lambda: any(47_000 in (quote.last, quote.mark) for quote in desk.of(Quote)[-3:]), timeout_s=30.0
        )


@pytest.mark.parametrize(("made_by", "complaints"), [("ccxt", 1), ("us", 0)])
async def test_the_end_of_a_connection_that_nobody_waits_for_is_no_news(made_by: str, complaints: int) -> None:
    """Every subscription of a connection is told of its end; ccxt alone leaves asyncio to complain of each."""
    heard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, told: heard.append(told["message"]))
    exchange = (
        ccxt.pro.hyperliquid() if made_by == "ccxt" else make_exchange("hyperliquid", {}, tap=lambda *said: False)
    )
    client = exchange.client("ws://127.0.0.1:1/ws")
    client.future("a subscription")
    client.reject(ccxt.NetworkError("gone"))
    gc.collect()
    await exchange.close()
    assert heard == ["Future exception was never retrieved"] * complaints
