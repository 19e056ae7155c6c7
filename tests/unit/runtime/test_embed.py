"""The Python API on a whole engine: paper broker, journal on disk or in memory, manual clock."""

import asyncio
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from haltline import Haltline
from haltline.api import EventSink, Observer, Registry, Started
from haltline.api.registry import Shelf
from haltline.builtins.paper.broker import PaperBroker
from haltline.clock import NS_PER_S, ManualClock
from haltline.errors import ConfigError, EngineError
from haltline.journal.error import JournalLocked
from haltline.journal.memory import MemoryJournal
from haltline.journal.record import RecordKind
from haltline.journal.store import Journal
from haltline.model.event import Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderRequest, Side
from haltline.model.plan import Result
from haltline.model.verdict import Phase, Transition
from haltline.runtime.embed import load_parts
from haltline.runtime.replay import EventList, Replay

START = 1_746_500_000 * NS_PER_S
RULES = """version: 1
rules:
  - id: daily-loss
    each: account
    limit: {value: account.day.loss, at: 500}
    then: [block_entries, flatten, {lock: {until: reset}}, notify]
    severity: critical
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = Path(__file__).with_name("world.yaml").read_text()
    (tmp_path / "haltline.yaml").write_text(text.replace("out.jsonl", str(tmp_path / "out.jsonl")))
    (tmp_path / "rules.yaml").write_text(RULES)
    return tmp_path


def quote(price: float, at: int = START) -> Quote:
    return Quote(at=at, received_at=at, symbol=Symbol("MNQ"), bid=price, ask=price + 0.25, last=price, mark=price)


def make(folder: Path, **more: Any) -> Haltline:
    parts = load_parts(folder / "haltline.yaml", environ={})
    return Haltline.from_parts(parts, clock=ManualClock(START), **more)


async def lose(engine: Haltline) -> None:
    """Buy two, then let the price fall through the limit."""
    broker = cast("PaperBroker", engine.engine._brokers["paper"])
    engine.put(quote(21_000))
    await engine.until_idle()
    await broker.submit(
        OrderRequest(account=AccountId("eval"), symbol=Symbol("MNQ"), side=Side.BUY, quantity=Decimal(2))
    )
    await engine.until_idle()
    for price in (20_850, 20_700):
        engine.put(quote(price))
        await engine.until_idle()


async def test_a_breach_flattens_locks_and_tells(folder: Path) -> None:
    seen: list[Transition] = []
    async with make(folder) as engine:
        engine.subscribe(seen.append)
        await lose(engine)
        broker = cast("PaperBroker", engine.engine._brokers["paper"])
        assert (await broker.snapshot(AccountId("eval"))).positions == ()
        refused = engine.check(account="eval", symbol="MNQ", side="buy", quantity=1)
    assert [transition.phase for transition in seen] == [Phase.BREACHED]
    assert not refused.allowed
    assert refused.reasons
    assert "rule daily-loss is broken" in (folder / "out.jsonl").read_text()


async def test_a_subscriber_that_raises_is_removed_and_named_and_the_others_go_on(folder: Path) -> None:
    seen: list[Transition] = []

    def broken(transition: Transition) -> None:
        raise RuntimeError(f"no room for {transition.rule}")

    async with make(folder) as engine:
        engine.subscribe(broken)
        engine.subscribe(seen.append)
        await lose(engine)
        assert not engine.check(account="eval", symbol="MNQ", side="buy", quantity=1).allowed
    assert [transition.phase for transition in seen] == [Phase.BREACHED]
    assert "raised RuntimeError: no room for daily-loss" in (folder / "out.jsonl").read_text()


async def test_observers_of_plugins_are_told_of_results(folder: Path) -> None:
    parts = load_parts(folder / "haltline.yaml", environ={})
    results: list[Result] = []
    observers = Shelf[Observer]("observer", Registry())
    observers.add("mine", Observer(name="mine", on_result=results.append))
    parts.registry.observers = observers
    async with Haltline.from_parts(parts, clock=ManualClock(START)) as engine:
        await lose(engine)
    assert any(action.name == "flatten" for result in results for action in result.plan)


async def test_a_fine_account_may_trade(folder: Path) -> None:
    async with make(folder) as engine:
        engine.put(quote(21_000))
        await engine.until_idle()
        assert engine.check(account="eval", symbol="MNQ", side="buy", quantity=1).allowed


async def test_entries_wait_until_the_broker_has_confirmed_and_exits_do_not(folder: Path) -> None:
    async with make(folder) as engine:
        engine.put(quote(21_000))
        await engine.until_idle()
        broker = cast("PaperBroker", engine.engine._brokers["paper"])
        await broker.submit(
            OrderRequest(account=AccountId("eval"), symbol=Symbol("MNQ"), side=Side.BUY, quantity=Decimal(2))
        )
        await engine.until_idle()
        engine.engine.reconciled.clear()
        entry = engine.check(account="eval", symbol="MNQ", side="buy", quantity=1)
        assert "not confirmed by its broker" in entry.reasons[0]
        assert engine.check(account="eval", symbol="MNQ", side="sell", quantity=1).allowed


async def test_state_and_lockout_survive_a_restart(folder: Path) -> None:
    async with make(folder, in_memory=False) as engine:
        await lose(engine)
        before = engine.engine.kernel.state.accounts["eval"].day.loss
    async with make(folder, in_memory=False) as engine:
        account = engine.engine.kernel.state.accounts["eval"]
        assert (account.mode, account.day.loss) == ("HALTED", before)
        assert engine.engine.kernel.incidents()[0].phase is Phase.BREACHED
    with Journal.read(folder / "data/journal.db") as journal:
        assert journal.verify().ok
        assert len([1 for record in journal.iterate(kinds=[RecordKind.INTENT])]) == 1


async def test_a_rule_that_is_added_counts_from_the_next_event(folder: Path) -> None:
    async with make(folder) as engine:
        await lose(engine)
        engine.add_rule({"id": "any-fill", "each": "account", "when": "account.day.fills > 1", "then": ["notify"]})
        await engine.until_idle()
        assert {view.rule for view in engine.engine.kernel.incidents()} == {"daily-loss", "any-fill"}


async def test_a_rule_with_a_mistake_is_refused_and_changes_nothing(folder: Path) -> None:
    async with make(folder) as engine:
        with pytest.raises(ConfigError, match="acount"):
            engine.add_rule("id: x\neach: account\nwhen: acount.equity > 1\nthen: [notify]\n")
        assert [rule.id for rule in engine.engine.kernel.index.rules] == ["daily-loss"]


async def test_incidents_can_be_read_as_they_happen(folder: Path) -> None:
    async with make(folder) as engine:
        stream = engine.incidents()
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        await lose(engine)
        assert (await first).rule == "daily-loss"
        await stream.aclose()


async def test_a_quote_that_is_not_a_number_stays_outside_and_is_noted(folder: Path) -> None:
    async with make(folder) as engine:
        engine.put(quote(float("nan")))
        await engine.until_idle()
        store = cast("MemoryJournal", engine.engine.store)
        notes = [record.body for record in store.iterate(kinds=[RecordKind.NOTICE])]
    assert any(b"bid, ask, last, mark is not a finite number" in note for note in notes)


async def test_a_second_engine_on_the_same_journal_is_refused(folder: Path) -> None:
    async with make(folder, in_memory=False):
        with pytest.raises(JournalLocked):
            async with make(folder, in_memory=False):
                pass


async def test_a_call_outside_the_engine_says_so(folder: Path) -> None:
    with pytest.raises(EngineError, match="E810"):
        make(folder).status()


class Broken:
    """A feed that fails at once, every time."""

    def __init__(self) -> None:
        self.starts = 0

    async def run(self, sink: EventSink, started: Started) -> None:
        self.starts += 1
        raise ValueError("no such host")


async def test_a_failing_feed_is_shown_and_takes_nothing_down(folder: Path) -> None:
    feed = Broken()
    async with make(folder, feeds={"prices": feed}) as engine:
        await lose(engine)
        for _ in range(40):
            wake = cast("ManualClock", engine.engine.clock).next_wake_ns()
            if wake is not None:
                cast("ManualClock", engine.engine.clock).advance_to(wake)
            await asyncio.sleep(0)
        shown = {service.name: service for service in engine.status().services}["feed prices"]
        assert engine.status().modes == {"eval": "HALTED"}
    assert shown.status in ("down", "degraded")
    assert "no such host" in shown.reason or "not started again" in shown.reason
    assert feed.starts > 1


async def test_a_failing_journal_ends_the_engine(folder: Path) -> None:
    with pytest.raises(OSError, match="disk on fire"):
        async with make(folder) as engine:
            store = cast("MemoryJournal", engine.engine.store)

            def fail(entries: object) -> int:
                raise OSError("disk on fire")

            store.append = fail  # type: ignore[method-assign]  # a disk that fails
            engine.put(quote(21_000))
            await asyncio.Event().wait()
    assert "Haltline stopped" in (folder / "out.jsonl").read_text()


def test_importing_the_package_does_not_import_the_engine() -> None:
    code = "import haltline, sys; print('haltline.runtime' in sys.modules, 'haltline.kernel' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]


async def test_a_replay_gives_the_same_decisions_every_time(folder: Path) -> None:
    parts = load_parts(folder / "haltline.yaml", environ={})
    prices = [21_000 - 5 * step for step in range(200)]
    events = [quote(price, START + step * NS_PER_S) for step, price in enumerate(prices)]

    async def once() -> list[bytes]:
        replay = Replay(parts, EventList(events))
        venue = cast("PaperBroker", replay.brokers["paper"]).venue
        venue.execute(AccountId("eval"), Symbol("MNQ"), Side.BUY, quantity=Decimal(2), price=Decimal(21_000), now=START)
        summary = await replay.run()
        assert summary.actions == 1
        assert venue.snapshot(AccountId("eval"), START).positions == ()
        return [record.body for record in replay.journal.iterate()]

    assert await once() == await once()
