"""Edited rules under a running engine: taken up all or nothing, and never silently."""

import asyncio
import os
from pathlib import Path
from typing import Any, cast

import pytest

from haltline import Haltline
from haltline.builtins.paper.broker import PaperBroker
from haltline.clock import NS_PER_S, ManualClock
from haltline.errors import ConfigError, EngineError
from haltline.journal.memory import MemoryJournal
from haltline.journal.record import RecordKind
from haltline.model.event import Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderRequest, Side
from haltline.runtime.embed import load_parts

START = 1_746_500_000 * NS_PER_S
RULES = """version: 1
rules:
  - id: daily-loss
    each: account
    limit: {value: account.day.loss, at: 500}
    for: 60s
    then: [block_entries]
  - id: size
    each: position
    limit: {value: abs(position.quantity), max: 5}
    then: [notify]
"""
BROKEN = "version: 1\nrules:\n  - id: ["


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = Path(__file__).with_name("world.yaml").read_text()
    text = text.replace("out.jsonl", str(tmp_path / "out.jsonl")).replace(
        "rules: [rules.yaml]", "rules: [rules.yaml, 'more/*.yaml']"
    )
    (tmp_path / "haltline.yaml").write_text(text)
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.yaml").write_text("version: 1\nrules: []\n")
    return tmp_path


def make(folder: Path, **more: Any) -> Haltline:
    parts = load_parts(folder / "haltline.yaml", environ={})
    return Haltline.from_parts(parts, clock=ManualClock(START), **more)


async def hold(engine: Haltline, quantity: int = 2) -> None:
    """Buy, then lose 600."""
    put(engine, 21_000)
    await engine.until_idle()
    broker = cast("PaperBroker", engine.engine._brokers["paper"])
    await broker.submit(
        OrderRequest(account=AccountId("eval"), symbol=Symbol("MNQ"), side=Side.BUY, quantity=quantity)  # type: ignore[arg-type] # a whole number will do
    )
    await engine.until_idle()
    put(engine, 20_700)
    await engine.until_idle()


def put(engine: Haltline, price: float) -> None:
    now = engine.engine.clock.now()
    engine.put(Quote(at=now, received_at=now, symbol=Symbol("MNQ"), bid=price, ask=price, last=price, mark=price))


def edit(folder: Path, old: str, new: str) -> None:
    file = folder / "rules.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


async def look(engine: Haltline, times: int = 1) -> None:
    """Let the watch look at the files so many times, at instants at which nothing else is due."""
    clock = cast("ManualClock", engine.engine.clock)
    for _ in range(times):
        clock.advance_to(clock.now() + NS_PER_S + 1)
        await settle(engine)


async def settle(engine: Haltline) -> None:
    """Until the watch sleeps again: it reads its files in threads."""
    due = engine.engine.clock.now() + NS_PER_S
    clock = cast("ManualClock", engine.engine.clock)
    for _ in range(10_000):
        await asyncio.sleep(0)
        if any(at == due for at, _, future in clock._sleepers if not future.done()):
            break
        await asyncio.to_thread(int)
    await engine.until_idle()


def phases(engine: Haltline) -> dict[str, str]:
    return {each.rule: each.phase.value for each in engine.engine.kernel.incidents()}


def records(engine: Haltline, kind: RecordKind) -> list[str]:
    journal = cast("MemoryJournal", engine.engine.store)
    return [record.body.decode() for record in journal.iterate(kinds=[kind])]


async def test_an_edited_rule_is_in_force_when_reload_returns(folder: Path) -> None:
    async with make(folder) as engine:
        await hold(engine)
        edit(folder, "max: 5", "max: 1")
        report = await engine.reload(by="alice", why="after the meeting")
        assert phases(engine)["size"] == "breached"
    assert [change.rule for change in report.difference.changed] == ["size"]
    assert [moved.rule for moved in report.result.transitions] == ["size"]


async def test_a_hold_of_an_unchanged_rule_goes_on_wherever_it_stands_in_the_file(folder: Path) -> None:
    async with make(folder) as engine:
        await hold(engine)
        assert phases(engine) == {"daily-loss": "pending"}
        until = engine.engine.kernel.incidents()[0].until
        edit(folder, "rules:\n", "rules:\n  - {id: first, each: account, when: account.locked, then: [notify]}\n")
        report = await engine.reload()
        assert report.difference.added == ("first",)
        assert engine.engine.kernel.incidents()[0].until == until
        clock = cast("ManualClock", engine.engine.clock)
        clock.advance_to(START + 61 * NS_PER_S)
        put(engine, 20_700)
        await engine.until_idle()
        assert phases(engine)["daily-loss"] == "breached"


async def test_the_journal_says_who_changed_what_and_keeps_the_state_with_it(folder: Path) -> None:
    async with make(folder) as engine:
        edit(folder, "max: 5", "max: 1")
        await engine.reload(by="alice", why="after the meeting")
        kinds = [record.kind for record in cast("MemoryJournal", engine.engine.store).records[-4:]]
        said = records(engine, RecordKind.CONFIG)[-1]
    assert kinds[:3] == [RecordKind.SNAPSHOT, RecordKind.CONFIG, RecordKind.SNAPSHOT]
    assert '"by":"alice"' in said
    assert '"why":"after the meeting"' in said
    assert '"key":"limit.max","old":"5","new":"1"' in said
    assert "max: 1" in said


async def test_a_broken_file_changes_nothing_and_is_told_everywhere_until_it_is_good(folder: Path) -> None:
    async with make(folder) as engine:
        await hold(engine)
        before = engine.status().rules
        (folder / "rules.yaml").write_text(BROKEN)
        with pytest.raises(ConfigError):
            await engine.reload()
        await engine.until_idle()
        failed = engine.status()
        assert (failed.rules.digest, failed.rules.rules) == (before.digest, 2)
        assert "[E1" in failed.rules.problems[0]
        assert [each.status for each in failed.services if each.name == "rules"] == ["degraded"]
        assert phases(engine) == {"daily-loss": "pending"}
        assert "NOT reloaded" in (folder / "out.jsonl").read_text()
        assert "NOT reloaded" in records(engine, RecordKind.NOTICE)[-1]

        (folder / "rules.yaml").write_text(RULES)
        report = await engine.reload()
        await engine.until_idle()
        assert report.difference.is_empty
        assert engine.status().rules.problems == ()
        assert [each.status for each in engine.status().services if each.name == "rules"] == ["up"]
        assert "files are good again" in (folder / "out.jsonl").read_text()


async def test_the_same_failure_is_told_once(folder: Path) -> None:
    async with make(folder) as engine:
        (folder / "rules.yaml").write_text(BROKEN)
        for _ in range(2):
            with pytest.raises(ConfigError):
                await engine.reload()
        assert len([each for each in records(engine, RecordKind.NOTICE) if "NOT reloaded" in each]) == 1


async def test_a_rule_that_names_nothing_known_changes_nothing(folder: Path) -> None:
    async with make(folder) as engine:
        edit(folder, "account.day.loss", "account.day.los")
        with pytest.raises(ConfigError, match=r"account\.day\.loss"):
            await engine.reload()
        assert engine.engine.kernel.index.rules[0].spec.limit.value == "account.day.loss"  # type: ignore[union-attr] # it has one


async def test_the_same_rules_leave_no_trace_in_the_journal(folder: Path) -> None:
    async with make(folder) as engine:
        await hold(engine)
        before = cast("MemoryJournal", engine.engine.store).last_seq
        report = await engine.reload()
        assert report.result.transitions == ()
        assert cast("MemoryJournal", engine.engine.store).last_seq == before


async def test_rules_added_by_hand_stay_over_a_reload_and_win(folder: Path) -> None:
    async with make(folder) as engine:
        engine.add_rule({"id": "size", "each": "account", "when": "account.locked", "then": ["notify"]})
        await engine.until_idle()
        edit(folder, "at: 500", "at: 400")
        await engine.reload()
        scopes = {rule.id: rule.each.value for rule in engine.engine.kernel.index.rules}
    assert scopes == {"daily-loss": "account", "size": "account"}


async def test_what_is_not_a_rule_waits_for_a_restart_and_says_so(folder: Path) -> None:
    async with make(folder) as engine:
        file = folder / "haltline.yaml"
        text = file.read_text()
        file.write_text(text.replace("balance: 50000", "balance: 60000").replace("mode: live", "mode: shadow"))
        report = await engine.reload()
        assert report.waiting == ("account 'eval' was changed", "mode was changed")
        assert engine.status().rules.waiting == report.waiting
        assert "Restart to apply" in records(engine, RecordKind.NOTICE)[-1]
        file.write_text(text)
        assert (await engine.reload()).waiting == ()


async def test_another_list_of_plugins_is_named_as_the_likely_cause(folder: Path) -> None:
    async with make(folder) as engine:
        file = folder / "haltline.yaml"
        file.write_text(file.read_text().replace("kind: jsonl", "kind: pigeon") + "plugins: [pigeon]\n")
        with pytest.raises(ConfigError, match="E831"):
            await engine.reload()


async def test_rules_that_fail_on_the_copy_never_reach_the_engine(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make(folder) as engine:

        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("no such luck")

        monkeypatch.setattr("haltline.runtime.reload.rehearse", fail)
        edit(folder, "max: 5", "max: 1")
        with pytest.raises(ConfigError, match=r"no such luck.*E830"):
            await engine.reload()
        assert engine.engine.kernel.index.rules[1].spec.limit.threshold == 5  # type: ignore[union-attr] # it has one


async def test_an_engine_that_ends_first_lets_no_caller_wait(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make(folder)
    async with engine:
        reloader, pump = engine.engine.reloader, engine.engine.pump

        async def never() -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(pump, "_swap_rules", never)
        edit(folder, "max: 5", "max: 1")
        waiting = asyncio.ensure_future(reloader.reload(by="test"))
        while not pump._rules:  # noqa: ASYNC110 - the files are read in a thread
            await asyncio.sleep(0)
        engine.engine.kernel.deadline = None
        engine._supervisor.stop()  # type: ignore[union-attr] # it runs
        with pytest.raises(EngineError, match="E810"):
            await waiting


class TestWatch:
    async def test_an_edit_is_taken_up_once_it_looks_the_same_twice(self, folder: Path) -> None:
        async with make(folder, watch=True) as engine:
            await look(engine, 3)
            await hold(engine)
            edit(folder, "max: 5", "max: 1")
            await look(engine)
            assert "size" not in phases(engine)
            await look(engine)
            assert phases(engine)["size"] == "breached"
            assert "file watch" in records(engine, RecordKind.CONFIG)[-1]
            assert "changed: rules.yaml" in records(engine, RecordKind.CONFIG)[-1]

    async def test_a_file_that_is_still_being_written_is_left_alone(self, folder: Path) -> None:
        async with make(folder, watch=True) as engine:
            await look(engine, 3)
            text = RULES.replace("max: 5", "max: 1")
            for end in range(40, len(text), 40):
                (folder / "rules.yaml").write_text(text[:end])
                await look(engine)
            (folder / "rules.yaml").write_text(text)
            await look(engine, 2)
            assert engine.status().rules.problems == ()
            assert not [each for each in records(engine, RecordKind.NOTICE) if "NOT reloaded" in each]
            _, reloaded = records(engine, RecordKind.CONFIG)
            assert '"key":"limit.max","old":"5","new":"1"' in reloaded

    async def test_files_that_come_go_or_are_replaced_are_seen(self, folder: Path) -> None:
        async with make(folder, watch=True) as engine:
            await look(engine, 3)
            (folder / "more" / "b.yaml").write_text(
                "version: 1\nrules:\n  - {id: new, each: account, when: account.locked, then: [notify]}\n"
            )
            await look(engine, 2)
            assert engine.status().rules.rules == 3
            (folder / "more" / "b.yaml").unlink()
            await look(engine, 2)
            assert engine.status().rules.rules == 2
            swapped = folder / "rules.yaml.swp"
            swapped.write_text(RULES.replace("max: 5", "max: 4"))
            swapped.replace(folder / "rules.yaml")
            await look(engine, 2)
            assert engine.engine.kernel.index.rules[1].spec.limit.threshold == 4  # type: ignore[union-attr] # it has one

    async def test_a_broken_edit_is_seen_and_its_correction_too(self, folder: Path) -> None:
        async with make(folder, watch=True) as engine:
            await look(engine, 3)
            (folder / "rules.yaml").write_text(BROKEN)
            await look(engine, 2)
            assert engine.status().rules.problems
            (folder / "rules.yaml").write_text(RULES.replace("max: 5", "max: 4"))
            await look(engine, 2)
            assert engine.status().rules.problems == ()
            assert engine.engine.kernel.index.rules[1].spec.limit.threshold == 4  # type: ignore[union-attr] # it has one

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
    async def test_a_pipe_among_the_files_is_told_and_ends_no_watching(self, folder: Path) -> None:
        async with make(folder, watch=True) as engine:
            await look(engine, 3)
            os.mkfifo(folder / "more" / "pipe.yaml")
            await look(engine, 2)
            assert "a pipe or a device" in engine.status().rules.problems[0]
            (folder / "more" / "pipe.yaml").unlink()
            edit(folder, "max: 5", "max: 4")
            await look(engine, 2)
            assert engine.status().rules.problems == ()

    async def test_what_is_written_while_the_files_are_read_waits_for_another_look(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with make(folder, watch=True) as engine:
            await look(engine, 3)
            reloader = engine.engine.reloader
            genuine = reloader._load

            def slow() -> object:
                loaded = genuine()
                (folder / "rules.yaml").write_text(RULES.replace("max: 5", "max: 3"))
                return loaded

            edit(folder, "max: 5", "max: 4")
            await look(engine)
            monkeypatch.setattr(reloader, "_load", slow)
            await look(engine)
            assert engine.engine.kernel.index.rules[1].spec.limit.threshold == 5  # type: ignore[union-attr] # it has one
            monkeypatch.setattr(reloader, "_load", genuine)
            await look(engine, 2)
            assert engine.engine.kernel.index.rules[1].spec.limit.threshold == 3  # type: ignore[union-attr] # it has one
