"""What `status` says first: whether accounts are guarded at all, then whether they are within their limits."""

from operator_desk import PEOPLE, Open

from haltline.api import Reply, Role
from haltline.api.replytext import reply_text
from haltline.model.event import ConnectionStatus, ConnectionUpdate
from haltline.model.id import AccountId

VIC = PEOPLE[Role.VIEWER]
OLD = "out of reach: this is what was last known, and entries wait"


def text(reply: Reply) -> str:
    return reply_text(reply)


async def test_an_account_that_its_broker_has_not_confirmed_is_not_within_limits(opened: Open) -> None:
    async with opened() as desk:
        assert (await desk.say(VIC, "status")).title == "All is within limits"
        desk.engine.engine.reconciled.discard(AccountId("eval"))
        reply = await desk.say(VIC, "status")
        assert reply.title == "Not guarded: eval"
        assert text(reply).count(OLD) == 1


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
