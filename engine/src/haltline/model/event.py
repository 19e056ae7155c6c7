"""Everything that can happen, as frozen records. The kernel sees nothing else.

`at` is when it happened at its source, `received_at` when it reached us; both UTC nanoseconds. Outside data
enters by decode or convert, never by calling these constructors on it, and non-finite numbers are refused.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from haltline.model.id import AccountId, ActionId, FillId, IncidentId, OrderId, RuleId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import Aim, OrderReport, OrderRequest, Side


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    at: int
    received_at: int


class Quote(_Event, frozen=True, kw_only=True, gc=False):
    """A price. Any of `bid`, `ask`, `last`, `mark` may be missing; the mark used is stated per account."""

    symbol: Symbol
    bid: float | None = None
    ask: float | None = None
    last: float | None = None
    mark: float | None = None
    volume_24h: float | None = None
    source: str = ""


class Fill(_Event, frozen=True, kw_only=True):
    """One execution. `quantity` > 0, `fee` >= 0 is a cost; `pnl` is the broker's own realized figure or None.

    A later Fill with the same `fill_id` and `voided` takes the first one back.
    """

    account: AccountId
    symbol: Symbol
    fill_id: FillId
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal = Decimal(0)
    pnl: Decimal | None = None
    order_id: OrderId | None = None
    voided: bool = False


class OrderUpdate(_Event, frozen=True, kw_only=True):
    """A broker's newest word on one order."""

    order: OrderReport


class PositionReport(_Event, frozen=True, kw_only=True):
    """A broker's newest word on one position. `quantity` is signed, 0 is flat; it overrides what fills implied."""

    account: AccountId
    symbol: Symbol
    quantity: Decimal
    average_price: Decimal
    opened_at: int | None = None
    liquidation_price: float | None = None
    margin: float | None = None
    leverage: float | None = None
    strategy: str = ""


class AccountReport(_Event, frozen=True, kw_only=True):
    """A broker's newest word on an account; None means not said."""

    account: AccountId
    balance: Decimal | None = None
    equity: float | None = None
    margin_used: float | None = None
    margin_available: float | None = None
    can_trade: bool | None = None


class CashFlow(_Event, frozen=True, kw_only=True):
    """A deposit (positive) or withdrawal (negative): moves balance, neither profit nor drawdown.

    With `is_result` it is what was earned or paid for holding positions (funding, interest, rebates): a fee, or less of
    them.
    """

    account: AccountId
    amount: Decimal
    flow_id: str
    is_result: bool = False


class InstrumentUpdate(_Event, frozen=True, kw_only=True):
    """The economics of an instrument, new or changed."""

    spec: InstrumentSpec


class ConnectionStatus(StrEnum):
    """How a broker or feed is reachable."""

    CONNECTED = "connected"
    DEGRADED = "degraded"
    DISCONNECTED = "disconnected"


class ConnectionUpdate(_Event, frozen=True, kw_only=True):
    """A broker's connection changed, for one account."""

    account: AccountId
    status: ConnectionStatus
    reason: str = ""


class Tick(_Event, frozen=True, kw_only=True, gc=False):
    """Nothing but time has passed: deadlines that are due fire."""


class Acknowledge(_Event, frozen=True, kw_only=True):
    """An operator has seen an incident; ends `latch: ack` once its condition is clear."""

    incident: IncidentId
    operator: str


class Release(_Event, frozen=True, kw_only=True):
    """An operator lifts a lockout, or ends an incident held by `latch: manual`."""

    operator: str
    reason: str
    lock_id: str | None = None
    incident: IncidentId | None = None


class LockRequest(_Event, frozen=True, kw_only=True):
    """An operator locks an account, or one symbol of it, until an instant (None: until released).

    With `entries_only` the account is paused instead: entries wait, and nothing that is opened is closed.
    """

    account: AccountId
    operator: str
    reason: str
    symbol: Symbol | None = None
    until: int | None = None
    entries_only: bool = False


class Unacknowledge(_Event, frozen=True, kw_only=True):
    """An operator takes an acknowledgement back: the incident asks for attention again."""

    incident: IncidentId
    operator: str


class ActionRequest(_Event, frozen=True, kw_only=True):
    """An operator wants something done at the broker: ``flatten``, ``close_position`` or ``cancel_orders``.

    `request_id` makes the action's id, so that the same request is never carried out twice. `drill` marks one that is
    only to show that it works.
    """

    account: AccountId
    name: str
    request_id: str
    operator: str
    reason: str
    symbol: Symbol | None = None
    order_id: OrderId | None = None
    drill: bool = False


class ArmRequest(_Event, frozen=True, kw_only=True):
    """An operator arms (live) or disarms (shadow) an account, knowing the gaps in what is then guaranteed."""

    account: AccountId
    operator: str
    live: bool
    reason: str = ""
    gaps: tuple[str, ...] = ()


class OverrideGrant(_Event, frozen=True, kw_only=True):
    """An operator exempts an entity from a rule, or gives it more room, until an instant; it ends by itself.

    `entity` is the key of one entity, or of an account for everything in it. `extra` is positive and in the unit of
    the limit: it moves the threshold away from the value; None is an exemption.
    """

    grant_id: str
    rule: RuleId
    entity: str
    until: int
    operator: str
    reason: str
    extra: float | None = None


class OverrideRevoke(_Event, frozen=True, kw_only=True):
    """An operator takes an override back before its time."""

    grant_id: str
    operator: str
    reason: str


class Silence(_Event, frozen=True, kw_only=True):
    """An operator wants no messages about what fits all `matchers` (``rule=daily-loss``) until an instant.

    It ends by itself. Enforcement and the journal go on as ever: only messages rest.
    """

    silence_id: str
    matchers: tuple[str, ...]
    until: int
    operator: str
    reason: str


class Unsilence(_Event, frozen=True, kw_only=True):
    """An operator ends a silence before its time."""

    silence_id: str
    operator: str
    reason: str = ""


class LooseningRequest(_Event, frozen=True, kw_only=True):
    """Rules or a set-up were edited so that they guard less: what would change, under an id made from what it becomes.

    `sort` is one of `LooseningSort`, `policy` one of `LooseningPolicy`, as texts; for `sort` ``policy``, `policy` is
    the one wanted. `operator` is empty where nobody is named.
    """

    request_id: str
    sort: str
    subject: str
    text: str
    policy: str
    operator: str = ""
    reason: str = ""
    account: AccountId | None = None


class Approve(_Event, frozen=True, kw_only=True):
    """A second operator, not the one who asked, agrees to a loosening that waits."""

    request_id: str
    operator: str
    reason: str


class CancelLoosening(_Event, frozen=True, kw_only=True):
    """A loosening that waits is given up (or was applied, and need not be remembered)."""

    request_id: str
    operator: str
    reason: str = ""


class Consent(_Event, frozen=True, kw_only=True):
    """An operator lets an enforcement go beyond its caps, once: named by its own id, or by that of an incident."""

    operator: str
    reason: str
    action: ActionId | None = None
    incident: IncidentId | None = None


type Attention = Acknowledge | Unacknowledge | Silence | Unsilence
"""What operators say about messages: they change what is told, never what is enforced."""


class OutcomeStatus(StrEnum):
    """How an action ended; a superseded one gave way to another that does more."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NEEDS_CONSENT = "needs consent"
    SUPERSEDED = "superseded"


class ActionOutcome(_Event, frozen=True, kw_only=True):
    """The enforcer's word on one action of a plan.

    `retry_at` is when another try makes sense, where the broker has said so (a closed venue, a rate limit); `aims` is
    what the action had fixed to be reached; `begun` tells that it is half done: something was filled, something may be
    left; `cancelled` are the orders that it has cancelled, `unsettled` those at the market that may still do something.
    """

    action_id: ActionId
    account: AccountId
    status: OutcomeStatus
    detail: str = ""
    rule: RuleId | None = None
    superseded_by: ActionId | None = None
    retry_at: int | None = None
    aims: dict[Symbol, Aim] = {}
    begun: bool = False
    cancelled: tuple[OrderId, ...] = ()
    unsettled: tuple[OrderRequest, ...] = ()


Event = (
    Quote
    | Fill
    | OrderUpdate
    | PositionReport
    | AccountReport
    | CashFlow
    | InstrumentUpdate
    | ConnectionUpdate
    | Tick
    | Acknowledge
    | Release
    | LockRequest
    | Unacknowledge
    | ActionRequest
    | ArmRequest
    | OverrideGrant
    | OverrideRevoke
    | LooseningRequest
    | Approve
    | CancelLoosening
    | Silence
    | Unsilence
    | Consent
    | ActionOutcome
)
