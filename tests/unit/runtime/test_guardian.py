"""The guardian on a manual clock: a paper venue as the outside, and an engine that is only its heartbeats."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from haltline.api import AccountSnapshot, BrokerKind, BrokerSetup
from haltline.builtins.paper.broker import PAPER, PaperBroker
from haltline.clock import NS_PER_S, ManualClock
from haltline.config.settings import BrokerEntry, GuardianEntry, RuleBook, Setup, StoreEntry
from haltline.enforce.budget import Budget
from haltline.errors import ConfigError, Transient
from haltline.journal.error import JournalFull, JournalLocked
from haltline.journal.memory import MemoryJournal
from haltline.journal.record import RecordKind
from haltline.journal.store import Journal
from haltline.model.account import AccountSpec
from haltline.model.event import Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderRequest, OrderType, Side
from haltline.plugins.load import load_plugins
from haltline.runtime.compose import Parts
from haltline.runtime.guardian import Guardian, GuardianNote
from haltline.runtime.guardian_hand import open_record
from haltline.runtime.heartbeat import AccountBeat, Heartbeat, heartbeat_path, write_heartbeat
from haltline.runtime.supervise import Supervisor
from haltline.runtime.writer import InlineWriter

START = 1_746_500_000 * NS_PER_S
EVAL, MNQ = AccountId("eval"), Symbol("MNQ")
REGISTRY = load_plugins(()).registry
_SERVICES = 2
FLOOR = GuardianEntry(floors={EVAL: Decimal(49_000)}, silence_ns=5 * NS_PER_S)


class Outside(PaperBroker):
    """A venue that can be down, hide the equity, or answer late; it counts what is asked of it."""

    made: "Outside"

    def __init__(self, setup: BrokerSetup) -> None:
        super().__init__(setup)
        self.fault = ""
        self.calls: list[str] = []
        Outside.made = self

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        self.calls.append("snapshot")
        if self.fault == "down":
            raise Transient("no route to the venue")
        found = await super().snapshot(account)
        if self.fault == "mute":
            return msgspec.structs.replace(found, account=msgspec.structs.replace(found.account, equity=None))
        if self.fault == "late":
            old = found.account.received_at - 60 * NS_PER_S
            return msgspec.structs.replace(found, account=msgspec.structs.replace(found.account, received_at=old))
        return found

    async def submit(self, request: OrderRequest):
        self.calls.append("submit")
        return await super().submit(request)

    async def cancel(self, account: AccountId, order_id) -> None:
        self.calls.append("cancel")
        await super().cancel(account, order_id)


class World:
    """A guardian that runs, and its surroundings."""

    def __init__(self, folder: Path, clock: ManualClock) -> None:
        self.path = folder / "haltline.db"
        self.clock = clock
        self.notes: list[GuardianNote] = []
        self.number = 0
        self.is_beating = True
        self.says: dict[str, object] = {}
        self.guardian: Guardian

    @property
    def venue(self) -> Outside:
        return Outside.made

    def titles(self) -> list[str]:
        return [note.title for note in self.notes]

    def beat(self, **more) -> None:
        self.number += 1
        given = {"state": "guarding", "journal": "haltline.db", "run": "r"} | more
        beat = Heartbeat(role="engine", number=self.number, pid=1, wall=0, steady=0, **given)
        write_heartbeat(heartbeat_path(self.path, "engine"), beat)

    def price(self, bid: float) -> None:
        now = self.clock.now()
        self.venue.on_quote(Quote(at=now, received_at=now, symbol=MNQ, bid=bid, ask=bid, last=bid, mark=bid))

    async def buy(self) -> None:
        self.price(21_000)
        await PaperBroker.submit(
            self.venue, OrderRequest(account=EVAL, symbol=MNQ, side=Side.BUY, quantity=Decimal(2), client_id="mine")
        )

    async def rest_order(self) -> None:
        await PaperBroker.submit(
            self.venue,
            OrderRequest(
                account=EVAL,
                symbol=MNQ,
                side=Side.BUY,
                quantity=Decimal(1),
                type=OrderType.LIMIT,
                limit_price=Decimal(100),
                client_id="rest",
            ),
        )

    async def holds(self) -> tuple[Decimal, int]:
        found = await PaperBroker.snapshot(self.venue, EVAL)
        return sum((position.quantity for position in found.positions), Decimal(0)), len(found.orders)

    async def settle(self, turns: int = 20_000) -> None:
        """Until the services sleep again, or have had time to do something."""
        for _ in range(turns):
            await asyncio.sleep(0.0005)  # sleeps: files are read and written in threads
            if sum(not sleeper[2].done() for sleeper in self.clock._sleepers) >= _SERVICES:
                return

    async def pass_s(self, seconds: int) -> None:
        """Second by second; the engine beats while it is alive."""
        for _ in range(seconds):
            if self.is_beating:
                self.beat(**self.says)
            self.clock.advance_to(self.clock.now() + NS_PER_S)
            await self.settle()


def parts_of(folder: Path, *, live: bool = True, in_process: bool = False) -> Parts:
    kind = BrokerKind(
        name="outside", make=Outside, meaning="a venue", capabilities=PAPER.capabilities, schema={},
        in_process=in_process,
    )  # fmt: skip

    class Shelf:
        def get(self, name: str) -> BrokerKind | None:
            return kind if name == "outside" else None

    class Registry:
        brokers = Shelf()
        actions = REGISTRY.actions
        notifiers = REGISTRY.notifiers

    setup = Setup(
        path=folder / "haltline.yaml", directory=folder, store=StoreEntry(path=folder / "haltline.db"),
        accounts=(AccountSpec(id=EVAL, broker="venue", balance=Decimal(50_000), live=live),),
        brokers=(BrokerEntry(name="venue", kind="outside"),),
        instruments=(InstrumentSpec(symbol=MNQ, tick_size=Decimal("0.25"), tick_value=Decimal("0.50")),),
    )  # fmt: skip
    return Parts(setup=setup, book=RuleBook(), registry=Registry())


@asynccontextmanager
async def running(
    folder: Path, *, entry: GuardianEntry = FLOOR, live: bool = True, store=None, clock: ManualClock | None = None
) -> AsyncIterator[World]:
    world = World(folder, clock or ManualClock(START))
    world.store = store or MemoryJournal()
    world.guardian = Guardian(
        parts_of(folder, live=live), entry, clock=world.clock, wall=world.clock, store=world.store,
        writer=InlineWriter(world.store), pid=1, budget=Budget(),
    )  # fmt: skip
    world.guardian.subscribers.append(world.notes.append)
    async with Supervisor(world.clock) as supervisor:
        supervisor.once("guardian", lambda: world.guardian.run(lambda: None))
        await world.settle()
        yield world
        world.guardian.stop()
        await world.settle(60)


async def test_it_never_acts_while_the_engine_is_alive(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.buy()
        world.price(20_000)
        await world.pass_s(40)
        assert await world.holds() == (2, 0)
        assert {"submit", "cancel"}.isdisjoint(world.venue.calls)
        assert world.notes == []


async def test_it_flattens_once_when_the_engine_is_silent_and_the_floor_is_reached(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.buy()
        await world.rest_order()
        await world.pass_s(5)
        world.is_beating = False
        await world.pass_s(8)
        assert world.titles() == ["The engine is silent"]
        world.price(20_000)
        await world.pass_s(30)
        assert await world.holds() == (0, 0)
        assert world.venue.calls.count("submit") == 1
        assert world.titles() == [
            "The engine is silent", "eval: the guardian flattens it", "Done: flatten for account eval",
            "eval: at its floor, and flat",
        ]  # fmt: skip
        kinds = [record.kind for record in world.store.records]
        assert kinds.count(RecordKind.PLAN) == 1
        assert kinds.index(RecordKind.PLAN) < kinds.index(RecordKind.INTENT) < kinds.index(RecordKind.OUTCOME)


async def test_above_the_floor_it_only_tells(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.buy()
        world.is_beating = False
        world.price(20_900)
        await world.pass_s(20)
        assert await world.holds() == (2, 0)
        assert world.titles() == ["The engine is silent"]


async def test_what_is_opened_below_the_floor_is_closed_again(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.buy()
        world.is_beating = False
        world.price(20_000)
        await world.pass_s(10)
        await PaperBroker.submit(
            world.venue, OrderRequest(account=EVAL, symbol=MNQ, side=Side.SELL, quantity=Decimal(1), client_id="again")
        )
        await world.pass_s(5)
        assert await world.holds() == (0, 0)
        assert world.venue.calls.count("submit") == 2


async def test_an_engine_that_comes_back_is_welcomed_and_left_alone(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.buy()
        world.is_beating = False
        await world.pass_s(8)
        world.is_beating = True
        world.price(20_000)
        world.beat()
        await world.guardian.look()
        await world.pass_s(10)
        assert world.titles() == ["The engine is silent", "The engine is back"]
        assert await world.holds() == (2, 0)


async def test_an_engine_that_comes_back_just_before_a_request_stops_it(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.buy()
        world.is_beating = False
        await world.pass_s(8)
        carry_out = world.guardian._carry_out
        world.beat()
        receipt = await asyncio.wait_for(carry_out(EVAL, "flatten", "a test"), 5)
        assert "the engine is alive again" in receipt.reason
        assert await world.holds() == (2, 0)


@pytest.mark.parametrize("fault", ["down", "mute", "late"])
async def test_an_unknown_equity_is_an_alarm_and_nothing_is_closed(tmp_path: Path, fault: str) -> None:
    async with running(tmp_path) as world:
        await world.buy()
        await world.rest_order()
        world.price(20_000)
        world.venue.fault = fault
        world.is_beating = False
        await world.pass_s(20)
        assert await world.holds() == (2, 1)
        assert world.titles().count("eval: equity unknown while the engine is silent") == 1
        world.venue.fault = ""
        await world.pass_s(3)
        assert await world.holds() == (0, 0)


async def test_with_block_an_unknown_equity_cancels_what_could_open(tmp_path: Path) -> None:
    entry = GuardianEntry(floors=FLOOR.floors, silence_ns=FLOOR.silence_ns, on_unknown="block")
    async with running(tmp_path, entry=entry) as world:
        await world.buy()
        await world.rest_order()
        world.venue.fault = "mute"
        world.is_beating = False
        await world.pass_s(12)
        assert await world.holds() == (2, 0)
        assert world.venue.calls.count("cancel") == 1


async def test_an_account_in_shadow_is_not_touched(tmp_path: Path) -> None:
    async with running(tmp_path, live=False) as world:
        await world.buy()
        world.is_beating = False
        world.price(20_000)
        await world.pass_s(15)
        assert await world.holds() == (2, 0)
        assert "eval: at its floor, in shadow" in world.titles()


async def test_the_engine_s_last_word_says_whether_an_account_is_armed(tmp_path: Path) -> None:
    async with running(tmp_path, live=True) as world:
        await world.buy()
        world.is_beating = False
        world.beat(accounts={"eval": AccountBeat(mode="ACTIVE", live=False, confirmed=True)})
        world.price(20_000)
        await world.pass_s(15)
        assert await world.holds() == (2, 0)


def not_guarded(**more) -> dict[str, object]:
    """A beat of an engine that is well and does not reach the broker of the account."""
    told = AccountBeat(mode="ACTIVE", live=True, confirmed=False, unguarded="the broker venue is out of reach", **more)
    return {"accounts": {"eval": told}, "guards": ()}


GUARDED = {"accounts": {"eval": AccountBeat(mode="ACTIVE", live=True, confirmed=True)}, "guards": ("eval",)}


async def test_an_account_that_only_the_engine_cannot_reach_is_told_and_flattened_at_its_floor(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.buy()
        await world.rest_order()
        world.says = not_guarded()
        await world.pass_s(8)
        assert world.titles() == ["eval: the engine does not guard it"]
        assert "the broker venue is out of reach" in world.notes[0].text
        assert "flattens it at 49,000.00" in world.notes[0].text
        assert await world.holds() == (2, 1)
        world.price(20_000)
        await world.pass_s(20)
        assert await world.holds() == (0, 0)
        assert world.venue.calls.count("submit") == 1
        assert world.titles() == [
            "eval: the engine does not guard it", "eval: the guardian flattens it", "Done: flatten for account eval",
            "eval: at its floor, and flat",
        ]  # fmt: skip
        receipt = next(note for note in world.notes if note.title == "eval: the guardian flattens it")
        assert "the engine does not guard it" in receipt.text


async def test_an_account_that_the_engine_does_not_guard_for_a_moment_is_left_alone(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.buy()
        world.price(20_000)
        for _ in range(5):
            world.says = not_guarded()
            await world.pass_s(4)
            world.says = GUARDED
            await world.pass_s(1)
        assert world.notes == []
        assert await world.holds() == (2, 0)


async def test_an_account_that_the_engine_guards_again_is_handed_back_at_once(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.buy()
        world.says = not_guarded()
        await world.pass_s(8)
        world.beat(**GUARDED)
        world.says = GUARDED
        world.price(20_000)
        receipt = await asyncio.wait_for(world.guardian._carry_out(EVAL, "flatten", "a test"), 30)
        assert "guards eval" in receipt.reason
        await world.pass_s(10)
        assert await world.holds() == (2, 0)
        assert [title for title in world.titles() if "guard" in title] == [
            "eval: the engine does not guard it", "eval: the engine guards it again"
        ]  # fmt: skip


async def test_an_account_that_no_beat_mentions_is_held_at_its_floor(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.buy()
        world.says = {"guards": ()}
        world.price(20_000)
        await world.pass_s(12)
        assert "does not know it" in world.notes[0].text
        assert await world.holds() == (0, 0)


async def test_an_account_without_a_floor_that_is_not_guarded_is_told(tmp_path: Path) -> None:
    async with running(tmp_path, entry=GuardianEntry(silence_ns=5 * NS_PER_S)) as world:
        await world.buy()
        world.says = not_guarded()
        world.price(10_000)
        await world.pass_s(12)
        assert world.titles() == ["eval: the engine does not guard it"]
        assert "has no floor for it" in world.notes[0].text
        assert await world.holds() == (2, 0)


async def test_an_engine_that_comes_back_without_an_account_says_both(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.is_beating = False
        await world.pass_s(8)
        world.is_beating = True
        world.says = not_guarded()
        await world.pass_s(3)
        assert world.titles() == ["The engine is silent", "The engine is back", "eval: the engine does not guard it"]
        world.is_beating = False
        await world.pass_s(8)
        world.is_beating = True
        world.says = GUARDED
        await world.pass_s(3)
        assert world.titles()[3:] == ["The engine is silent", "The engine is back"]


async def test_a_request_of_the_guardian_stands_in_its_heartbeat_while_it_is_on_its_way(tmp_path: Path) -> None:
    path = heartbeat_path(tmp_path / "haltline.db", "guardian")
    seen: list[bool] = []

    def is_sending() -> bool:
        return msgspec.json.decode(path.read_bytes(), type=Heartbeat).accounts["eval"].sending

    async with running(tmp_path) as world:
        await world.buy()
        real = world.venue.submit

        async def submit(request: OrderRequest):
            seen.append(is_sending())
            return await real(request)

        world.venue.submit = submit
        world.is_beating = False
        world.price(20_000)
        await world.pass_s(15)
        assert seen == [True]
        assert not is_sending()


async def test_without_a_floor_it_only_tells_of_silence(tmp_path: Path) -> None:
    async with running(tmp_path, entry=GuardianEntry(silence_ns=5 * NS_PER_S)) as world:
        await world.buy()
        world.is_beating = False
        world.price(10_000)
        await world.pass_s(20)
        assert world.titles() == ["The engine is silent"]
        assert await world.holds() == (2, 0)


async def test_a_broker_it_cannot_see_is_told_while_the_engine_is_alive(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.venue.fault = "down"
        await world.pass_s(70)
        assert world.titles() == ["eval: the guardian cannot see its equity"]
        world.venue.fault = ""
        await world.pass_s(31)
        assert world.titles()[1:] == ["eval: the guardian sees it again"]


@pytest.mark.parametrize("content", [b"", b'{"haltline": 1, "ro', b'{"role": "guardian"}'])
async def test_a_torn_heartbeat_is_silence_in_time_and_says_so(tmp_path: Path, content: bytes) -> None:
    async with running(tmp_path) as world:
        world.is_beating = False
        heartbeat_path(world.path, "engine").write_bytes(content)
        await world.pass_s(4)
        assert world.notes == []
        await world.pass_s(4)
        assert "torn or not a heartbeat" in world.notes[0].text


async def test_a_missing_heartbeat_is_silence_in_time(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.is_beating = False
        await world.buy()
        world.price(20_000)
        await world.pass_s(12)
        assert "there is no file haltline.db.engine" in world.notes[0].text
        assert await world.holds() == (0, 0)


async def test_a_foreign_heartbeat_is_silence_in_time(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.is_beating = False
        for _ in range(8):
            world.beat(journal="other.db")
            await world.pass_s(1)
        assert "that of the engine of other.db" in world.notes[0].text


@pytest.mark.parametrize("state", ["starting", "stuck", "stopped"])
async def test_an_engine_that_does_not_guard_is_silent(tmp_path: Path, state: str) -> None:
    async with running(tmp_path) as world:
        world.is_beating = False
        for _ in range(8):
            world.beat(state=state)
            await world.pass_s(1)
        assert f"“{state}”" in world.notes[0].text


async def test_a_clock_that_jumps_makes_no_silence(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.buy()
        world.price(20_000)
        world.beat()
        world.clock.advance_to(world.clock.now() + 86_400 * NS_PER_S)
        await world.settle()
        await world.pass_s(3)
        assert world.notes == []
        assert await world.holds() == (2, 0)


async def test_a_restarted_guardian_takes_up_what_was_cut_off(tmp_path: Path) -> None:
    """The first life ends with a plan and a begun request on record; the second uses the same ids."""
    store = MemoryJournal()
    async with running(tmp_path, store=store) as world:
        await world.buy()
        world.is_beating = False
        world.beat()
        world.price(20_000)
        await world.pass_s(10)
        assert await world.holds() == (0, 0)
    receipt = next(index for index, record in enumerate(store.records) if b'"type":"action"' in record.body)
    del store.records[receipt:]
    store.last_seq = len(store.records)
    async with running(tmp_path, store=store, clock=world.clock) as second:
        second.is_beating = False
        await second.buy()
        second.price(20_000)
        await second.pass_s(10)
        assert await second.holds() == (0, 0)
    plans = [record for record in store.records if record.kind is RecordKind.PLAN]
    assert len(plans) == 1


class FullJournal(MemoryJournal):
    def append(self, entries):
        raise JournalFull("the disk is full", "free some space")


async def test_a_full_disk_does_not_keep_it_from_acting(tmp_path: Path) -> None:
    async with running(tmp_path, store=FullJournal()) as world:
        await world.buy()
        world.is_beating = False
        world.price(20_000)
        await world.pass_s(12)
        assert await world.holds() == (0, 0)
        assert world.titles().count("The guardian keeps no record") == 1


async def test_an_action_that_fails_is_tried_again_with_growing_pauses(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.buy()
        world.is_beating = False
        world.price(20_000)
        await world.pass_s(4)

        async def refuse(request: OrderRequest):
            world.venue.calls.append("submit")
            raise Transient("busy")

        world.venue.submit = refuse
        await world.pass_s(80)
        failed = [title for title in world.titles() if title.startswith("NOT DONE")]
        assert 1 <= len(failed) <= 3
        del world.venue.submit
        await world.pass_s(70)
        assert await world.holds() == (0, 0)
        assert world.titles().count("eval: the guardian flattens it") == 1


async def test_it_leaves_a_heartbeat_of_its_own_and_a_last_one(tmp_path: Path) -> None:
    path = heartbeat_path(tmp_path / "haltline.db", "guardian")
    async with running(tmp_path) as world:
        await world.pass_s(2)
        beat = msgspec.json.decode(path.read_bytes(), type=Heartbeat)
        assert (beat.role, beat.state, beat.accounts["eval"].equity) == ("guardian", "guarding", 50_000.0)
    assert msgspec.json.decode(path.read_bytes(), type=Heartbeat).state == "stopped"


def test_a_floor_on_a_broker_inside_the_engine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="E820"):
        Guardian(
            parts_of(tmp_path, in_process=True), FLOOR, clock=ManualClock(), wall=ManualClock(), store=MemoryJournal(),
            writer=InlineWriter(MemoryJournal()), pid=1,
        )  # fmt: skip


def test_a_second_guardian_is_refused_and_a_broken_record_is_not_fatal(tmp_path: Path) -> None:
    store, flaw = open_record(tmp_path / "haltline.db")
    assert isinstance(store, Journal) and not flaw
    with pytest.raises(JournalLocked):
        open_record(tmp_path / "haltline.db")
    store.close()
    (tmp_path / "guardian.db").write_bytes(b"not a journal at all, but long enough to be looked at" * 100)
    store, flaw = open_record(tmp_path / "haltline.db")
    assert isinstance(store, MemoryJournal)
    assert "not a journal" in flaw
