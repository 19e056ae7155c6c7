"""``python -m haltline_sim_crypto bybit --port 8082``: a venue on loopback, until it is stopped. Prints its address."""

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Never

from haltline_sim_crypto.binance import BinanceSim
from haltline_sim_crypto.bybit import BybitSim
from haltline_sim_crypto.hyperliquid import HyperliquidSim
from haltline_sim_crypto.number import to_step
from haltline_sim_crypto.server import CryptoSim
from haltline_sim_kit.command import serve

_VENUES: dict[str, Callable[..., CryptoSim]] = {
    "bybit": BybitSim, "binance": BinanceSim, "hyperliquid": HyperliquidSim,
}  # fmt: skip
_STEP_S = 1.0


def main(words: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m haltline_sim_crypto", description=__doc__)
    parser.add_argument("venue", choices=sorted(_VENUES))
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--balance", type=_number, default=Decimal(10_000), help="cash of the account")
    parser.add_argument("--hedged", action="store_true", help="one position for each side; not on Hyperliquid")
    parser.add_argument("--no-limits", action="store_true", help="let the client ask as fast as it can")
    parser.add_argument("--price", action="append", type=_priced, default=[], metavar="SYMBOL=PRICE")
    parser.add_argument("--walk", type=float, default=0.02, metavar="PERCENT", help="prices wander so much a second")
    given = parser.parse_args(words)
    try:
        sim = _VENUES[given.venue](
            port=given.port, balance=given.balance, hedged=given.hedged, limits=not given.no_limits
        )
        for symbol, price in given.price:
            sim.price(symbol, price)
    except (ValueError, KeyError) as mistake:
        parser.error(str(mistake.args[0]))
    beside = [partial(_wander, sim, given.walk)] if given.walk else []
    serve(sim, lambda: f"{sim.base_url} {sim.venue} {json.dumps(sim.credentials)}", *beside)


def bybit(words: Sequence[str] | None = None) -> None:
    """`haltline sim bybit`."""
    main(["bybit", *(sys.argv[1:] if words is None else words)])


def binance(words: Sequence[str] | None = None) -> None:
    """`haltline sim binance`."""
    main(["binance", *(sys.argv[1:] if words is None else words)])


def hyperliquid(words: Sequence[str] | None = None) -> None:
    """`haltline sim hyperliquid`."""
    main(["hyperliquid", *(sys.argv[1:] if words is None else words)])


async def _wander(sim: CryptoSim, percent: float) -> Never:
    dice = random.Random(1)
    while True:
        await asyncio.sleep(_STEP_S)
        for symbol, market in sim.markets.items():
            factor = Decimal(1) + Decimal(str(dice.gauss(0, percent / 100)))
            sim.price(symbol, max(market.instrument.tick, to_step(market.last * factor, market.instrument.tick)))


def _number(word: str) -> Decimal:
    try:
        found = Decimal(word)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{word!r} was found where a number was expected") from None
    if not found.is_finite():
        raise argparse.ArgumentTypeError(f"{word!r} was found where a number was expected")
    return found


def _priced(word: str) -> tuple[str, Decimal]:
    symbol, _, price = word.partition("=")
    found = _number(price)
    if not symbol or found <= 0:
        raise argparse.ArgumentTypeError(f"{word!r} was found where SYMBOL=PRICE was expected")
    return symbol, found


if __name__ == "__main__":
    main()
