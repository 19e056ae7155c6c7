"""Hyperliquid's websocket: one path for everything, subscriptions by type; private ones by address, unsigned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from haltline_sim_crypto import hyperliquid_shape as shape
from haltline_sim_crypto.account import Account
from haltline_sim_crypto.event import Event, Executed, OrderChanged, PositionChanged, WalletChanged
from haltline_sim_crypto.market import Market
from haltline_sim_crypto.number import text
from haltline_sim_crypto.order import Cause
from haltline_sim_crypto.record import Json
from haltline_sim_crypto.stream import Link

if TYPE_CHECKING:
    from haltline_sim_crypto.hyperliquid import HyperliquidSim

_OF_USERS = frozenset(
    {"clearinghouseState", "orderUpdates", "userFills", "userEvents", "userFundings", "webData2", "openOrders"}
)
_OF_COINS = frozenset({"l2Book", "trades", "bbo", "activeAssetCtx"})
_NOBODY = "0x" + "0" * 40
"""Clients that want only prices ask for this user."""
_KNOWN = _OF_USERS | _OF_COINS | {"allMids"}


class HyperliquidStreams:
    """The streams of one simulator. A websocket is private as soon as it asks for something of a user."""

    def __init__(self, sim: HyperliquidSim) -> None:
        self._sim = sim

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """`/ws`."""
        return await self._sim.streams.serve(request, "public", self._hear)

    # -- what clients say ----------------------------------------------------------------------------------------------

    def _hear(self, link: Link, message: Any) -> None:
        match message:
            case {"method": "ping"}:
                link.put({"channel": "pong"})
            case {"method": "subscribe", "subscription": {"type": str(kind)} as wanted} if self._is_known(wanted):
                if wanted in link.topics:
                    link.put({"channel": "error", "data": f"Already subscribed: {json.dumps(wanted)}"})
                    return
                link.topics.append(wanted)
                if kind in _OF_USERS and wanted["user"] != _NOBODY:
                    link.kind = "private"
                    link.account = self._sim.accounts.get(wanted["user"].lower(), link.account)
                link.put({"channel": "subscriptionResponse", "data": message})
                self._first(link, wanted)
            case {"method": "unsubscribe", "subscription": wanted}:
                if wanted in link.topics:
                    link.topics.remove(wanted)
                    link.put({"channel": "subscriptionResponse", "data": message})
                else:
                    link.put({"channel": "error", "data": f"Already unsubscribed: {json.dumps(wanted)}"})
            case _:
                self._sim.own_violations.append(f"stream: not understood: {message!r}")
                link.put({"channel": "error", "data": f"Error parsing JSON into valid websocket request: {message}"})

    def _is_known(self, wanted: Json) -> bool:
        kind = wanted["type"]
        if kind in _OF_COINS:
            return wanted.get("coin") in self._sim.markets
        return kind in _KNOWN and (kind not in _OF_USERS or str(wanted.get("user", "")).startswith("0x"))

    def _first(self, link: Link, wanted: Json) -> None:
        """What a subscription is told at once."""
        kind, user = wanted["type"], str(wanted.get("user", ""))
        account = self._sim.accounts.get(user.lower())
        if kind in ("clearinghouseState", "webData2"):
            link.put(self._state(kind, account, user))
        elif kind == "userFills":
            fills = [shape.fill_row(each) for each in reversed(account.fills)] if account else []
            link.put({"channel": kind, "data": {"isSnapshot": True, "user": user.lower(), "fills": fills}})
        elif kind == "openOrders":
            link.put(self._orders(account, user))
        elif kind == "allMids":
            link.put(self._mids())
        elif kind in _OF_COINS and kind != "trades":
            link.put(self._quote(kind, self._sim.markets[wanted["coin"]]))

    # -- what clients are told -----------------------------------------------------------------------------------------

    def tell(self, account: Account, event: Event) -> None:
        """A private event."""
        now = self._sim.now_ms()
        match event:
            case OrderChanged(order=order, step=step):
                if step == "new" and order.is_immediate and order.ask.trigger is None:
                    return
                row = {"order": shape.basic_row(order), "status": shape.status(order), "statusTimestamp": now}
                self._tell(account, "orderUpdates", [row])
                self._tell(account, "openOrders", None)
            case Executed(fill=fill):
                rows = [shape.fill_row(fill)]
                self._tell(account, "userFills", {"user": account.key, "fills": rows})
                self._tell(account, "userEvents", {"fills": rows}, channel="user")
            case PositionChanged(cause=cause) if cause is not Cause.FUNDING:
                self._tell_state(account)
            case WalletChanged(cause=cause, symbol=symbol, amount=amount) if cause is Cause.FUNDING:
                rows = [{"time": now, "coin": symbol, "usdc": shape.amount(amount), "szi": "0.0",
                         "fundingRate": text(self._sim.markets[symbol].funding_rate)}]  # fmt: skip
                self._tell(account, "userFundings", {"user": account.key, "fundings": rows})
                self._tell_state(account)
            case WalletChanged(cause=cause) if cause is Cause.DEPOSIT:
                self._tell_state(account)

    def tell_price(self, market: Market) -> None:
        """A new price; what accounts are worth changes with it."""
        for link in self._sim.streams.of("*"):
            for wanted in link.topics:
                if wanted["type"] == "allMids":
                    self._sim.streams.push(link, self._mids())
                elif wanted["type"] == "webData2":
                    user = str(wanted["user"])
                    self._sim.streams.push(link, self._state("webData2", self._sim.accounts.get(user.lower()), user))
                elif wanted.get("coin") == market.instrument.base:
                    self._sim.streams.push(link, self._quote(wanted["type"], market))
        for account in self._sim.accounts.values():
            if any(each.symbol == market.instrument.symbol for each in account.held()):
                self._tell(account, "clearinghouseState", None)

    def _tell_state(self, account: Account) -> None:
        for kind in ("clearinghouseState", "webData2"):
            self._tell(account, kind, None)

    def _tell(self, account: Account, kind: str, content: Any, *, channel: str = "") -> None:
        for link in self._sim.streams.of("private"):
            for wanted in link.topics:
                user = str(wanted.get("user", ""))
                if wanted["type"] != kind or user.lower() != account.key:
                    continue
                message: Json = {"channel": channel or kind, "data": content}
                if kind in ("clearinghouseState", "webData2"):
                    message = self._state(kind, account, user)
                elif kind == "openOrders":
                    message = self._orders(account, user)
                self._sim.streams.push(link, message)

    def _state(self, kind: str, account: Account | None, user: str) -> Json:
        state = shape.state_row(account, self._sim.now_ms())
        found: Json = {"clearinghouseState": state, "user": user.lower()}
        if kind == "clearinghouseState":
            return {"channel": kind, "data": {"dex": "", **found}}
        orders = [shape.order_row(each) for each in account.live()] if account else []
        found |= {
            "leadingVaults": [], "totalVaultEquity": "0.0", "openOrders": orders, "agentAddress": None,
            "agentValidUntil": None, "cumLedger": "0.0", "meta": self._sim.meta(), "isVault": False,
            "assetCtxs": [shape.context_row(each) for each in self._sim.markets.values()],
            "serverTime": self._sim.now_ms(), "twapStates": [], "spotAssetCtxs": [],
        }  # fmt: skip
        return {"channel": kind, "data": found}

    def _orders(self, account: Account | None, user: str) -> Json:
        orders = [shape.order_row(each) for each in account.live()] if account else []
        return {"channel": "openOrders", "data": {"dex": "", "user": user.lower(), "orders": orders}}

    def _mids(self) -> Json:
        mids = {each.instrument.base: shape.number(each.last) for each in self._sim.markets.values()}
        return {"channel": "allMids", "data": {"mids": mids}}

    def _quote(self, kind: str, market: Market) -> Json:
        now, coin = self._sim.now_ms(), market.instrument.base
        book = shape.book_row(market, now)
        match kind:
            case "l2Book":
                return {"channel": kind, "data": book}
            case "bbo":
                best = [side[0] for side in book["levels"]]
                return {"channel": kind, "data": {"coin": coin, "time": now, "bbo": best}}
            case "trades":
                trade = {"coin": coin, "side": "B", "px": shape.number(market.last), "sz": "1.0", "time": now,
                         "hash": "0x" + "0" * 64, "tid": market.moves, "users": ["0x" + "0" * 40] * 2}  # fmt: skip
                return {"channel": kind, "data": [trade]}
            case _:
                return {"channel": "activeAssetCtx", "data": {"coin": coin, "ctx": shape.context_row(market)}}
