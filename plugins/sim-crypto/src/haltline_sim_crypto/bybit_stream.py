"""Bybit's websockets: public tickers, books and trades; private orders, executions, positions and wallet."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from typing import TYPE_CHECKING, Any

from aiohttp import web

from haltline_sim_crypto import bybit_shape as shape
from haltline_sim_crypto.account import Account
from haltline_sim_crypto.event import Event, Executed, OrderChanged, PositionChanged, WalletChanged
from haltline_sim_crypto.market import Market
from haltline_sim_crypto.number import text
from haltline_sim_crypto.record import Json
from haltline_sim_crypto.stream import Link

if TYPE_CHECKING:
    from haltline_sim_crypto.bybit import BybitSim


class BybitStreams:
    """The streams of one simulator."""

    def __init__(self, sim: BybitSim) -> None:
        self._sim = sim

    async def public(self, request: web.Request) -> web.StreamResponse:
        """`/v5/public/linear`."""
        return await self._sim.streams.serve(request, "public", self._hear_public)

    async def private(self, request: web.Request) -> web.StreamResponse:
        """`/v5/private`."""
        try:
            return await self._sim.streams.serve(request, "private", self._hear_private)
        finally:
            self._sim.private_gone()

    # -- what clients say ----------------------------------------------------------------------------------------------

    def _hear_public(self, link: Link, message: Any) -> None:
        match message:
            case {"op": "ping"}:
                link.put({"success": True, "ret_msg": "pong", "conn_id": _conn(link),
                          "req_id": message.get("req_id", ""), "op": "ping"})  # fmt: skip
            case {"op": "subscribe", "args": list(topics)}:
                wrong = [each for each in topics if self._market(each) is None]
                self._acknowledge(link, message, wrong)
                for topic in topics:
                    if topic not in wrong:
                        link.topics.append(topic)
                        self._snapshot(link, topic)
            case _:
                self._common(link, message)

    def _hear_private(self, link: Link, message: Any) -> None:
        match message:
            case {"op": "auth", "args": [key, expires, signature]}:
                self._authenticate(link, str(key), expires, str(signature), message)
            case {"op": "ping"}:
                link.put({"req_id": message.get("req_id", ""), "op": "pong", "args": [str(self._sim.now_ms())],
                          "conn_id": _conn(link)})  # fmt: skip
            case {"op": "subscribe", "args": list(topics)}:
                if link.account is None:
                    self._acknowledge(link, message, ["Request not authorized"])
                    return
                wrong = [each for each in topics if each.partition(".")[0] not in _HEADS]
                self._acknowledge(link, message, wrong)
                link.topics += [each for each in topics if each not in wrong]
                if any(each.startswith("dcp") for each in topics):
                    self._sim.private_here(link)
            case _:
                self._common(link, message)

    def _common(self, link: Link, message: Any) -> None:
        match message:
            case {"op": "unsubscribe", "args": list(topics)}:
                link.topics = [each for each in link.topics if each not in topics]
                link.put({"success": True, "ret_msg": "", "op": "unsubscribe", "conn_id": _conn(link),
                          "req_id": message.get("req_id", "")})  # fmt: skip
            case _:
                self._sim.own_violations.append(
                    f"{link.kind} stream: a frame that the venue would not take: {message!r}"
                )
                link.put({"success": False, "ret_msg": "Invalid request", "op": "", "conn_id": _conn(link)})

    def _acknowledge(self, link: Link, message: Json, wrong: list[str]) -> None:
        if wrong:
            self._sim.own_violations.append(f"{link.kind} stream: not a topic: {', '.join(wrong)}")
        link.put({"success": not wrong, "ret_msg": f"error:handler not found,topic:{wrong[0]}" if wrong else "",
                  "conn_id": _conn(link), "req_id": message.get("req_id", ""), "op": "subscribe"})  # fmt: skip

    def _authenticate(self, link: Link, key: str, expires: Any, signature: str, message: Json) -> None:
        account = self._sim.accounts.get(key)
        words = ""
        if self._sim.rejects_stream_auth or account is None:
            words = "Params Error"
        else:
            wanted = hmac.new(account.secret.encode(), f"GET/realtime{expires}".encode(), hashlib.sha256).hexdigest()
            if not hmac.compare_digest(wanted, signature):
                words = "Params Error"
                self._sim.own_violations.append("private stream: bad signature")
            elif int(expires) < self._sim.now_ms():
                words = "Params Error: expired"
        link.account = None if words else account
        link.put({"success": not words, "ret_msg": words, "op": "auth", "conn_id": _conn(link),
                  **({"req_id": message["req_id"]} if "req_id" in message else {})})  # fmt: skip

    # -- what clients are told -----------------------------------------------------------------------------------------

    def tell(self, account: Account, event: Event) -> None:
        """A private event."""
        topic, row = _row(account, event)
        if row is None:
            return
        message = {"id": uuid.uuid4().hex, "topic": topic, "creationTime": self._sim.now_ms(), "data": [row]}
        for link in self._sim.streams.of("private"):
            if link.account is account and topic in _plain(link.topics):
                self._sim.streams.push(link, message)

    def tell_price(self, market: Market) -> None:
        """A new price: deltas with what changed."""
        for link in self._sim.streams.of("public"):
            for topic in link.topics:
                if self._market(topic) is market:
                    self._sim.streams.push(link, self._delta(topic, market))

    def _snapshot(self, link: Link, topic: str) -> None:
        market = self._market(topic)
        if market is None:
            return
        now = self._sim.now_ms()
        if topic.startswith("tickers"):
            row = shape.ticker_row(market, now)
            link.put({"topic": topic, "type": "snapshot", "data": row, "cs": market.moves, "ts": now})
        if topic.startswith("orderbook"):
            link.put(self._book(topic, market))

    def _delta(self, topic: str, market: Market) -> Json:
        now, name = self._sim.now_ms(), market.instrument.symbol
        if topic.startswith("orderbook"):
            return self._book(topic, market)
        if topic.startswith("publicTrade"):
            trade = {"T": now, "s": name, "S": "Buy", "v": text(market.instrument.step), "p": text(market.last),
                     "L": "PlusTick", "i": str(uuid.uuid4()), "BT": False}  # fmt: skip
            return {"topic": topic, "type": "snapshot", "ts": now, "data": [trade]}
        whole = shape.ticker_row(market, now)
        names = ("symbol", "lastPrice", "markPrice", "indexPrice", "bid1Price", "bid1Size", "ask1Price", "ask1Size")
        partial = {each: whole[each] for each in names}
        return {"topic": topic, "type": "delta", "data": partial, "cs": market.moves, "ts": now}

    def _book(self, topic: str, market: Market) -> Json:
        now, size = self._sim.now_ms(), text(market.depth) if market.depth is not None else "100"
        found = {"s": market.instrument.symbol, "b": [[text(market.bid), size]], "a": [[text(market.ask), size]],
                 "u": market.moves + 1, "seq": market.moves + 1}  # fmt: skip
        return {"topic": topic, "type": "snapshot", "ts": now, "data": found, "cts": now}

    def _market(self, topic: str) -> Market | None:
        kind, _, rest = topic.partition(".")
        if kind not in ("tickers", "orderbook", "publicTrade"):
            return None
        return self._sim.markets.get(rest.rpartition(".")[2])


_HEADS = frozenset({"order", "execution", "position", "wallet", "dcp"})


def _plain(topics: list[Any]) -> set[str]:
    """`order.linear` and `order` are the same here: only linear contracts are traded."""
    return {str(each).partition(".")[0] for each in topics}


def _row(account: Account, event: Event) -> tuple[str, Json | None]:
    match event:
        case OrderChanged(order=order, step=step):
            is_quiet = step == "new" and order.is_immediate and order.ask.trigger is None
            return "order", None if is_quiet else shape.order_row(order)
        case Executed(fill=fill):
            return "execution", shape.execution_row(fill)
        case PositionChanged(symbol=symbol, leg=leg):
            return "position", shape.told_position(account, account.position(symbol, leg))
        case WalletChanged():
            return "wallet", shape.wallet_row(account)


def _conn(link: Link) -> str:
    return f"simulated-{link.number}"
