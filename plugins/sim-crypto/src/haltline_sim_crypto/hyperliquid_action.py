"""Hyperliquid's `/exchange`: signed actions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from haltline_sim_crypto import hyperliquid_shape as shape
from haltline_sim_crypto.account import Account
from haltline_sim_crypto.hyperliquid_code import CODES, OF_ORDERS
from haltline_sim_crypto.number import parse
from haltline_sim_crypto.order import Ask, Order, Status, Tif, Trigger
from haltline_sim_crypto.record import Json, Route, words
from haltline_sim_crypto.refusal import Reason, Refused

if TYPE_CHECKING:
    from haltline_sim_crypto.hyperliquid import HyperliquidSim

_CLOID = re.compile(r"^0x[0-9a-fA-F]{32}$")
_SOONEST_MS = 5_000
_TRIGGERS_A_DAY = 10
_NEEDED_VOLUME = 1_000_000


class HyperliquidActions:
    """The handlers of one simulator."""

    def __init__(self, sim: HyperliquidSim) -> None:
        self._sim = sim

    def routes(self) -> dict[str, Route]:
        """Every action, by its type."""
        found: dict[str, tuple[Callable[[Account, Json], Any], str]] = {
            "order": (self.order, "orders grouping builder"),
            "cancel": (self.cancel, "cancels"),
            "cancelByCloid": (self.cancel_by_cloid, "cancels"),
            "modify": (lambda account, given: self.modify(account, {"modifies": [given]}), "oid order"),
            "batchModify": (self.modify, "modifies"),
            "scheduleCancel": (self.schedule_cancel, "time"),
            "updateLeverage": (self.leverage, "asset isCross leverage"),
            "setReferrer": (self.accept, "code"),
            "approveBuilderFee": (
                self.accept, "hyperliquidChain signatureChainId maxFeeRate builder nonce",
            ),
            "noop": (self.accept, ""),
        }  # fmt: skip
        return {
            f"exchange {name}": Route(handler=handler, known=words(known) | {"type"}, is_signed=True)
            for name, (handler, known) in found.items()
        }

    # -- orders --------------------------------------------------------------------------------------------------------

    def order(self, account: Account, given: Json) -> Json:
        """Place orders; each is answered for itself."""
        return _statuses("order", [self._placed(account, each) for each in given["orders"]])

    def _placed(self, account: Account, given: Json) -> Any:
        try:
            order = self._sim.matching.place(account, self._ask(given))
        except Refused as no:
            if no.reason not in OF_ORDERS:
                raise
            return {"error": self._words(no.reason, given)}
        return self._status(order, given)

    def _ask(self, given: Json) -> Ask:
        market = self._sim.market_at(given["a"])
        price, client_id = parse(given["p"], "p"), given.get("c") or ""
        if client_id and not _CLOID.match(client_id):
            raise Refused(Reason.BAD_CLIENT_ID)
        if not shape.has_five_figures(price):
            raise Refused(Reason.PRICE_TICK)
        ask = Ask(
            symbol=market.instrument.symbol, side=1 if given["b"] else -1, quantity=parse(given["s"], "s"),
            price=price, reduces=bool(given["r"]), client_id=client_id,
        )  # fmt: skip
        match given["t"]:
            case {"limit": {"tif": str(tif)}}:
                ask.tif = shape.TIFS[tif]
            case {"trigger": {"isMarket": bool(at_market), "triggerPx": level, "tpsl": "tp" | "sl" as kind}}:
                rises = (ask.side > 0) is (kind == "sl")
                ask.trigger = Trigger(price=parse(level, "triggerPx"), rises=rises, by_mark=True)
                ask.label = f"{'Stop' if kind == 'sl' else 'Take Profit'} {'Market' if at_market else 'Limit'}"
                if at_market:
                    ask.price = None
            case _:
                raise Refused(Reason.BAD_PARAMETER)
        return ask

    def _status(self, order: Order, given: Json) -> Any:
        named = {"cloid": order.ask.client_id} if order.ask.client_id else {}
        if order.filled and (order.status is Status.FILLED or order.ask.tif is Tif.IOC):
            return {"filled": {"totalSz": shape.number(order.filled), "avgPx": shape.amount(order.average),
                               "oid": order.number, **named}}  # fmt: skip
        if order.is_live:
            return {"resting": {"oid": order.number, **named}}
        return {"error": f"Order could not immediately match against any resting orders. asset={given['a']}"}

    def cancel(self, account: Account, given: Json) -> Json:
        """Cancel by number."""
        found = [(each["a"], account.find(number=int(each["o"]))) for each in given["cancels"]]
        return self._cancelled(account, found)

    def cancel_by_cloid(self, account: Account, given: Json) -> Json:
        """Cancel by the client's id."""
        found = [(each["asset"], account.find(client_id=str(each["cloid"]))) for each in given["cancels"]]
        return self._cancelled(account, found)

    def _cancelled(self, account: Account, found: list[tuple[int, Order | None]]) -> Json:
        rows: list[Any] = []
        for asset, order in found:
            symbol = self._sim.market_at(asset).instrument.symbol
            if order is None or not order.is_live or order.ask.symbol != symbol:
                rows.append({"error": self._words(Reason.CANCEL_REJECTED, {"a": asset})})
                continue
            self._sim.matching.cancel(account, order)
            rows.append("success")
        return _statuses("cancel", rows)

    def modify(self, account: Account, given: Json) -> Json:
        """Replace orders."""
        rows: list[Any] = []
        for each in given["modifies"]:
            wanted, asset = each["oid"], each["order"]["a"]
            found = account.find(number=wanted) if isinstance(wanted, int) else account.find(client_id=wanted)
            if found is None or not found.is_live:
                rows.append({"error": f"Cannot modify canceled or filled order. asset={asset}"})
                continue
            self._sim.matching.cancel(account, found)
            rows.append(self._placed(account, each["order"]))
        return _statuses("order", rows)

    # -- settings ------------------------------------------------------------------------------------------------------

    def schedule_cancel(self, account: Account, given: Json) -> Json:
        """Cancel everything at a time unless told again; without a time the switch is cleared."""
        at_ms = given.get("time")
        if at_ms is None:
            self._sim.set_dead_man(account, "", None)
            return _default()
        if self._sim.traded_volume < _NEEDED_VOLUME:
            return _wrong(
                "Cannot set scheduled cancel time until enough volume traded."
                f" Required: ${_NEEDED_VOLUME}. Traded: ${self._sim.traded_volume}."
            )
        if int(at_ms) < self._sim.now_ms() + _SOONEST_MS:
            return _wrong("Scheduled cancel time too early, must be at least 5 seconds from now.")
        if self._sim.cancels_scheduled(account) >= _TRIGGERS_A_DAY:
            return _wrong("Too many scheduled cancel triggers today, max 10.")
        self._sim.set_dead_man(account, "", int(at_ms) / 1000)
        return _default()

    def leverage(self, account: Account, given: Json) -> Json:
        """The leverage of a coin; margin is always shared here."""
        instrument, wanted = self._sim.market_at(given["asset"]).instrument, int(given["leverage"])
        if not given["isCross"] or not 1 <= wanted <= instrument.most_leverage:
            raise Refused(Reason.LEVERAGE)
        account.leverages[instrument.symbol] = wanted
        return _default()

    def accept(self, account: Account, given: Json) -> Json:
        """Actions that change nothing here; that they were sent is in the record."""
        return _default()

    def _words(self, reason: Reason, given: Json) -> str:
        detail = str(given.get("a", 0))
        if reason is Reason.POST_ONLY:
            market = self._sim.market_at(given["a"])
            detail = f"{shape.number(market.bid)}@{shape.number(market.ask)}"
        return CODES[reason].words.replace("{}", detail)


def _statuses(kind: str, rows: list[Any]) -> Json:
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": rows}}}


def _default() -> Json:
    return {"status": "ok", "response": {"type": "default"}}


def _wrong(what: str) -> Json:
    return {"status": "err", "response": what}
