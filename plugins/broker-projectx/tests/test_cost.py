"""What a call of ours is worth to the platform, which counts two hundred a minute and then answers 429."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from haltline.api import BrokerCall, Metered
from haltline.model.id import AccountId, OrderId, Symbol
from haltline.model.order import OrderRequest, OrderType, Side
from haltline_broker_projectx.kind import PROJECTX

EVAL, MNQ = AccountId("eval"), Symbol("MNQZ5")


def order(size: int, client: str = "hl-1", **more: Any) -> OrderRequest:
    usual: dict[str, Any] = {"account": EVAL, "symbol": MNQ, "side": Side.SELL, "client_id": client}
    return OrderRequest(**{**usual, "quantity": Decimal(size), "reduce_only": True, **more})


CALLS: dict[str, tuple[BrokerCall, Callable[[Any], Awaitable[object]]]] = {
    "snapshot": (BrokerCall.SNAPSHOT, lambda broker: broker.snapshot(EVAL)),
    "whole close": (BrokerCall.SUBMIT, lambda broker: broker.submit(order(2))),
    "part-close": (BrokerCall.SUBMIT, lambda broker: broker.submit(order(1))),
    "stop": (
        BrokerCall.SUBMIT,
        lambda broker: broker.submit(order(1, type=OrderType.STOP, stop_price=Decimal(20_000))),
    ),
    "cancel": (BrokerCall.CANCEL, lambda broker: broker.cancel(EVAL, OrderId("1000"))),
    "find a close": (BrokerCall.FIND_ORDER, lambda broker: broker.find_order(EVAL, "before")),
    "find an order": (BrokerCall.FIND_ORDER, lambda broker: broker.find_order(EVAL, "never")),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("is_fresh", [True, False], ids=["after a snapshot", "long after it"])
async def test_no_call_is_worth_more_to_the_platform_than_we_say(desk: Any, name: str, is_fresh: bool) -> None:
    desk.trader.buys("MNQZ5", 3)
    await desk.actor.snapshot(EVAL)
    await desk.actor.submit(order(1, "before"))
    if is_fresh:
        await desk.actor.snapshot(EVAL)
    else:
        desk.actor._pulled.clear()
        desk.actor._puller._money = (0, ())
    call, does = CALLS[name]
    said, before = desk.actor.cost(call), len(desk.sim.requests)
    await does(desk.actor)
    assert 1 <= len(desk.sim.requests) - before <= said


async def test_balances_are_not_asked_for_with_each_snapshot_of_what_acts(desk: Any) -> None:
    await desk.actor.snapshot(EVAL)
    assert isinstance(desk.actor, Metered)
    assert desk.actor.cost(BrokerCall.SNAPSHOT) == 2
    before = len(desk.sim.calls("Account/search"))
    await desk.actor.snapshot(EVAL)
    assert len(desk.sim.calls("Account/search")) == before


def test_the_limit_leaves_room_within_that_of_the_platform() -> None:
    assert PROJECTX.limit is not None
    assert PROJECTX.limit.calls < 200
