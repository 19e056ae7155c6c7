"""The built-in actions, on a desk that remembers what it was told."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

import msgspec
import pytest

from haltline.api import AccountSnapshot, Action, HandledBy
from haltline.builtins.action.order import ORDER_ACTIONS, is_protective
from haltline.builtins.action.size import SIZE_ACTIONS
from haltline.builtins.action.state import STATE_ACTIONS
from haltline.errors import EngineError, OutcomeUnknown, Refused, Transient
from haltline.model.event import AccountReport, PositionReport
from haltline.model.id import AccountId, ActionId, OrderId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import Aim, OrderReport, OrderStatus, OrderType, Side
from haltline.model.plan import PlannedAction

EVAL = AccountId("eval")
ACTIONS = {action.name: action for action in (*STATE_ACTIONS, *ORDER_ACTIONS, *SIZE_ACTIONS)}


def position(symbol: str, quantity: int | str | Decimal, price: int = 100) -> PositionReport:
    return PositionReport(
        at=0,
        received_at=0,
        account=EVAL,
        symbol=Symbol(symbol),
        quantity=Decimal(quantity),
        average_price=Decimal(price),
    )


def order(name: str, symbol: str, side: str, quantity: int = 1, type_: str = "limit", **fields: object) -> OrderReport:
    return OrderReport(
        account=EVAL, order_id=OrderId(name), symbol=Symbol(symbol), side=Side(side), quantity=Decimal(quantity),
        type=OrderType(type_), **{"status": OrderStatus.WORKING, **fields},  # type: ignore[arg-type]
    )  # fmt: skip


class RecordingDesk:
    """Does what it is told to its own little account, and writes it down; `broken` verbs raise."""

    def __init__(
        self,
        positions: Sequence[PositionReport] = (),
        orders: Sequence[OrderReport] = (),
        *,
        broken: Mapping[str, Exception] | None = None,
        weights: dict[str, float] | None = None,
        lot: str = "1",
    ) -> None:
        self.positions = {found.symbol: found for found in positions}
        self.orders = {found.order_id: found for found in orders}
        self.told: list[str] = []
        self.pulls = 0
        self.aims: dict[Symbol, Aim] = {}
        self._broken: Mapping[str, Exception] = broken or {}
        self._weights = weights or {}
        self._lot = Decimal(lot)

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        self.pulls += 1
        return AccountSnapshot(
            account=AccountReport(at=0, received_at=0, account=account),
            positions=tuple(self.positions.values()),
            orders=tuple(self.orders.values()),
        )

    def instrument(self, symbol: Symbol) -> InstrumentSpec | None:
        weight = self._weights.get(symbol)
        return None if weight is None else InstrumentSpec(symbol=symbol, weight=weight, lot_size=self._lot)

    async def cancel(self, account: AccountId, order: OrderReport) -> None:
        self._tell(f"cancel {order.order_id}")
        del self.orders[order.order_id]

    async def fix(self, aims: Mapping[Symbol, Aim]) -> Mapping[Symbol, Aim]:
        self.aims = self.aims or dict(aims)
        return self.aims

    async def reduce(self, account: AccountId, symbol: Symbol, *, to: Decimal, was: Decimal = Decimal(0)) -> None:
        held = self.positions[symbol].quantity if symbol in self.positions else Decimal(0)
        if was and (abs(held) <= to or held * was < 0):
            return
        self._tell(f"reduce {symbol} to {to.normalize():f}")
        if not to:
            del self.positions[symbol]
        elif held:
            self.positions[symbol] = position(symbol, to if held > 0 else -to)

    async def place_stop(self, account: AccountId, symbol: Symbol, *, distance: Decimal) -> None:
        self._tell(f"stop {symbol} at {distance}")

    async def move_stop(self, account: AccountId, symbol: Symbol, *, price: Decimal) -> None:
        self._tell(f"stop {symbol} moved to {price}")

    def mend(self) -> None:
        """Nothing is broken any more."""
        self._broken = {}

    def _tell(self, text: str) -> None:
        self.told.append(text)
        failure = self._broken.get(text)
        if failure is not None:
            raise failure


async def act(
    name: str,
    desk: RecordingDesk,
    *,
    symbol: str | None = None,
    order_id: str | None = None,
    **params: float | str | bool,
) -> list[str]:
    run = ACTIONS[name].run
    assert run is not None
    planned = PlannedAction(
        id=ActionId("a"),
        at=0,
        name=name,
        account=EVAL,
        symbol=Symbol(symbol) if symbol else None,
        order_id=order_id,
        params=dict(params),
    )
    await run(planned, desk)
    return desk.told


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_every_action_has_an_example_that_names_it(action: Action) -> None:
    assert action.name in action.example
    assert (action.run is not None) == (action.handled_by is HandledBy.ENFORCE)


async def test_flatten_cancels_entries_closes_largest_first_and_then_cancels_stops() -> None:
    desk = RecordingDesk(
        [position("ES", 1), position("MNQ", -5)],
        [order("entry", "ES", "buy"), order("stop", "MNQ", "buy", 5, "stop")],
    )
    assert await act("flatten", desk) == ["cancel entry", "reduce MNQ to 0", "reduce ES to 0", "cancel stop"]


async def test_a_close_leaves_the_orders_and_positions_of_other_symbols_alone() -> None:
    orders = [
        order(f"{symbol} {name}", symbol, side, 1, kind)
        for symbol in ("ES", "NQ")
        for name, side, kind in (("entry", "buy", "limit"), ("stop", "sell", "stop"))
    ]
    desk = RecordingDesk([position("ES", 1), position("NQ", 1)], orders)
    assert await act("close_position", desk, symbol="ES") == ["cancel ES entry", "reduce ES to 0", "cancel ES stop"]
    assert (list(desk.positions), list(desk.orders)) == (["NQ"], ["NQ entry", "NQ stop"])


async def test_flatten_passes_over_a_position_that_is_flat() -> None:
    assert await act("flatten", RecordingDesk([position("ES", 0), position("NQ", 1)])) == ["reduce NQ to 0"]


async def test_flatten_begins_with_what_is_worth_most() -> None:
    desk = RecordingDesk([position("ES", 5, price=10), position("NQ", -1, price=1_000)])
    assert await act("flatten", desk) == ["reduce NQ to 0", "reduce ES to 0"]


@pytest.mark.parametrize("price", ["NaN", "Infinity", "0", "-40"])
async def test_flatten_closes_positions_whatever_price_the_broker_says_they_have(price: str) -> None:
    odd = msgspec.structs.replace(position("ES", 1), average_price=Decimal(price))
    flat = msgspec.structs.replace(position("CL", 0), average_price=Decimal(price))
    told = await act("flatten", RecordingDesk([odd, flat, position("NQ", 1)]))
    assert sorted(told) == ["reduce ES to 0", "reduce NQ to 0"]


async def test_flatten_goes_on_after_a_position_that_is_no_number() -> None:
    class Reckoning(RecordingDesk):
        async def reduce(self, account: AccountId, symbol: Symbol, *, to: Decimal, was: Decimal = Decimal(0)) -> None:
            assert abs(self.positions[symbol].quantity) > to
            await super().reduce(account, symbol, to=to, was=was)

    desk = Reckoning([position("ES", Decimal("NaN")), position("NQ", 1)])
    with pytest.raises(Refused, match="no number"):
        await act("flatten", desk)
    assert desk.told == ["reduce NQ to 0"]


@pytest.mark.parametrize("price", ["NaN", "sNaN", "Infinity"])
async def test_a_price_that_is_no_number_changes_nothing_in_the_order_of_the_others(price: str) -> None:
    odd = msgspec.structs.replace(position("ES", 5), average_price=Decimal(price))
    desk = RecordingDesk([odd, position("NQ", 1, price=3), position("YM", 2, price=4)])
    assert await act("flatten", desk) == ["reduce YM to 0", "reduce ES to 0", "reduce NQ to 0"]


async def test_flatten_asks_for_no_cancel_of_what_has_ended() -> None:
    ended = [
        order("entry", "ES", "buy", status=OrderStatus.FILLED),
        order("stop", "ES", "sell", 1, "stop", status=OrderStatus.CANCELLED),
    ]
    assert await act("flatten", RecordingDesk([position("ES", 1)], ended)) == ["reduce ES to 0"]


async def test_flatten_goes_on_after_a_failure_and_raises_it_at_the_end() -> None:
    desk = RecordingDesk([position("ES", 1)], [order("entry", "ES", "buy")], broken={"cancel entry": Refused("no")})
    with pytest.raises(Refused, match="no"):
        await act("flatten", desk)
    assert "reduce ES to 0" in desk.told


async def test_flatten_leaves_the_stop_of_a_position_it_could_not_close() -> None:
    desk = RecordingDesk(
        [position("ES", 1)], [order("stop", "ES", "sell", 1, "stop")], broken={"reduce ES to 0": Transient("busy")}
    )
    with pytest.raises(Transient):
        await act("flatten", desk)
    assert list(desk.orders) == ["stop"]


async def test_where_one_position_could_not_be_closed_only_its_own_protection_stays() -> None:
    class Crowded(RecordingDesk):
        """Lists what is flat, and gets a new entry order while it closes."""

        async def reduce(self, account: AccountId, symbol: Symbol, *, to: Decimal, was: Decimal = Decimal(0)) -> None:
            late = order("late", "ES", "buy")
            self.orders[late.order_id] = late
            await super().reduce(account, symbol, to=to, was=was)
            self.positions[symbol] = position(symbol, 0)

    stops = [
        order("es", "ES", "sell", 1, "stop", reduce_only=True),
        order("nq", "NQ", "sell", 1, "stop", reduce_only=True),
    ]
    broken: dict[str, EngineError] = {"reduce ES to 0": Refused("no")}
    desk = Crowded([position("NQ", 1), position("ES", 1)], stops, broken=broken)
    with pytest.raises(Refused):
        await act("flatten", desk)
    assert desk.told == ["reduce NQ to 0", "reduce ES to 0", "cancel nq", "cancel late"]
    assert list(desk.orders) == ["es"]


async def test_an_unknown_outcome_outranks_other_failures() -> None:
    broken: dict[str, EngineError] = {"reduce ES to 0": Transient("busy"), "reduce NQ to 0": OutcomeUnknown("lost")}
    desk = RecordingDesk([position("ES", 2), position("NQ", 1)], broken=broken)
    with pytest.raises(OutcomeUnknown, match="busy; lost"):
        await act("flatten", desk)


async def test_cancel_orders_keeps_what_can_only_shrink_a_position() -> None:
    orders = [
        order("entry", "ES", "buy"),
        order("stop", "ES", "sell", 1, "stop"),
        order("target", "ES", "sell", 1, "limit", reduce_only=True),
    ]
    assert await act("cancel_orders", RecordingDesk([position("ES", 1)], orders)) == ["cancel entry"]


async def test_cancel_orders_takes_everything_where_so_told() -> None:
    desk = RecordingDesk([position("ES", 1)], [order("stop", "ES", "sell", 1, "stop")])
    assert await act("cancel_orders", desk, keep_protective=False) == ["cancel stop"]


async def test_cancel_orders_keeps_to_side_symbol_and_order() -> None:
    orders = [order("a", "ES", "buy"), order("b", "ES", "sell"), order("c", "NQ", "buy")]
    assert await act("cancel_orders", RecordingDesk([], orders), side="sell") == ["cancel b"]
    assert await act("cancel_orders", RecordingDesk([], orders), symbol="NQ") == ["cancel c"]
    assert await act("cancel_orders", RecordingDesk([], orders), order_id="a") == ["cancel a"]
    assert await act("cancel_orders", RecordingDesk([], orders), side="any", symbol="ES") == ["cancel a", "cancel b"]


async def test_the_one_order_that_a_rule_is_about_is_cancelled_even_if_it_protects() -> None:
    stops = [order("a", "ES", "sell", 1, "stop"), order("b", "ES", "sell", 1, "stop", reduce_only=True)]
    for stop in stops:
        desk = RecordingDesk([position("ES", 1)], stops)
        assert await act("cancel_orders", desk, order_id=stop.order_id) == [f"cancel {stop.order_id}"]


@pytest.mark.parametrize("status", [each for each in OrderStatus if not each.is_working])
async def test_cancel_orders_leaves_what_has_ended(status: OrderStatus) -> None:
    assert await act("cancel_orders", RecordingDesk([], [order("a", "ES", "buy", status=status)])) == []


async def test_a_target_that_is_not_reduce_only_is_no_protection() -> None:
    desk = RecordingDesk([position("ES", 1)], [order("target", "ES", "sell")])
    assert await act("cancel_orders", desk) == ["cancel target"]


def test_a_stop_larger_than_its_position_or_on_the_wrong_side_protects_nothing() -> None:
    assert not is_protective(order("x", "ES", "sell", 2, "stop"), [position("ES", 1)])
    assert not is_protective(order("x", "ES", "buy", 1, "stop"), [position("ES", 1)])
    assert not is_protective(order("x", "ES", "sell", 1, "stop"), [])
    assert not is_protective(order("x", "ES", "sell", 1, "stop"), [position("NQ", 1)])


@pytest.mark.parametrize(("held", "side"), [("0.5", "buy"), ("-0.5", "sell")])
def test_a_stop_that_adds_to_a_fraction_protects_nothing(held: str, side: str) -> None:
    stop = msgspec.structs.replace(order("x", "BTC", side, 1, "stop"), quantity=Decimal("0.5"))
    assert not is_protective(stop, [position("BTC", held)])
    assert is_protective(msgspec.structs.replace(stop, side=stop.side.opposite), [position("BTC", held)])


async def test_close_reduce_and_protect_speak_to_the_desk() -> None:
    assert await act("close_position", RecordingDesk([position("ES", 1)]), symbol="ES") == ["reduce ES to 0"]
    assert await act("reduce_to", RecordingDesk(), symbol="ES", quantity=5.0) == ["reduce ES to 5"]
    assert await act("place_stop", RecordingDesk(), symbol="ES", distance=2.5) == ["stop ES at 2.5"]
    assert await act("place_stop", RecordingDesk(), symbol="ES", price=4990.25) == ["stop ES moved to 4990.25"]


async def test_reduce_by_takes_a_quantity_or_a_fraction_off() -> None:
    assert await act("reduce_by", RecordingDesk([position("ES", -5)]), symbol="ES", quantity=2) == ["reduce ES to 3"]
    assert await act("reduce_by", RecordingDesk([position("ES", 1)]), symbol="ES", quantity=2) == ["reduce ES to 0"]
    both = RecordingDesk([position("ES", 4), position("NQ", 2)])
    assert await act("reduce_by", both, fraction=0.5) == ["reduce ES to 2", "reduce NQ to 1"]


async def test_a_repeat_of_reduce_by_takes_off_no_more() -> None:
    desk = RecordingDesk([position("ES", 4)], broken={"reduce ES to 2": Transient("half of it")})
    with pytest.raises(Transient):
        await act("reduce_by", desk, symbol="ES", quantity=2)
    desk.positions = {Symbol("ES"): position("ES", 3)}  # it took one off before it failed
    desk.mend()
    assert await act("reduce_by", desk, symbol="ES", quantity=2) == ["reduce ES to 2", "reduce ES to 2"]
    assert await act("reduce_by", desk, symbol="ES", quantity=2) == ["reduce ES to 2", "reduce ES to 2"]


@pytest.mark.parametrize("held", [1, 2, 0, -4])
async def test_a_position_that_became_smaller_or_turned_meanwhile_is_left_alone(held: int) -> None:
    desk = RecordingDesk([position("ES", held)] if held else [])
    desk.aims = {Symbol("ES"): Aim(held=Decimal(4), to=Decimal(2))}
    assert await act("reduce_by", desk, symbol="ES", quantity=2) == []


async def test_a_position_opened_since_the_first_try_is_none_of_its_business() -> None:
    desk = RecordingDesk([position("ES", 4), position("NQ", 4)])
    desk.aims = {Symbol("ES"): Aim(held=Decimal(4), to=Decimal(2))}
    assert await act("reduce_by", desk, fraction=0.5) == ["reduce ES to 2"]


async def test_reduce_by_in_a_rule_about_one_symbol_leaves_the_others_alone() -> None:
    for params in ({"quantity": 1}, {"fraction": 0.5}):
        desk = RecordingDesk([position("NQ", 9), position("ES", 2)])
        assert await act("reduce_by", desk, symbol="ES", **params) == ["reduce ES to 1"]
        assert list(desk.aims) == ["ES"]


async def test_reduce_by_fixes_nothing_for_a_position_that_is_listed_and_flat() -> None:
    desk = RecordingDesk([position("ES", 0), position("NQ", 2)])
    assert await act("reduce_by", desk, fraction=0.5) == ["reduce NQ to 1"]
    assert list(desk.aims) == ["NQ"]


async def test_a_quantity_is_never_taken_off_every_position_of_an_account() -> None:
    desk = RecordingDesk([position("ES", 4), position("NQ", 4)])
    with pytest.raises(Refused, match="without a symbol"):
        await act("reduce_by", desk, quantity=1)
    assert desk.told == []


async def test_reduce_by_without_a_position_fixes_nothing() -> None:
    desk = RecordingDesk()
    assert await act("reduce_by", desk, symbol="ES", quantity=2) == []
    assert desk.aims == {}


async def test_reduce_gross_counts_anew_before_each_cut() -> None:
    class Helped(RecordingDesk):
        """Somebody closes ES while MNQ is being cut."""

        async def reduce(self, account: AccountId, symbol: Symbol, *, to: Decimal, was: Decimal = Decimal(0)) -> None:
            await super().reduce(account, symbol, to=to, was=was)
            self.positions.pop(Symbol("ES"), None)

    assert await act("reduce_gross_to", Helped([position("MNQ", 4), position("ES", -2)]), quantity=1) == [
        "reduce MNQ to 0"
    ]


async def test_no_other_position_pays_for_one_that_could_not_be_cut() -> None:
    desk = RecordingDesk([position("MNQ", 4), position("ES", -2)], broken={"reduce MNQ to 3": Transient("busy")})
    with pytest.raises(Transient, match="busy"):
        await act("reduce_gross_to", desk, quantity=5)
    assert desk.told == ["reduce MNQ to 3"]


async def test_what_cannot_be_reckoned_with_is_refused_and_no_other_position_pays_for_it() -> None:
    broken: dict[str, Exception] = {"reduce MNQ to 3": InvalidOperation("NaN")}
    desk = RecordingDesk([position("MNQ", 4), position("ES", -2)], broken=broken)
    with pytest.raises(Refused, match="the broker shows what is no number"):
        await act("reduce_gross_to", desk, quantity=5)
    assert desk.told == ["reduce MNQ to 3"]


async def test_what_could_not_be_cut_is_tried_once_and_pays_for_its_own_part() -> None:
    broken: dict[str, EngineError] = {"reduce MNQ to 0": Transient("busy")}
    desk = RecordingDesk([position("MNQ", 4), position("ES", -2)], broken=broken)
    with pytest.raises(Transient, match="busy"):
        await act("reduce_gross_to", desk, quantity=1)
    assert desk.told == ["reduce MNQ to 0", "reduce ES to 1"]


async def test_what_could_not_be_cut_is_spared_by_its_weight() -> None:
    desk = RecordingDesk(
        [position("NQ", 2), position("MNQ", 4)], broken={"reduce NQ to 0": Transient("busy")},
        weights={"NQ": 10.0, "MNQ": 1.0},
    )  # fmt: skip
    with pytest.raises(Transient, match="busy"):
        await act("reduce_gross_to", desk, quantity=1, weighted=True)
    assert desk.told == ["reduce NQ to 0", "reduce MNQ to 1"]


async def test_reduce_gross_ends_where_everything_was_cut_once_whatever_was_opened_since() -> None:
    class Reopened(RecordingDesk):
        """Somebody opens again whatever is closed."""

        async def reduce(self, account: AccountId, symbol: Symbol, *, to: Decimal, was: Decimal = Decimal(0)) -> None:
            await super().reduce(account, symbol, to=to, was=was)
            self.positions[symbol] = position(symbol, was)

    desk = Reopened([position("MNQ", 4), position("ES", -2)])
    assert await act("reduce_gross_to", desk, quantity=0) == ["reduce MNQ to 0", "reduce ES to 0"]


@pytest.mark.parametrize(("limit", "pulls"), [(6, 1), (9, 1), (5, 2)])
async def test_reduce_gross_asks_no_more_once_the_limit_is_met(limit: int, pulls: int) -> None:
    desk = RecordingDesk([position("MNQ", 4), position("ES", -2)])
    await act("reduce_gross_to", desk, quantity=limit)
    assert desk.pulls == pulls


async def test_reduce_gross_brings_the_sum_to_the_limit_from_the_largest() -> None:
    desk = RecordingDesk([position("MNQ", 4), position("ES", -2)])
    assert await act("reduce_gross_to", desk, quantity=5) == ["reduce MNQ to 3"]


async def test_reduce_gross_spills_over_to_the_next_position() -> None:
    desk = RecordingDesk([position("MNQ", 4), position("ES", -2)])
    assert await act("reduce_gross_to", desk, quantity=1) == ["reduce MNQ to 0", "reduce ES to 1"]


async def test_reduce_gross_counts_weights_where_asked() -> None:
    desk = RecordingDesk([position("MNQ", 4), position("ES", 2)], weights={"MNQ": 0.1, "ES": 1.0})
    assert await act("reduce_gross_to", desk, quantity=2, weighted=True) == ["reduce ES to 1"]


async def test_reduce_gross_takes_the_weights_only_where_asked_and_where_they_are_more_than_nothing() -> None:
    held = [position("NQ", 2), position("MNQ", 4)]
    desk = RecordingDesk(held, weights={"NQ": 10.0, "MNQ": 1.0})
    assert await act("reduce_gross_to", desk, quantity=5) == ["reduce MNQ to 3"]
    desk = RecordingDesk(held, weights={"NQ": 0.0, "MNQ": 1.0})
    assert await act("reduce_gross_to", desk, quantity=5, weighted=True) == ["reduce MNQ to 3"]
    assert await act("reduce_gross_to", RecordingDesk(held), quantity=5, weighted=True) == ["reduce MNQ to 3"]


@pytest.mark.parametrize(("limit", "left"), [("24.5", "2.4"), ("24", "2.4"), ("20", "2"), ("0", "0")])
async def test_a_weighted_cut_is_the_fewest_whole_lots_that_meet_the_limit(limit: str, left: str) -> None:
    desk = RecordingDesk([position("ETH", 3)], weights={"ETH": 10.0}, lot="0.2")
    assert await act("reduce_gross_to", desk, quantity=float(limit), weighted=True) == [f"reduce ETH to {left}"]


async def test_reduce_gross_below_the_limit_does_nothing() -> None:
    assert await act("reduce_gross_to", RecordingDesk([position("ES", 2)]), quantity=5) == []


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("reduce_to", {"quantity": float("nan")}),
        ("reduce_to", {"quantity": -1}),
        ("reduce_to", {"quantity": True}),
        ("reduce_to", {}),
        ("reduce_by", {}),
        ("reduce_by", {"quantity": 1, "fraction": 0.5}),
        ("place_stop", {"distance": 0}),
        ("place_stop", {"price": 0}),
        ("place_stop", {"price": 1, "distance": 1}),
        ("place_stop", {}),
    ],
)
async def test_a_parameter_that_makes_no_sense_is_refused(name: str, params: dict[str, float]) -> None:
    desk = RecordingDesk([position("ES", 4)])
    with pytest.raises(Refused):
        await act(name, desk, symbol="ES", **params)  # type: ignore[arg-type]
    assert desk.told == []


async def test_an_action_on_one_position_needs_a_symbol() -> None:
    with pytest.raises(Refused, match="without a symbol"):
        await act("close_position", RecordingDesk())


async def test_an_action_at_the_broker_needs_an_account() -> None:
    run = ACTIONS["flatten"].run
    assert run is not None
    with pytest.raises(Refused, match="without an account"):
        await run(PlannedAction(id=ActionId("a"), at=0, name="flatten", account=None), RecordingDesk())
