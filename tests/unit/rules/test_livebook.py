"""The register of live incidents: what holds, blocks and silences is found without a look at them all."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from haltline.model.id import IncidentId
from haltline.model.rule import Scope
from haltline.model.verdict import Phase
from haltline.rules.incident import Incident
from haltline.rules.livebook import EVERYBODY, LiveBook
from haltline.rules.rule import Rule


def incident(name: str = "i", *, scope: Scope = Scope.ACCOUNT, shadow: bool = False, suppresses: tuple[str, ...] = ()):  # type: ignore[no-untyped-def]
    rule = SimpleNamespace(id="r", shadow=shadow, suppresses=suppresses)
    entity: Any = SimpleNamespace(scope=scope, id="eval", symbol="MNQ")
    if scope is Scope.POSITION:
        entity.account = SimpleNamespace(id="eval")
    return Incident(cast("Rule", rule), entity, IncidentId(name), 0)


def test_an_incident_holds_while_a_timer_runs() -> None:
    book, one = LiveBook(), incident()
    book.add(one)
    assert book.holding == {}
    one.fire_at = 5
    book.note(one)
    assert list(book.holding) == ["i"]
    one.fire_at, one.clear_at = None, 7
    book.note(one)
    assert list(book.holding) == ["i"]
    one.clear_at = None
    book.note(one)
    assert book.holding == {}


def test_what_is_due_comes_in_the_order_in_which_it_began() -> None:
    book = LiveBook()
    every = [incident(f"i{number}") for number in range(4)]
    for one in every:
        book.add(one)
    for number, one in reversed(list(enumerate(every))):
        one.fire_at = 10 if number < 3 else 11
        book.note(one)
    assert [one.id for one in book.due(10)] == ["i0", "i1", "i2"]


@pytest.mark.parametrize(
    ("scope", "whom"), [(Scope.ACCOUNT, "eval"), (Scope.POSITION, "eval"), (Scope.PORTFOLIO, EVERYBODY)]
)
def test_an_account_is_blocked_for_as_long_as_anything_blocks_it(scope: Scope, whom: str) -> None:
    book, one, two = LiveBook(), incident("a", scope=scope), incident("b", scope=scope)
    for each in (one, two):
        each.blocks = True
        book.add(each)
        book.note(each)
    assert (book.blocked, list(book.blocking), book.barring) == ({whom: 2}, ["a", "b"], {})
    one.blocks = False
    book.note(one)
    assert book.blocked == {whom: 1}
    book.drop(two)
    assert (book.blocked, book.blocking) == ({}, {})


def test_what_waits_blocks_as_well() -> None:
    book, one = LiveBook(), incident()
    book.add(one)
    one.waits = "for evidence"
    book.note(one)
    assert book.blocked == {"eval": 1}
    other, named = incident("blocks without waiting"), incident("named")
    other.blocks = True
    book.add(other)
    book.add(named)
    assert list(book.marked(["named", "gone"])) == [named, one]
    assert list(book.marked([])) == [one]


def test_an_instrument_bars_whoever_holds_it_then() -> None:
    book, one = LiveBook(), incident(scope=Scope.INSTRUMENT)
    one.blocks = True
    book.add(one)
    assert (list(book.barring), book.blocked) == (["i"], {})
    one.blocks = False
    book.note(one)
    assert book.barring == {}


@pytest.mark.parametrize("scope", [Scope.ACCOUNT, Scope.INSTRUMENT])
def test_what_is_in_shadow_blocks_nobody(scope: Scope) -> None:
    book, one = LiveBook(), incident(scope=scope, shadow=True)
    one.blocks = True
    book.add(one)
    assert (list(book.blocking), book.barring, book.blocked) == (["i"], {}, {})
    book.drop(one)
    assert book.blocking == {}


def test_a_breach_of_a_rule_that_suppresses_others_silences() -> None:
    book, one, other = LiveBook(), incident(suppresses=("x",)), incident("j")
    one.phase = other.phase = Phase.BREACHED
    book.add(one)
    book.add(other)
    assert list(book.silencing) == ["i"]
    one.phase = Phase.WARNING
    book.note(one)
    assert book.silencing == {}


def test_what_is_not_live_is_not_registered_and_dropping_it_is_nothing() -> None:
    book, one = LiveBook(), incident()
    one.blocks, one.fire_at = True, 3
    for change in (book.note, book.drop):
        change(one)
        assert (book, book.holding, book.blocking, book.blocked) == ({}, {}, {}, {})


def test_an_incident_that_is_added_again_keeps_its_place() -> None:
    book, one, two = LiveBook(), incident("a"), incident("b")
    for each in (one, two, one):
        book.add(each)
    assert (list(book), one.place, two.place) == (["a", "b"], 1, 2)


def test_once_cleared_nothing_is_left_and_once_renewed_all_is_as_the_incidents_say() -> None:
    book, one = LiveBook(), incident(suppresses=("x",))
    one.blocks, one.clear_at, one.phase = True, 5, Phase.BREACHED
    book.add(one)
    one.rule = cast("Rule", SimpleNamespace(id="r", shadow=True, suppresses=()))
    book.renew()
    assert (list(book.holding), list(book.blocking), book.silencing, book.blocked) == (["i"], ["i"], {}, {})
    book.clear()
    assert (book, book.holding, book.blocking) == ({}, {}, {})
