"""``python -m haltline_sim_telegram --port 8081``: the simulator, until it is stopped. Prints its address."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from haltline_sim_kit.command import serve
from haltline_sim_telegram.limit import OFF, Rate
from haltline_sim_telegram.server import TOKEN, TelegramSim


def main(words: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m haltline_sim_telegram", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--token", default=TOKEN, help="the token the bot must show, digits:text")
    parser.add_argument("--schema", type=Path, help="the published description; looked for if left out")
    parser.add_argument("--no-limits", action="store_true", help="let the bot send as fast as it can")
    given = parser.parse_args(words)
    if not given.token.partition(":")[0].isdigit():
        parser.error("--token: digits, a colon and a text were expected")
    sim = TelegramSim(
        token=given.token, port=given.port, rate=OFF if given.no_limits else Rate(), schema=given.schema or ""
    )
    serve(sim, lambda: f"{sim.base_url} token {sim.token} validation {sim.validation}")


if __name__ == "__main__":
    main()
