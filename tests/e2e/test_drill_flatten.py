"""An engine and a venue, each a process: a drill really flattens, over the network, and says that it was one."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

pytest.importorskip("haltline_sim_paper.control", reason="needs the plugin sim-paper, the venue as a process")
sys.path.insert(0, str(Path(__file__).parent))

from guardian_world import PROGRAM, World, until, venue_in

from haltline.journal.receipt import LegOutcome, Proof, Receipt
from haltline.journal.record import RecordKind
from haltline.journal.store import Journal

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform == "win32", reason="signals that stop a process are not on Windows"),
]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with venue_in(tmp_path) as port:
        made = World(tmp_path, port)
        try:
            yield made
        finally:
            made.end_all()


def drill(world: World, *more: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code of `haltline drill`, and what it has said."""
    done = subprocess.run(
        [*PROGRAM, "drill", "--json", *more],
        capture_output=True,
        text=True,
        cwd=world.folder,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        timeout=180,
        check=False,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def receipts(world: World) -> list[Receipt]:
    with Journal.read(world.folder / "haltline.db") as journal:
        bodies = [record.body for record in journal.iterate(kinds=[RecordKind.OUTCOME])]
    found = [msgspec.json.decode(body, type=Receipt | LegOutcome) for body in bodies]
    return [each for each in found if isinstance(each, Receipt)]


def test_a_drill_flattens_at_the_venue_with_proof_and_lets_entries_go_again(world: World) -> None:
    engine = world.start("run")
    world.buy()
    code, said = drill(world, "--flatten")
    assert code == 0, said
    assert "the practice account was flattened, with proof" in json.dumps(said[-1])
    assert [order.filled for order in world.closing_orders()] == [2]
    receipt = receipts(world)[-1]
    assert (receipt.name, receipt.drill, receipt.proof) == ("flatten", True, Proof.PUSH_AND_PULL)
    until(lambda: "DRILL: Done: flatten for account eval" in world.messages(), "people hear that it was a drill")
    assert engine.end() == 0


def test_without_an_engine_there_is_nothing_that_could_flatten(world: World) -> None:
    code, said = drill(world, "--flatten")
    assert code != 0
    assert "E864" in json.dumps(said)
