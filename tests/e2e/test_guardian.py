"""An engine, a guardian and a venue, each a process: who acts when, and who says so when another is gone."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from haltline.journal.record import RecordKind
from haltline.journal.store import Journal
from haltline.model.id import AccountId, Symbol
from haltline.model.order import Side

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals that stop a process are not on Windows")
control = pytest.importorskip("haltline_sim_paper.control", reason="needs the plugin sim-paper, the venue as a process")

PROGRAM = (sys.executable, "-c", "from haltline.cli.main import main; main()")
EVAL, MNQ = AccountId("eval"), Symbol("MNQ")
SETUP = """version: 1
mode: live
plugins: [{name: sim_paper, required: true}]
accounts: {eval: {broker: venue, balance: 50000}}
brokers: {venue: {kind: paper_remote, config: {port: PORT}}}
channels: {out: {kind: jsonl, config: {path: out.jsonl}}}
instruments: {MNQ: {tick_size: 0.25, tick_value: 0.50, asset_class: future}}
stale_after: 1h
guardian: {floor: {eval: 49000}, silence: 3s, interval: 250ms}
rules: [rules.yaml]
"""
RULES = """version: 1
rules:
  - {id: quiet, each: account, when: account.equity < 1, then: [notify]}
"""
LONGEST_S = 40.0


@dataclass
class Service:
    """A process that writes a JSON object a line, and what it has said so far."""

    process: subprocess.Popen[str]
    said: list[dict[str, Any]] = field(default_factory=list)

    def listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(json.loads(line))

    def titles(self) -> list[str]:
        return [line["title"] for line in self.said if line["kind"] not in ("started", "stopped")]

    def wait_for(self, kind: str, count: int = 1) -> None:
        until(lambda: sum(line["kind"] == kind for line in self.said) >= count, f"{kind} in {self.said}")

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


def until(is_so: Callable[[], bool], what: str) -> None:
    """Wait for something other processes do."""
    end = time.monotonic() + LONGEST_S
    while not is_so():
        assert time.monotonic() < end, f"did not happen: {what}"
        time.sleep(0.05)  # sleeps: other processes do it


class World:
    """The folder, the venue's controls, and the processes."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.services: list[Service] = []
        self.control = control.Control(port)
        (folder / "haltline.yaml").write_text(SETUP.replace("PORT", str(port)))
        (folder / "rules.yaml").write_text(RULES)

    def start(self, command: str) -> Service:
        process = subprocess.Popen(
            [*PROGRAM, command, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=self.folder,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        service = Service(process)
        threading.Thread(target=service.listen, daemon=True).start()
        self.services.append(service)
        service.wait_for("started")
        return service

    def buy(self) -> None:
        self.control.price(MNQ, 21_000, 21_000.25)
        self.control.trade(EVAL, MNQ, Side.BUY, Decimal(2))

    def fall(self) -> None:
        """Through the floor: two contracts lose 2,000 each."""
        self.control.price(MNQ, 20_000, 20_000.25)

    def closing_orders(self) -> list[Any]:
        return [order for order in self.control.book().orders if order.reduce_only]

    def messages(self) -> list[str]:
        path = self.folder / "out.jsonl"
        return [json.loads(line)["title"] for line in path.read_text().splitlines()] if path.exists() else []

    def stay(self, seconds: float) -> None:
        """Let time pass in which nothing may happen."""
        time.sleep(seconds)  # sleeps: what must not happen has no event


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    venue = subprocess.Popen(
        [sys.executable, "-m", "haltline_sim_paper", "--port", "0", "--book", str(tmp_path / "book.sqlite")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert venue.stdout is not None
    made = World(tmp_path, int(venue.stdout.readline()))
    try:
        yield made
    finally:
        made.control.close()
        for service in made.services:
            if service.process.poll() is None:
                service.process.send_signal(signal.SIGCONT)
                service.process.kill()
            service.process.wait(30)
            assert service.process.stdout is not None
            service.process.stdout.close()
        venue.kill()
        venue.wait(30)
        venue.stdout.close()


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
    until(lambda: (world.folder / "guardian.db").exists() and bool(plans(world)), "a plan on record")
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


def plans(world: World) -> list[Any]:
    with Journal.read(world.folder / "guardian.db") as journal:
        return list(journal.iterate(kinds=[RecordKind.PLAN]))
