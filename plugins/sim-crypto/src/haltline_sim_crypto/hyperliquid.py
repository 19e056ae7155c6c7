"""Hyperliquid on loopback: perpetuals settled in USDC, actions signed by an address or its agent."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from haltline_sim_crypto.account import Account
from haltline_sim_crypto.desk import Habits
from haltline_sim_crypto.ethereum import action_digest, address_of, signer
from haltline_sim_crypto.hyperliquid_action import HyperliquidActions
from haltline_sim_crypto.hyperliquid_code import CODES, OF_ORDERS
from haltline_sim_crypto.hyperliquid_info import HyperliquidInfo
from haltline_sim_crypto.hyperliquid_stream import HyperliquidStreams
from haltline_sim_crypto.instrument import Instrument
from haltline_sim_crypto.limit import Limit
from haltline_sim_crypto.market import Market
from haltline_sim_crypto.number import exact
from haltline_sim_crypto.order import Cause
from haltline_sim_crypto.record import Json, Request
from haltline_sim_crypto.refusal import Reason, Refused
from haltline_sim_crypto.server import CryptoSim

_WEIGHT = Limit(weight=1200, seconds=60.0)
_DAY_MS = 86_400_000
_UNCHECKED = frozenset({"approveBuilderFee"})
"""Signed as typed data of their own; their signature is not verified here."""
_SPREADS = {"BTC": Decimal(2), "ETH": Decimal("0.2"), "SOL": Decimal("0.02")}


class HyperliquidSim(CryptoSim):
    """Hyperliquid. `agents` maps the address of an agent to the account it signs for; `traded_volume` is what the
    dead man's switch asks for.
    """

    venue = "hyperliquid"
    habits = Habits(
        pushes=("order", "execution", "position", "wallet"), client_ids="ever", refuses_post_only=True,
        taker_rate=exact("0.00045"), maker_rate=exact("0.00015"),
    )  # fmt: skip
    codes = CODES
    calls_by_name: ClassVar = {
        "place": "exchange order", "cancel": "exchange cancel*", "cancel_all": "exchange cancel*",
        "positions": "info clearinghouseState", "balance": "info clearinghouseState",
        "open_orders": "info *penOrders", "closed_orders": "info historicalOrders", "order": "info orderStatus",
        "fills": "info userFills*", "markets": "info metaAndAssetCtxs", "tickers": "info metaAndAssetCtxs",
        "time": "info exchangeStatus", "leverage": "exchange updateLeverage", "dead_man": "exchange scheduleCancel",
        "stop": "exchange order", "private_stream": "GET stream", "public_stream": "GET stream",
    }  # fmt: skip
    topics_by_name: ClassVar = {
        "order": "orderUpdates", "execution": "userFills", "position": "clearinghouseState",
        "wallet": "clearinghouseState",
    }  # fmt: skip

    def __init__(self, **given: Any) -> None:
        if given.get("hedged"):
            raise ValueError("Hyperliquid has one position a coin: hedged accounts do not exist there")
        super().__init__(**given)
        self.agents: dict[str, str] = {}
        self.traded_volume = 2_000_000
        self._nonces: dict[str, set[int]] = {}
        info = HyperliquidInfo(self)
        self.meta = info.universe
        self._rest = info.routes() | HyperliquidActions(self).routes()
        self._says: HyperliquidStreams = HyperliquidStreams(self)
        for market in self.markets.values():
            market.spread = _SPREADS.get(market.instrument.base, market.spread)

    def first_instruments(self) -> tuple[Instrument, ...]:
        """BTC, ETH, SOL."""
        return tuple(
            Instrument(
                symbol=coin, base=coin, quote="USDC", tick=Decimal(1).scaleb(places - 6), most=Decimal(10_000_000),
                step=Decimal(1).scaleb(-places), least_value=Decimal(10), most_leverage=most,
                maintenance=1 / Decimal(2 * most),
            )
            for coin, places, most in (("BTC", 5, 40), ("ETH", 4, 25), ("SOL", 2, 20))
        )  # fmt: skip

    def first_credentials(self) -> tuple[str, str]:
        """An address and its private key."""
        secret = "0x" + "11" * 32
        return address_of(secret), secret

    @property
    def credentials(self) -> dict[str, str]:
        """`walletAddress` and `privateKey`."""
        return {"walletAddress": self.account.key, "privateKey": self.account.secret}

    def add_agent(self, private_key: str, *, account: Account | None = None) -> str:
        """Let another key sign for an account; gives its address."""
        address = address_of(private_key)
        self.agents[address] = (account or self.account).key
        return address

    def market_at(self, asset: int) -> Market:
        """A market by its place in the universe; raises Refused."""
        markets = list(self.markets.values())
        if not 0 <= asset < len(markets):
            raise Refused(Reason.UNKNOWN_SYMBOL)
        return markets[asset]

    def cancels_scheduled(self, account: Account) -> int:
        """How often the dead man's switch went off within a day."""
        since = self.now_ms() - _DAY_MS
        orders = account.orders.values()
        return len({each.updated_ms for each in orders if each.cause is Cause.DEAD_MAN and each.updated_ms > since})

    # -- serving -------------------------------------------------------------------------------------------------------

    def add_routes(self, application: web.Application) -> None:
        """Two paths and the websocket."""
        application.router.add_get("/ws", self._stream)
        application.router.add_route("*", "/{path:.*}", self._call)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        return await self.faults.around(request, "GET stream", lambda: self._says.serve(request), self.faulty)

    async def _call(self, request: web.Request) -> web.StreamResponse:
        body = await self.body_of(request)
        try:
            given = json.loads(body) if body else {}
        except (ValueError, RecursionError):
            given = {}
        parameters: Json = given if isinstance(given, dict) else {}
        call = f"{request.method} {request.path}"
        if request.method == "POST" and request.path == "/info":
            call = f"info {parameters.get('type')}"
        elif request.method == "POST" and request.path == "/exchange":
            parameters = parameters.get("action") or {}
            call = f"exchange {parameters.get('type')}"
        asked = Request(
            call=call, parameters=parameters, headers=dict(request.headers), raw=body, at_ms=self.now_ms(),
            route=self._rest.get(call),
        )  # fmt: skip
        return await self.answer(request, asked)

    def check_pace(self, asked: Request) -> None:
        """1200 a minute."""
        weight = asked.route.weight if asked.route else 1
        if self.has_limits and not self.pace.spend("weight", _WEIGHT, weight):
            raise Refused(Reason.RATE_LIMIT)

    def authorise(self, asked: Request) -> Account:
        """Whose key signed the action: the account's, or that of an agent."""
        given = json.loads(asked.raw)
        signature, nonce, vault = given["signature"], int(given["nonce"]), given.get("vaultAddress") or ""
        if asked.call.removeprefix("exchange ") in _UNCHECKED:
            return self.account
        digest = action_digest(given["action"], nonce, vault=vault, expires_ms=given.get("expiresAfter"))
        try:
            who = signer(digest, int(signature["r"], 16), int(signature["s"], 16), int(signature["v"]))
        except ValueError:
            asked.violations.append(f"{asked.call}: not a signature")
            raise Refused(Reason.BAD_SIGNATURE, "0x" + "0" * 40) from None
        account = self.accounts.get(vault.lower() or self.agents.get(who, who))
        if account is None:
            asked.violations.append(f"{asked.call}: bad signature")
            raise Refused(Reason.BAD_SIGNATURE, who)
        self._check_nonce(who, nonce)
        return account

    def _check_nonce(self, who: str, nonce: int) -> None:
        now, seen = self.now_ms(), self._nonces.setdefault(who, set())
        if not now - 2 * _DAY_MS < nonce < now + _DAY_MS:
            raise Refused(Reason.CLOCK, f"{nonce} is too far from {now}")
        if nonce in seen:
            raise Refused(Reason.CLOCK, f"duplicate nonce {nonce}")
        seen.add(nonce)

    def accept(self, asked: Request, result: Any) -> web.Response:
        """The result as it is."""
        return web.json_response(result)

    def refusal(self, reason: Reason, detail: str = "") -> web.Response:
        """Words: of one order, of the whole request, or with an HTTP status."""
        code = self.codes[reason]
        words = code.words.replace("{}", detail or "0")
        if code.status != 200:
            kind = "text/html" if words.startswith("<") else "application/json" if words == "null" else "text/plain"
            return web.Response(status=code.status, text=words, content_type=kind)
        if reason is Reason.ORDER_NOT_FOUND:
            return web.json_response({"status": "unknownOid"})
        if reason in OF_ORDERS:
            kind = "cancel" if reason is Reason.CANCEL_REJECTED else "order"
            response = {"type": kind, "data": {"statuses": [{"error": words}]}}
            return web.json_response({"status": "ok", "response": response})
        return web.json_response({"status": "err", "response": words})
