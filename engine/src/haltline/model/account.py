"""How an account is set up."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from haltline.model.id import AccountId


class MarkSource(StrEnum):
    """Which price values an open position."""

    MARK = "mark"
    LAST = "last"
    MID = "mid"
    CLOSE_SIDE = "close_side"


class AccountSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One account: its broker, its trading day, and how it is valued.

    The trading day rolls at `roll` (``HH:MM``) in `zone`; sessions come from `calendar`. `live` is False until the
    account is armed: rules then decide, record and notify but do not act. `positions_from_broker` is True where the
    broker pushes positions: they then override what fills imply.
    """

    id: AccountId
    broker: str = "paper"
    currency: str = "USD"
    balance: Decimal = Decimal(0)
    calendar: str = "24/7"
    zone: str = "UTC"
    roll: str = "00:00"
    mark: MarkSource = MarkSource.MARK
    live: bool = False
    labels: dict[str, str] = {}
    positions_from_broker: bool = False
