"""A simulator for each test; modules beside the tests can be imported by them."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from haltline_sim_telegram.server import TelegramSim

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
async def sim() -> AsyncIterator[TelegramSim]:
    async with TelegramSim(checks_answers=True) as sim:
        yield sim
    assert sim.own_violations == []
