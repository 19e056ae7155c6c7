"""Signs of life: what is one, what is not, and how silence is counted."""

import asyncio
import threading
from pathlib import Path

import msgspec
import pytest

from haltline.clock import NS_PER_S, SteadyClock
from haltline.model.account import AccountSpec
from haltline.model.id import AccountId
from haltline.runtime.enginewatch import NOT_SAID, EngineWatch
from haltline.runtime.heartbeat import (
    AccountBeat,
    FileWork,
    Heartbeat,
    HeartbeatFile,
    NoHeartbeat,
    Vigil,
    heartbeat_path,
    is_guarded,
    read_heartbeat,
    write_heartbeat,
)


def beat(number: int = 1, *, run: str = "r", state: str = "guarding", **more) -> Heartbeat:
    given = {"role": "engine", "pid": 1, "wall": 0, "steady": 0, "journal": "haltline.db"} | more
    return Heartbeat(run=run, number=number, state=state, **given)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return heartbeat_path(tmp_path / "haltline.db", "engine")


def read(path: Path) -> Heartbeat:
    return read_heartbeat(path, role="engine", journal="haltline.db")


def vigil() -> Vigil:
    return Vigil(silence_ns=10 * NS_PER_S, longest_gap_ns=2 * NS_PER_S)


def test_what_is_written_is_read(path: Path) -> None:
    write_heartbeat(path, beat(7))
    assert read(path) == beat(7)
    assert [file.name for file in path.parent.iterdir()] == ["haltline.db.engine"]


def test_a_missing_file_is_no_heartbeat(path: Path) -> None:
    with pytest.raises(NoHeartbeat, match=r"there is no file haltline\.db\.engine"):
        read(path)


@pytest.mark.parametrize("content", [b"", b'{"haltline": 1, "ro', b"\xff\xfe", b"[1]", b'{"role": "engine"}'])
def test_a_torn_file_is_no_heartbeat(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(NoHeartbeat, match="torn or not a heartbeat"):
        read(path)


@pytest.mark.parametrize("foreign", [beat(role="guardian"), beat(journal="other.db"), beat(haltline=2)])
def test_a_foreign_file_is_no_heartbeat(path: Path, foreign: Heartbeat) -> None:
    write_heartbeat(path, foreign)
    with pytest.raises(NoHeartbeat):
        read(path)


def test_a_folder_in_its_place_is_no_heartbeat(path: Path) -> None:
    path.mkdir()
    with pytest.raises(NoHeartbeat, match="cannot be read"):
        read(path)


def test_a_field_of_a_later_version_is_no_harm(path: Path) -> None:
    path.write_bytes(msgspec.json.encode(msgspec.to_builtins(beat()) | {"later": 1}))
    assert read(path) == beat()


def test_new_beats_keep_silence_away() -> None:
    watch = vigil()
    for second in range(60):
        watch.look(beat(second), second * NS_PER_S)
    assert (watch.silent_ns, watch.is_silent, watch.was_heard) == (0, False, True)


def test_the_same_beat_again_is_silence() -> None:
    watch = vigil()
    for second in range(12):
        watch.look(beat(1), second * NS_PER_S)
    assert watch.is_silent
    assert not watch.was_heard


@pytest.mark.parametrize("state", ["starting", "stuck", "stopped", "failed"])
def test_a_beat_that_does_not_guard_is_no_sign_of_life(state: str) -> None:
    watch = vigil()
    for second in range(12):
        watch.look(beat(second, state=state), second * NS_PER_S)
    assert watch.is_silent
    assert watch.last is not None and watch.last.state == state


def test_an_unreadable_file_now_and_then_is_not_silence() -> None:
    watch = vigil()
    for second in range(60):
        watch.look(beat(second) if second % 3 == 0 else None, second * NS_PER_S)
        assert not watch.is_silent


def test_a_clock_that_jumps_does_not_make_silence() -> None:
    watch = vigil()
    watch.look(beat(1), 0)
    watch.look(beat(1), 86_400 * NS_PER_S)
    watch.look(beat(1), 0)
    assert watch.silent_ns == 2 * NS_PER_S


def test_a_watcher_that_stood_still_gives_the_other_side_its_time() -> None:
    watch = vigil()
    watch.look(beat(1), 0)
    watch.look(beat(1), 600 * NS_PER_S)
    assert not watch.is_silent


def test_an_engine_that_starts_again_is_alive_with_its_first_beat() -> None:
    watch = vigil()
    for second in range(12):
        watch.look(beat(9), second * NS_PER_S)
    watch.look(beat(1, run="next"), 13 * NS_PER_S)
    assert not watch.is_silent


def test_a_file_that_appears_is_a_sign_of_life() -> None:
    watch = vigil()
    watch.look(None, 0)
    watch.look(beat(1), NS_PER_S)
    assert watch.was_heard


def test_a_file_from_long_ago_is_no_sign_of_life() -> None:
    watch = vigil()
    watch.look(beat(9), 0)
    assert not watch.was_heard


def watch(*accounts: str) -> EngineWatch:
    return EngineWatch(map(AccountId, accounts), silence_ns=10 * NS_PER_S, longest_gap_ns=2 * NS_PER_S)


def test_an_account_that_the_engine_does_not_guard_is_away_in_time_and_the_others_are_not() -> None:
    engine = watch("a", "b")
    told = {"b": AccountBeat(mode="ACTIVE", live=True, confirmed=False, unguarded="the broker far is out of reach")}
    for second in range(11):
        engine.look(beat(second, guards=("a",), accounts=told), second * NS_PER_S)
    assert engine.away == frozenset()
    engine.look(beat(11, guards=("a",), accounts=told), 11 * NS_PER_S)
    assert (engine.away, engine.is_silent) == ({"b"}, False)
    assert engine.reason(AccountId("b")) == "the broker far is out of reach"
    assert engine.silent_for(AccountId("b")) == "11s"
    assert engine.absence(AccountId("b")) == "the engine does not guard it"
    engine.look(beat(12, guards=("a", "b"), accounts=told), 12 * NS_PER_S)
    assert engine.away == frozenset()


def test_an_account_that_is_not_mentioned_is_away_and_says_that_the_engine_does_not_know_it() -> None:
    engine = watch("stranger")
    for second in range(12):
        engine.look(beat(second, guards=()), second * NS_PER_S)
    assert engine.away == {"stranger"}
    assert "does not know it" in engine.reason(AccountId("stranger"))
    assert "does not know it" in watch("a").reason(AccountId("a"))


def test_an_older_engine_speaks_for_every_account() -> None:
    engine = watch("a", "b")
    older = {"b": AccountBeat(mode="ACTIVE", live=True, confirmed=False)}
    for second in range(60):
        engine.look(beat(second, accounts=older), second * NS_PER_S)
    assert engine.away == frozenset()
    assert engine.reason(AccountId("b")) == NOT_SAID
    for second in range(60, 72):
        engine.look(beat(59, accounts=older), second * NS_PER_S)
    assert engine.away == {"a", "b"}
    assert engine.absence(AccountId("a")) == "the engine is silent"


def test_an_engine_that_is_silent_guards_no_account() -> None:
    engine = watch("a")
    for second in range(12):
        engine.look(beat(second, state="stuck", guards=("a",)), second * NS_PER_S)
    assert (engine.is_silent, engine.away) == (True, {"a"})


def test_a_starting_engine_is_alive_for_what_it_guards_already() -> None:
    engine = watch("a", "b")
    for second in range(12):
        engine.look(beat(second, state="starting", guards=("a",)), second * NS_PER_S)
    assert (engine.is_silent, engine.away) == (False, {"b"})
    for second in range(12, 24):
        engine.look(beat(second, state="starting", guards=()), second * NS_PER_S)
    assert (engine.is_silent, engine.away) == (True, {"a", "b"})


def test_an_account_that_is_guarded_now_and_then_is_never_away() -> None:
    engine = watch("a")
    for second in range(60):
        engine.look(beat(second, guards=("a",) if second % 8 == 0 else ()), second * NS_PER_S)
        assert engine.away == frozenset()


def test_whether_an_account_is_armed_is_the_engine_s_last_word_else_the_set_up_s() -> None:
    engine, account = watch("a"), AccountSpec(id=AccountId("a"), broker="b", live=True)
    assert engine.is_live(account)
    engine.look(beat(1, accounts={"a": AccountBeat(mode="ACTIVE", live=False, confirmed=True)}), 0)
    assert not engine.is_live(account)


def test_a_beat_of_a_version_that_knew_no_single_accounts_is_read(path: Path) -> None:
    old = msgspec.to_builtins(beat(3, accounts={"a": AccountBeat(mode="ACTIVE", live=True, confirmed=True)}))
    del old["guards"]
    for name in ("unguarded", "pull_age_ns", "sending"):
        del old["accounts"]["a"][name]
    path.write_bytes(msgspec.json.encode(old))
    assert read(path).guards is None
    assert is_guarded(read(path), "a")
    assert is_guarded(read(path), "never mentioned")


async def test_a_disk_that_hangs_is_given_up_and_not_asked_again_meanwhile() -> None:
    gate = threading.Event()
    work = FileWork(call_s=0.01)
    with pytest.raises(OSError, match="does not answer"):
        await work.run(gate.wait)
    with pytest.raises(OSError, match="has not answered the last request"):
        await work.run(lambda: 1)
    gate.set()
    async with asyncio.timeout(5):
        while not (work._hangs and work._hangs.done()):  # noqa: ASYNC110 - the thread ends when it ends
            await asyncio.sleep(0)
    work._call_s = 30
    assert await work.run(lambda: 1) == 1


async def test_work_whose_caller_was_cancelled_is_waited_for_and_what_it_raises_is_nobodys() -> None:
    gate, done = threading.Event(), list[str]()

    def first() -> None:
        gate.wait()
        done.append("first")
        raise OSError("nobody hears it")

    work = FileWork(call_s=30)
    begun = asyncio.ensure_future(work.run(first))
    await asyncio.sleep(0)
    begun.cancel()
    with pytest.raises(asyncio.CancelledError):
        await begun
    last = asyncio.ensure_future(work.run(lambda: done.append("second")))
    await asyncio.sleep(0)
    gate.set()
    await last
    assert done == ["first", "second"]


def test_of_two_beats_the_newer_stays_whichever_is_written_last(path: Path) -> None:
    file = HeartbeatFile(path)
    older, newer = beat(number=1), beat(number=2, state="stopped")
    file.write(newer)
    file.write(older)
    assert read(path).state == "stopped"


async def test_the_steady_clock_passes_with_the_loop() -> None:
    clock = SteadyClock()
    before = clock.now()
    await clock.sleep_until(before + 5_000_000)
    assert before + 5_000_000 <= clock.now() < before + 5 * NS_PER_S
