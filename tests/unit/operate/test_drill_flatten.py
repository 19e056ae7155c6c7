"""A drill that flattens: really, with a receipt that says it was one; and only where no money is real."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from holding_desk import hold, holds, receipts
from operator_desk import PEOPLE, START, Desk, Open
from test_drill import SETUP, Ear, followed, listen

from haltline import Haltline
from haltline.api import Reply, ReplyStatus, Role, reply_text
from haltline.builtins.paper.broker import PAPER, PaperBroker
from haltline.clock import NS_PER_S, ManualClock
from haltline.errors import Refused
from haltline.journal.record import RecordKind
from haltline.model.order import OrderRequest
from haltline.runtime.embed import load_parts
from haltline.runtime.practiceflatten import LONGEST_NS

RIA = PEOPLE[Role.RISK_MANAGER]
HOLDING = (
    SETUP.replace("rules:", "instruments: {MNQ: {tick_size: 0.25, tick_value: 0.5, currency: USD}}\nrules:")
    + "notify: {channels: [phone]}\n"
).replace("kind: console", "kind: console, severities: [info, warning, critical]")
HOUR_NS = 3600 * NS_PER_S


async def drilled(desk: Desk, line: str = "drill eval flatten=yes") -> Reply:
    begun = await desk.say(RIA, line)
    assert begun.status is ReplyStatus.DONE, reply_text(begun)
    return await followed(desk, begun)


async def test_it_cancels_closes_proves_and_lets_go_and_the_receipt_says_that_it_was_a_drill(
    opened: Open,
) -> None:
    async with opened(setup=HOLDING) as desk:
        ear = listen(desk, Ear())
        await hold(desk)
        begun = await desk.say(RIA, "drill eval flatten=yes")
        assert "where no money is real, is closed and cancelled" in reply_text(begun)
        report = await followed(desk, begun)
        assert await holds(desk) == (0, 0)
        assert "the practice account was flattened, with proof" in reply_text(report)
        assert "flatten: done:" in reply_text(report)
        receipt = receipts(desk)[-1]
        assert receipt.drill
        assert receipt.proof is not None
        assert [(leg.side, leg.filled) for leg in receipt.legs if leg.filled] == [("sell", 2)]
        assert desk.mode() == "ACTIVE"
        assert not list(desk.engine.engine.kernel.governor.locks)
        desk.clock.advance_to(desk.clock.now() + HOUR_NS)  # what is no alarm waits for company
        async with asyncio.timeout(60):
            while not any("DRILL: Done: flatten for account eval" in each.text for each in ear.heard):  # noqa: ASYNC110 - a service
                await asyncio.sleep(0)


async def test_entries_are_blocked_while_it_goes_on(opened: Open) -> None:
    async with opened(setup=HOLDING) as desk:
        listen(desk, Ear())
        await hold(desk)
        begun = await desk.say(RIA, "drill eval flatten=yes")
        async with asyncio.timeout(60):
            while desk.mode() == "ACTIVE":  # noqa: ASYNC110 - the pump's turn
                await asyncio.sleep(0)
        refused = desk.engine.check(account="eval", symbol="MNQ", side="buy", quantity=1)
        assert not refused.allowed
        assert "a flatten is under way, as a drill" in refused.reasons[0]
        await followed(desk, begun)


async def test_an_account_that_holds_nothing_is_proven_flat(opened: Open) -> None:
    async with opened(setup=HOLDING) as desk:
        listen(desk, Ear())
        assert "0 requests" in reply_text(await drilled(desk))


async def test_without_flatten_nothing_of_the_account_is_touched(opened: Open) -> None:
    async with opened(setup=HOLDING) as desk:
        listen(desk, Ear())
        await hold(desk)
        for line in ("drill eval", "drill eval flatten=no"):
            await drilled(desk, line)
        assert await holds(desk) == (1, 1)
        assert receipts(desk) == []


async def test_a_flatten_that_does_not_come_to_its_end_costs_readiness_and_is_said(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: PaperBroker, request: OrderRequest) -> None:
        raise Refused("the venue is closed for the day")

    async with opened(setup=HOLDING) as desk:
        listen(desk, Ear())
        await hold(desk)
        monkeypatch.setattr(PaperBroker, "submit", refuse)
        begun = await desk.say(RIA, "drill eval flatten=yes")
        report = await hurried(desk, begun)
        assert "the venue is closed for the day" in reply_text(report)
        assert "flatten: failed" in reply_text(report)
        assert report.title == "DRILL: readiness 60 of 100"
        assert desk.mode() == "REDUCING"


async def hurried(desk: Desk, begun: Reply) -> Reply:
    """The report; time passes quickly meanwhile."""
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        waiting = group.create_task(desk.control.follow(begun))
        end = desk.clock.now() + LONGEST_NS + 30 * NS_PER_S
        while not waiting.done():
            await asyncio.sleep(0)
            desk.clock.advance_to(min(end, desk.clock.now() + NS_PER_S // 4))
        return waiting.result()


async def test_an_account_in_shadow_is_refused(opened: Open) -> None:
    async with opened(setup=HOLDING.replace("mode: live", "mode: shadow")) as desk:
        refused = await desk.say(RIA, "drill eval flatten=yes")
        assert (refused.code, "in shadow" in reply_text(refused)) == ("E864", True)


class RealMoney:
    """A registry in which the paper exchange does not say that its money is none."""

    def __init__(self, registry: Any) -> None:
        self._registry = registry
        self.brokers = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)

    def get(self, name: str) -> Any:
        return replace(PAPER, practice=False) if name == "paper" else self._registry.brokers.get(name)

    def items(self) -> Any:
        return self._registry.brokers.items()


@pytest.mark.parametrize("line", ["drill eval flatten=yes", "drill flatten=yes", "drill eval info flatten=yes wait=1s"])
async def test_an_account_that_may_hold_real_money_is_refused_and_nothing_is_begun(folder: Path, line: str) -> None:
    (folder / "haltline.yaml").write_text(HOLDING.replace("CONTROL", ""))
    parts = load_parts(folder / "haltline.yaml", environ={})
    parts = replace(parts, registry=cast(Any, RealMoney(parts.registry)))
    clock = ManualClock(START)
    async with Haltline.from_parts(parts, clock=clock, in_memory=True) as engine:
        desk = Desk(engine, clock)
        refused = await desk.say(RIA, line)
        assert (refused.status, refused.code) == (ReplyStatus.REFUSED, "E864")
        assert "may hold real money" in reply_text(refused)
        assert not engine.engine._drills.waiting()
        assert (await followed(desk, await desk.say(RIA, "drill eval"))).status is not None


async def test_a_drill_that_comes_again_flattens_too(opened: Open) -> None:
    async with opened(setup=f"{HOLDING}drills: {{daily: {{at: 15:00 UTC, wait: 0s, flatten: true}}}}\n") as desk:
        listen(desk, Ear())
        await hold(desk)
        async with asyncio.timeout(60):
            while not all(each.due for each in desk.engine.engine._drills.standings()):  # noqa: ASYNC110 - a service
                await asyncio.sleep(0)
        desk.clock.advance_to(START + HOUR_NS)
        async with asyncio.timeout(60):
            while desk.engine.engine._drills.standings()[0].score is None:
                await asyncio.sleep(0)
                desk.clock.advance_to(desk.clock.now() + NS_PER_S // 100)
        assert await holds(desk) == (0, 0)
        receipt = receipts(desk)[-1]
        assert receipt.drill
        command = [record.body for record in desk.engine.engine.store.iterate(kinds=[RecordKind.EVENT])]
        assert any(b'"drill":true' in body and b"the set-up" in body for body in command)


async def test_a_drill_that_comes_again_and_does_not_flatten_is_told(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: PaperBroker, request: OrderRequest) -> None:
        raise Refused("the venue is closed for the day")

    async with opened(setup=f"{HOLDING}drills: {{daily: {{at: 15:00 UTC, wait: 0s, flatten: true}}}}\n") as desk:
        ear = listen(desk, Ear())
        await hold(desk)
        monkeypatch.setattr(PaperBroker, "submit", refuse)
        async with asyncio.timeout(60):
            while not all(each.due for each in desk.engine.engine._drills.standings()):  # noqa: ASYNC110 - a service
                await asyncio.sleep(0)
        desk.clock.advance_to(START + HOUR_NS)
        async with asyncio.timeout(60):
            while not (told := [each for each in ear.heard if "did not flatten" in each.title]):
                await asyncio.sleep(0)
                desk.clock.advance_to(desk.clock.now() + NS_PER_S // 4)
        assert told[0].title == "The drill daily did not flatten eval"
        assert "the venue is closed for the day" in told[0].text


async def test_a_drill_of_the_file_that_would_reach_real_money_after_all_flattens_nothing_and_says_so(
    folder: Path,
) -> None:
    drills = "drills: {daily: {at: 15:00 UTC, wait: 0s, flatten: true}}\n"
    (folder / "haltline.yaml").write_text(HOLDING.replace("CONTROL", "") + drills)
    parts = load_parts(folder / "haltline.yaml", environ={})
    parts = replace(parts, registry=cast(Any, RealMoney(parts.registry)))
    clock = ManualClock(START)
    async with Haltline.from_parts(parts, clock=clock, in_memory=True) as engine:
        desk = Desk(engine, clock)
        ear = listen(desk, Ear())
        async with asyncio.timeout(60):
            while not all(each.due for each in engine.engine._drills.standings()):  # noqa: ASYNC110 - a service
                await asyncio.sleep(0)
        clock.advance_to(START + HOUR_NS)
        async with asyncio.timeout(60):
            while not (told := [each for each in ear.heard if "did not flatten" in each.title]):
                await asyncio.sleep(0)
                clock.advance_to(clock.now() + NS_PER_S // 100)
        assert "may hold real money" in told[0].text
        assert receipts(desk) == []
        assert engine.engine._drills.standings()[0].score is not None
