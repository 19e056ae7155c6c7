"""The protocol: one JSON object a line, both ways, over TCP. The README of this distribution shows every frame."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from haltline.model.account import AccountSpec
from haltline.model.event import Event, Fill, Quote
from haltline.model.id import AccountId, OrderId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderReport, OrderRequest, Side
from haltline_sim_paper.fault import Fault

LONGEST_LINE = 16 * 1024 * 1024


class _Call(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag=str.lower):
    pass


class Login(_Call, frozen=True, kw_only=True):
    """Get a token; accounts and instruments that the venue has never seen are opened. Answer: `Token`.

    Faults do not meet whoever logs in `by_hand`: they are meant for the engine, and one used up by a person beside it
    would test nothing.
    """

    key: str
    by_hand: bool = False
    accounts: tuple[AccountSpec, ...] = ()
    instruments: tuple[InstrumentSpec, ...] = ()


class Subscribe(_Call, frozen=True, kw_only=True):
    """Tell what is so now, then push what happens. Answer: `Present`."""


class Missed(_Call, frozen=True, kw_only=True):
    """The pushes after number `since`. Answer: a list of `Push`, refused where they are no longer kept."""

    since: int


class Snapshot(_Call, frozen=True, kw_only=True):
    """The whole truth about an account. Answer: `AccountSnapshot`."""

    account: AccountId


class Submit(_Call, frozen=True, kw_only=True):
    """Place an order, once per client id. Answer: `OrderReport`."""

    order: OrderRequest


class Cancel(_Call, frozen=True, kw_only=True):
    """Cancel a working order. Answer: null."""

    account: AccountId
    order_id: OrderId


class Find(_Call, frozen=True, kw_only=True):
    """The order sent under a client id. Answer: `OrderReport` or null."""

    account: AccountId
    client_id: str


class Show(_Call, frozen=True, kw_only=True):
    """Everything the venue remembers, and how often each call was made. Answer: `Book`."""


class Price(_Call, frozen=True, kw_only=True):
    """Move the market. Answer: null."""

    quote: Quote


class Trade(_Call, frozen=True, kw_only=True):
    """Somebody trades by hand, past the engine; at the market where `price` is None. Answer: `Fill`."""

    account: AccountId
    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal | None = None


class Break(_Call, frozen=True, kw_only=True):
    """Arm a fault. Answer: null."""

    fault: Fault


class Cut(_Call, frozen=True, kw_only=True):
    """Cut the connections of all who are not there by hand, at once; with `away_s` the venue is gone for so long, for
    everybody. Answer: null.
    """

    away_s: float | None = None


class Mend(_Call, frozen=True, kw_only=True):
    """Disarm every fault and open the session. Answer: null."""


Call = (
    Login | Subscribe | Missed | Snapshot | Submit | Cancel | Find | Show | Price | Trade | Break | Cut | Mend
)  # fmt: skip
"""What a client can ask for. The last six are the controls of a simulation: they need no token and never fail."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A line from a client. `id` is its own number for the call; the answer carries it."""

    id: int
    call: Call
    token: str = ""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a call did not succeed: ``refused``, ``closed``, ``throttled``, ``expired``, ``transient`` or ``unknown``."""

    kind: str
    reason: str
    retry_after_s: float = 0.0


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line from the venue: an answer (`id`), or a push (`seq`); a push without an event is a heartbeat."""

    id: int | None = None
    ok: msgspec.Raw = msgspec.Raw(b"null")
    error: Failure | None = None
    seq: int | None = None
    event: Event | None = None


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What a login gives; every later call carries it."""

    token: str


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """One numbered event; a heartbeat has none and repeats the last number."""

    seq: int
    event: Event | None = None


class Present(msgspec.Struct, frozen=True, kw_only=True):
    """What is so, and the number of the last push before it."""

    seq: int
    events: tuple[Event, ...]


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """Orders and fills of every account, oldest first, and the number of calls by verb."""

    orders: tuple[OrderReport, ...]
    fills: tuple[Fill, ...]
    calls: Mapping[str, int]


_ENCODER = msgspec.json.Encoder()


def line_of(frame: Ask | Answer) -> bytes:
    """A frame as it is sent."""
    return _ENCODER.encode(frame) + b"\n"


def raw(content: object) -> msgspec.Raw:
    """Anything, as the `ok` of an answer."""
    return msgspec.Raw(_ENCODER.encode(content))


ASKS = msgspec.json.Decoder(Ask)
ANSWERS = msgspec.json.Decoder(Answer)
