"""The crash matrix: SIGKILL at every await and every journal write of a flatten or close; what is true after a restart.

Two positions and three orders on the paper venue, which is a process of its own. The points come from a life that is
not killed; then one trial for each. `pytest tests/crash/test_flatten.py -m long -s` prints the table.
"""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

TRIAL = Path(__file__).with_name("flatten") / "trial.py"
PROMISES = ("flat", "no_orders", "locked", "one_close", "receipt", "chain")
type Point = tuple[str, int]


type Trial = tuple[Point | None, Point | None] | tuple[Point | None, Point | None, str]


def run(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Carry out trials in one warm process, one after the other."""
    lines = "".join(json.dumps(trial) + "\n" for trial in trials)
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", str(TRIAL)],
        input=lines, capture_output=True, text=True, check=False, timeout=60 + 10 * len(trials),
    )  # fmt: skip
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(trials), done.stderr
    return found


def run_both(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """The same on two cores."""
    with ThreadPoolExecutor(2) as pool:
        halves = list(pool.map(run, (trials[::2], trials[1::2])))
    return [*halves[0], *halves[1]]


def points_of(calm: dict[str, Any]) -> list[Point]:
    return [(where, int(count)) for where, _, count in (line.rpartition("\t") for line in calm["points"])]


def steady(calm: dict[str, Any]) -> list[Point]:
    """The points that come again in each life whatever the load of the machine: those of the lane and its writes."""
    return [point for point in points_of(calm) if point[0].startswith("enforce") or "durable" in point[0]]


def every(points: Sequence[Point], count: int) -> list[Point]:
    """So many of them, evenly spread."""
    return [points[len(points) * place // count] for place in range(count)]


def broken(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [trial for trial in found if not all(trial[promise] for promise in PROMISES)]


def table(found: Sequence[dict[str, Any]]) -> str:
    """One row for each place: how many points there, how many were reached, and at how many each promise was kept."""
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for trial in found:
        rows[trial["target"][0]].append(trial)
    width = max(len(where) for where in rows)
    lines = [f"{'killed at':<{width}}  points  killed  " + "  ".join(PROMISES)]
    for where, trials in [*sorted(rows.items()), ("all", list(found))]:
        killed = sum(trial["codes"][0] != 0 for trial in trials)
        kept = "  ".join(f"{sum(bool(t[promise]) for t in trials):>{len(promise)}}" for promise in PROMISES)
        lines.append(f"{where:<{width}}  {len(trials):>6}  {killed:>6}  {kept}")
    return "\n".join(lines)


def require(found: Sequence[dict[str, Any]]) -> None:
    print("\n" + table(found))
    assert broken(found) == []
    killed = sum(trial["codes"][0] == -9 for trial in found)
    assert killed >= 0.8 * len(found), "too many points were not met again; is the story still the same each time?"


@pytest.fixture(scope="module")
def calm() -> dict[str, Any]:
    return run([(None, None)])[0]


def test_the_story_without_a_kill_is_worth_killing(calm: dict[str, Any]) -> None:
    assert broken([calm]) == []
    assert len(points_of(calm)) > 150
    assert len({where for where, _ in points_of(calm)}) > 20


@pytest.mark.long
@pytest.mark.slow
def test_a_flatten_killed_at_a_sample_of_instants_ends_flat_locked_and_on_record(calm: dict[str, Any]) -> None:
    require(run_both([(point, None) for point in every(steady(calm), 8)]))


@pytest.mark.long
def test_a_flatten_killed_at_every_instant_ends_flat_locked_and_on_record(calm: dict[str, Any]) -> None:
    require(run_both([(point, None) for point in points_of(calm)]))


@pytest.mark.long
def test_a_flatten_killed_twice_ends_flat_locked_and_on_record(calm: dict[str, Any]) -> None:
    points = steady(calm)
    pairs = zip(every(points, 20), every(points[::-1], 20), strict=True)
    require(run_both(list(pairs)))


@pytest.mark.long
@pytest.mark.slow
def test_a_close_leaves_nothing_of_its_symbol_and_all_of_the_other() -> None:
    require_kept(run([(None, None, "close")]))


@pytest.mark.long
def test_a_close_killed_at_every_instant_leaves_nothing_of_its_symbol_and_all_of_the_other() -> None:
    points = steady(run([(None, None, "close")])[0])
    require(run_both([(point, None, "close") for point in points]))


@pytest.mark.slow
@pytest.mark.parametrize("story", [pytest.param("hang", marks=pytest.mark.long), "lost_ack"])
def test_a_flatten_takes_over_from_a_close_whose_order_is_in_doubt(story: str) -> None:
    require_kept(run([(None, None, story)]))


@pytest.mark.long
@pytest.mark.parametrize("story", ["hang", "lost_ack"])
def test_a_handover_killed_at_every_instant_ends_flat_with_one_close_and_a_receipt_for_each(story: str) -> None:
    calm = run([(None, None, story)])[0]
    points = steady(calm)
    found = run_both([(point, None, story) for point in points])
    print("\n" + table(found))
    require_kept(found)
    assert sum(trial["codes"][0] == -9 for trial in found) >= 0.5 * len(found)


def require_kept(found: Sequence[dict[str, Any]]) -> None:
    assert broken(found) == []
