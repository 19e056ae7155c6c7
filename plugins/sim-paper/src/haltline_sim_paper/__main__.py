"""``python -m haltline_sim_paper --port 0 --book FILE``: the venue, until it is stopped. Prints one line: its port."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from haltline.builtins.paper.setting import read_setting
from haltline.clock import SystemClock
from haltline_sim_paper.host import Host
from haltline_sim_paper.server import Venue


def main(words: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m haltline_sim_paper", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--book", type=Path, required=True, help="the file that keeps accounts, orders and prices")
    parser.add_argument("--key", default="paper", help="what clients must show to log in")
    parser.add_argument("--config", default="{}", help="fees, slippage, depth: JSON, as for a broker of kind paper")
    given = parser.parse_args(words)
    try:
        setting = read_setting(msgspec.json.decode(given.config, type=dict[str, object]))
    except msgspec.MsgspecError as error:
        parser.error(f"--config: {error}")
    clock = SystemClock()
    venue = Venue(Host(given.book, clock, setting), clock, key=given.key)
    with suppress(KeyboardInterrupt):
        asyncio.run(venue.run(_announce, given.port))


def _announce(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
