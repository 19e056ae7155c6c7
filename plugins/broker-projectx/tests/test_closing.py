"""Which of the platform's orders is the one that it made of a close, since `closeContract` names none."""

from typing import Any

import msgspec
import pytest

from haltline.clock import NS_PER_S, to_iso
from haltline.model.order import Side
from haltline_broker_projectx.closing import Close, CloseBook
from haltline_broker_projectx.wire import WireOrder

NOW = 1_795_000_000 * NS_PER_S
MARKET, ASK = 2, 1


def close(**more: Any) -> Close:
    given: dict[str, Any] = {
        "client_id": "hl-1",
        "account": "eval",
        "contract": "MNQ",
        "side": Side.SELL,
        "size": 2,
        "is_whole": False,
    }
    return Close(**(given | more), at=NOW, sent_at=NOW)


def order(number: int = 7, **more: Any) -> WireOrder:
    given: dict[str, Any] = {
        "id": number, "account_id": 1, "contract_id": "MNQ", "status": 2, "type": MARKET, "side": ASK, "size": 2,
        "creation_timestamp": to_iso(NOW + NS_PER_S),
    }  # fmt: skip
    return WireOrder(**(given | more))


def test_the_order_made_right_after_the_close_is_that_of_the_close() -> None:
    assert CloseBook(None).matched(close(), [order()]) == order()


@pytest.mark.parametrize(
    "more",
    [
        {"creation_timestamp": to_iso(NOW - 3600 * NS_PER_S)}, {"creation_timestamp": None}, {"size": 3}, {"side": 0},
        {"type": 1}, {"custom_tag": "somebody's"}, {"contract_id": "MES"},
    ],
    ids=["older", "no time", "size", "side", "limit", "tag", "contract"],
)  # fmt: skip
def test_an_order_that_differs_is_somebody_elses(more: dict[str, Any]) -> None:
    assert CloseBook(None).matched(close(), [order(**more)]) is None


def test_a_whole_close_takes_what_was_added_meanwhile() -> None:
    grown = order(size=5)
    assert CloseBook(None).matched(close(is_whole=True), [grown]) == grown
    assert CloseBook(None).matched(close(is_whole=True), [msgspec.structs.replace(grown, size=1)]) is None


async def test_an_order_that_belongs_to_one_close_is_not_that_of_another() -> None:
    book, first, second = CloseBook(None), close(), close(client_id="hl-2")
    await book.note(first)
    await book.note(second)
    assert book.matched(first, [order(7), order(8)]) == order(7)
    assert book.matched(second, [order(7), order(8)]) == order(8)
    assert book.matched(first, [order(8), order(7)]) == order(7)
