"""A test file in memory: cases, their steps, and what is expected after each step."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

import msgspec

from haltline.errors import Place
from haltline.model.event import ConnectionStatus, OutcomeStatus
from haltline.model.order import OrderStatus, OrderType, Side
from haltline.model.plan import TradingMode
from haltline.model.verdict import Phase
from haltline.ruletest.series import Series


class CaseKind(StrEnum):
    """The five cases every rule of a pack is to show."""

    FIRING = "firing"
    NOT_FIRING = "not-firing"
    BOUNDARY = "boundary"
    UNKNOWN = "unknown-data"
    RESTART = "restart"


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under a step's key; read with `msgspec.convert`."""


class FillBody(_Body, frozen=True, kw_only=True):
    """An execution; `id` is made up where it is not given. `ago` is how long it lies back: it is heard of now."""

    account: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal = Decimal(0)
    pnl: Decimal | None = None
    id: str = ""
    order: str | None = None
    voided: bool = False
    ago: str | None = None


class OrderBody(_Body, frozen=True, kw_only=True):
    """A broker's word on an order."""

    account: str
    id: str
    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType = OrderType.MARKET
    status: OrderStatus = OrderStatus.WORKING
    filled: Decimal = Decimal(0)
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    reduce_only: bool = False
    client_id: str = ""
    average_price: Decimal | None = None


class PositionBody(_Body, frozen=True, kw_only=True):
    """A broker's word on a position; `quantity` is signed."""

    account: str
    symbol: str
    quantity: Decimal
    average_price: Decimal
    liquidation_price: float | None = None
    margin: float | None = None
    leverage: float | None = None
    strategy: str = ""


class AccountBody(_Body, frozen=True, kw_only=True):
    """A broker's word on an account."""

    account: str
    balance: Decimal | None = None
    equity: float | None = None
    margin_used: float | None = None
    margin_available: float | None = None
    can_trade: bool | None = None


class CashBody(_Body, frozen=True, kw_only=True):
    """A deposit (positive) or withdrawal (negative); with `is_result` funding, interest or a rebate."""

    account: str
    amount: Decimal
    is_result: bool = False


class QuoteBody(_Body, frozen=True, kw_only=True):
    """One price."""

    symbol: str
    bid: float | None = None
    ask: float | None = None
    last: float | None = None
    mark: float | None = None
    volume_24h: float | None = None
    source: str = "test"


class ConnectionBody(_Body, frozen=True, kw_only=True):
    """The connection of an account changed."""

    account: str
    status: ConnectionStatus
    reason: str = ""


class IncidentBody(_Body, frozen=True, kw_only=True):
    """An operator acknowledges the live incident of a rule on an entity."""

    rule: str
    entity: str
    operator: str = "tester"


class ConsentBody(IncidentBody, frozen=True, kw_only=True):
    """An operator lets what a rule on an entity asked for go beyond its caps, once."""

    reason: str = "test"


class ReleaseBody(_Body, frozen=True, kw_only=True):
    """An operator ends an incident held by its latch (`rule`, `entity`), or lifts all locks of an `account`."""

    rule: str = ""
    entity: str = ""
    account: str = ""
    operator: str = "tester"
    reason: str = "test"


class LockBody(_Body, frozen=True, kw_only=True):
    """An operator locks an account or one symbol of it, for a duration or until released; or only stops entries."""

    account: str
    symbol: str | None = None
    until: str | None = None
    operator: str = "tester"
    reason: str = "test"
    entries_only: bool = False


class GrantBody(_Body, frozen=True, kw_only=True):
    """An operator gives a rule `extra` room for an entity, or exempts it, for a duration."""

    rule: str
    entity: str
    until: str
    extra: float | None = None
    id: str = ""
    operator: str = "tester"
    reason: str = "test"


class RevokeBody(_Body, frozen=True, kw_only=True):
    """An operator takes such a grant back: by its `id`, or those of a `rule` on an `entity`."""

    rule: str = ""
    entity: str = ""
    id: str = ""
    operator: str = "tester"
    reason: str = "test"


class SilenceBody(_Body, frozen=True, kw_only=True):
    """An operator wants no messages about what fits the matchers, for a duration."""

    matchers: tuple[str, ...]
    until: str
    operator: str = "tester"
    reason: str = "test"


class ArmBody(_Body, frozen=True, kw_only=True):
    """An operator arms or disarms an account."""

    account: str
    live: bool
    operator: str = "tester"


class IntentBody(_Body, frozen=True, kw_only=True):
    """An order that somebody asks about before sending it."""

    account: str
    symbol: str
    side: Side
    quantity: float
    price: float | None = None
    stop_price: float | None = None
    confidence: float | None = None
    source: str = ""
    strategy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Series by symbol and price field (``last``, ``bid``, ``ask``, ``mark``), one point every `every_ns`."""

    series: dict[str, dict[str, Series]]
    every_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Time passes: for a duration, or until an instant."""

    for_ns: int = 0
    until: int | None = None


class Ending(StrEnum):
    """How a try of an action may end in a test."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NEEDS_CONSENT = "needs consent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """How every try of an action ends from here on: badly, until it is `done` again. `retry_after_ns` is what the
    broker asks for."""

    status: OutcomeStatus
    detail: str = ""
    retry_after_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Fates by the name of the action."""

    fates: dict[str, Fate]


@dataclass(frozen=True, slots=True)
class Restart:
    """The process ends and starts again: snapshot, fresh kernel, restore."""


type Deed = (
    FillBody
    | OrderBody
    | PositionBody
    | AccountBody
    | CashBody
    | QuoteBody
    | ConnectionBody
    | IncidentBody
    | ReleaseBody
    | LockBody
    | GrantBody
    | RevokeBody
    | SilenceBody
    | ArmBody
    | IntentBody
    | Outcomes
    | Prices
    | Wait
    | Restart
)

BODIES: dict[str, type[_Body]] = {
    "fill": FillBody,
    "order": OrderBody,
    "position": PositionBody,
    "account": AccountBody,
    "cash": CashBody,
    "quote": QuoteBody,
    "connection": ConnectionBody,
    "ack": IncidentBody,
    "release": ReleaseBody,
    "consent": ConsentBody,
    "lock": LockBody,
    "grant": GrantBody,
    "revoke": RevokeBody,
    "silence": SilenceBody,
    "arm": ArmBody,
    "intent": IntentBody,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedAction:
    """One planned action. `params` are those that matter; `account` and `symbol` count where they are given."""

    name: str
    params: dict[str, float | str | bool | None] = field(default_factory=dict)
    account: str | None = None
    symbol: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What is expected of one rule on one entity; None means not asked about."""

    rule: str
    entity: str
    place: Place
    state: Phase | None = None
    measured: float | None = None
    threshold: float | None = None
    utilization: float | None = None
    headroom: float | None = None
    step: int | None = None
    severity: str | None = None
    shadow: bool | None = None
    suppressed: bool | None = None
    reason: str | None = None
    waits: str | None = None
    actions: tuple[ExpectedAction, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedIntent:
    """The answer expected to an `intent` step: allowed or not, by which rules, saying what."""

    allowed: bool
    rules: tuple[str, ...] | None = None
    reason: str | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedMode:
    """The trading mode expected of an account."""

    account: str
    mode: TradingMode
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedValue:
    """The value expected of an expression for an entity; `value` None means UNKNOWN."""

    entity: str
    expression: str
    value: float | str | bool | None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedMessage:
    """One message: `text` is part of its title or text; `after_ns` counts from the beginning of the step. None and
    empty are not asked about."""

    text: str = ""
    rule: str | None = None
    phase: str | None = None
    severity: str | None = None
    after_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedHearing:
    """Everything a channel is to hear in a step, in order."""

    channel: str
    messages: tuple[ExpectedMessage, ...]
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happens (`deed`, None where a step only looks), then what is expected."""

    name: str
    place: Place
    deed: Deed | None = None
    expect: tuple[Expectation, ...] = ()
    plan: tuple[ExpectedAction, ...] | None = None
    modes: tuple[ExpectedMode, ...] = ()
    intent: ExpectedIntent | None = None
    values: tuple[ExpectedValue, ...] = ()
    heard: tuple[ExpectedHearing, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """A case of a rule that a test declares to show."""

    rule: str
    kind: CaseKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test: a start instant and steps. `covers` is what it declares to show beyond what is seen to happen.

    `state` is a saved kernel to begin from, as `haltline capsule to-test` writes it; empty for none.
    """

    name: str
    at: int
    steps: tuple[Step, ...]
    place: Place
    covers: tuple[Cover, ...] = ()
    state: bytes = b""
