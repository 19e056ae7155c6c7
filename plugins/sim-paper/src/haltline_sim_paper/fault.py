"""What can be made to go wrong, armed one by one and consumed call by call."""

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Literal

import msgspec

from haltline.model.id import AccountId, Symbol
from haltline.model.order import Side

type Stage = Literal["before", "after"]


class FaultKind(StrEnum):
    """What goes wrong.

    Calls: `reject` refused · `throttle` refused with a time to wait · `delay` answered late · `hang` never answered ·
    `drop` the connection is cut · `lost_ack` done and never answered · `expire` every token ends · `restart` the venue
    goes away and comes back on its port · `human` somebody trades in between · `partial_reject` a part of an order
    fills, the rest is rejected · `late_fill` an order fills although its cancel was confirmed.
    Pushes: `duplicate_fill` sent twice · `reorder` sent in the wrong order · `mute` not sent · `lose` not sent, and no
    gap tells of it (of accounts, not of prices) · `silence` not even a heartbeat. Market: `closed` no order is taken.
    """

    REJECT = "reject"
    THROTTLE = "throttle"
    DELAY = "delay"
    HANG = "hang"
    DROP = "drop"
    LOST_ACK = "lost_ack"
    EXPIRE = "expire"
    RESTART = "restart"
    HUMAN = "human"
    PARTIAL_REJECT = "partial_reject"
    LATE_FILL = "late_fill"
    DUPLICATE_FILL = "duplicate_fill"
    REORDER = "reorder"
    MUTE = "mute"
    LOSE = "lose"
    SILENCE = "silence"
    CLOSED = "closed"


class HumanTrade(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A trade by hand, at the market."""

    account: AccountId
    symbol: Symbol
    side: Side
    quantity: Decimal


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault. `verb` None meets submit and cancel; `count` is how often it strikes, None until mended.

    `stage` says whether a call has taken effect by then; `after_s` is how long a delay, restart or late fill takes,
    and what a throttled client is told to wait.
    """

    kind: FaultKind
    verb: str | None = None
    stage: Stage = "before"
    count: int | None = 1
    after_s: float = 0.0
    reason: str = ""
    trade: HumanTrade | None = None


_ORDERED = ("submit", "cancel")
_AFTER_EFFECT = frozenset({FaultKind.LOST_ACK})
_PUSHED = frozenset({FaultKind.DUPLICATE_FILL, FaultKind.REORDER, FaultKind.MUTE, FaultKind.LOSE, FaultKind.SILENCE})
_EFFECTS = {FaultKind.PARTIAL_REJECT: "submit", FaultKind.LATE_FILL: "cancel"}


class FaultBox:
    """The armed faults, oldest first."""

    def __init__(self) -> None:
        self._armed: list[tuple[Fault, int | None]] = []

    def arm(self, fault: Fault) -> None:
        """Add a fault."""
        self._armed.append((fault, fault.count))

    def clear(self) -> None:
        """Take all of them away."""
        self._armed.clear()

    def on_call(self, verb: str, stage: Stage) -> Fault | None:
        """The fault that meets this call at this stage, used up by one."""
        return self._take(lambda fault: _meets_call(fault, verb, stage))

    def on_effect(self, verb: str) -> Fault | None:
        """The fault that changes what this call does."""
        return self._take(lambda fault: _EFFECTS.get(fault.kind) == verb)

    def on_push(self, *kinds: FaultKind) -> Fault | None:
        """The fault of one of these kinds that meets the next push."""
        return self._take(lambda fault: fault.kind in kinds)

    def has(self, kind: FaultKind) -> bool:
        """Whether a fault of a kind is armed; it is not used up."""
        return any(fault.kind is kind for fault, _ in self._armed)

    def _take(self, meets: Callable[[Fault], bool]) -> Fault | None:
        for place, (fault, left) in enumerate(self._armed):
            if not meets(fault):
                continue
            if left is None:
                return fault
            if left <= 1:
                del self._armed[place]
            else:
                self._armed[place] = fault, left - 1
            return fault
        return None


def _meets_call(fault: Fault, verb: str, stage: Stage) -> bool:
    if fault.kind in _PUSHED or fault.kind in _EFFECTS or fault.kind is FaultKind.CLOSED:
        return False
    struck = "after" if fault.kind in _AFTER_EFFECT else fault.stage
    return struck == stage and (fault.verb == verb if fault.verb else verb in _ORDERED)
