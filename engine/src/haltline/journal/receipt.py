"""What enforcement puts on record: requests before they are sent, how each ended, and the receipt of an action."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from haltline.clock import format_duration
from haltline.model.event import OutcomeStatus
from haltline.model.id import AccountId, ActionId, OrderId, RuleId, Symbol
from haltline.model.order import Aim, OrderRequest


class LegState(StrEnum):
    """Where one request is in its life.

    ``planned`` on record, not sent · ``sent`` no answer yet · ``acknowledged`` the venue has it · ``partial`` a part
    of it is filled · ``filled`` all of it is · ``done`` a cancel or stop stands confirmed · ``unknown`` it may have
    arrived · ``stuck`` no order of ours can change anything now · ``refused`` the venue said no.
    """

    PLANNED = "planned"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    PARTIAL = "partial"
    FILLED = "filled"
    DONE = "done"
    UNKNOWN = "unknown"
    STUCK = "stuck"
    REFUSED = "refused"


class LegIntent(msgspec.Struct, frozen=True, kw_only=True, tag="leg"):
    """A request about to be sent: an order, or the cancelling of one. `leg` names its place within the action.

    `mark` is the price by which it was decided; None where none was known.
    """

    action: ActionId
    leg: str
    account: AccountId
    order: OrderRequest | None = None
    cancels: OrderId | None = None
    mark: Decimal | None = None


class Goal(msgspec.Struct, frozen=True, kw_only=True, tag="goal"):
    """What an action is to reach, fixed before its first order; no later try of it reaches for anything else."""

    action: ActionId
    aims: dict[Symbol, Aim]


class LegOutcome(msgspec.Struct, frozen=True, kw_only=True, tag="leg"):
    """A request and what became of it: `status` is the venue's answer, ``accepted``, ``cancelled`` or ``refused``,
    empty without one; `state` is where it is in its life (None in records of version 0.1).

    `price` is the average the filled part was done at, `slippage` how much worse than `mark` that is per unit (negative
    is better); both None where the broker does not tell. `sent_at` and `ended_at` are instants, 0 where unknown.
    """

    action: ActionId
    leg: str
    status: str
    detail: str = ""
    order_id: OrderId | None = None
    filled: Decimal = Decimal(0)
    state: LegState | None = None
    symbol: Symbol | None = None
    side: str = ""
    quantity: Decimal = Decimal(0)
    price: Decimal | None = None
    mark: Decimal | None = None
    slippage: Decimal | None = None
    sent_at: int = 0
    ended_at: int = 0

    def __str__(self) -> str:
        return ": ".join(self.words)

    @property
    def words(self) -> tuple[str, str]:
        """What was asked for, and what became of it."""
        what = f"{self.side} {self.quantity:f} {self.symbol}" if self.quantity else self.leg
        words = [str(self.state or self.status)]
        if self.state is LegState.PARTIAL or (self.filled and self.filled != self.quantity):
            words.append(f"({self.filled:f} filled)")
        if self.price is not None:
            words.append(f"at {_plain(self.price)}{_slip(self.slippage)}")
        if self.sent_at and self.ended_at >= self.sent_at:
            words.append(f"in {format_duration(self.ended_at - self.sent_at)}")
        return what, " ".join(words) + (f" ({self.detail})" if self.detail else "")


class Remaining(msgspec.Struct, frozen=True, kw_only=True):
    """What an account still holds: signed quantities by symbol, and how many orders work, in all and by symbol.

    `notional` is the size of each position in money, at the mark, where it is known.
    """

    positions: dict[Symbol, Decimal] = {}
    working_orders: int = 0
    notional: dict[Symbol, Decimal] = {}
    orders: dict[Symbol, int] = {}

    def __str__(self) -> str:
        held = ", ".join(
            f"{quantity:+f} {symbol}{self._money(symbol)}" for symbol, quantity in sorted(self.positions.items())
        )
        orders = f"{self.working_orders} working order{'' if self.working_orders == 1 else 's'}"
        named = f" ({', '.join(f'{count} {symbol}' for symbol, count in sorted(self.orders.items()))})"
        orders += named if self.orders else ""
        return f"{held or 'no position'}, {orders if self.working_orders else 'no working order'}"

    def _money(self, symbol: Symbol) -> str:
        money = self.notional.get(symbol)
        return f" ({money:,.2f})" if money is not None else ""


class Proof(StrEnum):
    """How it was confirmed: the broker's pushes and a query both showed it, or two queries did."""

    PUSH_AND_PULL = "push_and_pull"
    PULL_TWICE = "pull_twice"


class Receipt(msgspec.Struct, frozen=True, kw_only=True, tag="action"):
    """The proof of one action: what was sent, how long it took, and what the broker showed afterwards.

    `remaining` is pulled from the broker after the last request; None if it could not be. `proven_at` is the instant
    at which it was asked for: what happened later is not part of the proof. Of a flatten or close that is done,
    `proof` says who confirmed it, `proof_note` why it was not the pushes, `reached_at` since when it was so, and
    `held_ns` how long it was watched. `superseded_by` names the action that took over. `aims` is what it had fixed to
    be reached, `retry_at` when the broker wants to be asked again, `beyond` what it touched beyond its caps, in words.
    `unsettled` are its orders at the market that may still do something. `drill` marks one of a drill.
    """

    action: ActionId
    name: str
    account: AccountId
    status: OutcomeStatus
    started_at: int
    ended_at: int
    symbol: Symbol | None = None
    legs: tuple[LegOutcome, ...] = ()
    remaining: Remaining | None = None
    reason: str = ""
    rules: tuple[RuleId, ...] = ()
    proven_at: int | None = None
    proof: Proof | None = None
    proof_note: str = ""
    reached_at: int | None = None
    held_ns: int = 0
    superseded_by: ActionId | None = None
    aims: dict[Symbol, Aim] = {}
    retry_at: int | None = None
    beyond: str = ""
    unsettled: tuple[OrderRequest, ...] = ()
    drill: bool = False

    @property
    def took_ns(self) -> int:
        """From its beginning until what it wants was so; until its end where that is not known."""
        return (self.ended_at if self.reached_at is None else self.reached_at) - self.started_at

    def __str__(self) -> str:
        count = f"{len(self.legs)} request{'' if len(self.legs) == 1 else 's'}"
        text = f"{self.reason + '; ' if self.reason else ''}{count} in {format_duration(self.took_ns)}; {self._left()}"
        return "; ".join([text, *(each for each in (self.confirmation, self.beyond) if each)])

    @property
    def confirmation(self) -> str:
        """How it was confirmed, in words; empty for an action that is not confirmed this way."""
        if self.proof is None:
            return ""
        how = "by push and by pull" if self.proof is Proof.PUSH_AND_PULL else "by pull twice"
        held = f", held for {format_duration(self.held_ns)}" if self.held_ns else ""
        return f"confirmed {how}{held}{f' ({self.proof_note})' if self.proof_note else ''}"

    def _left(self) -> str:
        if self.superseded_by is not None:
            return "what is left is on the receipt of what took over"
        return f"the broker shows {self.remaining}" if self.remaining else "the broker could not be asked what is left"


def slippage_of(side_sign: int, price: Decimal | None, mark: Decimal | None) -> Decimal | None:
    """How much worse than the mark a price is, per unit; negative is better, None where one of them is not known."""
    return None if price is None or mark is None else side_sign * (price - mark)


def _slip(slippage: Decimal | None) -> str:
    if slippage is None:
        return ""
    word = "worse than" if slippage > 0 else "better than"
    return f", {_plain(abs(slippage))} {word} the mark" if slippage else ", at the mark"


def _plain(number: Decimal) -> str:
    """Without the digits that say nothing: the average of several fills may have many."""
    return f"{number.quantize(Decimal('1e-8')).normalize():,f}"
