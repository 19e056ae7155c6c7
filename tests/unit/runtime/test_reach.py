"""Accounts are believed one by one, and people hear of a broker that stays out of reach."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from haltline import Haltline
from haltline.api import AccountSnapshot
from haltline.builtins.paper.broker import PaperBroker
from haltline.clock import NS_PER_S, ManualClock
from haltline.model.event import AccountReport, ConnectionStatus, ConnectionUpdate
from haltline.model.id import AccountId
from haltline.runtime.believer import Believer, Means
from haltline.runtime.embed import load_parts
from haltline.runtime.guarded import MISSES, Guarded, PullBook
from haltline.runtime.reach import LOST_NS, Reach

START = 1_746_500_000 * NS_PER_S
TWO = """
version: 1
accounts:
  deaf: {broker: far, balance: 1000}
  eval: {broker: near, balance: 1000}
brokers:
  far: {kind: paper}
  near: {kind: paper}
rules: [rules.yaml]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "haltline.yaml").write_text(TWO)
    (tmp_path / "rules.yaml").write_text("version: 1\nrules: []\n")
    return tmp_path


class World:
    """An engine that does not run, with a believer whose broker answers when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(START)
        self.engine = Haltline.from_parts(load_parts(folder / "haltline.yaml", environ={}), clock=self.clock)._make()
        self.answers = {"far": asyncio.Event(), "near": asyncio.Event()}
        self.resumed: list[str] = []
        self.put: list[object] = []
        self.told: list[tuple[str, str]] = []
        self.health = self.engine.health
        means = Means(
            setup=self.engine.parts.setup, kernel=self.engine.kernel, clock=self.clock, health=self.health,
            puller=self._puller, put=self.put.append, settle=self._settle, resume=self._resume,
        )  # fmt: skip
        self.believer = Believer(means)
        self.pulls = PullBook(self.clock)
        self.guarded = Guarded(
            self.engine.parts.setup, kernel=self.engine.kernel, confirmed=self.believer.confirmed, health=self.health,
            pulls=self.pulls,
        )  # fmt: skip
        self.reach = Reach(self.engine.parts.setup, guarded=self.guarded, clock=self.clock, tell=self._tell)

    async def turns(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def pass_s(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance_to(self.clock.now() + NS_PER_S)
            await self.reach.look()

    def _puller(self, name: str) -> "World._Far":
        return World._Far(self, name)

    async def _settle(self) -> None:
        await asyncio.sleep(0)

    async def _resume(self, account: AccountId) -> None:
        self.resumed.append(account)

    async def _tell(self, title: str, text: str) -> None:
        self.told.append((title, text))

    class _Far:
        def __init__(self, world: "World", name: str) -> None:
            self._world, self._name = world, name

        async def snapshot(self, account: AccountId) -> AccountSnapshot:
            await self._world.answers[self._name].wait()
            report = AccountReport(at=1, received_at=1, account=account, balance=Decimal(1000))
            return AccountSnapshot(account=report, positions=(), orders=())


async def test_an_account_whose_broker_answers_does_not_wait_for_one_whose_broker_does_not(folder: Path) -> None:
    world, all_there = World(folder), list[bool]()
    world.believer.expect({"far", "near"}, lambda: all_there.append(True))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(world.believer.run(account)) for account in world.engine.parts.setup.accounts]
        world.believer.connected("far")
        world.believer.connected("near")
        world.answers["near"].set()
        await world.turns()
        assert (world.believer.confirmed, world.resumed, all_there) == ({"eval"}, ["eval"], [])
        world.answers["far"].set()
        await world.turns()
        assert (world.believer.confirmed, all_there) == ({"deaf", "eval"}, [True])
        for task in tasks:
            task.cancel()


async def test_an_answer_over_a_connection_that_has_ended_meanwhile_confirms_nothing(folder: Path) -> None:
    world = World(folder)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(world.believer.run(account)) for account in world.engine.parts.setup.accounts]
        world.believer.connected("near")
        await world.turns()
        world.believer.lost("near", "cut")
        world.answers["near"].set()
        await world.turns()
        assert (world.believer.confirmed, world.resumed) == (set(), [])
        assert [each.status for each in world.put if isinstance(each, ConnectionUpdate)] == [
            ConnectionStatus.DISCONNECTED
        ]
        world.believer.connected("near")
        await world.turns()
        assert world.believer.confirmed == {"eval"}
        for task in tasks:
            task.cancel()


async def test_a_broker_that_stays_out_of_reach_is_told_once_with_its_reason_and_its_return_too(folder: Path) -> None:
    world = World(folder)
    world.believer.confirmed.add(AccountId("eval"))
    world.health.set("broker far", "down", "Refused: the login was refused; check user and key")
    await world.pass_s(LOST_NS // NS_PER_S + 30)
    ((title, text),) = world.told
    assert title == "NOT guarded: deaf"
    assert "the login was refused; check user and key" in text
    world.believer.confirmed.add(AccountId("deaf"))
    await world.pass_s(LOST_NS // NS_PER_S + 30)
    assert [title for title, _ in world.told] == ["NOT guarded: deaf", "The broker far is back"]


async def test_a_broker_that_is_back_soon_is_not_told_and_one_that_comes_and_goes_only_once(folder: Path) -> None:
    world = World(folder)
    both = {AccountId("eval"), AccountId("deaf")}
    world.believer.confirmed |= both
    for _ in range(5):
        world.believer.confirmed.discard(AccountId("deaf"))
        await world.pass_s(5)
        world.believer.confirmed |= both
        await world.pass_s(5)
    assert world.told == []
    for _ in range(5):
        world.believer.confirmed.discard(AccountId("deaf"))
        await world.pass_s(40)
        world.believer.confirmed |= both
        await world.pass_s(5)
    assert [title for title, _ in world.told] == ["NOT guarded: deaf"]


async def test_a_connection_that_its_plugin_calls_lost_is_out_of_reach_although_it_was_confirmed(folder: Path) -> None:
    world = World(folder)
    world.believer.confirmed |= {AccountId("eval"), AccountId("deaf")}
    now = world.clock.now()
    cut = ConnectionUpdate(
        at=now, received_at=now, account=AccountId("eval"), status=ConnectionStatus.DISCONNECTED, reason="REST fails"
    )
    world.engine.kernel.step(cut, now)
    await world.pass_s(LOST_NS // NS_PER_S + 1)
    assert [title for title, _ in world.told] == ["NOT guarded: eval"]


async def test_a_broker_that_answers_no_pull_is_told_although_it_is_connected(folder: Path) -> None:
    world = World(folder)
    world.believer.confirmed |= {AccountId("eval"), AccountId("deaf")}
    for _ in range(MISSES):
        world.pulls.missed(AccountId("eval"), "401: the key was revoked")
    await world.pass_s(LOST_NS // NS_PER_S + 1)
    ((title, text),) = world.told
    assert title == "NOT guarded: eval"
    assert text.startswith("The broker near does not answer what it is asked: 401: the key was revoked. That is so for")


async def test_a_pull_without_an_answer_is_forgotten_with_the_next_answer(folder: Path) -> None:
    world = World(folder)
    world.believer.confirmed.add(AccountId("eval"))
    for _ in range(3):
        world.pulls.missed(AccountId("eval"), "busy")
        assert world.guarded.flaw(AccountId("eval")) == ""
        world.pulls.answered(AccountId("eval"))
    world.clock.advance_to(world.clock.now() + 7 * NS_PER_S)
    assert world.guarded.pull_age_ns(AccountId("eval")) == 7 * NS_PER_S
    assert world.guarded.pull_age_ns(AccountId("deaf")) is None


async def test_an_account_whose_orders_cannot_be_sent_is_not_guarded(folder: Path) -> None:
    world = World(folder)
    world.believer.confirmed.add(AccountId("eval"))
    world.health.set("actuator near", "starting")
    assert world.guarded.flaw(AccountId("eval")) == ""
    world.health.set("actuator near", "degraded", "Refused: this key may only read")
    assert world.guarded.flaw(AccountId("eval")) == ("the broker near takes no orders: Refused: this key may only read")
    world.health.set("actuator near", "up")
    assert world.guarded.flaw(AccountId("eval")) == ""


async def test_an_account_that_is_not_in_the_set_up_is_not_guarded(folder: Path) -> None:
    assert World(folder).guarded.flaw(AccountId("stranger")) == "it is not in the set-up"


async def test_a_program_may_go_on_before_every_broker_has_answered(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = PaperBroker.snapshot

    async def snapshot(self: PaperBroker, account: AccountId) -> AccountSnapshot:
        if account == "deaf":
            await asyncio.Event().wait()
        return await whole(self, account)

    monkeypatch.setattr(PaperBroker, "snapshot", snapshot)
    parts = load_parts(folder / "haltline.yaml", environ={})
    engine = Haltline.from_parts(parts, clock=ManualClock(START))
    asyncio.get_running_loop().call_later(0.2, engine.proceed)
    async with engine:
        assert engine.status().reconciled == ("eval",)
        refused = engine.check(account="deaf", symbol="MNQ", side="buy", quantity=1)
        assert not refused.allowed
        assert "not confirmed by its broker" in refused.reasons[0]
