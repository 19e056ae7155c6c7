"""What `status` says first: whether accounts are guarded at all, then whether they are within their limits."""

from decimal import Decimal

from operator_desk import PEOPLE, Open

from haltline.api import Reply, Role
from haltline.api.replytext import reply_text
from haltline.model.event import ConnectionStatus, ConnectionUpdate, OrderUpdate
from haltline.model.id import AccountId, OrderId, Symbol
from haltline.model.order import OrderReport, OrderStatus, OrderType, Side

VIC = PEOPLE[Role.VIEWER]
OLD = "the broker paper is out of reach; this is what was last known, and entries wait"


def text(reply: Reply) -> str:
    return reply_text(reply)


async def test_an_account_that_its_broker_has_not_confirmed_is_not_within_limits(opened: Open) -> None:
    async with opened() as desk:
        assert (await desk.say(VIC, "status")).title == "All is within limits"
        desk.engine.engine.reconciled.discard(AccountId("eval"))
        reply = await desk.say(VIC, "status")
        assert reply.title == "Not guarded: eval"
        assert text(reply).count(OLD) == 1


async def test_an_account_whose_broker_answers_nothing_is_not_within_limits_and_says_why(opened: Open) -> None:
    async with opened() as desk:
        for _ in range(2):
            desk.engine.engine._pulls.missed(AccountId("eval"), "401: the key was revoked")
        reply = await desk.say(VIC, "status")
        assert reply.title == "Not guarded: eval"
        assert (
            "the broker paper does not answer what it is asked: 401: the key was revoked; this is what was last known"
            in text(reply)
        )
        assert "entries wait" not in text(reply)
        assert desk.engine.status().unguarded.keys() == {"eval"}


async def test_an_account_whose_connection_is_lost_is_told_as_such(opened: Open) -> None:
    async with opened() as desk:
        now = desk.clock.now()
        desk.engine.put(
            ConnectionUpdate(
                at=now, received_at=now, account=AccountId("other"), status=ConnectionStatus.DISCONNECTED, reason="cut"
            )
        )
        await desk.engine.until_idle()
        assert (await desk.say(VIC, "status")).title == "Not guarded: other"
        assert (await desk.say(VIC, "status eval")).title == "All is within limits"


async def test_an_account_that_is_locked_although_nothing_is_broken_is_told_as_such(opened: Open) -> None:
    async with opened() as desk:
        await desk.done(PEOPLE[Role.TRADER], "lock eval 1h")
        assert (await desk.say(VIC, "status")).title == "Locked: eval"


async def test_a_price_that_an_order_of_its_type_does_not_have_is_not_called_unknown(opened: Open) -> None:
    async with opened() as desk:
        now = desk.clock.now()
        stop = OrderReport(
            account=AccountId("eval"), order_id=OrderId("s1"), symbol=Symbol("MNQ"), side=Side.SELL,
            quantity=Decimal(1), type=OrderType.STOP, status=OrderStatus.WORKING, stop_price=Decimal(20_000),
        )  # fmt: skip
        desk.engine.put(OrderUpdate(at=now, received_at=now, order=stop))
        await desk.engine.until_idle()
        told = text(await desk.say(VIC, "orders eval"))
        assert "20,000" in told
        assert "unknown" not in told
