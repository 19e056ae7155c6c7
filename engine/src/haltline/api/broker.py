"""What a broker plugin is to the engine: a source of events, and a few verbs."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from haltline.clock import Clock
from haltline.model.account import AccountSpec
from haltline.model.event import AccountReport, Event, PositionReport, Quote
from haltline.model.id import AccountId, OrderId
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderReport, OrderRequest

type EventSink = Callable[[Event], None]
"""Where a plugin puts what it hears; never blocks, never raises for a well-formed event."""

type Started = Callable[[], None]
"""Called once by `run` when the plugin is connected and its first state has been pushed."""


class Capability(StrEnum):
    """What a broker can do, as claimed by the plugin and proven by the conformance suite.

    `hedge_mode`: a market may be held on both sides at a time, and is then told as two positions with two names.
    """

    MARKET_ORDERS = "market_orders"
    LIMIT_ORDERS = "limit_orders"
    STOP_ORDERS = "stop_orders"
    TRAILING_ORDERS = "trailing_orders"
    REDUCE_ONLY = "reduce_only"
    CANCEL_ORDERS = "cancel_orders"
    CANCEL_ALL = "cancel_all"
    CLIENT_ORDER_IDS = "client_order_ids"
    HEDGE_MODE = "hedge_mode"
    PUSH_QUOTES = "push_quotes"
    PUSH_FILLS = "push_fills"
    PUSH_POSITIONS = "push_positions"
    PUSH_ORDERS = "push_orders"
    PULL_POSITIONS = "pull_positions"
    PULL_ORDERS = "pull_orders"
    DEAD_MAN_SWITCH = "dead_man_switch"
    GREEKS = "greeks"


class BrokerCall(StrEnum):
    """A call of `Broker` that counts against the limits of its kind."""

    SNAPSHOT = "snapshot"
    SUBMIT = "submit"
    CANCEL = "cancel"
    FIND_ORDER = "find_order"


class BrokerRole(StrEnum):
    """What a broker is made for: everything, or one half of a pair: to read and push, or to carry out actions."""

    BOTH = "both"
    READER = "reader"
    ACTUATOR = "actuator"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """So many `calls` in any `per_s` seconds; the venue refuses more. Where a venue weighs its calls, `calls` is the
    weight it takes, and what each is worth is told by `Metered` and with `BrokerSetup.share`.

    `per_address` is True where the venue counts everything that comes from one address: all brokers of the kind that
    call the same host share the limit.
    """

    calls: int
    per_s: float
    per_address: bool = False


class AccountSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The broker's whole truth about one account at one instant, as pulled."""

    account: AccountReport
    positions: tuple[PositionReport, ...]
    orders: tuple[OrderReport, ...]


class Broker(Protocol):
    """One connection. Every method may raise Transient, Refused or OutcomeUnknown, and nothing else on purpose.

    The engine owns retries, deadlines and rate budgets; a broker only classifies failures. Methods are called from one
    task at a time per account. A Transient may say when to come back (`retry_after_s`). `submit` with a `client_id`
    already seen must not place a second order.
    """

    async def run(self, sink: EventSink, started: Started) -> None:
        """Connect, push the present state of every account, call `started`, then push events until cancelled."""

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """Pull positions, working orders and balances from the venue, never from a cache of pushes."""

    async def submit(self, request: OrderRequest) -> OrderReport:
        """Send an order and return the venue's first word on it."""

    async def cancel(self, account: AccountId, order_id: OrderId) -> None:
        """Cancel a working order; cancelling one that is no longer working is not an error."""

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        """The order sent under a client id, working or not; None if the venue has never seen it."""


@runtime_checkable
class QuoteTaker(Protocol):
    """A simulated broker that fills from our own quotes: it is shown each one before the kernel sees it."""

    def on_quote(self, quote: Quote) -> None:
        """Match working orders against the quote; what happens is pushed to the sink."""


@runtime_checkable
class OrderLookup(Protocol):
    """A broker that can be asked for an order by the venue's own id: those of people mostly have no client id."""

    async def look_up(self, order: OrderReport) -> OrderReport | None:
        """What became of an order that was heard of before, working or not; None where the venue does not say.

        Counts as a `BrokerCall.FIND_ORDER`.
        """


@runtime_checkable
class Metered(Protocol):
    """A broker whose calls are worth more than one of its kind's `limit`: one call of ours may be many of the venue's,
    and venues weigh them. Of `order_limit` every submit and cancel is worth one.
    """

    def cost(self, call: BrokerCall) -> int:
        """What the next such call is worth, at most; asked right before it."""


class Share(Protocol):
    """Awaited by a broker before a call of its own."""

    def __call__(self, cost: int = 1, /) -> Awaitable[None]:
        """Return once a call that is worth so much fits beside what is reserved for enforcement; it is counted."""


async def _at_once(cost: int = 1, /) -> None:
    """No limit: nothing to wait for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSetup:
    """What a broker is made from: its valid `config`, accounts, instruments, a clock, a directory for its files.

    `role` is BOTH unless the kind is `paired`. A broker that polls in `run` awaits `share` before each call of its own:
    it returns once the kind's rate limit has room beside what is reserved for enforcement. A call that is worth more
    than one says so: `await setup.share(40)`.
    """

    name: str
    config: Mapping[str, object]
    accounts: Sequence[AccountSpec]
    instruments: Sequence[InstrumentSpec]
    clock: Clock
    directory: Path | None = None
    role: BrokerRole = BrokerRole.BOTH
    share: Share = _at_once


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerKind:
    """A registered kind of broker. `schema` is the closed JSON Schema of its `config`.

    `in_process` is True where the venue lives inside our process, so that no other one can reach it. `limit` is how
    many calls the venue takes, `order_limit` how many that change something; the engine stays within both. A `paired`
    kind is made twice by a live engine, as READER and as ACTUATOR: connections of their own, so that no reading delays
    an action. The `run` of an actuator keeps its connection and pushes nothing. `always_open` is True where nothing is
    traded that closes. `practice` is True where no account of the kind can ever hold real money, whatever its `config`
    says: only there may a drill send orders.
    """

    name: str
    make: Callable[[BrokerSetup], Broker]
    meaning: str
    capabilities: frozenset[Capability]
    schema: Mapping[str, object]
    in_process: bool = False
    limit: RateLimit | None = None
    order_limit: RateLimit | None = None
    paired: bool = False
    always_open: bool = False
    practice: bool = False
