"""The exchange behind the three venues, without any of them: what follows from orders and prices."""

from decimal import Decimal

import pytest

from haltline_sim_crypto.account import Account
from haltline_sim_crypto.desk import Habits
from haltline_sim_crypto.event import Event, Executed, OrderChanged, PositionChanged, WalletChanged
from haltline_sim_crypto.instrument import contracts
from haltline_sim_crypto.market import Market, market_of
from haltline_sim_crypto.matching import Matching
from haltline_sim_crypto.number import exact, money, parse, positive, text
from haltline_sim_crypto.order import Ask, Cause, Leg, Order, Status, Tif, Trigger
from haltline_sim_crypto.refusal import Reason, Refused

BTC, ETH = "BTCUSDT", "ETHUSDT"
D = Decimal
FREE = {"taker_rate": D(0), "maker_rate": D(0)}


class Venue:
    """An engine, one account, and what it was told."""

    def __init__(self, *, balance: int = 10_000, hedged: bool = False, leverage: int = 10, **habits: object) -> None:
        self.markets: dict[str, Market] = {}
        for each in contracts(quote="USDT", suffix="USDT"):
            self.markets[each.symbol] = market_of(each, D(100))
            self.markets[each.symbol].spread = D("0.2")
        self.account = Account(
            name="main", key="k", secret="s", markets=self.markets, wallet=D(balance), is_hedged=hedged,
            default_leverage=leverage,
        )  # fmt: skip
        self.told: list[Event] = []
        self.account.listeners.append(lambda account, event: self.told.append(event))
        self.now = 1_000
        self.matching = Matching(Habits(**FREE | habits), lambda: self.now, seed=1)  # type: ignore[arg-type]

    def order(self, signed: str, *, price: str = "", stop: str = "", symbol: str = BTC, **more: object) -> Order:
        quantity = D(signed)
        trigger = Trigger(price=D(stop), rises=D(stop) > self.markets[symbol].last) if stop else None
        ask = Ask(
            symbol=symbol, side=1 if quantity > 0 else -1, quantity=abs(quantity), price=D(price) if price else None,
            trigger=trigger, **more,  # type: ignore[arg-type]
        )  # fmt: skip
        return self.matching.place(self.account, ask)

    def refuses(self, signed: str, **more: object) -> Reason:
        with pytest.raises(Refused) as caught:
            self.order(signed, **more)  # type: ignore[arg-type]
        return caught.value.reason

    def price(self, level: str, symbol: str = BTC) -> None:
        self.markets[symbol].move(D(level), None)
        self.matching.on_price(self.account, symbol)

    def held(self, symbol: str = BTC, leg: Leg = Leg.NET) -> Decimal:
        return self.account.position(symbol, leg).quantity


def test_a_market_order_pays_the_ask_and_is_filled_at_once() -> None:
    venue = Venue()
    order = venue.order("1")
    assert (order.status, order.average, venue.held()) == (Status.FILLED, D("100.1"), D(1))


def test_profit_is_realised_on_what_is_closed_and_the_entry_stays() -> None:
    venue = Venue()
    venue.order("2")
    venue.price("110")
    venue.order("-1")
    position = venue.account.position(BTC, Leg.NET)
    assert (position.quantity, position.entry, venue.account.wallet) == (D(1), D("100.1"), D("10009.8"))


def test_adding_averages_the_entry_and_turning_takes_the_new_price() -> None:
    venue = Venue()
    venue.order("1")
    venue.price("110")
    venue.order("1")
    assert venue.account.position(BTC, Leg.NET).entry == D("105.1")
    venue.order("-3")
    assert (venue.held(), venue.account.position(BTC, Leg.NET).entry) == (D(-1), D("109.9"))
    assert venue.account.fills[-1].closed == 2


def test_fees_leave_the_wallet() -> None:
    venue = Venue(taker_rate=D("0.001"))
    venue.order("1")
    assert venue.account.wallet == D(10_000) - D("0.1001")


def test_equity_is_cash_and_what_positions_would_bring() -> None:
    venue = Venue()
    venue.order("10")
    venue.price("90")
    assert venue.account.equity == D(10_000) + 10 * (D(90) - D("100.1"))


def test_a_limit_order_rests_and_is_filled_at_its_own_price() -> None:
    venue = Venue()
    order = venue.order("1", price="95")
    assert order.status is Status.OPEN
    assert venue.account.orders_initial == D("9.5")
    venue.price("94")
    assert (order.status, order.average) == (Status.FILLED, D(95))


def test_thin_books_fill_in_part_and_the_rest_of_a_market_order_expires() -> None:
    venue = Venue()
    venue.markets[BTC].depth = D("0.4")
    order = venue.order("1")
    assert (order.status, order.cause, order.filled) == (Status.EXPIRED, Cause.NO_LIQUIDITY, D("0.4"))
    resting = venue.order("1", price="101")
    assert (resting.status, resting.filled) == (Status.OPEN, D(0))
    venue.price("100")
    assert resting.filled == D("0.4")


def test_fill_or_kill_takes_all_or_nothing() -> None:
    venue = Venue()
    venue.markets[BTC].depth = D("0.4")
    assert venue.order("1", price="101", tif=Tif.FOK).filled == 0


@pytest.mark.parametrize(("refuses", "expected"), [(True, Reason.POST_ONLY), (False, None)])
def test_post_only_never_takes(refuses: bool, expected: Reason | None) -> None:
    venue = Venue(refuses_post_only=refuses)
    if expected:
        assert venue.refuses("1", price="101", tif=Tif.POST) is expected
    else:
        order = venue.order("1", price="101", tif=Tif.POST)
        assert (order.status, order.cause) == (Status.CANCELLED, Cause.POST_ONLY)
    assert venue.order("1", price="99", tif=Tif.POST).status is Status.OPEN


# -- only reducing ----------------------------------------------------------------------------------------------------


def test_an_order_that_may_only_reduce_is_trimmed_to_the_position() -> None:
    venue = Venue()
    venue.order("1")
    order = venue.order("-5", reduces=True)
    assert (order.quantity, order.status, venue.held()) == (D(1), Status.FILLED, D(0))


@pytest.mark.parametrize("signed", ["1", "-1"])
def test_an_order_that_may_only_reduce_is_refused_where_there_is_nothing(signed: str) -> None:
    assert Venue().refuses(signed, reduces=True) is Reason.NO_POSITION


def test_an_order_that_may_only_reduce_never_turns_a_position() -> None:
    venue = Venue()
    venue.order("2")
    resting = venue.order("-2", price="120", reduces=True)
    venue.order("-1")
    venue.price("121")
    assert (venue.held(), resting.filled) == (D(0), D(1))
    assert resting.cause is Cause.REDUCE_ONLY


def test_resting_reducers_go_with_the_position() -> None:
    venue = Venue()
    venue.order("1")
    resting = venue.order("-1", price="120", reduces=True)
    venue.order("-1")
    assert (resting.status, resting.cause) == (Status.CANCELLED, Cause.REDUCE_ONLY)


def test_each_leg_of_a_hedged_account_is_by_itself() -> None:
    venue = Venue(hedged=True)
    venue.order("2", leg=Leg.LONG)
    venue.order("-1", leg=Leg.SHORT)
    assert (venue.held(leg=Leg.LONG), venue.held(leg=Leg.SHORT)) == (D(2), D(-1))
    assert venue.refuses("1") is Reason.POSITION_MODE
    assert venue.refuses("-3", leg=Leg.LONG) is Reason.REDUCE_ONLY
    assert venue.order("-3", leg=Leg.LONG, reduces=True).quantity == 2
    assert venue.refuses("-1", leg=Leg.LONG) is Reason.NO_POSITION


def test_a_netted_account_knows_no_legs() -> None:
    assert Venue().refuses("1", leg=Leg.LONG) is Reason.POSITION_MODE


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signed", "more", "reason"),
    [
        ("1", {"symbol": "NOPE"}, Reason.UNKNOWN_SYMBOL),
        ("0.0001", {}, Reason.QUANTITY_TOO_SMALL),
        ("0.1005", {}, Reason.QUANTITY_STEP),
        ("501", {}, Reason.QUANTITY_TOO_LARGE),
        ("0.001", {}, Reason.NOTIONAL_TOO_SMALL),
        ("1", {"price": "100.05"}, Reason.PRICE_TICK),
        ("1", {"price": "-1"}, Reason.PRICE_TICK),
        ("500", {"price": "1000"}, Reason.INSUFFICIENT_MARGIN),
    ],
)
def test_what_is_wrong_is_refused_and_changes_nothing(signed: str, more: dict[str, str], reason: Reason) -> None:
    venue = Venue()
    if "symbol" in more:
        ask = Ask(symbol="NOPE", side=1, quantity=D(1))
        with pytest.raises(Refused) as caught:
            venue.matching.place(venue.account, ask)
        assert caught.value.reason is reason
    else:
        assert venue.refuses(signed, **more) is reason
    assert (venue.account.orders, venue.told) == ({}, [])


def test_a_client_id_is_used_once_or_once_at_a_time() -> None:
    ever, at_a_time = Venue(), Venue(client_ids="open")
    for venue in (ever, at_a_time):
        venue.order("1", price="90", client_id="a")
        assert venue.refuses("1", price="90", client_id="a") is Reason.DUPLICATE_CLIENT_ID
        venue.matching.cancel_all(venue.account, venue.account.live())
    assert ever.refuses("1", price="90", client_id="a") is Reason.DUPLICATE_CLIENT_ID
    assert at_a_time.order("1", price="90", client_id="a").is_live


def test_turning_a_position_needs_margin_for_what_is_opened_only() -> None:
    venue = Venue(balance=110, leverage=1)
    venue.order("1")
    assert venue.refuses("1") is Reason.INSUFFICIENT_MARGIN
    venue.order("-2")
    assert venue.held() == -1


# -- conditions -------------------------------------------------------------------------------------------------------


def test_a_stop_waits_then_closes() -> None:
    venue = Venue()
    venue.order("1")
    stop = venue.order("-1", stop="90", reduces=True)
    venue.price("91")
    assert stop.status is Status.WAITING
    venue.price("89")
    assert (stop.status, venue.held()) == (Status.FILLED, D(0))


def test_a_stop_may_become_a_new_order() -> None:
    venue = Venue(spawns=True)
    venue.order("1")
    stop = venue.order("-1", stop="90", reduces=True)
    venue.price("89")
    child = venue.account.orders[stop.spawned]
    assert (stop.cause, child.parent, child.status) == (Cause.TRIGGERED, stop.number, Status.FILLED)


def test_a_stop_without_a_position_ends_when_it_triggers() -> None:
    venue = Venue()
    stop = venue.order("-1", stop="90", reduces=True)
    venue.price("89")
    assert (stop.status, stop.cause) == (Status.CANCELLED, Cause.REDUCE_ONLY)


def test_a_condition_that_is_met_is_refused() -> None:
    venue = Venue()
    ask = Ask(symbol=BTC, side=-1, quantity=D(1), trigger=Trigger(price=D(101), rises=False))
    with pytest.raises(Refused, match="would_trigger"):
        venue.matching.place(venue.account, ask)


def test_a_condition_on_the_mark_price_does_not_look_at_the_last() -> None:
    trigger = Trigger(price=D(90), rises=False, by_mark=True)
    assert not trigger.is_met(last=D(80), mark=D(95))
    assert trigger.is_met(last=D(95), mark=D(90))


def test_a_stop_for_everything_takes_what_is_there_then() -> None:
    venue = Venue()
    venue.order("1")
    venue.order("-1", stop="90", closes_all=True, reduces=True)
    venue.order("2")
    venue.price("89")
    assert venue.held() == 0


# -- margin -----------------------------------------------------------------------------------------------------------


def test_the_liquidation_price_is_where_liquidation_happens() -> None:
    venue = Venue(balance=1_000)
    venue.order("90")
    level = venue.account.liquidation_price(venue.account.position(BTC, Leg.NET))
    assert level is not None
    venue.price(str((level + D("0.1")).quantize(D("0.1"))))
    assert venue.held() == 90
    venue.price(str((level - D("0.1")).quantize(D("0.1"))))
    assert venue.held() == 0
    assert venue.account.fills[-1].cause is Cause.LIQUIDATION


def test_a_small_long_position_cannot_be_liquidated_above_zero() -> None:
    venue = Venue()
    venue.order("1")
    assert venue.account.liquidation_price(venue.account.position(BTC, Leg.NET)) is None


def test_a_short_is_liquidated_upwards_and_takes_its_orders_along() -> None:
    venue = Venue(balance=1_000)
    venue.order("-90")
    resting = venue.order("-1", price="150")
    venue.price("115")
    assert (venue.held(), resting.cause) == (D(0), Cause.LIQUIDATION)


def test_longs_pay_funding_to_shorts() -> None:
    venue = Venue(hedged=True)
    venue.order("2", leg=Leg.LONG)
    venue.order("-1", leg=Leg.SHORT)
    venue.matching.fund(venue.account, BTC, D("0.001"))
    assert venue.account.wallet == D(10_000) - D("0.1")
    assert [entry.amount for entry in venue.account.book] == [D("-0.2"), D("0.1")]


# -- what is told -----------------------------------------------------------------------------------------------------


def test_a_fill_is_told_in_the_venues_order() -> None:
    venue = Venue(pushes=("position", "wallet", "order", "execution"))
    venue.order("1")
    kinds = [type(each) for each in venue.told]
    assert kinds == [OrderChanged, PositionChanged, WalletChanged, OrderChanged, Executed]


def test_cash_is_what_came_in_less_what_went_out() -> None:
    """Whatever is traded: cash is deposits, realised profit, fees and funding, and nothing else."""
    venue = Venue(taker_rate=D("0.0005"), maker_rate=D("0.0002"))
    for step, (signed, level) in enumerate([("3", "100"), ("-5", "97"), ("4", "104"), ("-1", "99"), ("2", "96")]):
        venue.price(level)
        venue.order(signed)
        venue.order(signed, price=level, symbol=ETH)
        venue.matching.fund(venue.account, BTC, D("0.0001") * (-1) ** step)
    venue.matching.deposit(venue.account, D(-500))
    booked = sum((entry.amount for entry in venue.account.book), D(0))
    fees = sum((fill.fee for fill in venue.account.fills), D(0))
    assert venue.account.wallet == D(10_000) + booked - fees


def test_ids_are_the_same_in_each_run() -> None:
    assert Venue().order("1").uid == Venue().order("1").uid


# -- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "written"), [("1E+3", "1000"), ("0.10", "0.1"), ("0E-8", "0"), ("-0.000", "0"), ("100", "100")]
)
def test_numbers_are_written_without_exponent_or_idle_zeros(number: str, written: str) -> None:
    assert text(D(number)) == written


def test_amounts_have_eight_places_at_most() -> None:
    assert money(D(1) / D(3)) == "0.33333333"


@pytest.mark.parametrize("given", ["x", "NaN", "Infinity", "", "1e400000000000000000000"])
def test_what_is_no_number_is_refused(given: str) -> None:
    with pytest.raises(Refused, match="bad_parameter: qty"):
        parse(given, "qty")
    with pytest.raises(ValueError, match="was found where"):
        exact(given)


@pytest.mark.parametrize("given", [0, -1, "-0.1"])
def test_prices_are_above_zero(given: float | str) -> None:
    with pytest.raises(ValueError, match="above 0"):
        positive(given)
