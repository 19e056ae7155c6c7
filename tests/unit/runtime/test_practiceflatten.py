"""The part of a drill that is done at the broker: whose receipt counts, and when it is waited for no longer."""

import asyncio
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from haltline.api.registry import Registry
from haltline.builtins.paper.broker import PAPER
from haltline.clock import NS_PER_S, ManualClock
from haltline.config.settings import BrokerEntry, Setup, StoreEntry
from haltline.control.practice import PracticeAccount
from haltline.journal.receipt import Receipt
from haltline.model.account import AccountSpec
from haltline.model.event import ActionRequest, Event, OutcomeStatus
from haltline.model.id import AccountId, ActionId
from haltline.model.plan import PlannedAction, Result
from haltline.runtime.practiceflatten import LONGEST_NS, PracticeFlatten

START = 1_746_540_000 * NS_PER_S
EVAL = AccountId("eval")
ID = "operator@eval:flatten:drill/eval/1"


class World:
    """An engine that plans what it is asked for, or says why not."""

    def __init__(self, objection: str = "") -> None:
        self.clock = ManualClock(START)
        self.objection = objection
        self.asked: list[ActionRequest] = []
        self.practice = PracticeFlatten(submit=self._submit, clock=self.clock)
        registry = Registry()
        registry.brokers.add("paper", replace(PAPER))
        setup = Setup(
            path=Path(), directory=Path(), store=StoreEntry(path=Path()),
            accounts=(AccountSpec(id=EVAL, broker="paper"),), brokers=(BrokerEntry(name="paper", kind="paper"),),
        )  # fmt: skip
        self.account = PracticeAccount(setup, registry, "eval")

    async def _submit(self, event: Event) -> Result:
        assert isinstance(event, ActionRequest)
        self.asked.append(event)
        if self.objection:
            return Result(notices=(self.objection,))
        return Result(plan=(PlannedAction(id=ActionId(ID), at=START, name="flatten", account=EVAL, drill=True),))

    async def turns(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    def flatten(self) -> asyncio.Task[tuple[Receipt | None, str]]:
        return asyncio.get_running_loop().create_task(self.practice.flatten(self.account, "drill/eval/1", "ria"))


def receipt(status: OutcomeStatus = OutcomeStatus.DONE, **more) -> Receipt:
    given = {"action": ActionId(ID), "name": "flatten", "account": EVAL, "drill": True} | more
    return Receipt(status=status, started_at=START, ended_at=START, **given)


async def test_the_request_is_one_of_an_operator_and_marked() -> None:
    world = World()
    task = world.flatten()
    await world.turns()
    (asked,) = world.asked
    assert (asked.account, asked.name, asked.operator, asked.request_id, asked.drill) == (
        EVAL, "flatten", "ria", "drill/eval/1", True,
    )  # fmt: skip
    world.practice.heard(receipt())
    assert await task == (receipt(), "")


async def test_what_is_planned_for_nothing_says_why() -> None:
    found, reason = await World("the account is in shadow").flatten()
    assert (found, reason) == (None, "the account is in shadow")


@pytest.mark.parametrize(
    "foreign",
    [
        receipt(drill=False),
        receipt(action=ActionId("operator@eval:flatten:drill/eval/0")),
        receipt(action=ActionId("operator@other:flatten:drill/eval/1")),
        receipt(action=ActionId("daily-loss/eval/1:flatten")),
    ],
)
async def test_the_receipt_of_another_action_is_not_the_drill_s(foreign: Receipt) -> None:
    world = World()
    task = world.flatten()
    await world.turns()
    world.practice.heard(foreign)
    await world.turns()
    assert not task.done()
    world.practice.heard(receipt())
    assert await task == (receipt(), "")


async def test_a_try_that_failed_is_followed_by_another_until_one_is_done() -> None:
    world = World()
    task = world.flatten()
    await world.turns()
    world.practice.heard(receipt(OutcomeStatus.FAILED))
    await world.turns()
    assert not task.done()
    again = receipt(action=ActionId(f"{ID}^2"))
    world.practice.heard(again)
    assert await task == (again, "")


async def test_it_is_waited_for_no_longer_than_a_minute() -> None:
    world = World()
    task = world.flatten()
    await world.turns()
    world.practice.heard(receipt(OutcomeStatus.FAILED))
    world.clock.advance_to(START + LONGEST_NS)
    assert await task == (receipt(OutcomeStatus.FAILED), "")
    quiet = World()
    task = quiet.flatten()
    await quiet.turns()
    quiet.clock.advance_to(START + LONGEST_NS)
    assert await task == (None, "it has not ended yet")


async def test_a_receipt_that_comes_after_its_drill_is_nobody_s() -> None:
    world = World()
    task = world.flatten()
    await world.turns()
    world.practice.heard(receipt())
    await task
    world.practice.heard(receipt(OutcomeStatus.FAILED))
    second = world.flatten()
    await world.turns()
    assert not second.done()
    second.cancel()


def test_a_receipt_of_an_older_version_is_of_no_drill() -> None:
    old = msgspec.to_builtins(receipt())
    del old["drill"]
    assert not msgspec.convert(old, Receipt).drill
