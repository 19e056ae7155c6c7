"""The set-up that people copy: it checks, its stories hold, and a market that falls is survived on paper."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from haltline.cli.main import app

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/starter"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, as the working folder."""
    folder = tmp_path / "desk"
    shutil.copytree(EXAMPLE, folder)
    monkeypatch.chdir(folder)
    return folder


def haltline(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words), prog_name="haltline")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def falling_bars(path: Path, *, points_a_minute: float, minutes: int = 60) -> None:
    rows, price = ["time,open,high,low,close"], 21_000.0
    for minute in range(minutes):
        rows.append(
            f"2025-05-06T14:{minute:02}:00Z,{price},{price},{price - points_a_minute},{price - points_a_minute}"
        )
        price -= points_a_minute
    path.write_text("\n".join(rows) + "\n")


def replayed(desk: Path, *words: str) -> dict:
    return json.loads(haltline("replay", "MNQ.csv", "--position", "MNQ:5@21000", "--json", *words))


def test_nothing_is_wrong_with_it(desk: Path) -> None:
    assert "no problems" in haltline("check", "--strict")


def test_its_stories_hold(desk: Path) -> None:
    assert "3 passed, 0 failed" in haltline("test")


def test_it_has_every_rule_it_says(desk: Path) -> None:
    text = (desk / "rules.yaml").read_text()
    assert text.count("use: starter/") == 4
    assert text.count("each: ") == 2


def test_a_fast_fall_ends_the_day_at_the_limit(desk: Path) -> None:
    falling_bars(desk / "MNQ.csv", points_a_minute=60)
    report = replayed(desk)
    fired = {incident["rule"] for incident in report["incidents"] if incident["phase"] == "breached"}
    assert "daily-loss" in fired
    assert any("flatten" in json.dumps(receipt) for receipt in report["receipts"])


def test_a_position_without_a_stop_is_closed_after_five_minutes(desk: Path) -> None:
    falling_bars(desk / "MNQ.csv", points_a_minute=1)
    fired = [incident["rule"] for incident in replayed(desk)["incidents"] if incident["phase"] == "breached"]
    assert fired == ["stop-warning", "stop"]


def test_the_same_replay_gives_the_same_answer(desk: Path) -> None:
    falling_bars(desk / "MNQ.csv", points_a_minute=30)
    first, second = replayed(desk), replayed(desk)
    first.pop("seconds"), second.pop("seconds")
    assert first == second
