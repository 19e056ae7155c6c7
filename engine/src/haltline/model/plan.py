"""What the kernel wants done, and what holds an account back."""

from enum import StrEnum

import msgspec

from haltline.model.event import Attention
from haltline.model.id import AccountId, ActionId, IncidentId, RuleId, Symbol
from haltline.model.order import Aim, OrderRequest
from haltline.model.verdict import Transition


class TradingMode(StrEnum):
    """What an account may do: anything; only reduce; only exit, and what is opened all the same is closed."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"

    @property
    def rank(self) -> int:
        """Strictness, 0 to 2: the stricter of two modes wins."""
        return (TradingMode.ACTIVE, TradingMode.REDUCING, TradingMode.HALTED).index(self)


class Over(StrEnum):
    """What happens to an action that goes beyond its caps: it waits for an operator's consent, or it goes on."""

    CONSENT = "consent"
    PROCEED = "proceed"


class Caps(msgspec.Struct, frozen=True, kw_only=True):
    """The most that one enforcement may touch without consent; None is no cap.

    `max_positions` counts positions it closes or shrinks, `max_notional` is the money (of the account) that they are
    worth, `max_orders` counts orders it sends, and exits and stops it cancels. Cancelling an entry never counts.
    """

    max_positions: int | None = None
    max_notional: float | None = None
    max_orders: int | None = None
    over: Over = Over.CONSENT

    @property
    def is_open(self) -> bool:
        """Whether nothing is capped."""
        return self.max_positions is None and self.max_notional is None and self.max_orders is None


def loosest(one: Caps | None, other: Caps | None) -> Caps | None:
    """What two requests for the same may touch together: as much as the one that may touch more."""
    if one is None or other is None:
        return None

    def most[N: (int, float)](first: N | None, second: N | None) -> N | None:
        return None if first is None or second is None else max(first, second)

    return Caps(
        max_positions=most(one.max_positions, other.max_positions),
        max_notional=most(one.max_notional, other.max_notional),
        max_orders=most(one.max_orders, other.max_orders),
        over=Over.PROCEED if Over.PROCEED in (one.over, other.over) else Over.CONSENT,
    )


class PlannedAction(msgspec.Struct, frozen=True, kw_only=True):
    """One action to be carried out. Its `id` is a pure function of what caused it, so a repeat is recognised.

    `params` holds plain values: expressions have been evaluated. `rules` lists everybody who asked for it.
    `shadow` actions are recorded and announced, never carried out. `evidence` says what it waited for and was given;
    `caps` bound it; `consent` names the operator who let it go beyond them, and why. `aims` are what an earlier try has
    fixed to be reached, by symbol: a repeat reaches the same and never takes off more. `earlier` are orders that an
    earlier try has left unsettled. `drill` marks one that is carried out, but only to show that it works.
    """

    id: ActionId
    at: int
    name: str
    account: AccountId | None
    symbol: Symbol | None = None
    order_id: str | None = None
    params: dict[str, float | str | bool | None] = {}
    rules: tuple[RuleId, ...] = ()
    incidents: tuple[IncidentId, ...] = ()
    shadow: bool = False
    reason: str = ""
    evidence: str = ""
    caps: Caps | None = None
    consent: str = ""
    aims: dict[Symbol, Aim] = {}
    earlier: tuple[OrderRequest, ...] = ()
    drill: bool = False


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """A persisted ban on new risk for an account, or one symbol of it.

    It ends at `until` (None: never by itself); with `release` ``clear`` it also ends with the incident of `rule`.
    With `entries_only` it is a pause: entries wait, and what is opened all the same is not closed. `dark`: the broker
    was not heard of when it began, and what was open then is not known yet.
    """

    id: str
    account: AccountId
    since: int
    reason: str
    symbol: Symbol | None = None
    until: int | None = None
    release: str = "time"
    rule: RuleId | None = None
    operator: str = ""
    entries_only: bool = False
    dark: bool = False


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """A scoped, expiring grant: `rule` is not applied to `entity` (an account's key covers everything in it), or has
    `extra` more room, in ``[since, until)``.
    """

    id: str
    rule: RuleId
    entity: str
    since: int
    until: int
    operator: str
    reason: str
    extra: float | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one kernel step produced. `deadline` is the next instant at which the kernel must be stepped.

    `attention` is what operators said about messages alone: acknowledged, silenced, unsilenced.
    """

    transitions: tuple[Transition, ...] = ()
    plan: tuple[PlannedAction, ...] = ()
    notices: tuple[str, ...] = ()
    deadline: int | None = None
    attention: tuple[Attention, ...] = ()


class Permission(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a proposed order: allowed or not, why, and the largest quantity that would be allowed."""

    allowed: bool
    reasons: tuple[str, ...] = ()
    mode: TradingMode = TradingMode.ACTIVE
    rules: tuple[RuleId, ...] = ()
