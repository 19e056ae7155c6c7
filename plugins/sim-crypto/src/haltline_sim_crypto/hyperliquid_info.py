"""Hyperliquid's `/info`: what anybody may read, of the venue and of any address."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from haltline_sim_crypto import hyperliquid_shape as shape
from haltline_sim_crypto.account import Account
from haltline_sim_crypto.candle import candles, length_ms
from haltline_sim_crypto.number import ZERO, text, to_step
from haltline_sim_crypto.order import Cause, Order, Status
from haltline_sim_crypto.record import Json, Route, words
from haltline_sim_crypto.refusal import Reason, Refused

if TYPE_CHECKING:
    from haltline_sim_crypto.hyperliquid import HyperliquidSim

_MOST_ROWS = 2000
_MOST_BARS = 5000


class HyperliquidInfo:
    """The handlers of one simulator."""

    def __init__(self, sim: HyperliquidSim) -> None:
        self._sim = sim

    def routes(self) -> dict[str, Route]:
        """Every question, by its type."""
        found: dict[str, tuple[Callable[[Account, Json], Any], str, int]] = {
            "meta": (self.meta, "dex", 20),
            "metaAndAssetCtxs": (self.contexts, "dex", 20),
            "spotMeta": (self.spot_meta, "", 20),
            "spotMetaAndAssetCtxs": (lambda account, given: [self.spot_meta(account, given), []], "", 20),
            "perpDexs": (lambda account, given: [None], "", 20),
            "exchangeStatus": (
                lambda account, given: {"specialStatuses": None, "time": self._sim.now_ms()},
                "",
                2,
            ),
            "allMids": (self.mids, "dex", 2),
            "l2Book": (self.book, "coin nSigFigs mantissa", 2),
            "candleSnapshot": (self.candles, "req", 20),
            "clearinghouseState": (self.state, "user dex", 2),
            "spotClearinghouseState": (lambda account, given: {"balances": []}, "user dex", 2),
            "openOrders": (self.open_orders, "user dex", 20),
            "frontendOpenOrders": (self.front_end_orders, "user dex", 20),
            "historicalOrders": (self.old_orders, "user", 20),
            "orderStatus": (self.order, "user oid", 2),
            "userFills": (self.fills, "user aggregateByTime", 20),
            "userFillsByTime": (self.fills, "user startTime endTime aggregateByTime reversed", 20),
            "userFunding": (self.funding, "user startTime endTime", 20),
            "userNonFundingLedgerUpdates": (self.transfers, "user startTime endTime", 20),
            "userRateLimit": (self.rate, "user", 20),
            "userFees": (self.fees, "user", 20),
            "userRole": (self.role, "user", 60),
            "userAbstraction": (lambda account, given: "default", "user", 20),
            "extraAgents": (self.agents, "user", 20),
            "subAccounts": (lambda account, given: None, "user", 20),
            "maxBuilderFee": (lambda account, given: 0, "user builder", 20),
            "activeAssetData": (self.asset, "user coin", 20),
        }
        return {
            f"info {name}": Route(handler=handler, known=words(known) | {"type"}, weight=weight)
            for name, (handler, known, weight) in found.items()
        }

    # -- the venue -----------------------------------------------------------------------------------------------------

    def meta(self, account: Account, given: Json) -> Json:
        """The universe."""
        return self.universe()

    def universe(self) -> Json:
        """The coins and their leverage; an order names a coin by its place in it."""
        rows = [shape.instrument_row(each.instrument) for each in self._sim.markets.values()]
        tables = sorted({each.instrument.most_leverage for each in self._sim.markets.values()})
        return {
            "universe": rows,
            "marginTables": [
                [most, {"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": most}]}]
                for most in tables
            ],
            "collateralToken": 0,
        }  # fmt: skip

    def contexts(self, account: Account, given: Json) -> list[Any]:
        """The universe and what each market is like now."""
        return [self.meta(account, given), [shape.context_row(each) for each in self._sim.markets.values()]]

    def spot_meta(self, account: Account, given: Json) -> Json:
        """The coin that everything is settled in."""
        coin = {
            "name": "USDC", "szDecimals": 8, "weiDecimals": 8, "index": 0,
            "tokenId": "0x6d1e7cde53ba9467b783cb7c530ce054", "isCanonical": True, "evmContract": None,
            "fullName": None, "deployerTradingFeeShare": "0.0",
        }  # fmt: skip
        return {"universe": [], "tokens": [coin]}

    def mids(self, account: Account, given: Json) -> Json:
        """The middle of every market."""
        return {each.instrument.base: shape.number(each.last) for each in self._sim.markets.values()}

    def book(self, account: Account, given: Json) -> Json:
        """The book of a coin."""
        if given["coin"] not in self._sim.markets:
            raise Refused(Reason.BAD_PARAMETER)
        return shape.book_row(self._sim.markets[given["coin"]], self._sim.now_ms())

    def candles(self, account: Account, given: Json) -> list[Json]:
        """Bars, the oldest first; the last 5000 at most."""
        wanted = given["req"]
        market, bar_ms = self._sim.markets[wanted["coin"]], length_ms(wanted["interval"])
        until = min(int(wanted.get("endTime") or self._sim.now_ms()), self._sim.now_ms())
        since = max(int(wanted["startTime"]), until - (_MOST_BARS - 1) * bar_ms)
        found = candles(market, bar_ms, limit=_MOST_BARS, now_ms=self._sim.now_ms(), since_ms=since, until_ms=until)
        return [
            {
                "t": each.at_ms, "T": each.at_ms + bar_ms - 1, "s": wanted["coin"], "i": wanted["interval"],
                "o": shape.number(each.open), "c": shape.number(each.close), "h": shape.number(each.high),
                "l": shape.number(each.low), "v": shape.number(each.volume), "n": 1,
            }
            for each in found
        ]  # fmt: skip

    # -- an address ----------------------------------------------------------------------------------------------------

    def state(self, account: Account, given: Json) -> Json:
        """Cash, margin, positions."""
        return shape.state_row(self._user(given), self._sim.now_ms())

    def open_orders(self, account: Account, given: Json) -> list[Json]:
        """Live orders, shortly."""
        return [shape.basic_row(each) for each in self._orders(given) if each.is_live]

    def front_end_orders(self, account: Account, given: Json) -> list[Json]:
        """Live orders, wholly."""
        return [shape.order_row(each) for each in self._orders(given) if each.is_live]

    def old_orders(self, account: Account, given: Json) -> list[Json]:
        """Orders in any state, newest first."""
        rows = [self._with_status(each) for each in reversed(self._orders(given))]
        return rows[:_MOST_ROWS]

    def order(self, account: Account, given: Json) -> Json:
        """One order by its number or by the client's id, in any state."""
        user, wanted = self._user(given), given["oid"]
        found = None
        if user is not None:
            is_number = isinstance(wanted, int) or str(wanted).isdigit()
            found = user.find(number=int(wanted)) if is_number else user.find(client_id=str(wanted))
        if found is None:
            return {"status": "unknownOid"}
        return {"status": "order", "order": self._with_status(found)}

    def fills(self, account: Account, given: Json) -> list[Json]:
        """Trades, newest first."""
        user = self._user(given)
        since, until = int(given.get("startTime") or 0), int(given.get("endTime") or self._sim.now_ms())
        fills = [] if user is None else [each for each in user.fills if since <= each.at_ms <= until]
        if "startTime" not in given:
            fills.reverse()
        return [shape.fill_row(each) for each in fills[:_MOST_ROWS]]

    def funding(self, account: Account, given: Json) -> list[Json]:
        """What was paid and received for holding."""
        user = self._user(given)
        entries = [] if user is None else [each for each in user.book if each.cause is Cause.FUNDING]
        return [
            {
                "time": entry.at_ms, "hash": "0x" + "0" * 64,
                "delta": {
                    "type": "funding", "coin": entry.symbol, "usdc": shape.amount(entry.amount), "szi": "0.0",
                    "fundingRate": text(self._sim.markets[entry.symbol].funding_rate), "nSamples": None,
                },
            }
            for entry in entries
            if entry.at_ms >= int(given.get("startTime") or 0)
        ]  # fmt: skip

    def transfers(self, account: Account, given: Json) -> list[Json]:
        """Deposits and withdrawals."""
        user = self._user(given)
        entries = [] if user is None else [each for each in user.book if each.cause is Cause.DEPOSIT]
        return [
            {
                "time": entry.at_ms, "hash": f"0x{entry.number:064x}",
                "delta": {
                    "type": "deposit" if entry.amount > 0 else "withdraw", "usdc": shape.amount(abs(entry.amount)),
                },
            }
            for entry in entries
        ]  # fmt: skip

    def rate(self, account: Account, given: Json) -> Json:
        """How much of the address's allowance is used."""
        user, made = self._user(given), len(self._sim.calls("exchange *"))
        volume = sum(each.price * each.quantity for each in user.fills) if user else 0
        return {
            "cumVlm": str(volume), "nRequestsUsed": made, "nRequestsCap": 10_000 + int(volume),
            "nRequestsSurplus": 0,
        }  # fmt: skip

    def fees(self, account: Account, given: Json) -> Json:
        """The fee rates."""
        habits = self._sim.habits
        return {
            "dailyUserVlm": [], "userCrossRate": str(habits.taker_rate), "userAddRate": str(habits.maker_rate),
            "activeReferralDiscount": "0.0", "trial": None, "feeTrialReward": "0.0",
        }  # fmt: skip

    def role(self, account: Account, given: Json) -> Json:
        """What an address is."""
        address = str(given["user"]).lower()
        if address in self._sim.agents:
            return {"role": "agent", "data": {"user": self._sim.agents[address]}}
        return {"role": "user" if address in self._sim.accounts else "missing"}

    def agents(self, account: Account, given: Json) -> list[Json]:
        """Who else may sign for an address."""
        owner = str(given["user"]).lower()
        made = self._sim.now_ms() + 180 * 86_400_000
        return [
            {"name": "agent", "address": address, "validUntil": made}
            for address, account_of in self._sim.agents.items()
            if account_of == owner
        ]

    def asset(self, account: Account, given: Json) -> Json:
        """How an address trades a coin."""
        user, market = self._user(given), self._sim.markets[given["coin"]]
        leverage = user.leverage(given["coin"]) if user else 20
        room = user.available * leverage / market.last if user else ZERO
        size = shape.number(to_step(room, market.instrument.step))
        return {
            "user": given["user"], "coin": given["coin"], "leverage": {"type": "cross", "value": leverage},
            "maxTradeSzs": [size, size], "availableToTrade": [size, size], "markPx": shape.number(market.mark),
        }  # fmt: skip

    def _user(self, given: Json) -> Account | None:
        return self._sim.accounts.get(str(given["user"]).lower())

    def _orders(self, given: Json) -> list[Order]:
        user = self._user(given)
        return [] if user is None else list(user.orders.values())

    def _with_status(self, order: Order) -> Json:
        state = "open" if order.status is Status.OPEN and order.filled else shape.status(order)
        return {"order": shape.order_row(order), "status": state, "statusTimestamp": order.updated_ms}
