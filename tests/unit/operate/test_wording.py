"""Replies as an operator reads them: units, what can be taken back, and only what is theirs."""

import pytest
from operator_desk import PEOPLE, SETUP, START, Desk, Open

from haltline.api import Reply, Role, reply_text
from haltline.clock import NS_PER_S
from haltline.model.event import AccountReport
from haltline.model.id import AccountId

VIC, TOM, ADA = PEOPLE[Role.VIEWER], PEOPLE[Role.TRADER], PEOPLE[Role.ADMIN]


async def lose(desk: Desk, equity: float, account: str = "eval") -> None:
    at = START + NS_PER_S
    desk.engine.put(AccountReport(at=at, received_at=at, account=AccountId(account), balance=equity))
    await desk.engine.until_idle()


def buttons(reply: Reply) -> list[tuple[str, str]]:
    return [(button.label, button.command) for button in reply.buttons]


async def test_why_tells_money_with_the_currency_of_the_account(opened: Open) -> None:
    async with opened() as desk:
        await lose(desk, 49_400)
        assert "account.day.loss = 600 USD" in reply_text(await desk.say(VIC, "why daily-loss eval"))
        assert reply_text(await desk.say(VIC, "ask eval account.equity")).startswith("account.equity = 49,400 USD")


async def test_room_and_whynot_tell_money_with_its_currency(opened: Open) -> None:
    async with opened() as desk:
        assert "500 USD is left" in (await desk.say(VIC, "whynot daily-loss eval")).title
        assert "500  USD" in reply_text(await desk.say(VIC, "room eval"))
        await lose(desk, 49_400)
        assert "100 USD beyond it" in (await desk.say(VIC, "whynot daily-loss eval")).title


async def test_status_of_an_account_counts_its_own_incidents_only(opened: Open) -> None:
    async with opened() as desk:
        await lose(desk, 49_400)
        assert (await desk.say(VIC, "status eval")).title == "1 incident"
        assert (await desk.say(VIC, "status other")).title == "All is within limits"
        assert (await desk.say(VIC, "status")).title == "1 incident"


async def test_a_message_of_a_rule_tells_money_with_its_currency(opened: Open) -> None:
    async with opened(setup=SETUP.replace("rules:", "channels: {log: {kind: console}}\nrules:")) as desk:
        directory = desk.engine.engine.publisher._directory
        assert directory.unit("daily-loss", "eval") == "USD"
        assert directory.unit("daily-loss", "nobody") == directory.unit("nothing", "eval") == ""


async def test_a_grant_and_a_pause_come_with_what_takes_them_back(opened: Open) -> None:
    async with opened() as desk:
        granted = await desk.done(ADA, "override daily-loss eval 30m extra=150 the news is out")
        assert granted.title == "Granted: 150 more for daily-loss on eval, for 30m"
        assert buttons(granted) == [("Revoke", "revoke")]
        name = granted.buttons[0].arguments["override"]
        assert f"revoke {name}" in reply_text(granted)
        assert (await desk.say(TOM, f"revoke {name}")).title == f"Revoked {name}"
        paused = await desk.say(TOM, "pause eval 10m")
        assert (paused.title, buttons(paused)) == ("Paused eval for 10m", [("Resume", "resume")])


@pytest.mark.parametrize(("account", "said"), [("eval", "no order works, no position is open")])
async def test_a_flatten_of_nothing_says_so_before_it_is_confirmed(opened: Open, account: str, said: str) -> None:
    async with opened() as desk:
        asked = await desk.say(TOM, f"flatten {account}")
        assert asked.confirmation is not None and said in asked.confirmation.text


async def test_the_time_of_a_difference_is_not_that_of_1970(opened: Open) -> None:
    from haltline.control.door import Difference

    async with opened() as desk:
        found = Difference(account=AccountId("eval"), about="position MNQ", ours="2", theirs="3", since=START)
        desk.engine.engine._door._differences = lambda: (found,)
        assert "2025-05-06T14:00:00" in reply_text(await desk.say(VIC, "differences"))
