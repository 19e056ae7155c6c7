"""A lock that begins before the broker was heard of closes nothing that was open before."""

from decimal import Decimal

import pytest

from haltline.clock import NS_PER_S
from haltline.model.event import ConnectionStatus, ConnectionUpdate, Fill, LockRequest, PositionReport
from haltline.model.id import AccountId, FillId, Symbol
from haltline.model.order import Side

EVAL, OTHER, MNQ = AccountId("eval"), AccountId("live"), Symbol("MNQ")


def connected(made, status=ConnectionStatus.CONNECTED):
    return made.send(ConnectionUpdate(at=made.now, received_at=made.now, account=EVAL, status=status))


def lock(made, symbol=None):
    return made.send(
        LockRequest(at=made.now, received_at=made.now, account=EVAL, operator="ann", reason="news", symbol=symbol)
    )


def fill(made, quantity, *, ago_s, fill_id="f", voided=False, account=EVAL):
    return made.send(
        Fill(
            at=made.now - round(ago_s * NS_PER_S), received_at=made.now, account=account, symbol=MNQ,
            fill_id=FillId(fill_id), side=Side.BUY if quantity > 0 else Side.SELL, quantity=Decimal(abs(quantity)),
            price=Decimal(21_000), voided=voided,
        )
    )  # fmt: skip


def report(made, quantity, *, opened_ago_s, ago_s=0):
    opened = None if opened_ago_s is None else made.now - round(opened_ago_s * NS_PER_S)
    return made.send(
        PositionReport(
            at=made.now - round(ago_s * NS_PER_S), received_at=made.now, account=EVAL, symbol=MNQ,
            quantity=Decimal(quantity), average_price=Decimal(21_000), opened_at=opened,
        )
    )  # fmt: skip


@pytest.fixture
def locked(world):
    """Somebody locked at once, ten seconds ago; then the broker came."""
    made = world()
    made.at(1)
    lock(made)
    made.at(11)
    connected(made)
    return made.forget()


@pytest.mark.parametrize("symbol", [None, MNQ])
def test_what_was_filled_before_stays(world, symbol):
    made = world()
    made.at(1)
    lock(made, symbol)
    made.at(11)
    fill(made, 3, ago_s=60)
    fill(made, -1, ago_s=30, fill_id="g")
    made.at(60)
    assert made.actions == []


def test_what_was_filled_since_is_closed(locked):
    fill(locked, 3, ago_s=5)
    assert locked.actions == ["close_position"]


def test_of_what_was_enlarged_the_rest_is_taken_back(locked):
    fill(locked, 3, ago_s=60)
    fill(locked, 2, ago_s=5, fill_id="g")
    (action,) = [action for result in locked.results for action in result.plan]
    assert (action.name, action.params) == ("reduce_to", {"quantity": 3.0})


def test_a_fill_that_is_told_twice_or_voided_allows_no_more(locked):
    fill(locked, 3, ago_s=60)
    fill(locked, 3, ago_s=60)
    fill(locked, 3, ago_s=60, voided=True)
    fill(locked, 3, ago_s=5, fill_id="g")
    assert locked.actions[-1] == "close_position"


def test_a_position_that_was_opened_before_stays(locked):
    report(locked, 3, opened_ago_s=3600)
    assert locked.actions == []


def test_and_may_not_be_enlarged(locked):
    report(locked, 3, opened_ago_s=3600)
    locked.at(12)
    report(locked, 5, opened_ago_s=3600)
    assert locked.actions == ["reduce_to"]


@pytest.mark.parametrize("opened_ago_s", [5, 10, None])
def test_a_position_that_was_opened_since_or_does_not_say_is_closed(locked, opened_ago_s):
    report(locked, 3, opened_ago_s=opened_ago_s)
    assert locked.actions == ["close_position"]


def test_a_position_without_a_time_that_was_pulled_with_what_led_to_the_lock_stays(world):
    """A pull tells the balance first: a rule on it locks before the positions of the same pull are known."""
    made = world()
    made.at(1)
    lock(made)
    report(made, 3, opened_ago_s=None)
    made.at(11)
    connected(made)
    made.at(60)
    assert made.actions == []


def test_a_broker_that_was_heard_of_leaves_nothing_in_the_dark(world):
    made = world()
    connected(made)
    made.at(1)
    lock(made)
    made.at(11)
    fill(made, 3, ago_s=60)
    assert made.actions == ["close_position"]


def test_it_is_dark_again_while_the_broker_is_away(world):
    made = world()
    connected(made)
    connected(made, ConnectionStatus.DISCONNECTED)
    made.at(1)
    lock(made)
    made.at(11)
    fill(made, 3, ago_s=60)
    assert made.actions == []


def test_a_restart_changes_nothing(locked):
    locked.restart()
    fill(locked, 3, ago_s=60)
    assert locked.actions == []


def test_a_report_that_was_refused_tells_nothing(locked):
    refused = PositionReport(
        at=locked.now, received_at=locked.now, account=EVAL, symbol=Symbol("???"), quantity=Decimal(1),
        average_price=Decimal(1), opened_at=1,
    )  # fmt: skip
    assert "was refused" in locked.send(refused).notices[0]
    assert locked.kernel.governor.allowances == {"operator@eval": {}}


def test_a_fill_that_is_told_twice_at_one_instant_allows_no_more(locked):
    fill(locked, 3, ago_s=60)
    fill(locked, 3, ago_s=60)
    fill(locked, 3, ago_s=5, fill_id="g")
    (action,) = [action for result in locked.results for action in result.plan]
    assert (action.name, action.params) == ("reduce_to", {"quantity": 3.0})


def test_what_was_bought_before_in_several_fills_stays(locked):
    fill(locked, 3, ago_s=60)
    fill(locked, 2, ago_s=30, fill_id="g")
    assert locked.actions == []


def test_what_happened_just_when_the_lock_began_happened_under_it(locked):
    fill(locked, 3, ago_s=10)
    assert locked.actions == ["close_position"]


def test_what_was_bought_in_another_account_allows_nothing_here(locked):
    """Both are locked in the dark, and what one of them held the other one did not."""
    locked.send(LockRequest(at=locked.now, received_at=locked.now, account=OTHER, operator="ann", reason="news"))
    for account in (EVAL, OTHER):
        fill(locked, 3, ago_s=60, account=account, fill_id=account)
    allowances = locked.kernel.governor.allowances
    assert allowances == {"operator@eval": {MNQ: 3.0}, "operator@live": {MNQ: 3.0}}


def test_a_lock_on_a_symbol_minds_no_other_one(world):
    made = world()
    made.at(1)
    lock(made, Symbol("MES"))
    made.at(11)
    fill(made, 3, ago_s=60)
    assert made.kernel.governor.allowances == {"operator@eval/MES": {}}


def test_a_position_that_is_reported_flat_is_none(locked):
    report(locked, 0, opened_ago_s=3600)
    assert locked.actions == []
    locked.at(12)
    fill(locked, 1, ago_s=0)
    assert locked.actions == ["close_position"]


def is_owed(made):
    """Whether what was asked for first is still needed."""
    action = next(action for result in made.results for action in result.plan)
    return made.kernel.governor.is_owed(action)


def test_where_fills_tell_of_a_position_a_report_allows_none(locked):
    fill(locked, 3, ago_s=5)
    locked.at(12)
    report(locked, 3, opened_ago_s=3600)
    assert is_owed(locked)


def test_a_report_older_than_the_last_one_allows_nothing(locked):
    """It tells of another size than the one that is held now."""
    report(locked, 5, opened_ago_s=5)
    report(locked, 3, opened_ago_s=3600, ago_s=10)
    assert is_owed(locked)
