"""One simulated venue with somebody who trades at it, what can go wrong there, and the truth of it."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from haltline_sim_crypto.binance import BinanceSim
from haltline_sim_crypto.bybit import BybitSim
from haltline_sim_crypto.hyperliquid import HyperliquidSim
from haltline_sim_crypto.refusal import Refused
from haltline_sim_projectx import hub
from haltline_sim_projectx.failure import Refusal
from haltline_sim_projectx.server import KEY, USER, ProjectXSim

SYMBOLS = {"projectx": "MNQZ5", "bybit": "BTCBYBIT", "binance": "BTCBINANCE", "hyperliquid": "BTCHYPER"}
"""What the engine calls each market: prices of one name are one price, so each venue has a name of its own."""
type Trouble = tuple[str, float, Callable[[], object]]
"""A name, for how many seconds it is left, and what does it."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What the venue knows: signed quantity, its average price, working orders, executions so far, cash, and what the
    executions have realized before fees.
    """

    quantity: float
    average: float
    orders: int
    fills: int
    cash: float
    realized: float


class Desk:
    """One venue. `acted` is called whenever somebody other than our trader sends or cancels an order."""

    sim: Any
    start: float
    unit: float
    multiplier: float = 1.0
    config: dict[str, object]
    plugin: str

    def __init__(self, name: str, lot: random.Random) -> None:
        self.name = name
        self.symbol = SYMBOLS[name]
        self.acted: Callable[[str], None] = lambda what: None
        self.last = 0.0
        self._lot = lot
        self._is_by_hand = False

    @property
    def limit(self) -> float:
        """The loss at which the account must be flattened: a fall of 0.3 % with two units."""
        return round(self.start * self.multiplier * self.unit * 2 * 0.003, 2)

    @property
    def loss(self) -> float:
        """What the position has lost at the last price."""
        truth = self.truth()
        return (truth.average - self.last) * truth.quantity * self.multiplier

    @contextmanager
    def by_hand(self) -> Iterator[None]:
        """What happens inside is our trader's doing; what the venue refuses him is left."""
        self._is_by_hand = True
        try:
            with suppress(Refusal, Refused):
                yield
        finally:
            self._is_by_hand = False

    def say(self, price: float) -> None:
        """The next price."""
        self.last = self.rounded(price)
        with self.by_hand():
            self._price(self.last)

    def strike(self) -> Trouble:
        """Something to go wrong, at random."""
        calls = self.calls
        name, seconds, does = self._lot.choice([*self.own_troubles(), *self._of_requests(calls)])
        return name, seconds, does

    def _of_requests(self, calls: Sequence[str]) -> list[Trouble]:
        def arm(kind: str, **more: object) -> Trouble:
            call = self._lot.choice(calls)
            named = f"{kind} {more.get('status', more.get('stage', ''))}".strip()
            return named, self._lot.uniform(2, 6), lambda: self.sim.arm(kind, call, **more)

        few = self._lot.randint(1, 3)
        return [
            arm("status", status=429, retry_after_s=self._lot.choice((0.5, 2.0)), count=few),
            arm("status", status=500, count=few), arm("status", status=503, count=few),
            arm("hang", count=1), arm("delay", after_s=self._lot.uniform(0.3, 2.5), count=few),
            arm("drop", count=few), arm("drop", stage="after"), arm("hang", stage="after"),
            arm("garbage", count=few), arm("truncate", stage="after", count=few),
            arm("duplicate", count=4), arm("reorder", count=2),
        ]  # fmt: skip

    @property
    def calls(self) -> Sequence[str]:
        """Patterns of requests that faults are armed for."""
        raise NotImplementedError

    def own_troubles(self) -> list[Trouble]:
        """What goes wrong with streams, sessions and clocks of this venue."""
        raise NotImplementedError

    def truth(self) -> Truth:
        """What the venue knows."""
        raise NotImplementedError

    def _price(self, price: float) -> None:
        raise NotImplementedError

    def rounded(self, price: float) -> float:
        """A price on the tick."""
        return round(price)

    def phantom(self, price: float) -> None:
        """A price that the feed tells and nobody trades at."""
        raise NotImplementedError

    def trades(self, units: float) -> None:
        """Our trader buys, or sells if negative, at market."""
        raise NotImplementedError

    def rests(self, units: float, price: float) -> None:
        """Our trader places a limit order."""
        raise NotImplementedError

    def protects(self, price: float) -> None:
        """Our trader places a stop for all he holds."""
        raise NotImplementedError

    def tidies(self) -> None:
        """Our trader cancels whatever works."""
        raise NotImplementedError

    def mend(self) -> None:
        """Everything works again."""
        raise NotImplementedError

    def connections(self) -> int:
        """How many streams were ever opened."""
        raise NotImplementedError

    def _hears(self, owner: Any, *, is_own: Callable[[str, tuple[Any, ...]], bool]) -> None:
        """Be told of every order that reaches the venue, and of every cancel."""
        for verb in ("place", "cancel"):
            does = getattr(owner, verb)

            def heard(*given: Any, verb: str = verb, does: Callable[..., Any] = does, **named: Any) -> Any:
                if not self._is_by_hand and is_own(verb, given):
                    self.acted(verb)
                return does(*given, **named)

            setattr(owner, verb, heard)


class ProjectXDesk(Desk):
    """A ProjectX account that trades micro Nasdaq futures."""

    start, unit, multiplier, plugin = 21_000.0, 1.0, 2.0, "broker_projectx"
    calls = (
        "*", "Order/place", "Position/closeContract", "Position/searchOpen", "Order/searchOpen", "Account/search",
        "Trade/search",
    )  # fmt: skip

    def __init__(self, name: str, lot: random.Random) -> None:
        super().__init__(name, lot)
        self.sim = ProjectXSim()
        self._trader = self.sim.trader("PRACTICE77")
        self._hears(self.sim.market, is_own=lambda verb, given: True)

    @property
    def config(self) -> dict[str, object]:  # type: ignore[override]
        """The broker's section."""
        return {
            "user": USER, "key": KEY, "accounts": {self.name: "PRACTICE77"}, "contracts": ["MNQ"],
            "api_url": f"{self.sim.url}/api", "hub_url": f"{self.sim.url}/hubs",
        }  # fmt: skip

    def truth(self) -> Truth:
        account, contract = self._trader.account, self.sim.market.contract("MNQZ5")
        held = account.positions.get(contract.id)
        return Truth(
            quantity=0.0 if held is None else float(held.held), average=0.0 if held is None else held.average,
            orders=len(self.sim.market.working(account.id)), fills=len(self.sim.market.trades), cash=account.balance,
            realized=sum(each.pnl or 0.0 for each in self.sim.market.trades),
        )  # fmt: skip

    def rounded(self, price: float) -> float:
        return round(price * 4) / 4

    def _price(self, price: float) -> None:
        self.sim.price("MNQZ5", price)

    def phantom(self, price: float) -> None:
        price = self.rounded(price)
        contract = self.sim.market.contract("MNQZ5")
        self.sim.market.quote(contract, lastPrice=price, bestBid=price, bestAsk=price + 0.25)

    def trades(self, units: float) -> None:
        with self.by_hand():
            (self._trader.buys if units > 0 else self._trader.sells)("MNQZ5", round(abs(units)))

    def rests(self, units: float, price: float) -> None:
        with self.by_hand():
            does = self._trader.buys if units > 0 else self._trader.sells
            does("MNQZ5", round(abs(units)), limit=self.rounded(price))

    def protects(self, price: float) -> None:
        held = self._trader.holds("MNQZ5")
        if not held:
            return
        with self.by_hand():
            (self._trader.sells if held > 0 else self._trader.buys)("MNQZ5", abs(held), stop=self.rounded(price))

    def tidies(self) -> None:
        for order in self.sim.market.working(self._trader.account.id):
            with self.by_hand():
                self._trader.cancels(order)

    def mend(self) -> None:
        self.sim.faults.clear()
        self.sim.skew_s = 0.0
        for each in (self.sim.user_hub, self.sim.market_hub):
            each.is_muted = each.loses_pushes = False

    def connections(self) -> int:
        return int(self.sim.user_hub.openings + self.sim.market_hub.openings)

    def own_troubles(self) -> list[Trouble]:
        one, some = self._lot.choice((self.sim.user_hub, self.sim.market_hub)), self._lot.uniform(2, 8)
        raw = self._lot.choice((hub.CLOSE_WITH_ERROR, hub.MALFORMED, hub.UNKNOWN_KEY))
        skew = self._lot.choice((-20.0, -3.0, 3.0, 20.0))
        return [
            ("hub muted", some, lambda: setattr(one, "is_muted", True)),
            ("hub loses pushes", some, lambda: setattr(one, "loses_pushes", True)),
            ("hub closed", some, one.close), ("hub cut", some, one.abort),
            ("hub odd frame", some, lambda: one.send_raw(raw)), ("token expired", some, self.sim.expire_tokens),
            ("logged out", some, self.sim.log_out), ("clock skew", some, lambda: setattr(self.sim, "skew_s", skew)),
            ("outage", some, lambda: self.sim.plan_outage(some * 0.7)),
        ]  # fmt: skip


class CryptoDesk(Desk):
    """One of the three crypto venues, and Bitcoin."""

    start, unit, plugin = 50_000.0, 0.1, "broker_ccxt"
    calls = ("*", "place", "positions", "open_orders", "balance", "fills", "cancel_all", "private_stream")

    def __init__(self, name: str, lot: random.Random) -> None:
        super().__init__(name, lot)
        kinds: dict[str, Any] = {"bybit": BybitSim, "binance": BinanceSim, "hyperliquid": HyperliquidSim}
        self.sim = kinds[name](balance=1_000_000)
        self._at_venue = "BTC" if name == "hyperliquid" else "BTCUSDT"
        self._hears(self.sim.matching, is_own=lambda verb, given: verb == "place" or len(given) < 3)

    @property
    def config(self) -> dict[str, object]:  # type: ignore[override]
        """The broker's section."""
        names = {"apiKey": "api_key", "secret": "api_secret", "walletAddress": "wallet", "privateKey": "private_key"}
        keys: dict[str, object] = {names[key]: told for key, told in self.sim.credentials.items() if key in names}
        market = "BTC/USDC:USDC" if self.name == "hyperliquid" else "BTC/USDT:USDT"
        return {**keys, "host": f"127.0.0.1:{self.sim.port}", "symbols": {self.symbol: market}, "flows_s": 20}

    def truth(self) -> Truth:
        held, account = self.sim.position(self._at_venue), self.sim.account
        return Truth(
            quantity=float(held.quantity), average=float(held.entry), orders=len(account.live()),
            fills=len(account.fills), cash=float(account.wallet),
            realized=float(sum(each.profit for each in account.fills)),
        )  # fmt: skip

    def _price(self, price: float) -> None:
        self.sim.price(self._at_venue, price)

    def phantom(self, price: float) -> None:
        market = self.sim.market(self._at_venue)
        kept = market.last, market.mark
        market.move(type(market.last)(round(price)), market.mark)  # the venue itself does not value accounts at it
        self.sim.on_price(market)
        market.move(*kept)

    def trades(self, units: float) -> None:
        if not units:
            return
        with self.by_hand():
            self.sim.trades(self._at_venue, f"{units * self.unit:.3f}")

    def rests(self, units: float, price: float) -> None:
        with self.by_hand():
            self.sim.orders(self._at_venue, f"{units * self.unit:.3f}", price=round(price))

    def protects(self, price: float) -> None:
        held = self.sim.position(self._at_venue).quantity
        if not held:
            return
        with self.by_hand():
            self.sim.orders(self._at_venue, -held, stop=round(price), reduces=True)

    def tidies(self) -> None:
        for order in self.sim.account.live():
            with self.by_hand():
                self.sim.cancels(order)

    def mend(self) -> None:
        self.sim.faults.clear()
        self.sim.streams.unmute()
        self.sim.clock_skew_ms = 0

    def connections(self) -> int:
        return int(self.sim.streams.opened)

    def own_troubles(self) -> list[Trouble]:
        sim, some = self.sim, self._lot.uniform(2, 8)
        kind = self._lot.choice(("private", "public", "*"))
        code, skew = (
            self._lot.choice((1000, 1001, 1008, 1011, 1012)),
            self._lot.choice((-20_000, -2_000, 2_000, 20_000)),
        )
        found: list[Trouble] = [
            ("stream muted", some, lambda: sim.streams.mute(kind)),
            ("stream muted for long", 20.0, lambda: sim.streams.mute(kind)),
            ("stream malformed", some, lambda: sim.streams.malformed(kind)),
            ("stream closed", some, lambda: sim.streams.close(kind, code=code)),
            ("stream cut", some, lambda: sim.streams.abort(kind)),
            ("clock skew", some, lambda: setattr(sim, "clock_skew_ms", skew)),
            ("outage", some, lambda: sim.plan_outage(some * 0.7)),
        ]  # fmt: skip
        if isinstance(sim, BinanceSim):
            found.append(("listen key expired", some, lambda: sim.expire_listen_key(announce=some > 5)))
        return found


def desk_of(name: str, lot: random.Random) -> Desk:
    """The desk of a venue."""
    return (ProjectXDesk if name == "projectx" else CryptoDesk)(name, lot)
