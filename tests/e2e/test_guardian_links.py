"""An engine and a guardian, each a process with a road of its own to the venue: only the engine's is cut."""

import select
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from itertools import accumulate
from pathlib import Path

import pytest

pytest.importorskip("haltline_sim_paper.control", reason="needs the plugin sim-paper, the venue as a process")
sys.path.insert(0, str(Path(__file__).parent))

from guardian_world import EVAL, MNQ, Service, World, until, venue_in

from haltline.model.id import AccountId
from haltline.model.order import Side

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform == "win32", reason="signals that stop a process are not on Windows"),
]

NEAR = AccountId("near")
SETUP = """version: 1
mode: live
plugins: [{name: sim_paper, required: true}]
accounts:
  eval: {broker: venue, balance: 50000}
  near: {broker: close_by, balance: 50000}
brokers:
  venue: {kind: paper_remote, config: {port: ROAD}}
  close_by: {kind: paper_remote, config: {port: PORT}}
channels: {out: {kind: jsonl, config: {path: out.jsonl}}}
instruments: {MNQ: {tick_size: 0.25, tick_value: 0.50, asset_class: future}}
stale_after: 1h
guardian: {floor: {eval: 49000, near: 49000}, silence: 6s, interval: 250ms}
rules: [rules.yaml]
"""
FLATTENING = """version: 1
rules:
  - {id: floor, each: account, when: account.equity <= 49500, then: [flatten]}
"""


class Road:
    """A road to the venue that can be closed: what is on it is cut, and nobody gets through."""

    def __init__(self, port: int) -> None:
        self._far = port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._is_open = True
        self._ends: list[socket.socket] = []
        self._guard = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        with self._guard:
            self._is_open = False
            ends, self._ends = self._ends, []
        for end in ends:
            _end(end)

    def mend(self) -> None:
        with self._guard:
            self._is_open = True

    def close(self) -> None:
        self.cut()
        _end(self._door)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._door.accept()
            except OSError:
                return
            with self._guard:
                if not self._is_open:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._far))
                self._ends += [near, far]
            threading.Thread(target=_carry, args=(near, far), daemon=True).start()


def _carry(near: socket.socket, far: socket.socket) -> None:
    """Both ways, until one end is gone."""
    try:
        while True:
            for end in select.select([near, far], [], [])[0]:
                data = end.recv(65536)
                if not data:
                    return
                (far if end is near else near).sendall(data)
    except (OSError, ValueError):
        return
    finally:
        _end(near)
        _end(far)


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


class Crossing(World):
    """A world in which the engine takes the road to one of its two brokers, and the guardian goes straight."""

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        self.road = Road(port)
        straight = SETUP.replace("PORT", str(port))
        (folder / "haltline.yaml").write_text(straight.replace("ROAD", str(self.road.port)))
        (folder / "guardian.yaml").write_text(straight.replace("ROAD", str(port)))

    def start_both(self) -> tuple[Service, Service]:
        return self.start("run"), self.start("guardian", "--config", "guardian.yaml")

    def buy(self) -> None:
        """Two contracts each."""
        self.control.price(MNQ, 21_000, 21_000.25)
        for account in (EVAL, NEAR):
            self.control.trade(account, MNQ, Side.BUY, Decimal(2))

    def course(self, account: AccountId) -> list[Decimal]:
        """What the account held after each fill."""
        fills = [fill for fill in self.control.book().fills if fill.account == account]
        return list(accumulate(fill.quantity * fill.side.sign for fill in fills))

    def closed(self, account: AccountId) -> list[Decimal]:
        """What each reduce-only order has closed."""
        return [order.filled for order in self.closing_orders() if order.account == account and order.filled]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Crossing]:
    with venue_in(tmp_path) as port:
        made = Crossing(tmp_path, port)
        try:
            yield made
        finally:
            made.road.close()
            made.end_all()


def test_an_account_that_only_the_engine_cannot_reach_is_flattened_at_its_floor_and_no_other(world: Crossing) -> None:
    engine, guardian = world.start_both()
    world.buy()
    world.road.cut()
    guardian.wait_for("unguarded")
    assert world.closing_orders() == []
    world.fall()
    guardian.wait_for("receipt")
    guardian.wait_for("account", 2)
    assert guardian.titles() == [
        "eval: the engine does not guard it",
        "eval: the guardian flattens it",
        "Done: flatten for account eval",
        "eval: at its floor, and flat",
    ]
    assert "the broker venue is out of reach" in guardian.said[1]["text"]
    assert (world.closed(EVAL), world.closed(NEAR)) == ([2], [])
    world.road.mend()
    guardian.wait_for("guarded")
    world.control.price(MNQ, 21_000, 21_000.25)
    world.control.trade(EVAL, MNQ, Side.BUY, Decimal(2))
    world.fall()
    world.stay(4)
    assert (world.closed(EVAL), world.closed(NEAR)) == ([2], [])
    assert guardian.titles()[4:] == ["eval: the engine guards it again"]
    assert (engine.end(), guardian.end()) == (0, 0)


def test_an_engine_that_comes_back_while_the_guardian_flattens_closes_nothing_twice(world: Crossing) -> None:
    (world.folder / "rules.yaml").write_text(FLATTENING)
    engine, guardian = world.start_both()
    world.buy()
    world.road.cut()
    guardian.wait_for("unguarded")
    world.fall()
    until(lambda: (world.folder / "guardian.db").exists() and bool(world.plans()), "the guardian has decided")
    world.road.mend()
    guardian.wait_for("guarded")
    until(lambda: all(world.course(account)[-1] == 0 for account in (EVAL, NEAR)), "both are flat")
    until(lambda: "Done: flatten for account near" in world.messages(), "the engine has its proof")
    world.stay(3)
    assert min(world.course(EVAL)) == 0
    assert sum(world.closed(EVAL)) == sum(world.closed(NEAR)) == 2
    assert (engine.end(), guardian.end()) == (0, 0)
