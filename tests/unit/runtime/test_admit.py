"""What a broken plugin hands over is refused with a reason; it never reaches journal or kernel."""

import math
from decimal import Decimal
from typing import Any, cast

import msgspec
import pytest

from haltline.model.event import AccountReport, Event, Fill, OverrideGrant, Quote, Release, Tick
from haltline.model.id import AccountId, FillId, RuleId, Symbol
from haltline.model.order import Side
from haltline.runtime.admit import admit


def quote(**changes: Any) -> Quote:
    return Quote(**({"at": 1, "received_at": 1, "symbol": Symbol("MNQ"), "last": 21000.0} | changes))


def fill(**changes: Any) -> Fill:
    known = {
        "at": 1, "received_at": 1, "account": AccountId("eval"), "symbol": Symbol("MNQ"), "fill_id": FillId("f"),
        "side": Side.BUY, "quantity": Decimal(1), "price": Decimal(21000),
    }  # fmt: skip
    return Fill(**(known | changes))


@pytest.mark.parametrize("event", (quote(), quote(last=21000), fill(), Tick(at=1, received_at=1)))
def test_what_is_well_formed_is_taken(event: Event) -> None:
    assert admit(event) == event


def test_numbers_take_the_type_they_have_on_record() -> None:
    taken = admit(fill(quantity=1.5, price="21000"))
    assert isinstance(taken, Fill)
    assert (taken.quantity, taken.price) == (Decimal("1.5"), Decimal(21000))
    assert isinstance(taken.quantity, Decimal)


@pytest.mark.parametrize(
    "changes",
    (
        {"last": "21000"}, {"last": math.nan}, {"bid": True}, {"ask": Decimal(1)}, {"volume_24h": math.inf},
        {"symbol": None}, {"symbol": "\ud800"}, {"symbol": "\x1b[2J"}, {"symbol": "A" * 1000}, {"at": None},
        {"at": 1.5}, {"received_at": -1}, {"at": 10**30}, {"last": 10**400},
    ),
)  # fmt: skip
def test_a_quote_of_wrong_types_is_refused(changes: dict[str, Any]) -> None:
    assert str(admit(quote(**changes))).startswith("Quote")


@pytest.mark.parametrize(
    "changes",
    (
        {"quantity": "5x"}, {"side": "up"}, {"fill_id": None}, {"account": "\ud800"}, {"at": 10**30}, {"at": -1},
        {"quantity": None}, {"price": 1.5 + 1j},
    ),
)  # fmt: skip
def test_a_fill_that_the_journal_could_not_give_back_is_refused(changes: dict[str, Any]) -> None:
    assert str(admit(fill(**changes))).startswith("Fill was refused")


def test_a_number_that_is_not_finite_is_refused() -> None:
    report = AccountReport(at=1, received_at=1, account=AccountId("eval"), equity=math.nan)
    assert admit(report) == "AccountReport was refused: equity is not a finite number"


@pytest.mark.parametrize("extra", [math.nan, math.inf, -math.inf])
def test_more_room_that_is_no_number_never_becomes_an_exemption(extra: float) -> None:
    grant = OverrideGrant(
        at=1, received_at=1, grant_id="g", rule=RuleId("loss"), entity="eval", until=9, operator="a", reason="b",
        extra=extra,
    )  # fmt: skip
    assert admit(grant) == "OverrideGrant was refused: extra is not a finite number"
    for sound in (150.0, None):
        assert admit(msgspec.structs.replace(grant, extra=sound)) == msgspec.structs.replace(grant, extra=sound)


def test_a_word_that_cannot_be_written_is_refused() -> None:
    assert "refused" in str(admit(Release(at=1, received_at=1, operator="me", reason="\ud800")))


@pytest.mark.parametrize("thing", ("hello", None, 42, {"type": "Quote"}))
def test_what_is_no_event_is_refused(thing: object) -> None:
    assert "no event" in str(admit(cast("Event", thing)))
