"""Whether, and since when, an account cannot be seen."""

import math
from decimal import Decimal

from haltline.clock import NS_PER_S
from haltline.model.account import AccountSpec
from haltline.model.event import ConnectionStatus, ConnectionUpdate
from haltline.model.id import AccountId
from haltline.state.state import State, StateSettings

EVAL = AccountId("eval")


def fresh() -> State:
    return State(StateSettings(accounts=(AccountSpec(id=EVAL, balance=Decimal(1)),), now=NS_PER_S))


def said(state: State, status: ConnectionStatus, second: int, *, heard: int | None = None) -> None:
    now = (second if heard is None else heard) * NS_PER_S
    state.apply(ConnectionUpdate(at=second * NS_PER_S, received_at=now, account=EVAL, status=status), now)


def test_before_the_first_word_nothing_is_known() -> None:
    account = fresh().accounts[EVAL]
    assert (account.connected, account.connection, math.isnan(account.blind_at)) == (None, None, True)
    assert account.unknown_reason("blind_for") == "the broker of eval has not said"


def test_it_is_blind_since_it_was_lost_and_other_words_do_not_begin_anew() -> None:
    state = fresh()
    said(state, ConnectionStatus.CONNECTED, 2)
    said(state, ConnectionStatus.DEGRADED, 5, heard=7)
    said(state, ConnectionStatus.DISCONNECTED, 9)
    account = state.accounts[EVAL]
    assert (account.connection, account.blind_at) == ("disconnected", 5.0)
    said(state, ConnectionStatus.CONNECTED, 10)
    assert math.isnan(account.blind_at)


def test_it_survives_a_restart() -> None:
    state, again = fresh(), fresh()
    said(state, ConnectionStatus.DISCONNECTED, 5)
    again.restore(state.snapshot())
    account = again.accounts[EVAL]
    assert (account.connected, account.connection, account.blind_at) == (False, "disconnected", 5.0)
