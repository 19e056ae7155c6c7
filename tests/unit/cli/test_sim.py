"""`haltline sim`: simulators are found by entry points, and get the words that follow their name."""

import json
import sys
import tomllib
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from haltline.cli import sim
from haltline.cli.main import app
from haltline.plugins.discover import SIMULATOR_GROUP

PLUGINS = Path(__file__).parents[3] / "plugins"
HEARD: list[list[str]] = []


def serve(words: Sequence[str]) -> None:
    """A simulator that serves nobody."""
    HEARD.append(list(words))


@pytest.fixture(autouse=True)
def simulators(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that are installed, one of which cannot be imported."""
    HEARD.clear()
    module = ModuleType("a_simulator")
    module.main = serve  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_simulator", module)
    good = EntryPoint(name="venue", value="a_simulator:main", group=SIMULATOR_GROUP)
    bad = EntryPoint(name="broken", value="no_such_module_anywhere:main", group=SIMULATOR_GROUP)
    monkeypatch.setattr(sim, "installed", lambda group: (good, bad))


def haltline(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words), prog_name="haltline")
    assert result.exit_code == code, result.output
    return result.output


def test_without_a_name_they_are_listed() -> None:
    assert [line.split()[0] for line in haltline("sim").splitlines()] == ["broken", "venue"]
    told = json.loads(haltline("sim", "--json"))
    assert [each["name"] for each in told["simulators"]] == ["broken", "venue"]


def test_none_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sim, "installed", lambda group: ())
    assert "none are installed" in haltline("sim")
    assert json.loads(haltline("sim", "--json"))["simulators"] == []


def test_what_follows_the_name_is_for_the_simulator() -> None:
    haltline("sim", "venue", "--port", "8085", "--account", "A:1")
    haltline("sim", "venue")
    haltline("sim", "venue", "--", "--help")
    assert HEARD == [["--port", "8085", "--account", "A:1"], [], ["--help"]]


def test_one_that_is_not_installed_is_a_problem_with_the_nearest_name() -> None:
    said = haltline("sim", "venu", code=1)
    assert "E501" in said
    assert "did you mean 'venue'?" in said


def test_one_that_cannot_be_imported_is_a_problem() -> None:
    said = haltline("sim", "broken", code=1)
    assert "E504" in said
    assert "no_such_module_anywhere" in said


def test_every_simulator_of_this_repository_can_be_started_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    projects = [
        tomllib.loads(file.read_text("utf-8"))["project"] for file in sorted(PLUGINS.glob("sim-*/pyproject.toml"))
    ]
    named = {
        name: value
        for project in projects
        for name, value in project.get("entry-points", {}).get(SIMULATOR_GROUP, {}).items()
    }
    assert set(named) == {"binance", "bybit", "discord", "hyperliquid", "projectx", "telegram"}
    for name, value in named.items():
        with pytest.raises(SystemExit) as ended:
            EntryPoint(name=name, value=value, group=SIMULATOR_GROUP).load()(["--help"])
        assert ended.value.code == 0
        assert "--port" in capsys.readouterr().out
