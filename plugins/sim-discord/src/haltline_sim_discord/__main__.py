"""``python -m haltline_sim_discord --port 8082``: the simulator, until it is stopped. Prints its addresses."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from haltline_sim_discord.limit import OFF, Rate
from haltline_sim_discord.server import TOKEN, DiscordSim
from haltline_sim_kit.command import serve


def main(words: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m haltline_sim_discord", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--token", default=TOKEN, help="the token the bot must show")
    parser.add_argument("--schema", type=Path, help="the published description; looked for if left out")
    parser.add_argument("--no-limits", action="store_true", help="let the bot ask as fast as it can")
    given = parser.parse_args(words)
    sim = DiscordSim(
        token=given.token, port=given.port, rate=OFF if given.no_limits else Rate(), schema=given.schema or ""
    )
    serve(sim, lambda: f"{sim.api_url} {sim.gateway_url} token {sim.token} validation {sim.validation}")


if __name__ == "__main__":
    main()
