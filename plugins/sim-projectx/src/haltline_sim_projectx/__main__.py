"""``python -m haltline_sim_projectx --port 8085``: the simulator, until it is stopped. Prints its address."""

import argparse
import asyncio
import itertools
from collections.abc import Sequence
from functools import partial

from haltline_sim_kit.command import serve
from haltline_sim_projectx.server import KEY, USER, ProjectXSim

_PERIOD_S = 1.0


def main(words: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m haltline_sim_projectx", description=__doc__)
    parser.add_argument("--port", type=int, default=8085, help="0 takes a free one")
    parser.add_argument("--user", default=USER, help="the user name that may log in")
    parser.add_argument("--key", default=KEY, help="the API key that may log in")
    parser.add_argument(
        "--account", action="append", metavar="NAME[:BALANCE]", help="an account to open; may be given several times"
    )
    parser.add_argument("--still", action="store_true", help="leave prices where they are, instead of a gentle walk")
    given = parser.parse_args(words)
    sim = ProjectXSim(user=given.user, key=given.key, port=given.port)
    for account in given.account or ["PRACTICE77"]:
        name, _, balance = account.partition(":")
        try:
            sim.trader(name, balance=float(balance or 50_000))
        except ValueError:
            parser.error(f"--account {account}: NAME or NAME:BALANCE was expected")
    beside = [] if given.still else [partial(_walk, sim)]
    serve(sim, lambda: f"{sim.url} user {sim.user} key {sim.key}", *beside)


async def _walk(sim: ProjectXSim) -> None:
    """Every market goes up and down by a few ticks, the same way each time."""
    steps = (1, 2, -1, 1, -2, -1, 2, -2)
    for step in itertools.cycle(steps):
        for contract in sim.market.contracts.values():
            if contract.last is not None:
                sim.market.price(contract, contract.last + step * contract.tick_size)
        await asyncio.sleep(_PERIOD_S)


if __name__ == "__main__":
    main()
