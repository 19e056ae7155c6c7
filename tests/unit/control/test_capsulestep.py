"""Steps of a test made from events: every field of an event is a key that a test file may have, or is left out."""

from decimal import Decimal

import msgspec
import pytest

from haltline.control.capsulestep import (
    _FILL_RENAMED,
    _GRANT_RENAMED,
    _ORDER_LEFT_OUT,
    _ORDER_RENAMED,
    _SIMPLE,
    step_of,
)
from haltline.model.event import Fill, LockRequest, OrderUpdate, OverrideGrant, OverrideRevoke
from haltline.model.id import AccountId, OrderId, Symbol
from haltline.model.order import OrderReport, OrderStatus, OrderType, Side
from haltline.ruletest.case import BODIES

NONE: frozenset[str] = frozenset()
TOLD = [
    *((kind, key, left_out, {}) for kind, (key, left_out) in _SIMPLE.items()),
    (Fill, "fill", NONE, _FILL_RENAMED),
    (OrderReport, "order", _ORDER_LEFT_OUT, _ORDER_RENAMED),
    (LockRequest, "lock", NONE, {}),
    (OverrideGrant, "grant", NONE, _GRANT_RENAMED),
    (OverrideRevoke, "revoke", NONE, _GRANT_RENAMED),
]


@pytest.mark.parametrize(("kind", "key", "left_out", "renamed"), TOLD, ids=[each[1] for each in TOLD])
def test_every_field_of_an_event_is_a_key_of_its_step_or_is_left_out(
    kind: type[msgspec.Struct], key: str, left_out: frozenset[str], renamed: dict[str, str]
) -> None:
    told = {renamed.get(name, name) for name in kind.__struct_fields__ if name not in left_out | {"at", "received_at"}}
    known = {field.encode_name for field in msgspec.structs.fields(BODIES[key])}
    assert told - known == set()


def test_an_order_keeps_what_its_filled_part_was_done_at() -> None:
    order = OrderReport(
        account=AccountId("eval"), order_id=OrderId("7"), symbol=Symbol("MNQ"), side=Side.BUY, quantity=Decimal(2),
        type=OrderType.MARKET, status=OrderStatus.FILLED, filled=Decimal(2), average_price=Decimal("21000.25"),
        client_id="hl-1", reason="filled", placed_at=1,
    )  # fmt: skip
    assert step_of(OrderUpdate(at=1, received_at=1, order=order), 1) == {
        "order": {
            "account": "eval", "id": "7", "symbol": "MNQ", "side": "buy", "quantity": Decimal(2), "type": "market",
            "status": "filled", "filled": Decimal(2), "average_price": Decimal("21000.25"),
        }
    }  # fmt: skip
