"""What the simulators of the three venues share: accounts, scripted prices and people, faults, and what was asked."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from fnmatch import fnmatch
from types import TracebackType
from typing import Any, ClassVar, Protocol

from aiohttp import web

from haltline_sim_crypto.account import Account
from haltline_sim_crypto.control import CryptoControls
from haltline_sim_crypto.desk import Habits
from haltline_sim_crypto.event import Event
from haltline_sim_crypto.instrument import FIRST_PRICES, Instrument
from haltline_sim_crypto.limit import Pace
from haltline_sim_crypto.market import Market, market_of
from haltline_sim_crypto.matching import Matching
from haltline_sim_crypto.number import exact, positive
from haltline_sim_crypto.order import Ask, Cause, Leg, Order, Position, Tif, Trigger
from haltline_sim_crypto.record import Code, Request
from haltline_sim_crypto.redirect import redirect
from haltline_sim_crypto.refusal import Reason, Refused
from haltline_sim_crypto.stream import Streams
from haltline_sim_kit.fault import Fault, FaultKind
from haltline_sim_kit.simulator import Simulator

type Number = float | str | Decimal


class Teller(Protocol):
    """What the streams of a venue say."""

    def tell(self, account: Account, event: Event) -> None:
        """Tell the private streams."""

    def tell_price(self, market: Market) -> None:
        """Tell the public streams, and the private ones that follow the price."""


class CryptoSim(Simulator):
    """One venue on loopback.

    `now` gives the time in seconds. `limits` off: clients may ask as fast as they can. `balance` is the cash of the
    first account. `instruments` replaces the three contracts that are traded at the start.
    """

    venue: ClassVar[str]
    habits: ClassVar[Habits]
    codes: ClassVar[Mapping[Reason, Code]]
    """How this venue says each refusal; what is not in here it never says."""
    calls_by_name: ClassVar[Mapping[str, str]]
    """What the calls are named here that every venue has: `place`, `cancel`, `cancel_all`, `positions`, …"""

    topics_by_name: ClassVar[Mapping[str, str]] = {}
    """What `order`, `execution`, `position`, `wallet` are named in the private stream, where it is not so."""

    _says: Teller

    def __init__(
        self, *, port: int = 0, balance: Number = 10_000, hedged: bool = False, limits: bool = True,
        instruments: Iterable[Instrument] = (), now: Callable[[], float] = time.time, seed: int = 1_000_001,
    ) -> None:  # fmt: skip
        super().__init__(port=port)
        self._now = now
        self.clock_skew_ms = 0
        """How far the venue's clock is ahead of ours."""
        self.markets: dict[str, Market] = {}
        for each in (*instruments,) or self.first_instruments():
            self.markets[each.symbol] = market_of(each, FIRST_PRICES.get(each.base, Decimal(100)))
        self.streams = Streams(self.faults, self.watch, self.now_ms)
        self.matching = Matching(self.habits, self.now_ms, seed=seed)
        self.has_limits = limits
        self.pace = Pace(self.now_ms)
        self.requests: list[Request] = []
        self.accounts: dict[str, Account] = {}
        self.own_violations: list[str] = []
        """What is wrong in frames that clients sent over a stream."""
        self._timer: asyncio.TimerHandle | None = None
        key, secret = self.first_credentials()
        self.account = self.add_account("main", key=key, secret=secret, balance=balance, hedged=hedged)

    # -- what a venue says of itself -----------------------------------------------------------------------------------

    @abstractmethod
    def first_instruments(self) -> tuple[Instrument, ...]:
        """What is traded at the start."""

    @abstractmethod
    def first_credentials(self) -> tuple[str, str]:
        """Key and secret of the first account."""

    @abstractmethod
    def add_routes(self, application: web.Application) -> None:
        """The venue's paths."""

    @abstractmethod
    def refusal(self, reason: Reason, detail: str = "") -> web.Response:
        """A refusal in the venue's codes and words."""

    @property
    @abstractmethod
    def credentials(self) -> dict[str, str]:
        """What the first account's client needs, by the names of ccxt's constructor."""

    # -- where ---------------------------------------------------------------------------------------------------------

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:  # fmt: skip
        await super().__aexit__(kind, error, trace)
        if self._timer is not None:
            self._timer.cancel()

    def redirect[T](self, exchange: T) -> T:
        """Point a ccxt exchange here: every URL keeps its path; gives the exchange back."""
        return redirect(exchange, f"127.0.0.1:{self.port}")

    def now_ms(self) -> int:
        """The venue's clock."""
        return int(self._now() * 1000) + self.clock_skew_ms

    # -- the script ----------------------------------------------------------------------------------------------------

    def add_account(
        self, name: str, *, key: str, secret: str, balance: Number = 10_000, hedged: bool = False
    ) -> Account:
        """Another customer; its clients show this key."""
        found = Account(
            name=name, key=key, secret=secret, markets=self.markets, wallet=exact(balance), is_hedged=hedged
        )  # fmt: skip
        found.listeners.append(self._happened)
        self.accounts[key] = found
        return found

    def market(self, symbol: str) -> Market:
        """A market by its symbol here, by its coin, or by coin and USDT; raises KeyError."""
        for each in self.markets.values():
            found = each.instrument
            if symbol in (found.symbol, found.base, found.base + found.quote, found.base + "USDT"):
                return each
        raise KeyError(f"{symbol!r} is not traded here: {sorted(self.markets)}")

    def price(self, symbol: str, last: Number, *, mark: Number | None = None) -> None:
        """The next price; orders are triggered and filled, and whoever must be is liquidated."""
        market = self.market(symbol)
        market.move(positive(last), None if mark is None else positive(mark))
        self.on_price(market)
        for account in self.accounts.values():
            self.matching.on_price(account, market.instrument.symbol)

    def on_price(self, market: Market) -> None:
        """Tell the streams what the price of a market is."""
        self._says.tell_price(market)

    def funds(self, symbol: str, rate: Number) -> None:
        """Funding is paid at this rate."""
        market = self.market(symbol)
        market.funding_rate = exact(rate)
        for account in self.accounts.values():
            self.matching.fund(account, market.instrument.symbol, exact(rate))

    def deposits(self, amount: Number, *, account: Account | None = None) -> None:
        """Cash comes in, or goes out if negative."""
        self.matching.deposit(account or self.account, exact(amount))

    def trades(
        self, symbol: str, quantity: Number, *, leg: Leg | str = "", reduces: bool = False,
        account: Account | None = None,
    ) -> Order:  # fmt: skip
        """Somebody trades by hand at the venue, at market; negative sells. Raises Refused."""
        return self.orders(symbol, quantity, leg=leg, reduces=reduces, account=account)

    def orders(
        self, symbol: str, quantity: Number, *, price: Number | None = None, stop: Number | None = None,
        leg: Leg | str = "", reduces: bool = False, client_id: str = "", account: Account | None = None,
    ) -> Order:  # fmt: skip
        """Somebody places an order by hand at the venue; negative sells. Raises Refused."""
        market, who, signed = self.market(symbol), account or self.account, exact(quantity)
        if signed == 0:
            raise ValueError("0 was found where a quantity to buy or to sell was expected")
        if not leg and who.is_hedged:
            leg = Leg.LONG if (signed > 0) is not reduces else Leg.SHORT
        trigger = None if stop is None else Trigger(price=exact(stop), rises=exact(stop) > market.last)
        ask = Ask(
            symbol=market.instrument.symbol, side=1 if signed > 0 else -1, quantity=abs(signed),
            price=None if price is None else exact(price), trigger=trigger, leg=Leg(leg or "net"), reduces=reduces,
            client_id=client_id, tif=Tif.GTC,
        )  # fmt: skip
        return self.matching.place(who, ask)

    def cancels(self, order: Order, *, account: Account | None = None) -> None:
        """Somebody cancels an order by hand at the venue."""
        self.matching.cancel(account or self.account, order)

    def flattens(self, *, account: Account | None = None) -> None:
        """Somebody cancels everything and closes everything by hand at the venue."""
        who = account or self.account
        self.matching.cancel_all(who, who.live())
        for each in list(who.held()):
            self.orders(each.symbol, -each.quantity, leg=each.leg, reduces=True, account=who)

    def position(self, symbol: str, leg: Leg | str = Leg.NET, *, account: Account | None = None) -> Position:
        """A position; `quantity` is signed, 0 if flat."""
        return (account or self.account).position(self.market(symbol).instrument.symbol, Leg(leg))

    @property
    def open_orders(self) -> list[Order]:
        """Live orders of the first account, conditional ones too."""
        return self.account.live()

    # -- what was asked ------------------------------------------------------------------------------------------------

    def call_name(self, call: str) -> str:
        """The pattern for a common name of a call (`place`), or what was given."""
        return self.calls_by_name.get(call, call)

    def calls(self, call: str) -> list[Request]:
        """Requests by a common name (`place`) or a pattern (`POST /v5/*`), oldest first."""
        pattern = self.call_name(call).lower()
        return [each for each in self.requests if fnmatch(each.call.lower(), pattern)]

    @property
    def violations(self) -> list[str]:
        """Unknown paths and parameters, bad signatures, frames that the venue would not understand."""
        return [line for each in self.requests for line in each.violations] + self.own_violations

    async def wait_for_call(self, call: str, *, count: int = 1, timeout_s: float = 5.0) -> Request:
        """Until a call was made so often; its last request. Raises TimeoutError."""

        def look() -> Request | None:
            found = self.calls(call)
            return found[count - 1] if len(found) >= count else None

        return await self.watch.until(look, timeout_s=timeout_s)

    async def wait_for_stream(self, kind: str = "private", *, topic: str = "", timeout_s: float = 5.0) -> None:
        """Until somebody listens to a stream, with a topic that contains this text. Raises TimeoutError."""

        topic = self.topics_by_name.get(topic, topic)

        def look() -> bool | None:
            for link in self.streams.of(kind):
                ready = link.account is not None or kind != "private"
                if ready and (not topic or any(topic in str(each) for each in link.topics)):
                    return True
            return None

        await self.watch.until(look, timeout_s=timeout_s)

    # -- faults --------------------------------------------------------------------------------------------------------

    def arm(self, kind: FaultKind | str, call: str = "*", **more: object) -> None:
        """Arm a fault: `sim.arm("status", "place", status=503)`; see `Fault` for the rest."""
        super().arm(kind, self.call_name(call), **more)

    def mend(self) -> None:
        """Take every fault away: streams speak again, and the clock is right."""
        super().mend()
        self.streams.unmute()
        self.clock_skew_ms = 0

    def refuse(self, reason: Reason | str, call: str = "place", *, count: int | None = 1, after: bool = False) -> None:
        """Refuse the next calls for a reason, in the venue's code; `after`: although they have taken effect."""
        if reason not in self.codes:
            raise ValueError(f"{self.venue} does not refuse so: {reason!r}; it knows {', '.join(sorted(self.codes))}")
        stage = "after" if after else "before"
        self.arm(FaultKind.STATUS, call, reason=Reason(reason).value, count=count, stage=stage)

    def faulty(self, fault: Fault) -> web.Response:
        """The answer for an armed `status`: a refusal of the venue, or the page of a proxy."""
        if fault.reason in Reason:
            return self.refusal(Reason(fault.reason))
        if fault.status == 429:
            return self.refusal(Reason.RATE_LIMIT)
        return web.Response(status=fault.status, text=f"<html>{fault.status}</html>", content_type="text/html")

    async def restart(self) -> None:
        """Every connection is cut and the port opens again."""
        await self.down()
        await self.up()

    # -- dead man's switches -------------------------------------------------------------------------------------------

    def set_dead_man(self, account: Account, symbol: str, at_s: float | None) -> None:
        """Cancel the orders of a symbol, or all of them, at a time of the venue's clock; None: do not."""
        account.dead_man.pop(symbol, None)
        if at_s is not None:
            account.dead_man[symbol] = at_s
        self.look_at_the_clock()

    def look_at_the_clock(self) -> None:
        """Do what is due, and come back when the next thing is; call it after moving a clock of your own."""
        now = self.now_ms() / 1000
        due: list[float] = []
        for account in self.accounts.values():
            for symbol, at_s in list(account.dead_man.items()):
                if at_s > now:
                    due.append(at_s)
                    continue
                del account.dead_man[symbol]
                self.matching.cancel_all(account, account.live(symbol), Cause.DEAD_MAN)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due and self.host.is_up:
            self._timer = asyncio.get_running_loop().call_later(max(0.001, min(due) - now), self.look_at_the_clock)

    # -- serving -------------------------------------------------------------------------------------------------------

    def _application(self) -> web.Application:
        found = web.Application(client_max_size=1 << 20)
        CryptoControls(self).add_to(found)
        self.add_routes(found)
        return found

    def _happened(self, account: Account, event: Event) -> None:
        self._says.tell(account, event)
        self.watch.changed()

    async def answer(self, request: web.Request, asked: Request) -> web.StreamResponse:
        """Record a request, then serve it as the armed faults let it."""
        self.requests.append(asked)
        if asked.route is None:
            asked.violations.append(f"{asked.call}: the venue does not have this call")
        else:
            unknown = sorted(set(asked.parameters) - asked.route.known)
            asked.violations.extend(f"{asked.call}: unknown parameter {name!r}" for name in unknown)
        self.watch.changed()

        async def serve() -> web.StreamResponse:
            return self.serve(asked)

        return await self.faults.around(request, asked.call, serve, self.faulty)

    def serve(self, asked: Request) -> web.Response:
        """Answer a request."""
        try:
            if asked.route is None:
                raise Refused(Reason.NOT_OFFERED, asked.call)
            self.check_pace(asked)
            account = self.authorise(asked) if asked.route.is_signed else self.account
            return self.accept(asked, asked.route.handler(account, asked.parameters))
        except Refused as no:
            return self.refusal(no.reason, no.detail)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as mistake:
            asked.violations.append(f"{asked.call}: {type(mistake).__name__}: {mistake}")
            return self.refusal(Reason.BAD_PARAMETER, str(mistake).strip("'\""))

    async def body_of(self, request: web.Request) -> str:
        """The body as text, whatever its bytes are."""
        return (await request.read()).decode("utf-8", "replace") if request.can_read_body else ""

    @abstractmethod
    def check_pace(self, asked: Request) -> None:
        """Count a request; raises Refused."""

    @abstractmethod
    def authorise(self, asked: Request) -> Account:
        """Whose request it is; raises Refused and notes a violation for a bad signature."""

    @abstractmethod
    def accept(self, asked: Request, result: Any) -> web.Response:
        """The venue's envelope round a result."""
