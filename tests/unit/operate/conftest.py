"""The desk of operators, opened for a test."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from haltline import Haltline
from haltline.clock import ManualClock
from haltline.runtime.embed import load_parts

sys.path.insert(0, str(Path(__file__).parent))

from operator_desk import RULES, SETUP, START, Desk, Open


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.yaml").write_text(RULES)
    return tmp_path


@pytest.fixture
def opened(folder: Path) -> Open:
    """Opens the desk; `control` is that section of the set-up. With `on_disk` it can be opened again."""

    @asynccontextmanager
    async def opened(
        control: str = "", *, on_disk: bool = False, at: int = START, setup: str = SETUP
    ) -> AsyncIterator[Desk]:
        (folder / "haltline.yaml").write_text(setup.replace("CONTROL", control))
        clock = ManualClock(at)
        parts = load_parts(folder / "haltline.yaml", environ={})
        async with Haltline.from_parts(parts, clock=clock, in_memory=not on_disk) as engine:
            yield Desk(engine, clock)

    return opened
