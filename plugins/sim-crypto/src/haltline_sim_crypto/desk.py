"""Takes orders in: checks them as a venue does, and refuses with a reason."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from haltline_sim_crypto.account import Account
from haltline_sim_crypto.event import Part
from haltline_sim_crypto.market import Market
from haltline_sim_crypto.number import ZERO
from haltline_sim_crypto.order import Ask, Leg, Tif
from haltline_sim_crypto.refusal import Reason, Refused

type Uniqueness = Literal["ever", "open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """Where venues differ.

    `pushes` is the order of messages about a fill. `client_ids`: unique among all orders, or among open ones.
    `spawns`: a conditional order that triggers becomes a new one. `refuses_met_trigger`: a condition that is met
    already. `refuses_post_only`: or the order is accepted and cancelled. `trims_leg`: an order that would close more
    than a hedged side holds is trimmed, else refused.
    """

    pushes: tuple[Part, ...] = ("order", "execution", "position", "wallet")
    client_ids: Uniqueness = "ever"
    spawns: bool = False
    refuses_met_trigger: bool = True
    refuses_post_only: bool = False
    trims_leg: bool = False
    taker_rate: Decimal = Decimal("0.0005")
    maker_rate: Decimal = Decimal("0.0002")


def admit(account: Account, ask: Ask, habits: Habits) -> Decimal:
    """The quantity that is accepted, trimmed where the order may only reduce; raises Refused."""
    market = account.markets.get(ask.symbol)
    if market is None:
        raise Refused(Reason.UNKNOWN_SYMBOL, ask.symbol)
    _check_leg(account, ask)
    _check_client_id(account, ask, habits)
    _check_price(market, ask, habits)
    if not ask.closes_all:
        _check_quantity(market, ask)
    if ask.trigger is not None:
        return ask.quantity
    return reducible(account, ask, ask.quantity, habits) if _reduces(ask) else _affordable(account, market, ask, habits)


def reducible(account: Account, ask: Ask, quantity: Decimal, habits: Habits) -> Decimal:
    """What an order that may only reduce can still take away; raises Refused."""
    held = account.position(ask.symbol, ask.leg).quantity
    if held * ask.side >= 0:
        raise Refused(Reason.NO_POSITION, ask.symbol)
    if ask.closes_all:
        return abs(held)
    if quantity > abs(held) and not ask.reduces and not habits.trims_leg:
        raise Refused(Reason.REDUCE_ONLY, ask.symbol)
    return min(quantity, abs(held))


def _reduces(ask: Ask) -> bool:
    return ask.reduces or ask.closes_all or (ask.leg is Leg.LONG and ask.side < 0) or (
        ask.leg is Leg.SHORT and ask.side > 0
    )  # fmt: skip


def _check_leg(account: Account, ask: Ask) -> None:
    if account.is_hedged is (ask.leg is Leg.NET):
        raise Refused(Reason.POSITION_MODE)


def _check_client_id(account: Account, ask: Ask, habits: Habits) -> None:
    if not ask.client_id:
        return
    known = account.orders.values() if habits.client_ids == "ever" else account.live()
    if any(each.ask.client_id == ask.client_id for each in known):
        raise Refused(Reason.DUPLICATE_CLIENT_ID, ask.client_id)


def _check_price(market: Market, ask: Ask, habits: Habits) -> None:
    for price in (ask.price, ask.trigger.price if ask.trigger else None):
        if price is None:
            continue
        if price <= 0 or price % market.instrument.tick:
            raise Refused(Reason.PRICE_TICK, ask.symbol)
    if ask.trigger and habits.refuses_met_trigger and ask.trigger.is_met(last=market.last, mark=market.mark):
        raise Refused(Reason.WOULD_TRIGGER, ask.symbol)
    if ask.tif is Tif.POST and habits.refuses_post_only and crosses(market, ask) and ask.trigger is None:
        raise Refused(Reason.POST_ONLY, ask.symbol)


def crosses(market: Market, ask: Ask) -> bool:
    """Whether an order would be filled at once."""
    if ask.price is None:
        return True
    return ask.price >= market.ask if ask.side > 0 else ask.price <= market.bid


def _check_quantity(market: Market, ask: Ask) -> None:
    instrument = market.instrument
    if ask.quantity < instrument.step:
        raise Refused(Reason.QUANTITY_TOO_SMALL, ask.symbol)
    if ask.quantity > instrument.most:
        raise Refused(Reason.QUANTITY_TOO_LARGE, ask.symbol)
    if ask.quantity % instrument.step:
        raise Refused(Reason.QUANTITY_STEP, ask.symbol)
    if not _reduces(ask) and ask.quantity * (ask.price or market.last) < instrument.least_value:
        raise Refused(Reason.NOTIONAL_TOO_SMALL, ask.symbol)


def _affordable(account: Account, market: Market, ask: Ask, habits: Habits) -> Decimal:
    price = ask.price or (market.ask if ask.side > 0 else market.bid)
    held = account.position(ask.symbol, ask.leg).quantity
    opposite = abs(held) if held * ask.side < 0 else ZERO
    opened = max(ZERO, ask.quantity - 2 * opposite)
    needed = opened * price / account.leverage(ask.symbol)
    if opened and needed + opened * price * habits.taker_rate > account.available:
        raise Refused(Reason.INSUFFICIENT_MARGIN, ask.symbol)
    return ask.quantity
