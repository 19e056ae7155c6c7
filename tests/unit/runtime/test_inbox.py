"""What waits for the pump: in order, quotes conflate when behind, nothing else is ever dropped."""

import pytest

from haltline.errors import InvariantBroken
from haltline.model.event import Event, Quote, Tick
from haltline.model.id import Symbol
from haltline.runtime.inbox import Inbox


def quote(symbol: str, at: int) -> Quote:
    return Quote(at=at, received_at=at, symbol=Symbol(symbol), bid=1.0)


def test_events_come_out_in_the_order_they_came_in() -> None:
    inbox = Inbox()
    events: list[Event] = [quote("A", 1), Tick(at=2, received_at=2), quote("A", 3)]
    for event in events:
        inbox.put(event)
    assert inbox.take(10) == events
    assert not inbox.wake.is_set()


def test_when_behind_a_newer_quote_takes_the_place_of_the_one_of_its_symbol() -> None:
    inbox = Inbox(behind=1)
    for event in (quote("A", 1), quote("B", 2), quote("A", 3)):
        inbox.put(event)
    assert len(inbox) == 2
    assert [event.at for event in inbox.take(10)] == [3, 2]
    assert inbox.conflated == 1


def test_a_symbol_does_not_wait_longer_for_being_quoted_more_often() -> None:
    inbox = Inbox(behind=3)
    for at in range(5):
        inbox.put(quote(f"S{at}", at))
    inbox.put(quote("BUSY", 5))
    taken: list[Event] = []
    for at in range(6, 16):
        inbox.put(quote(f"S{at}", at))
        inbox.put(quote("BUSY", at))
        taken += inbox.take(1)
    assert [event.symbol for event in taken if isinstance(event, Quote)].index(Symbol("BUSY")) == 5


def test_a_quote_that_was_taken_is_not_replaced() -> None:
    inbox = Inbox(behind=0)
    inbox.put(quote("A", 1))
    assert len(inbox.take(1)) == 1
    inbox.put(quote("A", 2))
    assert (len(inbox.take(1)), inbox.conflated) == (1, 0)


def test_too_many_events_that_are_not_quotes_end_the_engine() -> None:
    inbox = Inbox(capacity=2)
    for at in range(3):
        inbox.put(Tick(at=at, received_at=at))
    with pytest.raises(InvariantBroken, match="more than 2 events"):
        inbox.take(1)


def test_quotes_alone_never_overflow() -> None:
    inbox = Inbox(behind=2, capacity=10)
    for at in range(1000):
        inbox.put(quote("A", at))
    assert inbox.take(1000)[-1].at == 999
