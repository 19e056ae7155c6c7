"""The built-in actions, on a desk that remembers what it was told."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

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


def position(symbol: str, quantity: int | str | Decimal) -> PositionReport:
    return PositionReport(
        at=0, received_at=0, account=EVAL, symbol=Symbol(symbol), quantity=Decimal(quantity), average_price=Decimal(100)
    )


def order(name: str, symbol: str, side: str, quantity: int = 1, type_: str = "limit", **fields: object) -> OrderReport:
    return OrderReport(
        account=EVAL, order_id=OrderId(name), symbol=Symbol(symbol), side=Side(side), quantity=Decimal(quantity),
        type=OrderType(type_), status=OrderStatus.WORKING, **fields,  # type: ignore[arg-type]
    )  # fmt: skip


class RecordingDesk:
    """Does what it is told to its own little account, and writes it down; `broken` verbs raise."""

    def __init__(
        self,
        positions: Sequence[PositionReport] = (),
        orders: Sequence[OrderReport] = (),
        *,
        broken: dict[str, EngineError] | None = None,
        weights: dict[str, float] | None = None,
    ) -> None:
        self.positions = {found.symbol: found for found in positions}
        self.orders = {found.order_id: found for found in orders}
        self.told: list[str] = []
        self.aims: dict[Symbol, Aim] = {}
        self._broken = broken or {}
        self._weights = weights or {}

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        return AccountSnapshot(
            account=AccountReport(at=0, received_at=0, account=account),
            positions=tuple(self.positions.values()),
            orders=tuple(self.orders.values()),
        )

    def instrument(self, symbol: Symbol) -> InstrumentSpec | None:
        return InstrumentSpec(symbol=symbol, weight=self._weights[symbol]) if symbol in self._weights else None

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


async def test_flatten_passes_over_a_position_that_is_flat() -> None:
    assert await act("flatten", RecordingDesk([position("ES", 0), position("NQ", 1)])) == ["reduce NQ to 0"]


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


def test_a_stop_larger_than_its_position_or_on_the_wrong_side_protects_nothing() -> None:
    assert not is_protective(order("x", "ES", "sell", 2, "stop"), [position("ES", 1)])
    assert not is_protective(order("x", "ES", "buy", 1, "stop"), [position("ES", 1)])
    assert not is_protective(order("x", "ES", "sell", 1, "stop"), [])


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


async def test_reduce_gross_brings_the_sum_to_the_limit_from_the_largest() -> None:
    desk = RecordingDesk([position("MNQ", 4), position("ES", -2)])
    assert await act("reduce_gross_to", desk, quantity=5) == ["reduce MNQ to 3"]


async def test_reduce_gross_spills_over_to_the_next_position() -> None:
    desk = RecordingDesk([position("MNQ", 4), position("ES", -2)])
    assert await act("reduce_gross_to", desk, quantity=1) == ["reduce MNQ to 0", "reduce ES to 1"]


async def test_reduce_gross_counts_weights_where_asked() -> None:
    desk = RecordingDesk([position("MNQ", 4), position("ES", 2)], weights={"MNQ": 0.1, "ES": 1.0})
    assert await act("reduce_gross_to", desk, quantity=2, weighted=True) == ["reduce ES to 1"]


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
