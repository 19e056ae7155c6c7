"""The store: what it finds by scope and key, what it leaves to the kernel, and when it wants to be woken."""

import pytest

from haltline.model.event import Acknowledge, ArmRequest, ConnectionStatus
from haltline.model.id import AccountId, IncidentId
from haltline.model.order import OrderType
from haltline.model.rule import Scope
from haltline.state.state import State, StateSettings


@pytest.mark.parametrize(
    "event",
    [
        Acknowledge(at=0, received_at=0, incident=IncidentId("i"), operator="me"),
        ArmRequest(at=0, received_at=0, account=AccountId("eval"), operator="me", live=True),
    ],
)
def test_an_operators_word_is_left_to_the_kernel(world, event):
    before = world.state.snapshot()
    assert world.apply(event) == []
    assert repr(world.state.snapshot()) == repr(before)


def test_a_state_without_accounts_and_instruments_waits_for_nothing():
    assert State(StateSettings()).deadline is None


@pytest.mark.parametrize(
    ("scope", "key", "found"),
    [
        (Scope.PORTFOLIO, "portfolio", True),
        (Scope.PORTFOLIO, "eval", False),
        (Scope.ACCOUNT, "eval", True),
        (Scope.ACCOUNT, "nobody", False),
        (Scope.INSTRUMENT, "ENQ", True),
        (Scope.POSITION, "eval/MNQ", True),
        (Scope.POSITION, "eval/ES", False),
        (Scope.ORDER, "eval/o", True),
        (Scope.FILL, "eval/f1", True),
        (Scope.INTENT, "eval/MNQ", False),
    ],
)
def test_entities_are_found_by_scope_and_key(world, scope, key, found):
    world.fill(1, 21000)
    world.order("o", 1, OrderType.MARKET)
    assert (world.state.entity(scope, key) is not None) is found


def test_each_entity_is_touched_once_with_all_that_changed(world):
    world.quote(last=21000.0)
    world.state.apply(world.make_fill(1, 21000), world.now)
    account = world.account
    assert world.state.touched.count(account) == 1
    assert account.changed


def test_time_that_passes_with_an_event_is_dealt_with_before_it(make_world):
    world = make_world(stale_s=10)
    world.fill(1, 21000)
    world.quote(last=21000.0)
    late = world.now + 11 * 10**9
    touched = world.apply(world.make_fill(1, 21000, symbol="ES"), late)
    assert "instrument MNQ" in touched
    assert world.state.instruments["MNQ"].stale


def test_an_account_knows_when_its_broker_last_spoke(world):
    world.connection(ConnectionStatus.DEGRADED)
    world.wait(1)
    world.broker(can_trade=True)
    account = world.account
    assert (account.as_of("connected"), account.as_of("can_trade")) == (world.now - 10**9, world.now)
    assert account.as_of("id") is None
    assert account.provenance("id").source == "account eval, id"
