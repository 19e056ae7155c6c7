"""The simulator: a ProjectX gateway on loopback with its REST calls, its two hubs, its traders and its faults."""

import time
from collections.abc import Callable
from email.utils import formatdate

from aiohttp import web

from haltline_sim_kit.fault import Fault
from haltline_sim_kit.simulator import Simulator
from haltline_sim_projectx import endpoint, hub
from haltline_sim_projectx.control import ProjectXControls
from haltline_sim_projectx.failure import answer
from haltline_sim_projectx.limit import Rate
from haltline_sim_projectx.market import Market
from haltline_sim_projectx.record import Account, Json, Request
from haltline_sim_projectx.token import Tokens
from haltline_sim_projectx.trader import Trader

USER, KEY = "trader@example.com", "simulated-projectx-key"
_OPEN_CALLS = frozenset({"Auth/loginKey"})


class ProjectXSim(Simulator):
    """A gateway for one login. `calls` and `bars` are its rate limits (None: none); `beat_s` how often hubs ping."""

    def __init__(
        self, *, user: str = USER, key: str = KEY, port: int = 0, calls: int | None = 200, bars: int | None = 50,
        beat_s: float = 15.0, now: Callable[[], float] = time.time, token_lifetime_s: float = 86_400.0,
    ) -> None:  # fmt: skip
        super().__init__(port=port)
        self.user = user
        self.key = key
        self.skew_s = 0.0
        """How far the platform's clock is ahead of ours."""
        self.requests: list[Request] = []
        self._own_now = now
        self.tokens = Tokens(now=self.now, lifetime_s=token_lifetime_s)
        self.rate = Rate(now=self.now, calls=calls, bars=bars)
        made = {"faults": self.faults, "is_good": self.tokens.is_good, "changed": self.watch.changed, "beat_s": beat_s}
        self.user_hub = hub.Hub("user", **made)  # type: ignore[arg-type]  # one mapping for both
        self.market_hub = hub.Hub("market", **made)  # type: ignore[arg-type]
        self.market = Market(self, now=self.now)

    # -- where and what ------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The base of everything: REST is below `/api`, the hubs below `/hubs`."""
        return self.base_url

    def now(self) -> float:
        """The platform's time in seconds."""
        return self._own_now() + self.skew_s

    def trader(self, name: str = "PRACTICE77", *, number: int = 77, balance: float = 50_000.0) -> Trader:
        """The hand of an account; one that is not there yet is opened."""
        found = next((each for each in self.market.accounts.values() if each.name == name), None)
        if found is None:
            number = max([number - 1, *self.market.accounts]) + 1
            found = self.market.accounts[number] = Account(id=number, name=name, balance=balance)
        return Trader(self.market, found)

    def price(self, contract: str, last: float, *, bid: float | None = None, ask: float | None = None) -> None:
        """Move the market of a contract, by its name or id; the bid is the last price, the ask a tick above."""
        self.market.price(self.market.contract(contract), last, bid=bid, ask=ask)

    def allow(self, name: str, *, can_trade: bool) -> None:
        """Set an account's `canTrade`, and tell it."""
        account = self.trader(name).account
        account.can_trade = can_trade
        self.market.tell_account(account)

    def calls(self, name: str) -> list[Request]:
        """The requests of one endpoint (``Order/place``), oldest first."""
        return [request for request in self.requests if request.call == name]

    async def until(self, look: Callable[[], object], *, timeout_s: float = 5.0) -> None:
        """Wait until something is so; raises TimeoutError."""
        await self.watch.until(lambda: look() or None, timeout_s=timeout_s)

    # -- pushes (what the market calls) --------------------------------------------------------------------------------

    def user_push(self, target: str, account: int, data: Json, action: int) -> None:
        """Push something of an account."""
        self.user_hub.push_user(target, account, data, action)
        self.watch.changed()

    def market_push(self, target: str, contract: str, data: Json) -> None:
        """Push something of a contract."""
        self.market_hub.push_market(target, contract, data)
        self.watch.changed()

    # -- faults --------------------------------------------------------------------------------------------------------

    def mend(self) -> None:
        """Take every fault away; the hubs speak again."""
        super().mend()
        self.user_hub.is_muted = self.market_hub.is_muted = False

    def reject(self, call: str, code: int, reason: str = "", *, count: int | None = 1) -> None:
        """Have a call refused with a code of its table: an armed fault of status 200 with a code."""
        self.arm("status", call, status=200, code=code, reason=reason, count=count)

    def expire_tokens(self) -> None:
        """Every token so far is answered with 401, although its expiry is far."""
        self.tokens.revoke()

    def log_out(self) -> None:
        """Somebody else logs in: tokens end, the user hub says so and closes."""
        self.tokens.revoke()
        self.user_hub.log_out()

    # -- serving -------------------------------------------------------------------------------------------------------

    def _application(self) -> web.Application:
        found = web.Application()
        found.router.add_get("/api/Status/ping", _pong)
        found.router.add_post("/api/{group}/{name}", self._call)
        for each in (self.user_hub, self.market_hub):
            found.router.add_post(f"/hubs/{each.name}/negotiate", each.negotiate)
            found.router.add_get(f"/hubs/{each.name}", each.serve)
        ProjectXControls(self).add_to(found)
        return found

    async def _call(self, request: web.Request) -> web.StreamResponse:
        name = f"{request.match_info['group']}/{request.match_info['name']}"
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            body = await request.json() if request.can_read_body else {}
        except ValueError:  # no JSON, or no text at all
            body = None
        said = body if isinstance(body, dict) else {}
        self.requests.append(Request(call=name, body=said, at=self.now(), token=token))
        self.watch.changed()
        if name not in endpoint.CALLS:
            return web.Response(status=404)
        if not isinstance(body, dict):
            return web.Response(status=400)
        answered = await self.faults.around(request, name, lambda: self._serve(name, body, token), _faulty)
        if not answered.prepared:
            answered.headers["Date"] = formatdate(self.now(), usegmt=True)
        return answered

    async def _serve(self, name: str, body: Json, token: str) -> web.StreamResponse:
        if name not in _OPEN_CALLS and not self.tokens.is_good(token):
            return web.Response(status=401)
        wait = self.rate.retry_after_s(name)
        if wait is not None:
            return web.Response(status=429, headers={"Retry-After": str(int(wait) + 1)})
        try:
            return endpoint.serve(self, name, body)
        except (ValueError, TypeError) as mistake:
            return web.json_response({"message": str(mistake)}, status=400)


async def _pong(request: web.Request) -> web.Response:
    return web.json_response("pong")


def _faulty(fault: Fault) -> web.Response:
    if fault.status == 200:
        return answer(code=fault.code, text=fault.reason or None)
    wait = {} if fault.retry_after_s is None else {"Retry-After": f"{fault.retry_after_s:g}"}
    return web.Response(status=fault.status, text=fault.reason, headers=wait)
