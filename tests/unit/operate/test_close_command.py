"""What an operator reads before and after a close: it is a flatten of one symbol."""

import pytest
from holding_desk import hold, holds, receipts
from operator_desk import PEOPLE, Open

from haltline.api import Role, reply_text

TOM = PEOPLE[Role.TRADER]


async def test_it_says_how_many_orders_go_and_leaves_none(opened: Open) -> None:
    async with opened() as desk:
        await hold(desk)
        asked = await desk.say(TOM, "close eval MNQ enough")
        assert asked.confirmation is not None
        assert asked.confirmation.text == (
            "Close +2 MNQ on account eval at market, and cancel its 1 working order, because: enough."
        )
        begun = await desk.confirm(TOM, asked)
        assert "Closing MNQ on eval" in reply_text(begun)
        while not receipts(desk):
            await desk.engine.engine.clock.sleep_until(0)
            desk.clock.advance_to(desk.clock.now() + 10_000_000)
        assert await holds(desk) == (0, 0)
        assert [leg.leg.split()[0] for leg in receipts(desk)[-1].legs] == ["cancel", "reduce"]


@pytest.mark.parametrize("account", ["eval", "other"])
async def test_a_close_of_nothing_says_so_before_it_is_confirmed(opened: Open, account: str) -> None:
    async with opened() as desk:
        asked = await desk.say(TOM, f"close {account} MNQ enough")
        assert asked.confirmation is not None
        assert asked.confirmation.text.startswith(
            f"Close MNQ (nothing is held now) on account {account} at market, bec"
        )
