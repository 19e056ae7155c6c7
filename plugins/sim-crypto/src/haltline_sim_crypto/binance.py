"""Binance USD-M futures on loopback."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from aiohttp import web

from haltline_sim_crypto.account import Account
from haltline_sim_crypto.binance_code import CODES
from haltline_sim_crypto.binance_rest import BinanceRest
from haltline_sim_crypto.binance_stream import BinanceStreams
from haltline_sim_crypto.desk import Habits
from haltline_sim_crypto.instrument import Instrument, contracts
from haltline_sim_crypto.limit import Limit
from haltline_sim_crypto.number import exact
from haltline_sim_crypto.record import Json, Request
from haltline_sim_crypto.refusal import Reason, Refused
from haltline_sim_crypto.server import CryptoSim

_WEIGHT = Limit(weight=2400, seconds=60.0)
_PATIENCE = 2 * _WEIGHT.weight
"""Whoever keeps asking for so much in a minute is banned."""
_BAN_MS = 120_000
_KEY_LIFE_MS = 3_600_000


@dataclass(slots=True, kw_only=True)
class ListenKey:
    """The key of a user data stream, and how long it is good for."""

    text: str
    until_ms: int


class BinanceSim(CryptoSim):
    """Binance USD-M."""

    venue = "binance"
    habits = Habits(
        pushes=("position", "order", "execution", "wallet"), client_ids="open", spawns=True, refuses_post_only=True,
        taker_rate=exact("0.0005"), maker_rate=exact("0.0002"),
    )  # fmt: skip
    codes = CODES
    calls_by_name: ClassVar = {
        "place": "POST /fapi/v1/order", "cancel": "DELETE /fapi/v1/order",
        "cancel_all": "DELETE /fapi/v1/allOpenOrders", "positions": "GET /fapi/v*/positionRisk",
        "open_orders": "GET /fapi/v1/openOrders", "closed_orders": "GET /fapi/v1/allOrders",
        "order": "GET /fapi/v1/order", "fills": "GET /fapi/v1/userTrades", "balance": "GET /fapi/v*/account",
        "markets": "GET /fapi/v1/exchangeInfo", "tickers": "GET /fapi/v1/ticker/24hr", "time": "GET /fapi/v1/time",
        "mode": "* /fapi/v1/positionSide/dual", "leverage": "POST /fapi/v1/leverage",
        "dead_man": "POST /fapi/v1/countdownCancelAll", "stop": "POST /fapi/v1/algoOrder",
        "cancel_stop": "DELETE /fapi/v1/algoOrder", "cancel_stops": "DELETE /fapi/v1/algoOpenOrders",
        "stops": "GET /fapi/v1/openAlgoOrders", "listen_key": "* /fapi/v1/listenKey",
        "private_stream": "GET private stream", "public_stream": "GET public stream",
    }  # fmt: skip

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._listen_keys: dict[str, ListenKey] = {}
        self._keys_made = 0
        self._banned_until_ms = 0
        self._rest = BinanceRest(self).routes()
        self._says: BinanceStreams = BinanceStreams(self)

    def first_instruments(self) -> tuple[Instrument, ...]:
        """BTCUSDT, ETHUSDT, SOLUSDT."""
        return contracts(quote="USDT", suffix="USDT")

    def first_credentials(self) -> tuple[str, str]:
        """A key and a secret."""
        return "simulated-binance-key", "simulated-binance-secret"

    @property
    def credentials(self) -> dict[str, str]:
        """`apiKey` and `secret`."""
        return {"apiKey": self.account.key, "secret": self.account.secret}

    # -- listen keys ---------------------------------------------------------------------------------------------------

    def open_listen_key(self, account: Account) -> str:
        """The key that is valid, or a new one; valid for an hour from now."""
        found = self._listen_keys.get(account.key)
        if found is None or found.until_ms <= self.now_ms():
            self._keys_made += 1
            made = hashlib.sha256(f"{account.key}:{self._keys_made}".encode()).hexdigest()
            found = self._listen_keys[account.key] = ListenKey(text=made, until_ms=0)
        found.until_ms = self.now_ms() + _KEY_LIFE_MS
        return found.text

    def keep_listen_key(self, account: Account) -> str:
        """Another hour for the key that is valid; raises Refused."""
        found = self._listen_keys.get(account.key)
        if found is None or found.until_ms <= self.now_ms():
            raise Refused(Reason.LISTEN_KEY)
        return self.open_listen_key(account)

    def drop_listen_key(self, account: Account) -> None:
        """The key is not valid any more."""
        self._listen_keys.pop(account.key, None)

    def expire_listen_key(self, *, announce: bool = True, account: Account | None = None) -> None:
        """The key expires: its streams stay open and silent; `announce`: with `listenKeyExpired` as last word."""
        who = account or self.account
        found = self._listen_keys.pop(who.key, None)
        if found is None or not announce:
            return
        for link in self.streams.of("private"):
            if link.key == found.text:
                self.streams.push(link, {"e": "listenKeyExpired", "E": self.now_ms(), "listenKey": found.text})

    def account_of(self, key: str) -> Account | None:
        """Whose stream a listen key opens; None if it is not valid."""
        for name, found in self._listen_keys.items():
            if found.text == key and found.until_ms > self.now_ms():
                return self.accounts[name]
        return None

    # -- serving -------------------------------------------------------------------------------------------------------

    def add_routes(self, application: web.Application) -> None:
        """The streams, under the paths that clients of several ages use, and everything else as REST."""
        for path in ("/private/ws", "/private/ws/{name}", "/public/ws/{name}", "/market/ws/{name}", "/ws/{name}"):
            application.router.add_get(path, self._stream)
        application.router.add_route("*", "/{path:.*}", self._call)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        key = request.query.get("listenKey", "") or request.match_info.get("name", "")
        is_private = request.path.startswith("/private/") or len(key) == 64
        call = "GET private stream" if is_private else "GET public stream"

        async def serve() -> web.StreamResponse:
            return await (self._says.private(request, key) if is_private else self._says.public(request))

        return await self.faults.around(request, call, serve, self.faulty)

    async def _call(self, request: web.Request) -> web.StreamResponse:
        body = await self.body_of(request)
        query = request.rel_url.raw_query_string
        call = f"{request.method} {request.path}"
        given: Json = dict(parse_qsl(query, keep_blank_values=True)) | dict(parse_qsl(body, keep_blank_values=True))
        asked = Request(
            call=call, parameters=given, headers=dict(request.headers), raw=query + body, at_ms=self.now_ms(),
            route=self._rest.get(call),
        )  # fmt: skip
        return await self.answer(request, asked)

    def check_pace(self, asked: Request) -> None:
        """2400 a minute; whoever goes on is banned for two minutes."""
        if not self.has_limits or asked.route is None:
            return
        if self._banned_until_ms > self.now_ms():
            raise Refused(Reason.BANNED, str(self._banned_until_ms))
        if self.pace.spend("weight", _WEIGHT, asked.route.cost(asked.parameters)):
            return
        if self.pace.used("weight", _WEIGHT) > _PATIENCE:
            self._banned_until_ms = self.now_ms() + _BAN_MS
            raise Refused(Reason.BANNED, str(self._banned_until_ms))
        raise Refused(Reason.RATE_LIMIT)

    def authorise(self, asked: Request) -> Account:
        """HMAC over the query and the body without the signature."""
        account = self.accounts.get(asked.headers.get("X-MBX-APIKEY", ""))
        if account is None:
            asked.violations.append(f"{asked.call}: unknown API key")
            raise Refused(Reason.BAD_KEY)
        signed, _, given = asked.raw.rpartition("&signature=")
        wanted = hmac.new(account.secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, given.partition("&")[0]):
            asked.violations.append(f"{asked.call}: bad signature")
            raise Refused(Reason.BAD_SIGNATURE)
        at, window, now = (
            int(asked.parameters["timestamp"]),
            int(asked.parameters.get("recvWindow") or 5000),
            self.now_ms(),
        )
        if not now - window <= at < now + 1000:
            raise Refused(Reason.CLOCK)
        return account

    def accept(self, asked: Request, result: Any) -> web.Response:
        """The result, with the weight that is used."""
        headers = {"X-MBX-USED-WEIGHT-1M": str(self.pace.used("weight", _WEIGHT))}
        return web.json_response(result, headers=headers)

    def refusal(self, reason: Reason, detail: str = "") -> web.Response:
        """HTTP 4xx with a code."""
        code = self.codes[reason]
        headers = {}
        if code.status in (418, 429):
            headers["Retry-After"] = str(max(1, (self.pace.free_at_ms("weight", _WEIGHT) - self.now_ms()) // 1000))
        words = code.words.replace("{}", detail or str(self.now_ms() + _BAN_MS))
        body = {"code": code.number, "msg": words}
        return web.json_response(body, status=code.status, headers=headers)
