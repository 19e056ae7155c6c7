"""An engine, a guardian and a venue, each a process, in a folder of their own: what tests of the guardian share."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from haltline.journal.record import RecordKind
from haltline.journal.store import Journal
from haltline.model.id import AccountId, Symbol
from haltline.model.order import Side
from haltline_sim_paper.control import Control

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
LONGEST_S = 90.0


@dataclass
class Service:
    """A process that writes a JSON object a line, and what it has said so far."""

    process: subprocess.Popen[str]
    said: list[dict[str, Any]] = field(default_factory=list)
    listener: threading.Thread | None = None

    def listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(json.loads(line))

    def titles(self) -> list[str]:
        return [line["title"] for line in self.said if line["kind"] not in ("started", "stopped")]

    def wait_for(self, kind: str, count: int = 1) -> None:
        def is_said() -> bool:
            return sum(line["kind"] == kind for line in self.said) >= count

        until(lambda: is_said() or self.process.poll() is not None, f"{kind} in {self.said}")
        if self.process.poll() is not None:
            self._hear_out()
        assert is_said(), f"it ended with {self.process.poll()}, having said {self.said}"

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(30)
        self._hear_out()
        return code

    def _hear_out(self) -> None:
        """What a process has said before its end."""
        if self.listener is not None:
            self.listener.join(30)


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
        self.control = Control(port)
        (folder / "haltline.yaml").write_text(SETUP.replace("PORT", str(port)))
        (folder / "rules.yaml").write_text(RULES)

    def start(self, *command: str) -> Service:
        """A process of ours, once it says that it has started."""
        process = subprocess.Popen(
            [*PROGRAM, *command, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=self.folder,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        service = Service(process)
        service.listener = threading.Thread(target=service.listen, daemon=True)
        service.listener.start()
        self.services.append(service)
        service.wait_for("started")
        return service

    def end_all(self) -> None:
        """Whatever they do: nothing of this world stays behind."""
        self.control.close()
        for service in self.services:
            if service.process.poll() is None:
                service.process.send_signal(signal.SIGCONT)
                service.process.kill()
            service.process.wait(30)
            assert service.process.stdout is not None
            service.process.stdout.close()

    def plans(self) -> list[Any]:
        """What the guardian has decided to do."""
        with Journal.read(self.folder / "guardian.db") as journal:
            return list(journal.iterate(kinds=[RecordKind.PLAN]))

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


@contextmanager
def venue_in(folder: Path) -> Iterator[int]:
    """The paper exchange as a process; its port."""
    venue = subprocess.Popen(
        [sys.executable, "-m", "haltline_sim_paper", "--port", "0", "--book", str(folder / "book.sqlite")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert venue.stdout is not None
    try:
        yield int(venue.stdout.readline())
    finally:
        venue.kill()
        venue.wait(30)
        venue.stdout.close()
