"""The controls over HTTP, under `/_sim/`: move prices, act as a person, arm faults, read what was asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from haltline_sim_crypto.number import text
from haltline_sim_crypto.order import Order
from haltline_sim_crypto.refusal import Refused
from haltline_sim_kit.control import Control, Controls

if TYPE_CHECKING:
    from haltline_sim_crypto.server import CryptoSim


class CryptoControls(Controls):
    """The handlers, beside those that every simulator has."""

    _sim: CryptoSim
    mistakes = (*Controls.mistakes, ArithmeticError, Refused)

    def table(self) -> Iterable[Control]:
        """What there is."""
        return (
            *super().table(), ("POST", "refuse", self.refuse), ("POST", "price", self.price),
            ("POST", "trade", self.trade), ("POST", "order", self.order), ("POST", "funding", self.funding),
            ("POST", "stream", self.stream), ("POST", "clock", self.clock), ("GET", "state", self.state),
            ("GET", "requests", self.requests), ("GET", "frames", self.frames),
            ("GET", "violations", self.violations),
        )  # fmt: skip

    async def refuse(self, request: web.Request) -> web.Response:
        """`{"reason": "insufficient_margin", "call": "place", "count": 1}`."""
        self._sim.refuse(**await request.json())
        return web.json_response({"armed": True})

    async def price(self, request: web.Request) -> web.Response:
        """`{"symbol": "BTCUSDT", "last": 50000}`, with `mark` where it differs."""
        asked = await request.json()
        self._sim.price(asked["symbol"], asked["last"], mark=asked.get("mark"))
        return web.json_response({"last": str(asked["last"])})

    async def trade(self, request: web.Request) -> web.Response:
        """`{"symbol": "BTCUSDT", "quantity": -0.1}`: by hand, at market."""
        return web.json_response(_shown(self._sim.trades(**await request.json())))

    async def order(self, request: web.Request) -> web.Response:
        """`{"symbol": "BTCUSDT", "quantity": 0.1, "price": 40000}` or with `stop`: by hand."""
        return web.json_response(_shown(self._sim.orders(**await request.json())))

    async def funding(self, request: web.Request) -> web.Response:
        """`{"symbol": "BTCUSDT", "rate": 0.0001}`."""
        self._sim.funds(**await request.json())
        return web.json_response({"paid": True})

    async def stream(self, request: web.Request) -> web.Response:
        """`{"do": "mute"}`, `unmute`, `malformed`, `close` with `code`, `abort`; `kind` is private or public."""
        asked = await request.json()
        do, kind = str(asked.pop("do")), str(asked.pop("kind", "*"))
        if do == "unmute":
            self._sim.streams.unmute()
        elif do in ("mute", "malformed", "close", "abort"):
            getattr(self._sim.streams, do)(kind, **asked)
        else:
            raise ValueError(f"{do!r} was found where mute, unmute, malformed, close or abort was expected")
        return web.json_response({"done": do})

    async def clock(self, request: web.Request) -> web.Response:
        """`{"skew_ms": 60000}`: the venue's clock is ahead by so much."""
        self._sim.clock_skew_ms = int((await request.json())["skew_ms"])
        return web.json_response({"skew_ms": self._sim.clock_skew_ms})

    async def state(self, request: web.Request) -> web.Response:
        """Cash, equity, positions and live orders of every account."""
        return web.json_response(
            {
                account.name: {
                    "wallet": text(account.wallet),
                    "equity": text(account.equity),
                    "positions": [
                        {"symbol": each.symbol, "leg": each.leg, "quantity": text(each.quantity),
                         "entry": text(each.entry)}
                        for each in account.held()
                    ],
                    "orders": [_shown(each) for each in account.live()],
                }
                for account in self._sim.accounts.values()
            }
        )  # fmt: skip

    async def requests(self, request: web.Request) -> web.Response:
        """Every request of the client, without its headers."""
        names = ("call", "parameters", "at_ms", "violations")
        return web.json_response([{name: getattr(each, name) for name in names} for each in self._sim.requests])

    async def frames(self, request: web.Request) -> web.Response:
        """Every text that a client sent over a stream."""
        return web.json_response([dataclasses.asdict(each) for each in self._sim.streams.heard])

    async def violations(self, request: web.Request) -> web.Response:
        """Unknown paths and parameters, bad signatures."""
        return web.json_response({"violations": self._sim.violations})


def _shown(order: Order) -> dict[str, Any]:
    ask = order.ask
    return {
        "number": order.number, "symbol": ask.symbol, "side": ask.side, "quantity": text(order.quantity),
        "price": None if ask.price is None else text(ask.price), "filled": text(order.filled), "status": order.status,
        "client_id": ask.client_id, "leg": ask.leg,
    }  # fmt: skip
