"""The equity of an account over time, with its limits as equities and what fired."""

from typing import Any

from operator_desk import ONE, PEOPLE, START, Open

from haltline.api import Reply, ReplyStatus, Role, Table
from haltline.clock import NS_PER_S
from haltline.model.event import AccountReport, Quote
from haltline.model.id import AccountId, Symbol

VIC = PEOPLE[Role.VIEWER]


def tables(reply: Reply) -> dict[str, tuple[Any, ...]]:
    return {part.title: part.rows for part in reply.parts if isinstance(part, Table)}


async def lose(desk: Any, equity: float, seconds: int) -> None:
    """The broker says what the account is worth, so long after the start."""
    at = START + seconds * NS_PER_S
    desk.clock.advance_to(at)
    desk.engine.put(AccountReport(at=at, received_at=at, account=AccountId("eval"), balance=equity))
    await desk.engine.until_idle()


async def test_the_last_row_is_now_and_a_loss_limit_is_an_equity(opened: Open) -> None:
    async with opened() as desk:
        found = tables(await desk.say(VIC, "equity eval"))
        assert found["Equity"][-1] == (START, 50_000.0, 0.0)
        assert found["Limits"] == (("daily-loss", "daily-loss", 49_500.0),)
        assert found["Fired"] == ()


async def test_what_was_sampled_is_there_and_what_is_older_is_not(opened: Open) -> None:
    async with opened() as desk:
        for minute in range(1, 5):
            await lose(desk, 50_000 - minute * 10, minute * 60)
            await desk.engine.until_idle()
        whole = tables(await desk.say(VIC, "equity eval 1h"))["Equity"]
        part = tables(await desk.say(VIC, "equity eval 2m"))["Equity"]
    instants = [row[0] for row in whole]
    assert instants == sorted(instants)
    assert len(part) < len(whole)
    assert part[0][0] == START + 120 * NS_PER_S


async def test_an_account_of_others_is_not_shown(opened: Open) -> None:
    async with opened() as desk:
        assert (await desk.say(ONE, "equity eval")).status is ReplyStatus.REFUSED
        assert (await desk.say(ONE, "equity other")).status is ReplyStatus.DONE


async def test_an_unknown_equity_is_none(opened: Open) -> None:
    async with opened() as desk:
        at = START + NS_PER_S
        desk.engine.put(Quote(at=at, received_at=at, symbol=Symbol("MNQ"), last=1.0))
        desk.engine.engine.kernel.state.accounts["eval"].equity = float("nan")
        assert tables(await desk.say(VIC, "equity eval"))["Equity"][-1][1] is None
