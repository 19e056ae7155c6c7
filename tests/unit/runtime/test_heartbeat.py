"""Signs of life: what is one, what is not, and how silence is counted."""

import asyncio
import threading
from pathlib import Path

import msgspec
import pytest

from haltline.clock import NS_PER_S, SteadyClock
from haltline.runtime.heartbeat import (
    FileWork,
    Heartbeat,
    NoHeartbeat,
    Vigil,
    heartbeat_path,
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


async def test_a_disk_that_hangs_is_given_up_and_not_asked_again_meanwhile() -> None:
    gate = threading.Event()
    work = FileWork(call_s=0.01)
    with pytest.raises(OSError, match="does not answer"):
        await work.run(gate.wait)
    with pytest.raises(OSError, match="has not answered the last request"):
        await work.run(lambda: 1)
    gate.set()
    async with asyncio.timeout(5):
        while work._is_busy:  # noqa: ASYNC110 - the thread ends when it ends
            await asyncio.sleep(0.001)
    assert await FileWork().run(lambda: 1) == 1


async def test_the_steady_clock_passes_with_the_loop() -> None:
    clock = SteadyClock()
    before = clock.now()
    await clock.sleep_until(before + 5_000_000)
    assert before + 5_000_000 <= clock.now() < before + 5 * NS_PER_S
