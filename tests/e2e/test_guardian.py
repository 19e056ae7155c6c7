"""An engine, a guardian and a venue, each a process: who acts when, and who says so when another is gone."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("haltline_sim_paper.control", reason="needs the plugin sim-paper, the venue as a process")
sys.path.insert(0, str(Path(__file__).parent))

from guardian_world import MNQ, World, until, venue_in

from haltline.journal.record import RecordKind
from haltline.journal.store import Journal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals that stop a process are not on Windows")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with venue_in(tmp_path) as port:
        made = World(tmp_path, port)
        try:
            yield made
        finally:
            made.end_all()


@pytest.mark.long
def test_an_engine_that_is_killed_leaves_an_account_that_is_flattened_once_at_its_floor(world: World) -> None:
    engine, guardian = world.start("run"), world.start("guardian")
    world.buy()
    engine.end(signal.SIGKILL)
    guardian.wait_for("silent")
    assert world.closing_orders() == []
    world.fall()
    guardian.wait_for("receipt")
    guardian.wait_for("account", 2)
    assert guardian.titles() == [
        "The engine is silent",
        "eval: the guardian flattens it",
        "Done: flatten for account eval",
        "eval: at its floor, and flat",
    ]
    assert [order.filled for order in world.closing_orders()] == [2]
    assert guardian.end() == 0
    assert guardian.said[-1]["kind"] == "stopped"
    with Journal.read(world.folder / "guardian.db") as journal:
        assert journal.verify().ok
        assert len(list(journal.iterate(kinds=[RecordKind.PLAN]))) == 1
    assert set(guardian.titles()) <= set(world.messages())


@pytest.mark.long
def test_an_engine_that_hangs_is_replaced_and_when_it_goes_on_the_guardian_only_watches(world: World) -> None:
    engine, guardian = world.start("run"), world.start("guardian")
    world.buy()
    engine.process.send_signal(signal.SIGSTOP)
    world.fall()
    guardian.wait_for("receipt")
    assert [order.filled for order in world.closing_orders()] == [2]
    engine.process.send_signal(signal.SIGCONT)
    guardian.wait_for("alive")
    until(lambda: "The engine stood still" in world.messages(), "the engine says that it stood still")
    world.buy()
    world.fall()
    world.stay(5)
    assert len(world.closing_orders()) == 1
    assert engine.end() == 0
    assert guardian.end() == 0


@pytest.mark.long
def test_while_the_engine_is_alive_the_guardian_never_acts_and_is_missed_when_it_is_gone(world: World) -> None:
    engine, guardian = world.start("run"), world.start("guardian")
    world.buy()
    world.fall()
    world.stay(8)
    assert world.closing_orders() == []
    assert guardian.titles() == []
    guardian.end(signal.SIGKILL)
    until(lambda: "The guardian is silent" in world.messages(), "the engine misses the guardian")
    guardian = world.start("guardian")
    until(lambda: "The guardian is back" in world.messages(), "the engine sees it again")
    assert world.closing_orders() == []
    world.control.price(MNQ, 21_000, 21_000.25)
    engine.end(signal.SIGKILL)
    engine = world.start("run")
    until(lambda: guardian.titles()[-1:] in ([], ["The engine is back"]), "the guardian sees the engine")
    world.stay(2)
    world.fall()
    world.stay(2)
    assert world.closing_orders() == []
    assert engine.end() == 0
    guardian.wait_for("receipt")
    assert len(world.closing_orders()) == 1


@pytest.mark.long
def test_a_guardian_killed_while_it_flattens_does_it_once_all_the_same(world: World) -> None:
    engine = world.start("run")
    world.buy()
    engine.end(signal.SIGKILL)
    world.fall()
    guardian = world.start("guardian")
    until(lambda: (world.folder / "guardian.db").exists() and bool(world.plans()), "a plan on record")
    guardian.end(signal.SIGKILL)
    again = world.start("guardian")
    until(lambda: bool(world.closing_orders()) and "silent" in [line["kind"] for line in again.said], "it is flat")
    again.wait_for("silent")
    world.stay(2)
    assert [order.filled for order in world.closing_orders()] == [2]


@pytest.mark.long
def test_a_heartbeat_that_is_torn_or_missing_is_silence_and_the_floor_holds(world: World) -> None:
    engine, guardian = world.start("run"), world.start("guardian")
    world.buy()
    heartbeat = world.folder / "haltline.db.engine"
    engine.end(signal.SIGKILL)
    heartbeat.write_bytes(heartbeat.read_bytes()[:40])
    guardian.wait_for("silent")
    assert "torn or not a heartbeat" in next(line["text"] for line in guardian.said if line["kind"] == "silent")
    heartbeat.unlink()
    world.fall()
    guardian.wait_for("receipt")
    assert [order.filled for order in world.closing_orders()] == [2]
