"""What the platform says becomes what it means: signs, half-turns, trades taken back, bars, stale and hostile words."""

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from haltline.api import BrokerRole, Level
from haltline.clock import NS_PER_S, from_iso
from haltline.errors import Refused, Transient
from haltline.model.account import AccountSpec
from haltline.model.event import (
    AccountReport,
    ConnectionStatus,
    ConnectionUpdate,
    Fill,
    InstrumentUpdate,
    OrderUpdate,
    PositionReport,
    Quote,
)
from haltline.model.id import AccountId, OrderId, Symbol
from haltline.model.instrument import AssetClass, InstrumentSpec
from haltline.model.order import OrderStatus, OrderType, Side
from haltline_broker_projectx.reader import day_start
from haltline_broker_projectx.truth import Told
from haltline_broker_projectx.wire import (
    WireAccount,
    WireOrder,
    WirePosition,
    WireQuote,
    WireTrade,
    fill_of,
    order_report,
    position_report,
    quote_of,
    stamp_of,
)

EVAL, MNQ, NOW = AccountId("eval"), Symbol("MNQZ5"), 1_800_000_000 * NS_PER_S
STAMP = "2027-01-15T08:00:00+00:00"


def order(number: int = 1, **more: Any) -> WireOrder:
    usual = {"id": number, "account_id": 77, "contract_id": "C", "status": 1, "type": 1, "side": 0, "size": 2}
    return WireOrder(**{**usual, "update_timestamp": STAMP, **more})


def trade(number: int = 1, **more: Any) -> WireTrade:
    usual = {"id": number, "account_id": 77, "contract_id": "C", "creation_timestamp": STAMP, "price": 21_000.25}
    return WireTrade(**{**usual, "side": 0, "size": 2, **more})


def money(balance: float, *, can_trade: bool = True) -> WireAccount:
    return WireAccount(id=77, name="PRACTICE77", balance=balance, can_trade=can_trade, simulated=True)


def position(size: int, kind: int = 1, price: float = 21_000.0) -> WirePosition:
    return WirePosition(account_id=77, contract_id="C", type=kind, size=size, average_price=price)


# -- records ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "held"), [(1, 3), (2, -3)])
def test_the_direction_of_a_position_is_its_type(kind: int, held: int) -> None:
    assert position_report(position(3, kind), EVAL, MNQ, NOW).quantity == held


def test_a_position_without_a_direction_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="no direction"):
        position_report(position(3, 0), EVAL, MNQ, NOW)
    assert position_report(position(0, 0), EVAL, MNQ, NOW).quantity == 0


@pytest.mark.parametrize(
    ("code", "status"),
    [(0, "pending"), (1, "working"), (2, "filled"), (3, "cancelled"), (4, "expired"), (5, "rejected"), (6, "pending"),
     (7, "working"), (8, "working"), (42, "working")],
)  # fmt: skip
def test_every_status_has_its_meaning_and_an_unknown_one_may_still_fill(code: int, status: str) -> None:
    assert order_report(order(status=code), EVAL, MNQ, NOW).status == status


@pytest.mark.parametrize(
    ("code", "kind"),
    [(1, OrderType.LIMIT), (2, OrderType.MARKET), (3, OrderType.STOP_LIMIT), (4, OrderType.STOP),
     (5, OrderType.TRAILING_STOP), (6, OrderType.LIMIT), (7, OrderType.LIMIT)],
)  # fmt: skip
def test_every_type_has_its_meaning_and_3_4_and_5_are_stops(code: int, kind: OrderType) -> None:
    report = order_report(order(type=code), EVAL, MNQ, NOW)
    assert report.type is kind
    assert report.type.is_stop is (code in (3, 4, 5))


def test_a_part_that_filled_is_told_as_a_part() -> None:
    report = order_report(order(fill_volume=1, filled_price=5.0), EVAL, MNQ, NOW)
    assert (report.status, report.filled, report.remaining) == (OrderStatus.PARTIALLY_FILLED, 1, 1)
    assert order_report(order(status=2), EVAL, MNQ, NOW).filled == 2


def test_an_opening_half_turn_has_no_profit_and_a_fee_is_a_cost() -> None:
    opened = fill_of(trade(profit_and_loss=None, fees=0.74), EVAL, MNQ, NOW, voided=False)
    closed = fill_of(trade(profit_and_loss=-40.5, fees=-0.74, side=1), EVAL, MNQ, NOW, voided=False)
    assert (opened.pnl, opened.fee, opened.side) == (None, Decimal("0.74"), Side.BUY)
    assert (closed.pnl, closed.fee, closed.side) == (Decimal("-40.5"), Decimal("0.74"), Side.SELL)


@pytest.mark.parametrize("price", [float("nan"), float("inf")])
def test_a_price_that_is_no_number_is_refused(price: float) -> None:
    with pytest.raises(ValueError, match="no amount"):
        fill_of(trade(price=price), EVAL, MNQ, NOW, voided=False)
    assert quote_of(WireQuote(last_price=price, best_bid=price), MNQ, NOW) is None


def test_a_quote_has_the_prices_that_are_there() -> None:
    told = quote_of(WireQuote(best_ask=5.0), MNQ, NOW)
    assert told is not None
    assert (told.bid, told.ask, told.last) == (None, 5.0, None)
    assert quote_of(WireQuote(), MNQ, NOW) is None
    assert quote_of(WireQuote(last_price=0.0), MNQ, NOW) is None


@pytest.mark.parametrize("text", ["2027-01-15T08:00:00Z", "2027-01-15T08:00:00", "2027-01-15T09:00:00+01:00"])
def test_an_instant_is_utc_however_it_is_written(text: str) -> None:
    assert stamp_of(text, 0) == from_iso("2027-01-15T08:00:00Z")


@pytest.mark.parametrize("text", [None, "", "yesterday", "2027-13-45T99:00:00Z"])
def test_an_instant_that_is_none_is_now(text: str | None) -> None:
    assert stamp_of(text, NOW) == NOW


def test_the_trading_day_begins_at_the_last_roll() -> None:
    spec = AccountSpec(id=EVAL, zone="America/Chicago", roll="17:00")
    assert day_start(spec, from_iso("2026-11-21T12:00:00Z")) == from_iso("2026-11-20T23:00:00Z")
    assert day_start(spec, from_iso("2026-11-21T23:00:00Z")) == from_iso("2026-11-21T23:00:00Z")


# -- what was told so far ---------------------------------------------------------------------------------------------


def test_a_change_is_told_once_whoever_notices_it() -> None:
    told = Told(EVAL)
    told.take_trade(trade(1), MNQ, NOW)
    assert len(told.push_position(position(2), MNQ, NOW)) == 1
    assert told.read_positions([(position(2), MNQ)], NOW) == []
    (gone,) = told.read_positions([], NOW)
    assert isinstance(gone, PositionReport)
    assert gone.quantity == 0
    assert told.push_position(position(0, 1), MNQ, NOW) == []


def test_a_position_that_comes_late_does_not_undo_what_was_read_since() -> None:
    told = Told(EVAL)
    told.take_trade(trade(1), MNQ, NOW)
    told.push_position(position(2), MNQ, NOW)
    told.read_positions([], NOW)
    assert told.push_position(position(2), MNQ, NOW) == []
    assert told.is_in_doubt, "it is to be read"
    assert told.read_positions([], NOW) == []
    assert not told.is_in_doubt


def test_a_flat_that_comes_late_does_not_hide_what_was_opened_since() -> None:
    told = Told(EVAL)
    told.read_positions([(position(3), MNQ)], NOW)
    assert told.push_position(position(0), MNQ, NOW, action=2) == []
    assert told.is_in_doubt
    assert [each.quantity for each in told.read_positions([(position(1), MNQ)], NOW)] == [1]


def test_a_position_that_comes_before_its_execution_is_told_with_it() -> None:
    told = Told(EVAL)
    assert told.push_position(position(2), MNQ, NOW) == []
    fill, report = told.take_trade(trade(1), MNQ, NOW)
    assert isinstance(fill, Fill)
    assert isinstance(report, PositionReport)
    assert report.quantity == 2
    assert not told.is_in_doubt


def test_positions_in_the_wrong_order_end_at_the_last_one() -> None:
    told = Told(EVAL)
    told.take_trade(trade(1), MNQ, NOW)
    told.take_trade(trade(2, size=1), MNQ, NOW)
    assert [each.quantity for each in told.push_position(position(3), MNQ, NOW)] == [3]
    assert told.push_position(position(2), MNQ, NOW) == []
    assert told.is_in_doubt


def test_an_execution_that_was_read_explains_no_later_push() -> None:
    told = Told(EVAL)
    told.take_trade(trade(1), MNQ, NOW, explains=False)
    told.read_positions([], NOW)
    assert told.push_position(position(2), MNQ, NOW) == []
    assert told.is_in_doubt


def test_a_balance_that_comes_late_does_not_undo_what_was_read_since() -> None:
    told = Told(EVAL)
    told.read_account(money(50_000.0), NOW)
    assert told.push_account(money(50_400.0), NOW) == []
    assert told.is_in_doubt
    assert told.read_account(money(50_000.0), NOW) == []
    assert not told.is_in_doubt


def test_a_balance_that_its_execution_explains_is_told_at_once() -> None:
    told = Told(EVAL)
    told.read_account(money(50_000.0), NOW)
    told.take_trade(trade(1, profit_and_loss=-40.0, fees=0.74), MNQ, NOW)
    (report,) = told.push_account(money(49_959.26), NOW)
    assert isinstance(report, AccountReport)
    assert report.balance == Decimal("49959.26")
    assert not told.is_in_doubt


def test_being_barred_is_told_at_once_and_being_let_trade_again_is_read_first() -> None:
    told = Told(EVAL)
    told.read_account(money(50_000.0), NOW)
    (barred,) = told.push_account(money(50_000.0, can_trade=False), NOW)
    assert isinstance(barred, AccountReport)
    assert barred.can_trade is False
    assert told.push_account(money(50_000.0), NOW) == []
    assert told.is_in_doubt
    (freed,) = told.read_account(money(50_000.0), NOW)
    assert isinstance(freed, AccountReport)
    assert freed.can_trade is True


def test_money_that_is_pushed_before_any_was_read_waits() -> None:
    assert Told(EVAL).push_account(money(1.0), NOW) == []


def test_an_order_never_goes_back() -> None:
    told = Told(EVAL)
    later = "2027-01-15T08:00:05+00:00"
    told.take_order(order(status=2, update_timestamp=later), MNQ, NOW)
    assert told.take_order(order(status=1), MNQ, NOW) == []
    assert told.take_order(order(status=1, update_timestamp="2027-01-15T08:00:09+00:00"), MNQ, NOW) == []
    told.take_order(order(2, stop_price=5.0, update_timestamp=later), MNQ, NOW)
    assert told.take_order(order(2, stop_price=4.0), MNQ, NOW) == []
    assert told.missing_orders([]) == {2}


def test_a_trade_that_is_taken_back_is_told_first_where_nobody_knows_it() -> None:
    told = Told(EVAL)
    fresh = told.take_trade(trade(voided=True), MNQ, NOW)
    assert [event.voided for event in fresh if isinstance(event, Fill)] == [False, True]
    told.take_trade(trade(2), MNQ, NOW)
    (taken,) = told.take_trade(trade(2, voided=True), MNQ, NOW)
    assert isinstance(taken, Fill)
    assert taken.voided
    assert told.take_trade(trade(2, voided=True), MNQ, NOW) == []


def test_open_close_and_open_again_are_three_events() -> None:
    told = Told(EVAL)
    counts = []
    for number, (side, size) in enumerate([(0, 1), (1, 0), (0, 1)]):
        told.take_trade(trade(number, side=side, size=1), MNQ, NOW)
        counts.append(len(told.push_position(position(size), MNQ, NOW)))
    assert counts == [1, 1, 1]


# -- at work ----------------------------------------------------------------------------------------------------------


async def test_a_trading_day_is_told_in_the_platforms_words(desk: Any) -> None:
    async with desk.listening():
        desk.sim.price("MNQZ5", 21_000.0, ask=21_000.0)
        desk.trader.sells("MNQZ5", 2)
        desk.sim.price("MNQZ5", 21_010.0, ask=21_010.0)
        desk.trader.closes("MNQZ5")
        await desk.until(lambda: len(desk.of(Fill)) == 2)
        await desk.until(lambda: len(desk.of(PositionReport)) == 2)
        assert [fill.pnl for fill in desk.of(Fill)] == [None, Decimal("-40.0")]
        assert [report.quantity for report in desk.of(PositionReport)] == [-2, 0]
        await desk.until(lambda: desk.of(AccountReport)[-1].balance == Decimal("49958.52"))
        desk.sim.market.void(desk.sim.market.trades[-1])
        await desk.until(lambda: desk.of(Fill)[-1].voided)
        assert desk.of(Quote)[-1].last == 21_010.0


async def test_what_was_traded_today_before_we_came_is_told(desk: Any) -> None:
    desk.trader.buys("MNQZ5", 1)
    desk.trader.closes("MNQZ5")
    async with desk.listening():
        assert [fill.fill_id for fill in desk.of(Fill)] == ["9000", "9001"]


@pytest.mark.long
async def test_whether_an_account_may_trade_is_told_and_it_stays_listed(desk: Any) -> None:
    async with desk.listening():
        desk.sim.allow("PRACTICE77", can_trade=False)
        await desk.until(lambda: desk.of(AccountReport)[-1].can_trade is False)
        assert (await desk.actor.snapshot(EVAL)).account.can_trade is False
        desk.sim.allow("PRACTICE77", can_trade=True)
        await desk.until(lambda: desk.of(AccountReport)[-1].can_trade is True)


async def test_pushes_without_their_wrapper_are_understood(desk: Any) -> None:
    desk.sim.user_hub.is_bare = True
    async with desk.listening():
        desk.sim.arm("status", "Position/searchOpen", status=503, count=None)  # nothing but the hub can tell it
        desk.trader.sells("MNQZ5", 2)
        await desk.until(lambda: desk.of(PositionReport))
        assert desk.of(PositionReport)[-1].quantity == -2


@pytest.mark.long
async def test_a_contract_not_heard_of_before_is_looked_up_and_followed(desk: Any) -> None:
    async with desk.listening():
        desk.trader.buys("RTYZ5", 1)
        await desk.until(lambda: any(report.symbol == "RTYZ5" for report in desk.of(PositionReport)))
        spec = desk.of(InstrumentUpdate)[-1].spec
        assert (spec.symbol, spec.tick_size, spec.multiplier) == ("RTYZ5", Decimal("0.1"), 50)
        await desk.until(lambda: desk.sim.market_hub.has("SubscribeContractQuotes", "CON.F.US.RTY.Z25"))
        desk.sim.price("RTYZ5", 2_301.0)
        await desk.until(lambda: any(quote.symbol == "RTYZ5" for quote in desk.of(Quote)))


async def test_partial_quotes_are_told_as_far_as_they_go(desk: Any) -> None:
    async with desk.listening():
        desk.sim.market.quote(desk.sim.market.contract("MNQZ5"), bestBid=20_999.0)
        await desk.until(lambda: desk.of(Quote))
        assert (desk.of(Quote)[-1].bid, desk.of(Quote)[-1].ask) == (20_999.0, None)


async def test_an_instrument_of_the_set_up_lends_its_calendar_and_a_symbol_of_our_own(desk: Any) -> None:
    root = InstrumentSpec(symbol=Symbol("MNQ"), calendar="CMES", weight=1.0, asset_class=AssetClass.FUTURE)
    async with desk.listening({"contracts": ["MNQ", "ES"], "symbols": {"BIG": "ESZ5"}}, instruments=[root]):
        specs = {update.spec.symbol: update.spec for update in desk.of(InstrumentUpdate)}
        assert set(specs) == {"MNQZ5", "BIG"}
        assert specs[Symbol("MNQZ5")].calendar == "CMES"
        assert specs[Symbol("BIG")].aliases == ("CON.F.US.ES.Z25",)


async def test_two_accounts_of_one_login_do_not_mix(desk: Any) -> None:
    second = desk.sim.trader("EVAL-2")
    specs = [AccountSpec(id=EVAL), AccountSpec(id=AccountId("second"))]
    async with desk.listening(accounts=specs):
        second.sells("MNQZ5", 1)
        desk.sim.trader("NOBODYS").buys("MNQZ5", 7)
        desk.trader.buys("MNQZ5", 2)
        await desk.until(lambda: len(desk.of(PositionReport)) == 2)
        assert {(str(each.account), int(each.quantity)) for each in desk.of(PositionReport)} == {
            ("second", -1), ("eval", 2),
        }  # fmt: skip
        assert {update.order.account for update in desk.of(OrderUpdate)} == {"eval", "second"}


async def test_an_account_that_the_login_does_not_have_is_refused_with_those_it_has(desk: Any) -> None:
    with pytest.raises(Refused, match="no account WRONG; it has: PRACTICE77"):
        async with desk.listening({"accounts": {"eval": "WRONG"}}):
            pass


async def test_a_contract_that_does_not_exist_is_refused_by_name(desk: Any) -> None:
    with pytest.raises(Refused, match="no active contract XYZ"):
        async with desk.listening({"contracts": ["MNQ", "XYZ"]}):
            pass


@pytest.mark.long
async def test_the_platform_is_disconnected_only_when_nothing_can_be_read(desk: Any) -> None:
    async with desk.listening():
        desk.sim.user_hub.abort()
        await desk.until(lambda: len(desk.of(ConnectionUpdate)) >= 3)
        assert ConnectionStatus.DISCONNECTED not in [update.status for update in desk.of(ConnectionUpdate)]
        desk.sim.arm("status", "*", status=500, count=None)
        await desk.until(lambda: desk.of(ConnectionUpdate)[-1].status is ConnectionStatus.DISCONNECTED)
        desk.sim.faults.clear()
        await desk.until(lambda: desk.of(ConnectionUpdate)[-1].status is ConnectionStatus.CONNECTED)


async def test_a_reading_that_a_push_overtook_changes_nothing_back(desk: Any) -> None:
    async with desk.listening({"poll_s": 60.0}) as broker:
        desk.trader.buys("MNQZ5", 1)
        await desk.until(lambda: len(desk.of(PositionReport)) == 1)
        desk.sim.arm("delay", "Order/searchOpen", after_s=0.3)
        reading = asyncio.create_task(broker.reader._read_everything())
        await desk.until(lambda: len(desk.sim.calls("Order/searchOpen")) > 1)
        desk.trader.buys("MNQZ5", 1)
        await reading
        assert [report.quantity for report in desk.of(PositionReport)] == [1, 2]


async def test_readings_that_pushes_keep_overtaking_are_made_thrice_and_then_change_no_position(desk: Any) -> None:
    async with desk.listening({"poll_s": 600.0}) as broker:
        reader = broker.reader
        desk.trader.buys("MNQZ5", 1)
        await desk.until(lambda: len(desk.of(PositionReport)) == 1)
        before = await reader._puller.positions(77)
        desk.trader.buys("MNQZ5", 1)
        await desk.until(lambda: len(desk.of(PositionReport)) == 2)
        asked, own, mine = 0, reader._puller.positions, asyncio.current_task()

        async def overtaken(number: int) -> Any:
            nonlocal asked
            if asyncio.current_task() is not mine:
                return await own(number)
            asked += 1
            reader._told[EVAL].moves += 1
            return before

        reader._puller.positions = overtaken
        await reader._read_account(EVAL, 77)
        reader._puller.positions = own
        assert asked == 3
        assert [report.quantity for report in desk.of(PositionReport)] == [1, 2]


@pytest.mark.long
async def test_a_late_push_is_read_and_not_believed(desk: Any) -> None:
    """What the hub says again of long ago undoes nothing, and the platform is asked instead."""
    async with desk.listening({"poll_s": 60.0}):
        desk.trader.buys("MNQZ5", 2)
        await desk.until(lambda: len(desk.of(PositionReport)) == 1)
        late = desk.trader.account.positions["CON.F.US.MNQ.Z25"].to_json()
        desk.trader.closes("MNQZ5")
        await desk.until(lambda: len(desk.of(PositionReport)) == 2)
        await desk.until(lambda: desk.of(AccountReport)[-1].balance != 50_000)
        told, read = len(desk.heard), len(desk.sim.calls("Position/searchOpen"))
        desk.sim.user_push("GatewayUserPosition", 77, late, 1)
        desk.sim.user_push("GatewayUserAccount", 77, {**desk.trader.account.to_json(), "balance": 50_000.0}, 1)
        await desk.until(lambda: len(desk.sim.calls("Position/searchOpen")) > read, timeout_s=30.0)
        assert not [each for each in desk.heard[told:] if isinstance(each, PositionReport | AccountReport)]


async def test_a_position_without_a_field_is_transient_and_more_fields_are_nothing(desk: Any) -> None:
    desk.trader.buys("MNQZ5", 1)
    held = desk.trader.account.positions["CON.F.US.MNQ.Z25"]
    whole = held.to_json()
    type(held).to_json, own = (lambda self: {**whole, "somethingNew": {"a": [1]}}), type(held).to_json
    try:
        assert len((await desk.actor.snapshot(EVAL)).positions) == 1
        for wrong in ({"size": None}, {"size": -1}, {"size": 1.5}, {"averagePrice": "x"}, {"type": 9}):
            type(held).to_json = lambda self, wrong=wrong: {**whole, **wrong}
            with pytest.raises(Transient):
                await desk.actor.snapshot(EVAL)
    finally:
        type(held).to_json = own


async def test_a_doctor_is_told_what_is_wrong(desk: Any) -> None:
    asked = desk.make(BrokerRole.BOTH, {"contracts": ["MNQ", "XYZ"]})
    desk.sim.skew_s = 60.0
    desk.sim.allow("PRACTICE77", can_trade=False)
    found = {finding.about: finding for finding in await asked.diagnose()}
    assert found["login"].level is Level.OK
    assert found["clock"].level is Level.WARN
    assert "+60 s" in found["clock"].text or "+59 s" in found["clock"].text
    assert found["account eval"].level is Level.WARN
    assert "simulated money" in found["account eval"].text
    assert found["contract MNQ"].text == "MNQZ5: 2 a point and contract"
    assert found["contract XYZ"].level is Level.FAIL


async def test_a_doctor_is_told_of_a_wrong_key(desk: Any) -> None:
    desk.sim.key = "another"
    with pytest.raises(Refused, match="check user and key"):
        await desk.make(BrokerRole.BOTH).diagnose()


async def test_an_actuator_keeps_its_connection_and_pushes_nothing(desk: Any) -> None:
    started = asyncio.Event()
    task = asyncio.create_task(desk.actor.run(desk.heard.append, started.set))
    await started.wait()
    assert desk.heard == []
    assert desk.sim.user_hub.connections == 0
    task.cancel()
    await asyncio.wait([task])


async def test_reading_and_closing_again_and_again_ends_flat_each_time(desk: Any) -> None:
    for number in range(20):
        desk.trader.buys("MNQZ5", 2)
        snapshot = await desk.actor.snapshot(EVAL)
        assert snapshot.positions
        await desk.actor.submit(closing(number))
        assert desk.trader.is_flat


def closing(number: int) -> Any:
    from haltline.model.order import OrderRequest

    return OrderRequest(
        account=EVAL, symbol=MNQ, side=Side.SELL, quantity=Decimal(2), reduce_only=True, client_id=f"t{number}"
    )


async def test_an_order_placed_by_hand_is_asked_for_by_its_number(desk: Any) -> None:
    placed = desk.trader.buys("MNQZ5", 2, limit=20_000.0)
    snapshot = await desk.actor.snapshot(EVAL)
    (working,) = snapshot.orders
    looked_up = await desk.actor.look_up(working)
    assert (looked_up.order_id, looked_up.client_id) == (str(placed.id), "")
    assert looked_up.status.is_working
    assert await desk.actor.look_up(msgspec.structs.replace(working, order_id=OrderId("pending"))) is None
    with pytest.raises(Refused):
        await desk.actor.look_up(msgspec.structs.replace(working, order_id=OrderId("999999")))
