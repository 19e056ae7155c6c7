"""What an author of a broker plugin implements: a venue (a simulator, as a rule) and clients of it."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from haltline.api import Broker, BrokerKind
from haltline.model.id import AccountId, Symbol
from haltline.model.order import Side


class VenueFault(StrEnum):
    """What a world can let happen. Unless it says otherwise a fault meets the next call or push, once.

    Calls: `refuse` the next order is refused · `lost_ack` the next order takes effect, its answer never comes ·
    `lost_request` the next order never reaches the venue, and no answer comes · `lost_cancel` the next cancel takes
    effect, its answer never comes · `hang` the next read is never answered · `garbage` the next read is answered with
    what is no answer · `throttle` too many requests, with a time to come back of a second or less · `closed` the market
    is closed, until mended · `expire` the session of the client ends · `wrong_key` the client's key is not known, until
    mended · `partial` the next order fills in part, and its rest works on.
    Streams: `drop` all are cut · `mute` nothing that happens is pushed, though the connection lives, until mended ·
    `silence` not even a heartbeat, until mended · `duplicate` what comes next is pushed twice · `reorder` in the wrong
    order · `away` the venue is down, until mended.
    Hostile, pushed at once: `not_json` · `missing_field` · `not_a_number` · `huge_number`. `unknown_symbol`: somebody
    holds one lot of what the set-up does not name.
    """

    REFUSE = "refuse"
    LOST_ACK = "lost_ack"
    LOST_REQUEST = "lost_request"
    LOST_CANCEL = "lost_cancel"
    HANG = "hang"
    GARBAGE = "garbage"
    THROTTLE = "throttle"
    CLOSED = "closed"
    EXPIRE = "expire"
    WRONG_KEY = "wrong_key"
    PARTIAL = "partial"
    DROP = "drop"
    MUTE = "mute"
    SILENCE = "silence"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    AWAY = "away"
    NOT_JSON = "not_json"
    MISSING_FIELD = "missing_field"
    NOT_A_NUMBER = "not_a_number"
    HUGE_NUMBER = "huge_number"
    UNKNOWN_SYMBOL = "unknown_symbol"


class BrokerWorld(Protocol):
    """A venue that is flat at the start, and has a market: `symbol` trades at `price`.

    `kind` is the kind under test, its flags are what is promised. `faults` are those that `arm` knows. `other` is a
    second account of the same client, or None. `lot` is a quantity the venue trades; cases trade up to ten of it.
    `tick` is a step of the price. `secrets` are texts that must never be seen (keys, tokens). `patience_s` is how long
    anything may take that the broker has promised to notice, its own clocks of polling and silence included.
    """

    kind: BrokerKind
    faults: frozenset[VenueFault]
    account: AccountId
    other: AccountId | None
    symbol: Symbol
    lot: Decimal
    tick: Decimal
    price: Decimal
    secrets: tuple[str, ...]
    patience_s: float

    def make(self, config: Mapping[str, object] | None = None) -> Broker:
        """A new client of the venue, with `config` over the usual one. It does nothing yet."""

    async def move(self, price: Decimal) -> None:
        """Let the market go to a price: bid there, ask a tick above."""

    async def trade(self, account: AccountId, side: Side, quantity: Decimal) -> None:
        """Somebody else trades `symbol` in the account, at the market."""

    async def held(self, account: AccountId) -> Decimal:
        """What the venue itself has as the signed position in `symbol`; with both sides open, their sum."""

    async def orders(self) -> int:
        """How many orders of clients the venue has ever taken."""

    async def arm(self, fault: VenueFault) -> None:
        """Let one of `faults` happen."""

    async def mend(self) -> None:
        """End every fault that lasts; the venue answers again when this returns."""
