"""Bybit v5 on loopback: a unified account that trades linear USDT perpetuals."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from typing import Any, ClassVar

from aiohttp import web

from haltline_sim_crypto.account import Account
from haltline_sim_crypto.bybit_code import CODES
from haltline_sim_crypto.bybit_rest import BybitRest
from haltline_sim_crypto.bybit_stream import BybitStreams
from haltline_sim_crypto.desk import Habits
from haltline_sim_crypto.instrument import Instrument, contracts
from haltline_sim_crypto.limit import Limit
from haltline_sim_crypto.number import exact
from haltline_sim_crypto.record import Json, Request
from haltline_sim_crypto.refusal import Reason, Refused
from haltline_sim_crypto.server import CryptoSim
from haltline_sim_crypto.stream import Link

_PER_SECOND = {"POST /v5/order/create": 10, "POST /v5/order/cancel": 10, "POST /v5/order/cancel-all": 10}
_USUAL_PER_SECOND = 50


class BybitSim(CryptoSim):
    """Bybit. `rejects_stream_auth`: private streams are refused whatever the signature."""

    venue = "bybit"
    habits = Habits(
        pushes=("order", "execution", "position", "wallet"), client_ids="ever",
        taker_rate=exact("0.00055"), maker_rate=exact("0.0002"),
    )  # fmt: skip
    codes = CODES
    calls_by_name: ClassVar = {
        "place": "POST /v5/order/create", "cancel": "POST /v5/order/cancel",
        "cancel_all": "POST /v5/order/cancel-all", "positions": "GET /v5/position/list",
        "open_orders": "GET /v5/order/realtime", "closed_orders": "GET /v5/order/history",
        "fills": "GET /v5/execution/list", "balance": "GET /v5/account/wallet-balance",
        "markets": "GET /v5/market/instruments-info", "tickers": "GET /v5/market/tickers",
        "time": "GET /v5/market/time", "mode": "POST /v5/position/switch-mode",
        "leverage": "POST /v5/position/set-leverage", "dead_man": "POST /v5/order/disconnected-cancel-all",
        "stop": "POST /v5/order/create", "private_stream": "GET /v5/private", "public_stream": "GET /v5/public/linear",
    }  # fmt: skip

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.rejects_stream_auth = False
        self.dead_man_windows: dict[str, int] = {}
        """Seconds for which the private stream may be gone, by key."""
        self._rest = BybitRest(self).routes()
        self._says: BybitStreams = BybitStreams(self)

    def first_instruments(self) -> tuple[Instrument, ...]:
        """BTCUSDT, ETHUSDT, SOLUSDT."""
        return contracts(quote="USDT", suffix="USDT")

    def first_credentials(self) -> tuple[str, str]:
        """A key and a secret."""
        return "simulated-bybit-key", "simulated-bybit-secret"

    @property
    def credentials(self) -> dict[str, str]:
        """`apiKey` and `secret`."""
        return {"apiKey": self.account.key, "secret": self.account.secret}

    # -- serving -------------------------------------------------------------------------------------------------------

    def add_routes(self, application: web.Application) -> None:
        """The streams, and everything else as REST."""
        application.router.add_get("/v5/public/linear", self._stream(self._says.public))
        application.router.add_get("/v5/private", self._stream(self._says.private))
        application.router.add_route("*", "/{path:.*}", self._call)

    def _stream(self, serve: Any) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self.faults.around(
                request, f"GET {request.path}", lambda: serve(request), self.faulty
            )  # fmt: skip

        return handle

    async def _call(self, request: web.Request) -> web.StreamResponse:
        body = await self.body_of(request)
        raw = body if request.method == "POST" else request.rel_url.raw_query_string
        call = f"{request.method} {request.path}"
        broken = ""
        given: Json = dict(request.query)
        if request.method == "POST":
            given, broken = _object(body)
        asked = Request(
            call=call, parameters=given, headers=dict(request.headers), raw=raw, at_ms=self.now_ms(),
            route=self._rest.get(call),
        )  # fmt: skip
        if broken:
            asked.violations.append(f"{call}: {broken}")
        return await self.answer(request, asked)

    def check_pace(self, asked: Request) -> None:
        """So many calls of one kind in a second."""
        limit = Limit(weight=_PER_SECOND.get(asked.call, _USUAL_PER_SECOND), seconds=1.0)
        if self.has_limits and not self.pace.spend(asked.call, limit, 1):
            raise Refused(Reason.RATE_LIMIT)

    def authorise(self, asked: Request) -> Account:
        """HMAC over time, key, window and the raw query or body."""
        headers = asked.headers
        account = self.accounts.get(headers.get("X-BAPI-API-KEY", ""))
        if account is None:
            asked.violations.append(f"{asked.call}: unknown API key")
            raise Refused(Reason.BAD_KEY)
        at, window = headers.get("X-BAPI-TIMESTAMP", "0"), headers.get("X-BAPI-RECV-WINDOW", "5000")
        origin = f"{at}{account.key}{window}{asked.raw}"
        wanted = hmac.new(account.secret.encode(), origin.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, headers.get("X-BAPI-SIGN", "")):
            asked.violations.append(f"{asked.call}: bad signature")
            raise Refused(Reason.BAD_SIGNATURE, origin.replace(account.key, "***"))
        now = self.now_ms()
        if not now - int(window) <= int(at) < now + 1000:
            raise Refused(Reason.CLOCK, f"req_timestamp[{at}],server_timestamp[{now}],recv_window[{window}]")
        return account

    def accept(self, asked: Request, result: Any) -> web.Response:
        """`retCode` 0 and the result, with the headers about the rate limit."""
        most = _PER_SECOND.get(asked.call, _USUAL_PER_SECOND)
        used = self.pace.used(asked.call, Limit(weight=most, seconds=1.0))
        headers = {
            "X-Bapi-Limit": str(most), "X-Bapi-Limit-Status": str(max(0, most - used)),
            "X-Bapi-Limit-Reset-Timestamp": str(self.now_ms() + 1000),
        }  # fmt: skip
        words = "success" if asked.call.endswith("disconnected-cancel-all") else "OK"
        return self._envelope(0, words, result, headers=headers)

    def refusal(self, reason: Reason, detail: str = "") -> web.Response:
        """HTTP 200 with a `retCode`."""
        code = self.codes[reason]
        return self._envelope(code.number, code.words.replace("{}", detail), {}, status=code.status)

    def _envelope(
        self, code: int, words: str, result: Any, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> web.Response:
        body = {"retCode": code, "retMsg": words, "result": result, "retExtInfo": {}, "time": self.now_ms()}
        return web.json_response(body, status=status, headers=headers)

    # -- streams -------------------------------------------------------------------------------------------------------

    def private_here(self, link: Link) -> None:
        """A stream that counts for the dead man's switch is back."""
        if link.account is not None:
            link.key = link.account.key
            self.set_dead_man(link.account, "", None)

    def private_gone(self) -> None:
        """A private stream is gone: the switch starts to run where it was set and nobody else listens."""
        for key, window in self.dead_man_windows.items():
            armed = any(link.key == key for link in self.streams.of("private"))
            account = self.accounts[key]
            if not armed and "" not in account.dead_man and asyncio.get_running_loop().is_running():
                self.set_dead_man(account, "", self.now_ms() / 1000 + window)


def _object(body: str) -> tuple[Json, str]:
    """The object that a body is, and what is wrong where it is none."""
    try:
        found = json.loads(body or "{}")
    except (ValueError, RecursionError):
        return {}, "the body is not JSON"
    return (found, "") if isinstance(found, dict) else ({}, "the body is not an object")
