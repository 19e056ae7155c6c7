"""A terminal for tests: runs the whole command line in this process."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from haltline.cli.main import app

type Terminal = Callable[..., "Ran"]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        """The one JSON object on standard output."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


def run(*words: str) -> Ran:
    """Run `haltline` with these words; an exception that escapes fails the test."""
    arguments: Sequence[str] = words
    result = CliRunner().invoke(app, list(arguments), prog_name="haltline")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """`haltline` as a function."""
    monkeypatch.delenv("HALTLINE_DEBUG", raising=False)
    return run
