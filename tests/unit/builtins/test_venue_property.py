"""What holds for every sequence of quotes and orders at the paper venue."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from haltline.builtins.paper.setting import PaperSetting
from haltline.builtins.paper.venue import PaperVenue
from haltline.model.account import AccountSpec
from haltline.model.event import Event, Fill, OrderUpdate, Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderRequest, OrderStatus, OrderType, Side

D = Decimal
EVAL = AccountId("eval")
MNQ = Symbol("MNQ")
SPEC = InstrumentSpec(symbol=MNQ, tick_size=D("0.25"), tick_value=D("0.50"))
LOOSE = settings(deadline=None, max_examples=100)

prices = st.integers(min_value=4, max_value=80).map(lambda ticks: ticks * 0.25)
orders = st.builds(
    lambda side, quantity, type_, price, trail, reduce_only: OrderRequest(
        account=EVAL,
        symbol=MNQ,
        side=side,
        quantity=D(quantity),
        type=type_,
        limit_price=D(str(price)) if type_ in (OrderType.LIMIT, OrderType.STOP_LIMIT) else None,
        stop_price=D(str(price)) if type_ in (OrderType.STOP, OrderType.STOP_LIMIT) else None,
        trail=D(trail) if type_ is OrderType.TRAILING_STOP else None,
        reduce_only=reduce_only,
    ),
    st.sampled_from(Side),
    st.integers(1, 9),
    st.sampled_from(OrderType),
    prices,
    st.integers(1, 4),
    st.booleans(),
)
steps = st.lists(st.one_of(prices, orders, st.integers(1, 30)), max_size=40)
venue_settings = st.builds(
    PaperSetting,
    taker_fee=st.sampled_from([D(0), D("0.0004")]),
    slippage_ticks=st.sampled_from([D(0), D(1)]),
    latency_ms=st.sampled_from([0, 1]),
    max_fill=st.sampled_from([None, D(2)]),
    fill_fraction=st.sampled_from([None, D("0.3")]),
)


def new_venue(setting: PaperSetting, events: list[Event]) -> PaperVenue:
    return PaperVenue(
        accounts=[AccountSpec(id=EVAL, balance=D(10_000))], instruments=[SPEC], sink=events.append, setting=setting
    )


def play(venue: PaperVenue, script: list[object], start: int = 0) -> None:
    for count, step in enumerate(script, start=start + 1):
        now = count * 400_000
        match step:
            case float():
                venue.on_quote(Quote(at=now, received_at=now, symbol=MNQ, last=step), now)
            case int():
                venue.cancel(EVAL, f"eval-{step}", now)  # type: ignore[arg-type]
            case OrderRequest():
                venue.submit(step, now)


@LOOSE
@given(steps, venue_settings)
def test_cash_and_positions_agree_with_the_fills(script: list[object], setting: PaperSetting) -> None:
    events: list[Event] = []
    venue = new_venue(setting, events)
    play(venue, script)
    fills = [event for event in events if isinstance(event, Fill)]
    snapshot = venue.snapshot(EVAL, 10**12)
    fills = [event for event in events if isinstance(event, Fill)]
    quantity = sum((fill.quantity * fill.side.sign for fill in fills), D(0))
    assert quantity == sum((position.quantity for position in snapshot.positions), D(0))
    spent = sum((fill.quantity * fill.side.sign * fill.price * SPEC.multiplier + fill.fee for fill in fills), D(0))
    cost = sum((p.quantity * p.average_price * SPEC.multiplier for p in snapshot.positions), D(0))
    assert snapshot.account.balance is not None
    assert abs(snapshot.account.balance - (D(10_000) - spent + cost)) < D("1e-9")
    realized = sum((fill.pnl or D(0) for fill in fills), D(0)) - sum((fill.fee for fill in fills), D(0))
    assert snapshot.account.balance == D(10_000) + realized


@LOOSE
@given(steps, venue_settings)
def test_reduce_only_never_enlarges_or_turns_a_position(script: list[object], setting: PaperSetting) -> None:
    events: list[Event] = []
    venue = new_venue(setting, events)
    play(venue, script)
    reducing = {e.order.order_id for e in events if isinstance(e, OrderUpdate) and e.order.reduce_only}
    position = D(0)
    for event in events:
        if isinstance(event, Fill):
            after = position + event.quantity * event.side.sign
            if event.order_id in reducing:
                assert abs(after) < abs(position)
                assert after * position >= 0
            position = after


@LOOSE
@given(steps, venue_settings)
def test_an_order_never_fills_more_than_its_quantity(script: list[object], setting: PaperSetting) -> None:
    events: list[Event] = []
    play(new_venue(setting, events), script)
    filled: dict[str | None, Decimal] = {}
    for event in events:
        if isinstance(event, Fill):
            filled[event.order_id] = filled.get(event.order_id, D(0)) + event.quantity
        elif isinstance(event, OrderUpdate):
            assert event.order.filled <= event.order.quantity
            assert event.order.filled == filled.get(event.order.order_id, D(0))


@LOOSE
@given(st.lists(prices, min_size=1, max_size=20), prices, st.sampled_from(Side))
def test_a_stop_never_fills_better_than_its_trigger(path: list[float], stop: float, side: Side) -> None:
    events: list[Event] = []
    venue = new_venue(PaperSetting(), events)
    play(venue, [path[0]])
    request = OrderRequest(
        account=EVAL, symbol=MNQ, side=side, quantity=D(1), type=OrderType.STOP, stop_price=D(str(stop))
    )
    play(venue, [request, *path], start=1)
    for event in events:
        if isinstance(event, Fill):
            assert (event.price - D(str(stop))) * side.sign >= 0


@LOOSE
@given(steps, steps, venue_settings)
def test_a_restored_book_continues_exactly_as_the_old_one(
    before: list[object], after: list[object], setting: PaperSetting
) -> None:
    events: list[Event] = []
    venue = new_venue(setting, events)
    play(venue, before)
    later: list[Event] = []
    restored = new_venue(setting, later)
    restored.restore(venue.to_builtins())
    assert restored.to_builtins() == venue.to_builtins()
    events.clear()
    play(venue, after, start=len(before))
    play(restored, after, start=len(before))
    assert later == events


@LOOSE
@given(steps, venue_settings)
def test_changed_rows_add_up_to_the_book(script: list[object], setting: PaperSetting) -> None:
    venue = new_venue(setting, [])
    kept: dict[tuple[str, str], object] = {("account", "eval"): venue.to_builtins()["rows"][0][2]}  # type: ignore[index]
    for count, step in enumerate(script):
        play(venue, [step], start=count)
        for row in venue.take_changes():
            kept[row.sort, row.key] = row.body
    whole = {(sort, key): body for sort, key, body in venue.to_builtins()["rows"]}  # type: ignore[attr-defined]
    assert {key: body for key, body in kept.items() if body is not None} == whole


@LOOSE
@given(steps)
def test_no_working_order_is_left_over_on_a_finished_one(script: list[object]) -> None:
    events: list[Event] = []
    venue = new_venue(PaperSetting(), events)
    play(venue, script)
    last = {e.order.order_id: e.order.status for e in events if isinstance(e, OrderUpdate)}
    working = {order.order_id for order in venue.snapshot(EVAL, 10**12).orders}
    assert working == {order_id for order_id, status in last.items() if status.is_working}
    assert OrderStatus.PENDING not in last.values()
