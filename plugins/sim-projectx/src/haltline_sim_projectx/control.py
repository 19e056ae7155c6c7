"""The controls over HTTP, under `/_sim/`: move the market, trade by hand, arm faults, read what was asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from haltline_sim_kit.control import Control, Controls
from haltline_sim_projectx import hub
from haltline_sim_projectx.failure import Refusal

if TYPE_CHECKING:
    from haltline_sim_projectx.server import ProjectXSim


class ProjectXControls(Controls):
    """The handlers, beside those that every simulator has."""

    _sim: ProjectXSim
    mistakes = (*Controls.mistakes, Refusal)

    def table(self) -> Iterable[Control]:
        """What there is."""
        return (
            *super().table(), ("POST", "price", self.price), ("POST", "trade", self.trade),
            ("POST", "account", self.account), ("POST", "session", self.session), ("POST", "hub", self.hub),
            ("POST", "tokens", self.tokens), ("POST", "clock", self.clock), ("GET", "requests", self.requests),
            ("GET", "book", self.book),
        )  # fmt: skip

    async def price(self, request: web.Request) -> web.Response:
        """`{"contract": "MNQZ5", "last": 21000.0}`, with `bid` and `ask` where they matter."""
        asked = await request.json()
        self._sim.price(str(asked["contract"]), float(asked["last"]), bid=asked.get("bid"), ask=asked.get("ask"))
        return web.json_response({"done": True})

    async def trade(self, request: web.Request) -> web.Response:
        """`{"account": "PRACTICE77", "contract": "MNQZ5", "side": "buy", "size": 2}`, with `limit` or `stop`; or
        `"side": "close"`.
        """
        asked = await request.json()
        trader, contract, size = self._sim.trader(str(asked["account"])), str(asked["contract"]), asked.get("size")
        if asked["side"] == "close":
            return web.json_response(trader.closes(contract, size).to_json())
        does = {"buy": trader.buys, "sell": trader.sells}[asked["side"]]
        order = does(contract, int(asked["size"]), limit=asked.get("limit"), stop=asked.get("stop"))
        return web.json_response(order.to_json())

    async def account(self, request: web.Request) -> web.Response:
        """`{"name": "EVAL2", "balance": 50000}` opens an account; `{"name": "EVAL2", "can_trade": false}` bars it."""
        asked = await request.json()
        trader = self._sim.trader(str(asked["name"]), balance=float(asked.get("balance", 50_000)))
        if "can_trade" in asked:
            self._sim.allow(trader.account.name, can_trade=bool(asked["can_trade"]))
        return web.json_response(trader.account.to_json())

    async def session(self, request: web.Request) -> web.Response:
        """`{"open": false}`: outside of trading hours."""
        self._sim.market.is_open = bool((await request.json())["open"])
        return web.json_response({"open": self._sim.market.is_open})

    async def hub(self, request: web.Request) -> web.Response:
        """`{"hub": "user", "do": "abort"}`: `close`, `abort`, `mute`, `error`, `malformed`, `unknown_key`, `logout`."""
        asked = await request.json()
        found = {"user": self._sim.user_hub, "market": self._sim.market_hub}[asked["hub"]]
        raw = {"error": hub.CLOSE_WITH_ERROR, "malformed": hub.MALFORMED, "unknown_key": hub.UNKNOWN_KEY}
        match asked["do"]:
            case "close":
                found.close()
            case "abort":
                found.abort()
            case "mute":
                found.is_muted = True
            case "logout":
                self._sim.log_out()
            case what:
                found.send_raw(raw[what])
        return web.json_response({"done": True})

    async def tokens(self, request: web.Request) -> web.Response:
        """End every token, although its expiry is far."""
        self._sim.expire_tokens()
        return web.json_response({"done": True})

    async def clock(self, request: web.Request) -> web.Response:
        """`{"skew_s": 4}`: the platform's clock is ahead of ours by so much."""
        self._sim.skew_s = float((await request.json())["skew_s"])
        return web.json_response({"skew_s": self._sim.skew_s})

    async def requests(self, request: web.Request) -> web.Response:
        """Every request of the client, without its token."""
        told = [{"call": each.call, "body": _hidden(each.body), "at": each.at} for each in self._sim.requests]
        return web.json_response(told)

    async def book(self, request: web.Request) -> web.Response:
        """Accounts, positions, orders and trades as they are."""
        market = self._sim.market
        accounts = market.accounts.values()
        return web.json_response(
            {
                "accounts": [each.to_json() for each in accounts],
                "positions": [position.to_json() for each in accounts for position in each.positions.values()],
                "orders": [order.to_json() for order in market.orders.values()],
                "trades": [trade.to_json() for trade in market.trades],
                "contracts": [dataclasses.asdict(contract) for contract in market.contracts.values()],
            }
        )


def _hidden(body: dict[str, Any]) -> dict[str, Any]:
    return {key: "***" if key == "apiKey" else value for key, value in body.items()}
