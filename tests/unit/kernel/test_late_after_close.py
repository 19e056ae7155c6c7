"""Orders that fill although a close has cancelled them: the same as after a flatten, for the one symbol."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from haltline.kernel.late import LATE_NS, doubtful, is_watched, open_orders, untold
from haltline.model.event import (
    ActionOutcome,
    ActionRequest,
    ArmRequest,
    Fill,
    LockRequest,
    OrderUpdate,
    OutcomeStatus,
    PositionReport,
)
from haltline.model.id import AccountId, ActionId, FillId, OrderId, Symbol
from haltline.model.order import OrderStatus, Side
from haltline.model.plan import PlannedAction

EVAL, MNQ, MES = AccountId("eval"), Symbol("MNQ"), Symbol("MES")


def ended(made, action, *, cancelled=(), status=OutcomeStatus.DONE, at=None):
    return made.send(
        ActionOutcome(
            at=made.now if at is None else at, received_at=made.now, action_id=ActionId(action), account=EVAL,
            status=status, cancelled=tuple(map(OrderId, cancelled)),
        )
    )  # fmt: skip


def filled(made, quantity, order, symbol=MNQ):
    made.serial += 1
    return made.send(
        Fill(
            at=made.now, received_at=made.now, account=EVAL, symbol=symbol, fill_id=FillId(f"f{made.serial}"),
            side=Side.BUY if quantity > 0 else Side.SELL, quantity=Decimal(abs(quantity)), price=Decimal(21_000),
            order_id=OrderId(order),
        )
    )  # fmt: skip


def asked(made, name, symbol=None, key="r1"):
    request = ActionRequest(
        at=made.now, received_at=made.now, account=EVAL, name=name, request_id=key, operator="ann", reason="news",
        symbol=symbol,
    )  # fmt: skip
    return next(each.id for each in made.send(request).plan if each.name == name)


def undone(made):
    every = [action for result in made.results for action in result.plan if action.id.startswith("late@")]
    return [(action.name, action.symbol, action.params.get("quantity")) for action in every]


@pytest.fixture
def closed(world):
    """3 MNQ were closed, and the entries o1 (MNQ) and o2 (MES) cancelled; 2 MES are held still; a minute later."""
    made = world()
    made.quote(21_000)
    for order, symbol in (("o1", "MNQ"), ("o2", "MES")):
        made.order(order, 1, symbol)
    filled(made, 3, "before")
    filled(made, 2, "before too", MES)
    cancel, close = asked(made, "cancel_orders"), asked(made, "close_position", MNQ)
    made.at(5)
    for order, symbol in (("o1", "MNQ"), ("o2", "MES")):
        made.order(order, 1, symbol, OrderStatus.CANCELLED)
    ended(made, cancel, cancelled=["o2"])
    filled(made, -3, "ours")
    made.at(6)
    ended(made, close, cancelled=["o1"])
    return made.at(66)


def test_what_a_late_fill_opens_is_closed_and_said_so(closed):
    (action,) = filled(closed, 1, "o1").plan
    assert (action.name, action.symbol) == ("close_position", MNQ)
    assert action.reason == "a cancelled order filled after operator@eval:close_position:r1 was done"


def test_another_symbol_was_not_closed_and_is_left(closed):
    filled(closed, 1, "o2", MES)
    closed.send(PositionReport(at=closed.now, received_at=closed.now, account=EVAL, symbol=MES, quantity=Decimal(3),
                               average_price=Decimal(21_000)))  # fmt: skip
    assert undone(closed) == []
    assert [order.order_id for order in open_orders(closed.kernel, EVAL, closed.now)] == ["o1"]
    assert doubtful(closed.kernel, EVAL, closed.now) == []


def test_what_people_opened_since_stays(closed):
    filled(closed, 2, "by hand")
    filled(closed, 1, "o1")
    assert undone(closed) == [("reduce_to", MNQ, 2.0)]


def test_a_restart_in_between_changes_nothing(closed):
    filled(closed.restart(), 1, "o1")
    assert undone(closed) == [("close_position", MNQ, None)]


def test_after_ten_minutes_a_fill_is_somebodys_own(closed):
    closed.at(6 + LATE_NS / 1e9)
    assert not is_watched(closed.kernel, EVAL, closed.now)
    filled(closed, 1, "o1")
    assert undone(closed) == []


def test_a_lock_of_the_symbol_is_left_to_undo_it(closed):
    closed.send(
        LockRequest(at=closed.now, received_at=closed.now, account=EVAL, operator="ann", reason="no", symbol=MNQ)
    )
    filled(closed, 1, "o1")
    assert undone(closed) == []


def test_a_close_that_failed_proves_nothing(world):
    made = world()
    made.quote(21_000)
    made.order("o1", 1)
    filled(made, 3, "before")
    close = asked(made, "close_position", MNQ)
    ended(made, close, cancelled=["o1"], status=OutcomeStatus.FAILED)
    filled(made, 1, "o1")
    assert undone(made) == []


def test_a_flatten_before_it_goes_on_counting_for_the_other_symbols(closed):
    flatten = asked(closed, "flatten", key="r2")
    filled(closed, -2, "ours too", MES)
    closed.at(70)
    ended(closed, flatten)
    closed.at(80)
    filled(closed, 4, "by hand")
    close = asked(closed, "close_position", MNQ, key="r3")
    filled(closed, -4, "ours again")
    closed.at(90)
    ended(closed, close)
    closed.at(100)
    filled(closed, 1, "o2", MES)
    filled(closed, 1, "o1")
    assert undone(closed) == [("close_position", MES, None), ("close_position", MNQ, None)]
    reasons = [each.reason for result in closed.results for each in result.plan if each.id.startswith("late@")]
    assert [reason.split("after ")[1] for reason in reasons] == [
        "operator@eval:flatten:r2 was done", "operator@eval:close_position:r3 was done"
    ]  # fmt: skip


def test_a_flatten_after_it_is_the_newer_proof(closed):
    flatten = asked(closed, "flatten", key="r2")
    filled(closed, -2, "ours too", MES)
    closed.at(70)
    ended(closed, flatten)
    closed.at(71)
    filled(closed, 1, "o1")
    (action,) = [each for each in closed.results[-1].plan if each.id.startswith("late@")]
    assert "operator@eval:flatten:r2" in action.reason


def test_where_one_proof_is_too_old_another_does_not_stand_in_for_it(closed):
    closed.order("o3", 1)
    cancel, close = asked(closed, "cancel_orders", key="r2"), asked(closed, "close_position", MES, key="r3")
    closed.at(500)
    closed.order("o3", 1, "MNQ", OrderStatus.CANCELLED)
    ended(closed, cancel, cancelled=["o3"])
    filled(closed, -2, "ours of the other", MES)
    closed.at(501)
    ended(closed, close)
    closed.at(6 + LATE_NS / 1e9)
    assert is_watched(closed.kernel, EVAL, closed.now)  # for the other symbol
    filled(closed, 1, "o3")
    closed.send(PositionReport(at=closed.now, received_at=closed.now, account=EVAL, symbol=MNQ, quantity=Decimal(1),
                               average_price=Decimal(21_000)))  # fmt: skip
    assert undone(closed) == []


def test_a_reduction_that_is_done_proves_nothing(world):
    made = world()
    made.quote(21_000)
    made.order("o1", 1)
    filled(made, 3, "before")
    made.kernel.arbiter.launch(PlannedAction(id=ActionId("own"), at=1, name="reduce_to", account=EVAL, symbol=MNQ))
    ended(made, "own", cancelled=["o1"])
    assert not is_watched(made.kernel, EVAL, made.now)
    made.at(5)
    filled(made, 1, "o1")
    assert undone(made) == []


def test_what_has_filled_between_the_proof_and_its_word_is_closed_at_once(world):
    made = world()
    made.quote(21_000)
    made.order("o1", 1)
    filled(made, 3, "before")
    close = asked(made, "close_position", MNQ)
    filled(made, -3, "ours")
    proven_at = made.at(5).now
    made.at(6)
    filled(made, 1, "o1")
    assert undone(made) == []
    ended(made, close, cancelled=["o1"], at=proven_at)
    assert undone(made) == [("close_position", MNQ, None)]


def test_a_close_of_what_was_never_traded_is_no_proof_and_no_trouble(world):
    made = world()
    made.quote(21_000)
    close = asked(made, "close_position", MES)
    ended(made, close, cancelled=["o1"])
    assert not is_watched(made.kernel, EVAL, made.now)


def told(made, quantity, symbol):
    made.send(PositionReport(at=made.now, received_at=made.now, account=EVAL, symbol=symbol, quantity=Decimal(quantity),
                             average_price=Decimal(21_000)))  # fmt: skip


def test_what_is_held_of_a_symbol_that_was_not_closed_is_no_doubt(closed):
    told(closed, 3, MES)
    assert doubtful(closed.kernel, EVAL, closed.now) == []


def test_of_a_symbol_that_was_not_closed_nothing_has_to_be_told(closed):
    report = closed.kernel.late[EVAL].ended["o2"].report
    closed.send(OrderUpdate(at=closed.now, received_at=closed.now, order=replace(report, filled=Decimal(1))))
    assert untold(closed.kernel, EVAL, closed.now) == []


def test_a_fill_of_one_symbol_is_no_reason_to_close_what_another_holds(closed):
    flatten = asked(closed, "flatten", key="r2")
    filled(closed, -2, "ours too", MES)
    closed.at(70)
    ended(closed, flatten)
    closed.at(71)
    arm(closed, live=False)
    filled(closed, 1, "o2", MES)
    arm(closed, live=True)
    filled(closed, 1, "o1")
    assert undone(closed) == [("close_position", MNQ, None)]


def arm(made, *, live):
    made.send(ArmRequest(at=made.now, received_at=made.now, account=EVAL, live=live, operator="ann", reason="test"))


def test_a_close_is_a_proof_where_another_action_tells_of_its_orders_later(world):
    made = world()
    made.quote(21_000)
    made.order("o1", 1)
    filled(made, 3, "before")
    cancel, close = asked(made, "cancel_orders"), asked(made, "close_position", MNQ, key="r2")
    made.order("o1", 1, "MNQ", OrderStatus.CANCELLED)
    filled(made, -3, "ours")
    made.at(5)
    ended(made, close)
    ended(made, cancel, cancelled=["o1"])
    made.at(6)
    filled(made, 1, "o1")
    assert undone(made) == [("close_position", MNQ, None)]


def test_books_that_were_behind_when_the_symbol_was_closed_are_no_trade(world):
    made = world()
    made.quote(21_000)
    made.order("o1", 1)
    filled(made, 3, "before")
    close = asked(made, "close_position", MNQ)
    made.at(5)
    ended(made, close, cancelled=["o1"])
    made.at(6)
    filled(made, 1, "o1")
    assert undone(made) == [("close_position", MNQ, None)]
