"""Point a genuine discord.py at the simulator and back: it keeps its addresses in class attributes of the process."""

from collections.abc import Iterator
from contextlib import contextmanager

from haltline_sim_discord.server import DiscordSim


@contextmanager
def redirected(sim: DiscordSim) -> Iterator[None]:
    """Every client of this process talks to the simulator until the end; raises ImportError without discord.py."""
    # optional: the simulator itself does without discord.py
    import yarl  # noqa: PLC0415
    from discord.gateway import DiscordWebSocket  # noqa: PLC0415
    from discord.http import Route  # noqa: PLC0415

    before = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    Route.BASE = sim.api_url
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(sim.gateway_url)
    try:
        yield
    finally:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = before
