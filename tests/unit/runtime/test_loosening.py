"""Edits that guard less, under a running engine and while nothing runs: they wait, and no restart is a way round."""

from pathlib import Path
from typing import Any, cast

import pytest

from haltline import Haltline
from haltline.clock import NS_PER_S, ManualClock
from haltline.control.basis import Beginning, basis_of, config_entry
from haltline.control.status import status_of
from haltline.journal.memory import MemoryJournal
from haltline.journal.record import Entry, RecordKind
from haltline.journal.store import Journal
from haltline.model.event import Approve, ArmRequest, CancelLoosening, Tick
from haltline.model.id import AccountId
from haltline.runtime.embed import load_parts
from haltline.runtime.loosening import Held, hold
from haltline.runtime.reload import ReloadReport

START = 1_746_540_000 * NS_PER_S
"""2025-05-06 14:00 UTC."""
ROLL = 1_746_576_000 * NS_PER_S
RULES = """version: 1
rules:
  - id: daily-loss
    each: account
    limit: {value: account.day.loss, at: 500}
    then: [block_entries]
  - id: size
    each: position
    limit: {value: abs(position.quantity), max: 5}
    then: [notify]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path, "next_session")


def written(folder: Path, policy: str) -> Path:
    text = Path(__file__).with_name("world.yaml").read_text().replace("out.jsonl", str(folder / "out.jsonl"))
    (folder / "haltline.yaml").write_text(f"{text}loosening: {policy}\n")
    (folder / "rules.yaml").write_text(RULES)
    return folder


def make(folder: Path, *, at: int = START, **more: Any) -> Haltline:
    parts = load_parts(folder / "haltline.yaml", environ={})
    return Haltline.from_parts(parts, clock=ManualClock(at), **more)


def edit(folder: Path, old: str, new: str, *, file: str = "rules.yaml") -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))


async def edited(
    engine: Haltline, folder: Path, old: str, new: str, *, file: str = "rules.yaml", **by: str
) -> ReloadReport:
    """An edit that the engine has taken up; `by` and `why` as for `reload`."""
    edit(folder, old, new, file=file)
    report = await engine.reload(**by)
    await engine.until_idle()
    return report


async def move(engine: Haltline, instant: int) -> None:
    cast("ManualClock", engine.engine.clock).advance_to(instant)
    engine.put(Tick(at=instant, received_at=instant))
    await engine.until_idle()


async def approve(engine: Haltline, name: str, operator: str) -> None:
    now = engine.engine.clock.now()
    engine.put(Approve(at=now, received_at=now, request_id=name, operator=operator, reason="agreed at the desk"))
    await engine.until_idle()


def limits(engine: Haltline) -> dict[str, object]:
    """The thresholds of the rules in force."""
    rules = engine.engine.kernel.index.rules
    return {str(each.id): each.spec.limit.threshold for each in rules if each.spec.limit is not None}


def policy(engine: Haltline) -> str:
    return status_of(engine.engine.kernel).loosening.value


def waiting(engine: Haltline) -> list[str]:
    return [each.id.rpartition(":")[0] for each in engine.engine.kernel.loosenings]


async def test_a_looser_limit_waits_and_a_tighter_one_counts_at_once(folder: Path) -> None:
    async with make(folder) as engine:
        edit(folder, "at: 500", "at: 900")
        report = await edited(engine, folder, "max: 5", "max: 3", by="ann", why="a better week")
        assert limits(engine) == {"daily-loss": 500.0, "size": 3.0}
        assert [each.subject for each in report.held] == ["daily-loss"]
        (pending,) = engine.engine.kernel.loosenings
        assert (pending.operator, pending.reason, pending.due) == ("ann", "a better week", ROLL)


async def test_what_waited_counts_from_the_next_session_on(folder: Path) -> None:
    async with make(folder) as engine:
        await edited(engine, folder, "at: 500", "at: 900")
        await move(engine, ROLL - 1)
        assert limits(engine)["daily-loss"] == 500.0
        await move(engine, ROLL)
        assert limits(engine)["daily-loss"] == 900.0
        assert waiting(engine) == []


async def test_a_rule_file_that_is_emptied_goes_on_guarding(folder: Path) -> None:
    async with make(folder) as engine:
        (folder / "rules.yaml").write_text("version: 1\nrules: []\n")
        report = await engine.reload()
        await engine.until_idle()
        assert report.difference.is_empty
        assert set(limits(engine)) == {"daily-loss", "size"}
        await move(engine, ROLL)
        assert limits(engine) == {}


async def test_an_edit_taken_back_waits_no_more(folder: Path) -> None:
    async with make(folder) as engine:
        await edited(engine, folder, "at: 500", "at: 900")
        await edited(engine, folder, "at: 900", "at: 500")
        assert waiting(engine) == []
        await move(engine, ROLL)
        assert limits(engine)["daily-loss"] == 500.0


async def test_another_looser_edit_waits_anew(folder: Path) -> None:
    async with make(folder) as engine:
        edit(folder, "at: 500", "at: 900")
        await engine.reload()
        await move(engine, ROLL - NS_PER_S)
        await edited(engine, folder, "at: 900", "at: 9000")
        assert len(waiting(engine)) == 1
        await move(engine, ROLL + NS_PER_S)
        assert limits(engine)["daily-loss"] == 9000.0  # asked for before the roll, so due at it


async def test_an_operator_cancels_what_waits(folder: Path) -> None:
    async with make(folder) as engine:
        await edited(engine, folder, "at: 500", "at: 900")
        (pending,) = engine.engine.kernel.loosenings
        now = engine.engine.clock.now()
        engine.put(CancelLoosening(at=now, received_at=now, request_id=pending.id, operator="bob", reason="no"))
        await move(engine, ROLL)
        assert limits(engine)["daily-loss"] == 500.0


async def test_a_second_operator_lets_an_edit_count_at_once(tmp_path: Path) -> None:
    folder = written(tmp_path, "both")
    async with make(folder) as engine:
        await edited(engine, folder, "at: 500", "at: 900", by="ann", why="agreed")
        (pending,) = engine.engine.kernel.loosenings
        await approve(engine, pending.id, "ann")
        assert limits(engine)["daily-loss"] == 500.0
        await approve(engine, pending.id, "bob")
        assert limits(engine)["daily-loss"] == 900.0


async def test_a_file_that_somebody_edited_takes_two_operators(tmp_path: Path) -> None:
    folder = written(tmp_path, "second_operator")
    async with make(folder) as engine:
        await edited(engine, folder, "at: 500", "at: 900")
        (pending,) = engine.engine.kernel.loosenings
        await approve(engine, pending.id, "ann")
        assert limits(engine)["daily-loss"] == 500.0
        await approve(engine, pending.id, "bob")
        assert limits(engine)["daily-loss"] == 900.0


async def test_a_rule_added_by_hand_cannot_loosen_one_of_the_files(folder: Path) -> None:
    looser = {"id": "daily-loss", "each": "account", "limit": {"value": "account.day.loss", "at": 9000}}
    async with make(folder) as engine:
        engine.add_rule(looser | {"then": ["block_entries"]})
        await engine.until_idle()
        assert limits(engine)["daily-loss"] == 500.0
        await move(engine, ROLL)
        assert limits(engine)["daily-loss"] == 9000.0


async def test_what_cannot_be_compared_stands_beside_the_old_rule(folder: Path) -> None:
    async with make(folder) as engine:
        await edited(engine, folder, "at: 500", "at: 0.01 * account.balance")
        assert len(limits(engine)) == 3
        await move(engine, ROLL)
        assert len(limits(engine)) == 2


async def test_part_of_an_edit_that_does_not_go_without_the_rest_waits_with_it(folder: Path) -> None:
    """The new rule needs the derived value in its new type, which waits."""
    text = "define:\n  account.risk: account.day.loss\n"
    edit(folder, "version: 1\n", f"version: 1\n{text}")
    edit(folder, "value: account.day.loss", "value: account.risk")
    async with make(folder) as engine:
        edit(folder, "account.risk: account.day.loss", "account.risk: account.day.loss > 500")
        report = await edited(engine, folder, "limit: {value: account.risk, at: 500}", "when: account.risk")
        assert report.difference.is_empty
        assert limits(engine)["daily-loss"] == 500.0
        assert sorted(waiting(engine)) == ["definition:account.risk", "rule:daily-loss"]
        await move(engine, ROLL)
        assert list(limits(engine)) == ["size"]


async def test_an_edit_while_nothing_runs_waits_like_any_other(folder: Path) -> None:
    async with make(folder, in_memory=False):
        pass
    edit(folder, "at: 500", "at: 900")
    edit(folder, "max: 5", "max: 3")
    async with make(folder, at=START + NS_PER_S, in_memory=False) as engine:
        await engine.until_idle()
        assert limits(engine) == {"daily-loss": 500.0, "size": 3.0}
        await move(engine, ROLL)
        assert limits(engine) == {"daily-loss": 900.0, "size": 3.0}


@pytest.mark.parametrize("stops_at", [START, START + NS_PER_S, ROLL - 1, ROLL, ROLL + NS_PER_S])
async def test_what_waits_is_the_same_whenever_the_engine_is_started_again(folder: Path, stops_at: int) -> None:
    async with make(folder, in_memory=False) as engine:
        await edited(engine, folder, "at: 500", "at: 900")
        await move(engine, stops_at)
    async with make(folder, at=max(stops_at, ROLL - 1), in_memory=False) as engine:
        await engine.until_idle()
        assert limits(engine)["daily-loss"] == (900.0 if stops_at >= ROLL else 500.0)
        await move(engine, ROLL + 2 * NS_PER_S)
        assert limits(engine)["daily-loss"] == 900.0
        assert waiting(engine) == []


async def test_what_became_due_while_nothing_ran_counts_at_the_start(folder: Path) -> None:
    async with make(folder, in_memory=False) as engine:
        await edited(engine, folder, "at: 500", "at: 900")
    async with make(folder, at=ROLL + NS_PER_S, in_memory=False) as engine:
        await engine.until_idle()
        assert limits(engine)["daily-loss"] == 900.0


async def test_the_policy_itself_loosens_as_slowly_as_what_it_guards(folder: Path) -> None:
    async with make(folder, in_memory=False):
        pass
    edit(folder, "loosening: next_session", "loosening: at_once", file="haltline.yaml")
    edit(folder, "at: 500", "at: 900")
    async with make(folder, at=START + NS_PER_S, in_memory=False) as engine:
        await engine.until_idle()
        assert limits(engine)["daily-loss"] == 500.0
        assert policy(engine) == "next_session"
        await move(engine, ROLL)
        assert policy(engine) == "at_once"
        assert limits(engine)["daily-loss"] == 900.0


async def test_a_stricter_policy_counts_at_the_next_reload(tmp_path: Path) -> None:
    folder = written(tmp_path, "at_once")
    async with make(folder) as engine:
        await edited(engine, folder, "loosening: at_once", "loosening: both", file="haltline.yaml")
        assert policy(engine) == "both"


async def test_without_a_policy_an_edit_counts_at_once_over_a_restart_too(tmp_path: Path) -> None:
    folder = written(tmp_path, "at_once")
    async with make(folder, in_memory=False):
        pass
    edit(folder, "at: 500", "at: 900")
    async with make(folder, in_memory=False) as engine:
        await engine.until_idle()
        assert limits(engine)["daily-loss"] == 900.0
        assert waiting(engine) == []


async def test_an_account_taken_out_of_the_set_up_stays_until_its_time(folder: Path) -> None:
    edit(folder, "accounts: {eval:", "accounts: {other: {broker: paper}, eval:", file="haltline.yaml")
    async with make(folder, in_memory=False):
        pass
    edit(folder, "other: {broker: paper}, ", "", file="haltline.yaml")
    async with make(folder, at=START + NS_PER_S, in_memory=False) as engine:
        await engine.until_idle()
        assert set(engine.engine.kernel.state.accounts) == {"eval", "other"}
        assert waiting(engine) == ["setup:account other"]
    async with make(folder, at=ROLL + NS_PER_S, in_memory=False) as engine:
        await engine.until_idle()
        assert set(engine.engine.kernel.state.accounts) == {"eval"}
        assert waiting(engine) == []


async def test_another_day_for_an_account_waits(folder: Path) -> None:
    async with make(folder, in_memory=False):
        pass
    edit(folder, "balance: 50000", 'balance: 50000, roll: "14:01"', file="haltline.yaml")
    async with make(folder, at=START + NS_PER_S, in_memory=False) as engine:
        await engine.until_idle()
        assert engine.engine.kernel.state.accounts["eval"].spec.roll == "00:00"
        assert waiting(engine) == ["setup:account eval"]


async def test_older_prices_wait(folder: Path) -> None:
    async with make(folder, in_memory=False):
        pass
    edit(folder, "mode: live", "mode: live\nstale_after: 10h", file="haltline.yaml")
    async with make(folder, at=START + NS_PER_S, in_memory=False) as engine:
        await engine.until_idle()
        assert engine.engine.parts.setup.stale_after_ns == 10 * NS_PER_S
        assert waiting(engine) == ["setup:stale_after"]


@pytest.mark.parametrize(
    ("name", "looser", "tighter"),
    [
        ("evidence", "evidence: {tolerance: 0.5%}", "evidence: {tolerance: 2%}"),
        ("evidence", "evidence: {hold: 60s}", "evidence: {hold: 1s}"),
        ("caps", "caps: {max_positions: 1}", "caps: {max_positions: 9}"),
        ("caps", "caps: {max_positions: 4, over: proceed}", "caps: {max_positions: 5, over: proceed}"),
    ],
)
async def test_what_holds_enforcement_back_waits_and_what_frees_it_does_not(
    folder: Path, name: str, looser: str, tighter: str
) -> None:
    start = "caps: {max_positions: 5}\n"
    (folder / "haltline.yaml").write_text((folder / "haltline.yaml").read_text() + start)
    async with make(folder, in_memory=False):
        pass
    original = (folder / "haltline.yaml").read_text()
    for line, waits in ((tighter, []), (looser, [f"setup:{name}"])):
        changed = original.replace(start, line) if name == "caps" else f"{original}{line}\n"
        (folder / "haltline.yaml").write_text(changed)
        async with make(folder, at=START + NS_PER_S, in_memory=False) as engine:
            await engine.until_idle()
            assert waiting(engine) == waits


async def test_a_set_up_edited_under_a_running_engine_can_be_approved_before_the_restart(tmp_path: Path) -> None:
    folder = written(tmp_path, "second_operator")
    async with make(folder, in_memory=False) as engine:
        edit(folder, "balance: 50000", 'balance: 50000, roll: "14:01"', file="haltline.yaml")
        await engine.reload(by="ann", why="other hours")
        await engine.until_idle()
        (pending,) = engine.engine.kernel.loosenings
        await approve(engine, pending.id, "bob")
        assert waiting(engine) == ["setup:account eval"]
    async with make(folder, at=START + NS_PER_S, in_memory=False) as engine:
        await engine.until_idle()
        assert engine.engine.kernel.state.accounts["eval"].spec.roll == "14:01"
        assert waiting(engine) == []


async def test_rules_that_cannot_be_used_any_more_are_told_of_loudly(folder: Path) -> None:
    async with make(folder, in_memory=False):
        pass
    path = folder / "data" / "journal.db"
    rewrite_rules(path, "account.day.loss", "account.day.gone")
    async with make(folder, at=START + NS_PER_S, in_memory=False) as engine:
        await engine.until_idle()
        assert limits(engine)["daily-loss"] == 500.0
        notices = [record.body.decode() for record in engine.engine.store.iterate(kinds=[RecordKind.NOTICE])]
    assert any("cannot be used with the plugins of this set-up" in text for text in notices)


def rewrite_rules(path: Path, old: str, new: str) -> None:
    """As if the rules in force had named a field that this version does not know."""
    journal = Journal.open(path)
    try:
        record = next(iter(journal.iterate(kinds=[RecordKind.CONFIG])))
        body = record.body.replace(old.encode(), new.encode())
        journal.append_durable([Entry(kind=record.kind, at=record.at, body=body)])
    finally:
        journal.close()


async def test_a_calendar_that_is_not_known_any_more_is_told_of_loudly(folder: Path) -> None:
    async with make(folder, in_memory=False):
        pass
    rewrite_rules(folder / "data" / "journal.db", '"calendar":"24/7"', '"calendar":"NOWHERE"')
    async with make(folder, at=START + NS_PER_S, in_memory=False) as engine:
        await engine.until_idle()
        assert engine.engine.kernel.state.accounts["eval"].spec.calendar == "24/7"
        notices = [record.body.decode() for record in engine.engine.store.iterate(kinds=[RecordKind.NOTICE])]
    assert any("names a calendar that is not known any more" in text for text in notices)


def held(folder: Path, store: MemoryJournal) -> Held:
    parts = load_parts(folder / "haltline.yaml", environ={})
    return hold(parts.setup, parts.book, parts.registry, store, now=START)


def config_of(folder: Path) -> Entry:
    parts = load_parts(folder / "haltline.yaml", environ={})
    return config_entry(START, basis_of(parts.setup, parts.book), Beginning.FRESH)


def test_a_journal_without_any_basis_holds_nothing(folder: Path) -> None:
    assert held(folder, MemoryJournal()).before is None


def test_a_record_of_what_was_in_force_that_nobody_can_read_is_passed_over(folder: Path) -> None:
    store = MemoryJournal()
    store.append([config_of(folder), Entry(kind=RecordKind.CONFIG, at=START, body=b'{"basis":{"engine":1}}')])
    assert held(folder, store).before is not None


@pytest.mark.parametrize("state", [None, b"", b"\xc1"])
def test_without_a_saved_state_that_can_be_read_the_policy_on_record_counts(folder: Path, state: bytes | None) -> None:
    store = MemoryJournal()
    store.append([config_of(folder)])
    if state is not None:
        store.write_snapshot(1, START, state)
    edit(folder, "loosening: next_session", "loosening: at_once", file="haltline.yaml")
    edit(folder, "at: 500", "at: 900")
    found = held(folder, store)
    assert found.book is not found.wanted
    assert [spec.limit.threshold for spec in found.book.rules if spec.limit is not None] == [500.0, 5.0]


# -- mode --------------------------------------------------------------------------------------------------------------


async def test_arming_by_file_is_on_record_with_what_it_does_not_cover(folder: Path) -> None:
    async with make(folder) as engine:
        arming = engine.engine.kernel.loosenings.armings[AccountId("eval")]
        events = [record.body for record in engine.engine.store.iterate(kinds=[RecordKind.EVENT])]
        await move(engine, START + 3600 * NS_PER_S)
    assert arming.operator == "haltline.yaml"
    assert any(gap.startswith("no-guardian: ") for gap in arming.gaps)
    assert any(b"ArmRequest" in body for body in events)
    assert "Armed: eval" in (folder / "out.jsonl").read_text()


async def test_disarming_by_file_waits(folder: Path) -> None:
    async with make(folder, in_memory=False):
        pass
    edit(folder, "mode: live", "mode: shadow", file="haltline.yaml")
    async with make(folder, at=START + NS_PER_S, in_memory=False) as engine:
        await engine.until_idle()
        assert engine.engine.kernel.state.accounts["eval"].live
        assert [each.id for each in engine.engine.kernel.loosenings] == ["disarm:eval"]
        await move(engine, ROLL)
        assert not engine.engine.kernel.state.accounts["eval"].live


async def test_without_a_policy_the_file_disarms_before_anything_is_judged(tmp_path: Path) -> None:
    folder = written(tmp_path, "at_once")
    async with make(folder, in_memory=False):
        pass
    edit(folder, "mode: live", "mode: shadow", file="haltline.yaml")
    async with make(folder, in_memory=False) as engine:
        assert not engine.engine.kernel.state.accounts["eval"].live


async def test_a_file_that_says_nothing_new_leaves_arming_to_operators(tmp_path: Path) -> None:
    folder = written(tmp_path, "at_once")
    async with make(folder, in_memory=False) as engine:
        now = engine.engine.clock.now()
        engine.put(ArmRequest(at=now, received_at=now, account=AccountId("eval"), operator="ann", live=False))
        await engine.until_idle()
    async with make(folder, at=START + NS_PER_S, in_memory=False) as engine:
        assert not engine.engine.kernel.state.accounts["eval"].live


async def test_a_gap_that_opens_later_is_told_once(folder: Path) -> None:
    async with make(folder) as engine:
        await edited(engine, folder, "then: [notify]", "then: [notify]\n    mode: shadow")
        await move(engine, ROLL)
        await engine.reload()
        await engine.until_idle()
        await move(engine, ROLL + 3600 * NS_PER_S)
        text = (folder / "out.jsonl").read_text()
    assert text.count("shadow:size: rule size is in shadow") == 1
