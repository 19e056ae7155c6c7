"""A late fill whose push was lost, or named no order: two words of the broker tell it from somebody's new trade."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haltline.kernel.aftermath import SHOWN_NS, Aftermath
from haltline.kernel.late import LATE_NS, REMEMBERED, doubtful, is_watched, open_orders, untold
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
from haltline.model.order import OrderReport, OrderStatus, OrderType, Side
from haltline.model.plan import PlannedAction

EVAL, MNQ = AccountId("eval"), Symbol("MNQ")
CLOSED, EXPIRED = OrderStatus.CANCELLED, OrderStatus.EXPIRED


class Venue:
    """A world whose account an operator's flatten has made flat; order `o1`, to buy 3, was cancelled on the way."""

    def __init__(self, made, *, side=Side.BUY, quantity=3):
        self.made = made
        self.side = side
        self.quantity = quantity
        made.quote(21_000)
        made.order("o1", quantity * side.sign)
        self.fill(2, "before")
        flatten = self.ask("flatten", "r1")
        made.at(5)
        self.word(0)
        self.fill(-2, "ours")
        made.at(6)
        self.end(flatten, cancelled=["o1"])
        made.at(66)

    def ask(self, name, request_id):
        now = self.made.now
        asked = ActionRequest(
            at=now, received_at=now, account=EVAL, name=name, request_id=request_id, operator="ann", reason="news"
        )
        return next(each.id for each in self.made.send(asked).plan if each.name == name)

    def end(self, action, *, cancelled=(), at=None, status=OutcomeStatus.DONE):
        now = self.made.now
        return self.made.send(
            ActionOutcome(
                at=now if at is None else at, received_at=now, action_id=ActionId(action), account=EVAL, status=status,
                cancelled=tuple(map(OrderId, cancelled)),
            )
        )  # fmt: skip

    def fill(self, quantity, order=None, *, at=None):
        """An execution is pushed."""
        self.made.serial += 1
        return self.made.send(
            Fill(
                at=self.made.now if at is None else at, received_at=self.made.now, account=EVAL, symbol=MNQ,
                fill_id=FillId(f"f{self.made.serial}"), side=Side.BUY if quantity > 0 else Side.SELL,
                quantity=Decimal(abs(quantity)), price=Decimal(21_000),
                order_id=None if order is None else OrderId(order),
            )
        )  # fmt: skip

    def report(self, quantity, *, at=None, symbol=MNQ):
        """The broker tells of the position."""
        now = self.made.now
        return self.made.send(
            PositionReport(
                at=now if at is None else at, received_at=now, account=EVAL, symbol=symbol, quantity=Decimal(quantity),
                average_price=Decimal(21_000),
            )
        )  # fmt: skip

    def word(self, filled, *, order="o1", status=CLOSED, symbol=MNQ, account=EVAL):
        """The broker tells of the order."""
        report = OrderReport(
            account=account, order_id=OrderId(order), symbol=symbol, side=self.side, quantity=Decimal(self.quantity),
            filled=Decimal(filled), type=OrderType.LIMIT, status=status, limit_price=Decimal(20_000),
        )  # fmt: skip
        return self.made.send(OrderUpdate(at=self.made.now, received_at=self.made.now, order=report))

    @property
    def undone(self):
        every = [action for result in self.made.results for action in result.plan if action.id.startswith("late@")]
        return [(action.name, action.symbol, action.params.get("quantity")) for action in every]

    @property
    def last_undo(self):
        return next(reversed([key for key in self.made.kernel.arbiter.flights if key.startswith("late@")]))

    @property
    def doubts(self):
        found = doubtful(self.made.kernel, EVAL, self.made.now)
        return [(each.symbol, each.quantity, [order.order_id for order in each.orders]) for each in found]


@pytest.fixture
def venue(world):
    return Venue(world())


# -- what is closed ----------------------------------------------------------------------------------------------------


def test_a_late_fill_whose_push_was_lost_is_closed_once_the_position_shows_what_its_order_has_filled(venue):
    venue.word(1)
    assert venue.undone == []
    result = venue.report(1)
    assert venue.undone == [("close_position", MNQ, None)]
    reason = "a cancelled order filled after operator@eval:flatten:r1 was done"
    assert f"eval MNQ: {reason}; what it opened is closed" in result.notices


def test_a_position_that_showed_before_is_closed_once_the_broker_has_told_of_both(venue):
    venue.report(1)
    venue.made.at(68)
    venue.word(1)
    assert (venue.undone, venue.doubts) == ([], [(MNQ, Decimal(1), ["o1"])])
    venue.made.at(69)
    venue.report(1)
    assert (venue.undone, venue.doubts) == ([("close_position", MNQ, None)], [])


def test_a_late_sale_whose_push_was_lost_is_closed_as_well(world):
    venue = Venue(world(), side=Side.SELL)
    venue.word(2)
    venue.report(-2)
    assert venue.undone == [("close_position", MNQ, None)]


def test_a_fill_that_names_no_order_is_closed_once_its_order_and_the_position_say_so(venue):
    venue.fill(1)
    assert (venue.undone, venue.doubts) == ([], [(MNQ, Decimal(1), ["o1"])])
    venue.word(1)
    venue.report(1)
    assert venue.undone == [("close_position", MNQ, None)]


def test_what_others_hold_stays_where_the_push_of_a_late_fill_was_lost(venue):
    venue.fill(2, "by-hand")
    venue.word(1)
    venue.report(3)
    assert venue.undone == [("reduce_to", MNQ, 2.0)]


def test_no_more_is_taken_off_than_the_order_has_filled(venue):
    venue.word(1)
    venue.report(3)
    assert venue.undone == [("reduce_to", MNQ, 2.0)]


def test_what_was_traded_by_hand_without_a_push_before_the_broker_told_of_the_order_stays(venue):
    """The position that showed first was somebody's; the order filled after it."""
    venue.report(1)
    venue.word(1)
    assert venue.undone == []
    venue.report(2)
    assert venue.undone == [("reduce_to", MNQ, 1.0)]


def test_all_of_it_survives_a_restart(venue):
    venue.word(1)
    venue.made.restart()
    venue.report(1)
    venue.made.restart()
    assert venue.undone == [("close_position", MNQ, None)]
    venue.made.restart()
    venue.end(venue.last_undo)
    venue.report(1)
    assert len(venue.undone) == 1


def test_a_push_that_comes_after_all_is_not_undone_twice(venue):
    venue.word(1)
    venue.report(1)
    venue.fill(1, "o1", at=venue.made.now - 1)
    assert len(venue.undone) == 1
    venue.made.at(67)
    venue.fill(-1, "ours-2")
    venue.end(venue.last_undo)
    venue.made.at(70)
    venue.fill(2, "by-hand")
    venue.report(2)
    assert len(venue.undone) == 1


def test_a_push_that_comes_after_it_was_undone_leaves_alone_what_somebody_opened_since(venue):
    venue.word(1)
    venue.report(1)
    venue.made.at(67)
    venue.fill(-1, "ours-2")
    venue.end(venue.last_undo)
    venue.made.at(70)
    venue.fill(2, "by-hand")
    venue.fill(1, "o1", at=venue.made.now - 5)
    venue.report(2)
    assert len(venue.undone) == 1


def test_where_the_push_of_our_close_is_lost_too_nothing_is_done_twice(venue):
    venue.word(1)
    venue.report(1)
    undo = venue.last_undo
    venue.made.at(68)
    venue.report(0)
    venue.end(undo)
    venue.made.at(80)
    venue.report(0)
    venue.fill(2, "by-hand")
    venue.fill(-1, "ours-2", at=venue.made.now - 12)
    venue.report(2)
    assert len(venue.undone) == 1


def test_a_second_lost_push_of_the_same_order_is_undone_as_well(venue):
    venue.word(1)
    venue.report(1)
    venue.made.at(67)
    venue.fill(-1, "ours-2")
    venue.end(venue.last_undo)
    venue.made.forget().at(80)
    venue.word(3)
    venue.report(2)
    assert venue.undone == [("close_position", MNQ, None)]


def test_a_fill_that_is_told_after_a_report_that_did_not_show_it_is_closed(venue):
    """Matched before the report was made, pushed after it: our books say flat, and the account is not."""
    venue.report(0)
    venue.fill(1, "o1", at=venue.made.now - 1)
    assert venue.undone == [("close_position", MNQ, None)]


def test_a_fill_that_the_report_showed_already_is_counted_once(venue):
    venue.fill(2, "by-hand")
    venue.report(3)
    venue.fill(1, "o1", at=venue.made.now - 1)
    assert venue.undone == [("reduce_to", MNQ, 2.0)]


def test_books_that_were_behind_when_the_account_was_flat_are_no_trade(world):
    """A broker that pushes nothing: our books learn from a pull that the flatten has closed the position."""
    made = world()
    made.quote(21_000)
    made.order("o1", 3)
    made.fill(2, 21_000)
    venue = Venue.__new__(Venue)
    venue.made, venue.side, venue.quantity = made, Side.BUY, 3
    flatten = venue.ask("flatten", "r1")
    made.at(6)
    venue.end(flatten, cancelled=["o1"])
    assert made.kernel.late[EVAL].behind == {MNQ: Decimal(2)}
    assert venue.doubts == []
    made.at(7)
    venue.fill(1, "o1")
    assert venue.undone == [("close_position", MNQ, None)]
    venue.report(1)
    assert made.kernel.late[EVAL].behind == {}
    assert len(venue.undone) == 1


def test_what_was_undone_leaves_nothing_unnamed(venue):
    venue.word(1)
    venue.report(1)
    venue.made.at(67)
    venue.fill(-1, "ours-2")
    venue.end(venue.last_undo)
    venue.made.at(80)
    venue.fill(2, "by-hand")
    venue.report(2)
    assert (len(venue.undone), venue.doubts) == (1, [])


def test_where_our_close_took_off_more_than_we_knew_of_nothing_is_done_before_the_position_is_told(venue):
    """One fill was lost and one was heard; the close of the second took both off, and our books are one short now."""
    venue.fill(1, "by-hand")
    venue.word(1)
    venue.made.at(67)
    venue.fill(1, "o1")
    undo = venue.last_undo
    assert venue.undone == [("reduce_to", MNQ, 1.0)]
    venue.made.at(68)
    venue.fill(-2, "ours-2")
    venue.end(undo)
    venue.made.forget().at(70)
    venue.fill(1, "o1")
    assert venue.undone == []
    assert untold(venue.made.kernel, EVAL, venue.made.now) == [MNQ]
    venue.report(2)
    assert venue.undone == [("reduce_to", MNQ, 1.0)]


def test_a_fill_without_a_name_that_was_left_at_first_is_closed_once_its_order_has_told_of_it(venue):
    venue.fill(1)
    venue.word(1)
    venue.made.at(67)
    venue.fill(1, "o1")
    undo = venue.last_undo
    assert venue.undone == [("reduce_to", MNQ, 1.0)]
    venue.word(2)
    venue.made.at(68)
    venue.fill(-1, "ours-2")
    venue.end(undo)
    venue.made.forget().at(70)
    venue.report(1)
    assert venue.undone == [("close_position", MNQ, None)]


def test_what_was_traded_between_the_proof_and_its_outcome_does_not_confuse_the_books(venue):
    venue.fill(1, "o1")
    undo = venue.last_undo
    venue.made.at(67)
    venue.fill(-1, "ours-2")
    proven = venue.made.now
    venue.made.at(68)
    venue.fill(2, "by-hand")
    venue.made.at(69)
    venue.end(undo, at=proven)
    venue.made.forget().at(70)
    venue.fill(1, "o1")
    assert venue.undone == [("reduce_to", MNQ, 2.0)]


def test_a_fill_without_a_name_is_closed_in_its_own_step_where_all_else_was_told_before(venue):
    venue.word(1)
    venue.report(0)
    venue.made.at(67)
    venue.fill(1)
    assert venue.undone == [("close_position", MNQ, None)]


def test_an_older_word_on_an_order_takes_nothing_back(venue):
    venue.word(1)
    venue.report(0)
    venue.made.at(67)
    venue.word(0)
    venue.fill(1)
    assert venue.undone == [("close_position", MNQ, None)]


def test_an_order_of_whose_end_no_push_told_is_known_from_our_books(world):
    made = world()
    made.quote(21_000)
    made.order("o1", 3)
    venue = Venue.__new__(Venue)
    venue.made, venue.side, venue.quantity = made, Side.BUY, 3
    flatten = venue.ask("flatten", "r1")
    made.at(6)
    venue.end(flatten, cancelled=["o1"])
    made.at(66)
    venue.word(1)
    venue.report(1)
    assert venue.undone == [("close_position", MNQ, None)]


def test_an_order_that_has_filled_all_it_could_is_suspected_of_nothing_more(venue):
    assert [each.order_id for each in open_orders(venue.made.kernel, EVAL, venue.made.now)] == ["o1"]
    venue.word(3)
    venue.report(3)
    venue.made.at(67)
    venue.fill(-3, "ours-2")
    venue.end(venue.last_undo)
    venue.made.at(80)
    venue.report(1)
    assert venue.doubts == []
    assert open_orders(venue.made.kernel, EVAL, venue.made.now) == []


# -- what is left ------------------------------------------------------------------------------------------------------


def test_a_position_alone_may_be_somebodys_and_is_left(venue):
    venue.report(1)
    assert (venue.undone, venue.doubts) == ([], [(MNQ, Decimal(1), ["o1"])])


def test_an_order_alone_has_opened_nothing_yet(venue):
    venue.word(1)
    assert (venue.undone, venue.doubts) == ([], [])


def test_what_is_on_the_other_side_of_every_cancelled_order_is_somebodys(venue):
    venue.report(-1)
    assert (venue.undone, venue.doubts) == ([], [])


def test_a_trade_by_hand_that_names_its_order_is_no_doubt_even_where_the_position_was_told_first(venue):
    venue.report(1)
    venue.fill(1, "by-hand", at=venue.made.now - 1)
    assert (venue.undone, venue.doubts) == ([], [])


def test_what_the_order_filled_before_the_proof_explains_nobodys_new_position(world):
    made = world()
    made.quote(21_000)
    made.order("o1", 3)
    venue = Venue.__new__(Venue)
    venue.made, venue.side, venue.quantity = made, Side.BUY, 3
    flatten = venue.ask("flatten", "r1")
    made.at(3)
    venue.fill(1, "o1")
    venue.word(1)
    venue.fill(-1, "ours")
    made.at(6)
    venue.end(flatten, cancelled=["o1"])
    made.at(7)
    venue.word(1)
    venue.report(1)
    assert venue.undone == []


def test_what_the_broker_told_of_an_order_and_no_position_showed_is_history(venue):
    """The flatten had closed it before its proof: the push of that fill was lost as well."""
    venue.word(1)
    venue.made.at(66.001 + SHOWN_NS / 1e9)
    venue.report(0)
    venue.made.at(80)
    venue.report(1)
    assert venue.undone == []
    assert venue.doubts == [(MNQ, Decimal(1), ["o1"])]


def test_a_position_may_show_a_fill_a_little_later_than_the_order(venue):
    venue.word(1)
    venue.made.at(66 + SHOWN_NS / 1e9)
    venue.report(0)
    venue.made.at(80)
    venue.report(1)
    assert venue.undone == [("close_position", MNQ, None)]


def test_a_report_that_is_older_than_what_is_known_changes_nothing(venue):
    venue.fill(1, "by-hand")
    venue.word(1)
    venue.report(1, at=venue.made.now - 60 * 10**9)
    assert (venue.undone, venue.doubts) == ([], [])
    assert venue.made.kernel.late[EVAL].told_at == {}


@pytest.mark.parametrize("more_s", [-1, 0])
def test_a_lost_push_is_watched_for_as_long_as_a_late_fill(venue, more_s):
    venue.made.at(6 + LATE_NS / 1e9 + more_s)
    assert is_watched(venue.made.kernel, EVAL, venue.made.now) is (more_s < 0)
    venue.word(1)
    venue.report(1)
    assert bool(venue.undone) is (more_s < 0)
    assert venue.doubts == []


def test_in_shadow_nothing_is_closed_and_nothing_is_in_doubt(venue):
    now = venue.made.now
    venue.made.send(ArmRequest(at=now, received_at=now, account=EVAL, live=False, operator="ann", reason="test"))
    venue.report(1)
    assert venue.doubts == []
    venue.word(1)
    venue.report(1)
    assert venue.undone == []


def test_a_lock_closes_what_only_a_report_shows_at_once_whoever_it_is(venue):
    now = venue.made.now
    venue.made.send(LockRequest(at=now, received_at=now, account=EVAL, operator="ann", reason="enough"))
    venue.made.forget()
    venue.report(1)
    (action,) = [action for result in venue.made.results for action in result.plan]
    assert (action.name, action.symbol, action.id.partition(":")[0]) == ("close_position", MNQ, "lock@eval")
    venue.word(1)
    venue.report(1)
    assert (venue.undone, venue.doubts) == ([], [])


def test_an_account_that_was_never_flattened_is_never_in_doubt(world):
    made = world()
    assert doubtful(made.kernel, EVAL, made.now) == []
    assert doubtful(made.kernel, AccountId("nobody"), made.now) == []


def test_words_on_what_is_not_known_change_nothing(venue):
    before = venue.made.kernel.late[EVAL].ended["o1"]
    venue.word(1, symbol=Symbol("WHAT"))
    venue.word(1, account=AccountId("nobody"))
    venue.report(1, symbol=Symbol("WHAT"))
    venue.report(1, symbol=Symbol("MES"))
    venue.word(0, order="o9")
    assert venue.made.kernel.late[EVAL].ended["o1"] is before
    assert (before.said, venue.undone) == (Decimal(0), [])


def test_a_fill_of_an_account_or_symbol_that_is_not_known_changes_nothing(venue):
    event = Fill(
        at=venue.made.now, received_at=venue.made.now, account=AccountId("nobody"), symbol=MNQ, fill_id=FillId("x"),
        side=Side.BUY, quantity=Decimal(1), price=Decimal(1),
    )  # fmt: skip
    venue.made.send(event)
    venue.made.send(msgspec.structs.replace(event, account=EVAL, symbol=Symbol("WHAT")))
    assert venue.undone == []


# -- what is remembered ------------------------------------------------------------------------------------------------


def test_orders_that_end_by_themselves_are_forgotten_with_the_action_under_way(world):
    made = world()
    venue = Venue.__new__(Venue)
    venue.made, venue.side, venue.quantity = made, Side.BUY, 3
    made.quote(21_000)
    venue.word(0, order="o0")
    assert made.kernel.late == {}
    flatten = venue.ask("flatten", "r1")
    other = venue.ask("cancel_orders", "r2")
    venue.word(3, order="full", status=OrderStatus.FILLED)
    venue.word(0, order="late", status=EXPIRED)
    assert list(made.kernel.late[EVAL].ended) == ["late"]
    venue.end(other)
    assert list(made.kernel.late[EVAL].ended) == ["late"]
    venue.end(flatten)
    assert made.kernel.late == {}


def test_a_flatten_that_is_stuck_for_long_does_not_remember_every_order(world):
    made = world()
    venue = Venue.__new__(Venue)
    venue.made, venue.side, venue.quantity = made, Side.BUY, 3
    made.quote(21_000)
    venue.ask("flatten", "r1")
    for number in range(REMEMBERED + 2):
        venue.word(0, order=f"o{number}")
    assert len(made.kernel.late[EVAL].ended) == REMEMBERED
    assert next(iter(made.kernel.late[EVAL].ended)) == "o2"


def test_after_more_trades_than_a_ledger_keeps_nothing_is_in_doubt(venue):
    for _ in range(130):
        venue.fill(1, "by-hand")
        venue.fill(-1, "by-hand")
    venue.report(1)
    assert (venue.undone, venue.doubts) == ([], [])


def test_what_an_older_version_kept_is_read(venue):
    old = {"orders": {"o1": 5}, "flatten": None, "flat_at": 3, "counts": {"MNQ": (4, "1")}, "serial": 2}
    found = msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=Aftermath)
    assert (found.orders, found.serial, found.ended, found.settled) == ({"o1": 5}, 2, {}, {})


# -- to the letter -----------------------------------------------------------------------------------------------------


def before_flat(made, *, side=Side.BUY):
    """A venue of which nothing was flattened yet."""
    venue = Venue.__new__(Venue)
    venue.made, venue.side, venue.quantity = made, side, 3
    made.quote(21_000)
    return venue


@pytest.fixture
def blurred(venue):
    """Our close of a late fill took off more than we knew of: nobody knows how much of the order is dealt with."""
    venue.fill(1, "by-hand")
    venue.word(1)
    venue.made.at(67)
    venue.fill(1, "o1")
    undo = venue.last_undo
    venue.made.at(68)
    venue.fill(-2, "ours-2")
    venue.end(undo)
    venue.made.forget().at(70)
    assert untold(venue.made.kernel, EVAL, venue.made.now) == [MNQ]
    return venue


def test_what_was_closed_by_hand_once_our_close_had_failed_is_dealt_with(venue):
    venue.fill(1, "o1")
    venue.end(venue.last_undo, status=OutcomeStatus.FAILED)
    venue.made.at(67)
    venue.fill(-1, "by-hand")
    venue.made.forget().at(400)
    venue.fill(1, "by-hand")
    venue.report(1)
    assert venue.undone == []
    assert (venue.doubts, untold(venue.made.kernel, EVAL, venue.made.now)) == ([], [])


def test_what_failed_and_is_still_there_when_it_is_given_up_is_not_dealt_with(venue):
    venue.fill(1, "o1")
    venue.end(venue.last_undo, status=OutcomeStatus.FAILED)
    arm(venue, live=False)
    venue.made.forget().at(400)
    arm(venue, live=True)
    venue.report(1)
    assert venue.undone == [("close_position", MNQ, None)]


def arm(venue, *, live):
    now = venue.made.now
    venue.made.send(ArmRequest(at=now, received_at=now, account=EVAL, live=live, operator="ann", reason="test"))


@pytest.mark.parametrize("lost", ["memory", "account", "symbol"])
def test_what_is_given_up_where_nothing_is_known_any_more_is_no_trouble(venue, lost):
    venue.fill(1, "o1")
    undo = venue.last_undo
    venue.end(undo, status=OutcomeStatus.FAILED)
    flight = venue.made.kernel.arbiter.flights[undo]
    if lost == "memory":
        venue.made.kernel.late.clear()
        venue.fill(-1, "by-hand")
    elif lost == "account":
        venue.made.kernel.late[AccountId("gone")] = venue.made.kernel.late[EVAL]
        flight.action = msgspec.structs.replace(flight.action, account=AccountId("gone"))
    else:
        flight.action = msgspec.structs.replace(flight.action, symbol=Symbol("MES"))
    venue.made.at(400)
    assert undo not in venue.made.kernel.arbiter.flights


def test_what_else_is_given_up_deals_with_no_late_fill(venue):
    venue.fill(1, "o1")
    venue.end(venue.last_undo, status=OutcomeStatus.FAILED)
    own = PlannedAction(id=ActionId("own"), at=1, name="reduce_to", account=EVAL, symbol=MNQ, params={"quantity": 9.0})
    venue.made.kernel.arbiter.launch(own)
    venue.end("own", status=OutcomeStatus.FAILED)
    venue.made.at(69)
    assert venue.made.kernel.late[EVAL].asked != {}


def test_before_any_flatten_there_is_nothing_to_ask_for(world):
    made = world()
    assert (open_orders(made.kernel, EVAL, made.now), untold(made.kernel, EVAL, made.now)) == ([], [])


def test_an_account_that_is_gone_from_the_set_up_is_never_in_doubt(venue):
    venue.made.kernel.late[AccountId("gone")] = venue.made.kernel.late[EVAL]
    assert doubtful(venue.made.kernel, AccountId("gone"), venue.made.now) == []


def test_what_a_lock_closes_is_no_doubt(venue):
    now = venue.made.now
    venue.made.send(LockRequest(at=now, received_at=now, account=EVAL, operator="ann", reason="enough"))
    venue.report(1)
    assert venue.doubts == []


def test_a_trade_by_hand_is_no_reason_to_close_what_appeared_in_shadow(venue):
    arm(venue, live=False)
    venue.fill(1, "o1")
    arm(venue, live=True)
    venue.fill(1, "by-hand")
    assert venue.undone == []
    venue.report(2)
    assert venue.undone == [("reduce_to", MNQ, 1.0)]


def test_what_appeared_in_shadow_and_is_not_held_any_more_is_not_undone(venue):
    arm(venue, live=False)
    venue.fill(1, "o1")
    arm(venue, live=True)
    venue.made.at(70)
    venue.report(0)
    assert venue.undone == []


def test_a_cancel_that_tells_of_its_orders_after_the_flatten_leaves_them_to_be_watched_too(world):
    venue = before_flat(world())
    venue.made.order("o1", 3)
    cancel, flatten = venue.ask("cancel_orders", "r1"), venue.ask("flatten", "r2")
    venue.made.at(5)
    venue.word(0)
    venue.end(flatten)
    venue.made.at(6)
    venue.end(cancel, cancelled=["o1"])
    venue.made.at(7)
    venue.fill(1, "o1")
    assert venue.undone == [("close_position", MNQ, None)]


def test_an_order_that_still_works_is_none_that_ended(world):
    venue = before_flat(world())
    venue.ask("flatten", "r1")
    venue.word(1, status=OrderStatus.PARTIALLY_FILLED)
    assert venue.made.kernel.late == {}


@pytest.mark.parametrize(("account", "is_echo"), [("live", False), (EVAL, True)])
def test_an_order_that_ends_where_nothing_is_under_way_is_not_remembered(world, account, is_echo):
    venue = before_flat(world())
    action = PlannedAction(id=ActionId("x"), at=1, name="close_position", account=AccountId(account), symbol=MNQ)
    venue.made.kernel.arbiter.launch(action)
    venue.made.kernel.arbiter.flights["x"].echo = is_echo
    venue.word(0)
    assert venue.made.kernel.late == {}


def test_the_same_word_once_more_is_no_news(venue):
    """It is as old as it was: what no position has shown for so long is history."""
    venue.word(1)
    venue.made.at(100)
    venue.word(1)
    venue.made.at(103)
    venue.report(0)
    venue.made.at(110)
    venue.report(1)
    assert (venue.undone, venue.doubts) == ([], [(MNQ, Decimal(1), ["o1"])])


def test_an_order_that_was_never_heard_of_is_known_from_the_first_word_on_it(world):
    venue = before_flat(world())
    venue.end(venue.ask("flatten", "r1"), cancelled=["o5"])
    venue.made.at(60)
    venue.fill(1, "o5")
    venue.made.at(61)
    venue.fill(-1, "ours")
    venue.end(venue.last_undo)
    assert venue.undone == [("close_position", MNQ, None)]
    assert open_orders(venue.made.kernel, EVAL, venue.made.now) == []
    venue.made.forget().at(62)
    cancel = venue.ask("cancel_orders", "r2")
    venue.word(1, order="o5")
    venue.end(cancel)
    venue.made.at(63)
    venue.word(2, order="o5")
    venue.report(1)
    assert venue.undone == [("close_position", MNQ, None)]


def test_an_order_that_is_cancelled_once_more_is_remembered_as_it_was(world):
    venue = before_flat(world())
    venue.made.order("o1", 3)
    venue.end(venue.ask("flatten", "r1"), cancelled=["o1"])
    venue.made.at(66)
    venue.word(1, status=OrderStatus.PARTIALLY_FILLED)
    venue.end(venue.ask("cancel_orders", "r2"), cancelled=["o1"])
    venue.report(1)
    assert venue.undone == [("close_position", MNQ, None)]


def test_what_fills_after_an_undoing_of_which_no_flatten_is_known_is_left(venue):
    """A snapshot of an older version knew of no flatten."""
    venue.fill(1, "o1")
    undo, proven = venue.last_undo, venue.made.now
    venue.made.kernel.late.clear()
    venue.made.at(67)
    venue.fill(2, "o1")
    venue.fill(-2)
    venue.end(undo, at=proven, cancelled=["o1"])
    assert len(venue.undone) == 1


def test_a_late_fill_that_was_left_is_dealt_with(world):
    venue = Venue(world(), side=Side.SELL)
    venue.fill(4, "by-hand")
    venue.fill(-1, "o1")
    venue.fill(-4, "by-hand")
    venue.report(-1)
    assert (venue.undone, venue.doubts) == ([], [])


def test_where_it_is_not_known_how_much_is_dealt_with_the_word_on_an_order_explains_nothing(blurred):
    blurred.fill(1, "o1")
    blurred.word(3)
    blurred.report(3)
    assert blurred.undone == [("reduce_to", MNQ, 2.0)]


def test_the_next_flatten_makes_all_of_it_certain_again(blurred):
    blurred.made.at(80)
    flatten = blurred.ask("flatten", "r2")
    blurred.end(flatten)
    assert untold(blurred.made.kernel, EVAL, blurred.made.now) == []
    blurred.made.forget().at(90)
    blurred.word(2)
    blurred.report(1)
    assert blurred.undone == [("close_position", MNQ, None)]


def test_a_close_of_another_symbol_makes_nothing_certain(blurred):
    blurred.made.send(
        Fill(at=blurred.made.now, received_at=blurred.made.now, account=EVAL, symbol=Symbol("MES"), side=Side.BUY,
             fill_id=FillId("other"), quantity=Decimal(1), price=Decimal(21_000), order_id=OrderId("by-hand"))
    )  # fmt: skip
    close = PlannedAction(id=ActionId("c"), at=1, name="close_position", account=EVAL, symbol=Symbol("MES"))
    blurred.made.kernel.arbiter.launch(close)
    blurred.end("c")
    assert untold(blurred.made.kernel, EVAL, blurred.made.now) == [MNQ]
    blurred.word(2)
    blurred.report(1)
    assert blurred.undone == []


def test_what_was_kept_back_is_dealt_with_where_our_close_took_off_too_much(venue):
    venue.fill(1)
    venue.word(1)
    venue.made.at(67)
    venue.fill(1, "o1")
    undo = venue.last_undo
    venue.word(2)
    venue.made.at(68)
    venue.fill(-2, "ours-2")
    venue.end(undo)
    venue.made.at(80)
    venue.end(venue.ask("flatten", "r2"))
    venue.made.forget().at(90)
    venue.report(1)
    assert venue.undone == []


def test_a_push_that_comes_while_its_fill_is_undone_leaves_no_question(venue):
    venue.word(1)
    venue.report(1)
    venue.fill(1, "o1", at=venue.made.now - 1)
    venue.made.at(67)
    venue.fill(-1, "ours-2")
    venue.end(venue.last_undo)
    assert untold(venue.made.kernel, EVAL, venue.made.now) == []


def test_what_the_broker_told_of_by_the_next_flatten_is_part_of_that(venue):
    venue.made.at(70)
    flatten = venue.ask("flatten", "r2")
    venue.word(1)
    venue.end(flatten)
    venue.made.at(80)
    venue.report(1)
    assert (venue.undone, venue.doubts) == ([], [(MNQ, Decimal(1), ["o1"])])


def test_what_the_broker_told_of_after_the_proof_is_not_dealt_with_by_it(venue):
    venue.fill(1, "o1")
    undo = venue.last_undo
    venue.made.at(67)
    venue.fill(-1, "ours-2")
    proven = venue.made.now
    venue.made.at(68)
    venue.word(2)
    venue.made.at(69)
    venue.end(undo, at=proven)
    venue.made.forget().at(70)
    venue.report(1)
    assert venue.undone == [("close_position", MNQ, None)]


def test_what_fills_in_the_very_instant_of_the_proof_is_part_of_the_flatten(world):
    made = world()
    venue = before_flat(made)
    made.order("o1", 3)
    made.fill(3, 21_000)
    flatten = venue.ask("flatten", "r1")
    made.at(6)
    venue.word(0)
    venue.fill(-3, "ours")
    venue.end(flatten, cancelled=["o1"])
    made.at(66)
    venue.fill(1)
    assert venue.doubts == [(MNQ, Decimal(1), ["o1"])]


def test_what_was_told_after_it_was_undone_hides_no_later_one(venue):
    venue.word(1)
    venue.report(1)
    venue.made.at(67)
    venue.fill(-1, "ours-2")
    venue.end(venue.last_undo)
    venue.made.forget().at(70)
    venue.fill(2, "by-hand")
    venue.fill(1, "o1", at=venue.made.now - 5)
    venue.made.at(80)
    venue.word(2)
    venue.report(3)
    assert venue.undone == [("reduce_to", MNQ, 2.0)]


@pytest.mark.parametrize(("count", "is_doubtful"), [(249, True), (250, False)])
def test_half_as_many_trades_as_a_ledger_keeps_are_sure_to_be_all_of_them(venue, count, is_doubtful):
    for number in range(count):
        venue.fill(-1 if number % 2 else 1, "by-hand")
    venue.report(count % 2 + 1)
    assert bool(venue.doubts) is is_doubtful


def test_no_more_is_explained_than_a_position_shows(venue):
    venue.fill(2, "by-hand")
    venue.word(2)
    venue.report(3)
    assert venue.undone == [("reduce_to", MNQ, 2.0)]


def test_an_order_that_ended_by_itself_is_asked_for_by_nobody(venue):
    venue.ask("cancel_orders", "r2")
    venue.word(0, order="other")
    assert [each.order_id for each in open_orders(venue.made.kernel, EVAL, venue.made.now)] == ["o1"]
    venue.word(1, order="other")
    assert untold(venue.made.kernel, EVAL, venue.made.now) == []
    venue.report(1)
    assert (venue.undone, venue.doubts) == ([], [(MNQ, Decimal(1), ["o1"])])


def test_a_position_that_was_told_long_after_the_order_need_not_be_told_again(venue):
    venue.word(1)
    venue.made.at(80)
    venue.report(1)
    assert venue.undone == [("close_position", MNQ, None)]
    assert untold(venue.made.kernel, EVAL, venue.made.now) == []


@pytest.mark.parametrize(("by_hand", "held"), [(-2, -1), (-1, 0)])
def test_what_made_somebodys_position_smaller_is_no_doubt(venue, by_hand, held):
    venue.fill(by_hand, "by-hand")
    venue.report(held)
    assert venue.doubts == []


def test_an_order_of_another_symbol_explains_nothing(world):
    made = world()
    venue = before_flat(made)
    made.order("o1", 3)
    made.order("o2", 3, "MES")
    venue.end(venue.ask("flatten", "r1"), cancelled=["o1", "o2"])
    made.at(66)
    venue.word(1, order="o2", symbol=Symbol("MES"))
    venue.report(1)
    assert (venue.undone, venue.doubts) == ([], [(MNQ, Decimal(1), ["o1"])])


def test_a_report_between_a_proof_and_its_outcome_is_asked_for_once_more(venue):
    venue.fill(1, "o1")
    undo = venue.last_undo
    venue.made.at(67)
    venue.fill(-1, "ours-2")
    proven = venue.made.now
    venue.made.at(68)
    venue.report(2)
    venue.made.at(69)
    venue.fill(2, "by-hand", at=venue.made.now - 1_500_000_000)
    venue.end(undo, at=proven)
    assert untold(venue.made.kernel, EVAL, venue.made.now) == [MNQ]
    venue.made.forget().at(70)
    venue.report(2)
    assert (venue.undone, venue.doubts) == ([], [])


def test_a_late_fill_is_not_counted_twice_where_somebody_sold_without_a_push(venue):
    venue.fill(2, "by-hand")
    venue.made.at(67)
    venue.report(1)
    venue.made.at(68)
    venue.fill(1, "o1")
    assert venue.undone == [("reduce_to", MNQ, 1.0)]


def test_of_two_orders_no_more_is_kept_back_than_is_held(world):
    made = world()
    venue = before_flat(made)
    made.order("o1", 3)
    made.order("o2", 3)
    venue.end(venue.ask("flatten", "r1"), cancelled=["o1", "o2"])
    made.at(66)
    venue.fill(1)
    made.at(67)
    venue.fill(1, "o1")
    undo = venue.last_undo
    assert venue.undone == [("reduce_to", MNQ, 1.0)]
    venue.word(2)
    venue.word(1, order="o2")
    made.at(68)
    venue.fill(-1, "ours-2")
    venue.end(undo)
    made.forget().at(80)
    venue.report(2)
    assert venue.undone == [("reduce_to", MNQ, 1.0)]


def test_a_word_on_one_side_says_nothing_of_a_position_on_the_other(venue):
    venue.word(1)
    assert venue.report(-1).notices == ()
    venue.made.at(67)
    venue.report(1)
    assert venue.undone == [("close_position", MNQ, None)]


# -- any story ---------------------------------------------------------------------------------------------------------


class Story:
    """`by_hand` and `late` are what is really held; pushes are heard, heard without an order, or lost."""

    def __init__(self, world):
        self.venue = Venue(world, quantity=20)
        self.by_hand = self.late = self.filled = 0
        self.seconds = 70.0

    def wait(self, seconds):
        self.seconds += seconds
        self.venue.made.at(self.seconds)

    def trade(self, who, how, size):
        self.undo("heard")  # what is traded while something is being closed may be closed with it
        self.wait(1)
        if who == "hand":
            self.by_hand += size
        else:
            self.late += size
            self.filled += size
        if how != "lost":
            order = "by-hand" if who == "hand" else "o1"
            self.venue.fill(size, order if how == "heard" else None)
        elif who == "hand":
            self.tell("position")  # a pull shows it before anything else goes wrong

    def tell(self, what):
        if what in ("order", "both"):
            self.venue.word(self.filled)
        if what in ("position", "both"):
            self.venue.report(self.by_hand + self.late)

    def undo(self, how):
        """What was planned is done at the venue; its push is heard, or the position alone is told."""
        flights = self.venue.made.kernel.arbiter.flights
        while key := next((key for key in flights if key.startswith("late@")), None):
            excess = self.by_hand + self.late - (flights[key].action.params.get("quantity") or 0)
            assert excess <= self.late, "somebody's trade is closed"
            self.late -= max(0, excess)
            if excess > 0 and how == "heard":
                self.venue.fill(-int(excess), f"ours-{key}")
            elif excess > 0:
                self.venue.report(self.by_hand + self.late)
            self.venue.end(key)


@settings(max_examples=60, deadline=None)
@given(
    trades=st.lists(
        st.tuples(st.sampled_from(["hand", "late"]), st.sampled_from(["heard", "nameless", "lost"]), st.integers(1, 2)),
        max_size=6,
    ),
    said=st.lists(st.sampled_from(["order", "position", "both", "nothing"]), min_size=6, max_size=6),
    undone=st.lists(st.sampled_from(["heard", "lost", ""]), min_size=6, max_size=6),
)
def test_whatever_is_lost_nothing_of_others_is_closed_and_every_late_fill_is_closed_or_told(
    kernel_makers, trades, said, undone
):
    story = Story(kernel_makers[0]())
    for (who, how, size), what, push in zip(trades, said, undone, strict=False):
        story.wait(1)
        story.trade(who, how, size)
        story.tell(what)
        story.wait(1)
        if push:
            story.undo(push)
    for _ in range(3):
        story.wait(10)
        story.undo("heard")
        story.tell("both")
        story.undo("lost")
    assert story.by_hand == sum(size for who, _, size in trades if who == "hand")
    assert not story.late or story.venue.doubts
    assert story.venue.made.kernel.late[EVAL].unsure == {}
    assert not any(key.startswith("late@") for key in story.venue.made.kernel.arbiter.flights)
