"""A simulator for each test; modules beside the tests can be imported by them."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from haltline_sim_discord.limit import OFF
from haltline_sim_discord.redirect import redirected
from haltline_sim_discord.server import DiscordSim

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
async def sim() -> AsyncIterator[DiscordSim]:
    async with DiscordSim(rate=OFF, checks_answers=True) as sim:
        with redirected(sim):
            yield sim
    assert sim.own_violations == []
