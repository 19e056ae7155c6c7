"""What makes a guard weaker, and how it is made to wait: policies, what waits, and what an account was armed with.

A change *tightens* where it can be shown that nothing escapes afterwards that was caught before; everything that cannot
be shown to is a *loosening*.
"""

from enum import StrEnum

import msgspec

from haltline.model.event import ArmRequest, OverrideGrant, Release
from haltline.model.id import AccountId


class LooseningPolicy(StrEnum):
    """When a loosening takes effect: at once, at the next session, once a second operator agrees, or by `BOTH` ways:
    at the next session, or earlier if a second operator agrees."""

    AT_ONCE = "at_once"
    NEXT_SESSION = "next_session"
    SECOND_OPERATOR = "second_operator"
    BOTH = "both"

    @property
    def ends_by_time(self) -> bool:
        """Whether waiting for the next session is enough."""
        return self in (LooseningPolicy.NEXT_SESSION, LooseningPolicy.BOTH)

    @property
    def ends_by_approval(self) -> bool:
        """Whether a second operator's word is enough."""
        return self in (LooseningPolicy.SECOND_OPERATOR, LooseningPolicy.BOTH)

    def is_as_strict_as(self, other: "LooseningPolicy") -> bool:
        """Whether every way that leads through this policy leads through the other one too."""
        return self is other or other is LooseningPolicy.AT_ONCE or (
            other is LooseningPolicy.BOTH and self is not LooseningPolicy.AT_ONCE
        )  # fmt: skip

    def joined(self, other: "LooseningPolicy") -> "LooseningPolicy":
        """The stricter of two; where neither is, `NEXT_SESSION`, because time cannot be talked into anything."""
        if self.is_as_strict_as(other):
            return self
        return other if other.is_as_strict_as(self) else LooseningPolicy.NEXT_SESSION


class LooseningSort(StrEnum):
    """What would be weaker. The kernel carries out what an operator asked for and the policy itself; rules, derived
    values and the set-up are changed by the engine once the kernel says that they may."""

    REQUEST = "request"
    POLICY = "policy"
    RULE = "rule"
    DEFINITION = "definition"
    SETUP = "setup"


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """One loosening that waits. `subject` is a rule, an account or the like, `text` says in words what would change.

    `operator` is who asked, empty where nobody is named (a file was edited). It takes effect at `due` (UTC nanoseconds;
    None: not by time alone) or when somebody else approves. `released_at` is when it was let go: then it only waits
    for the engine to apply it. `target` is the policy it would set; `event` what an operator asked for.
    """

    id: str
    sort: LooseningSort
    subject: str
    text: str
    asked_at: int
    operator: str = ""
    reason: str = ""
    account: AccountId | None = None
    policy: LooseningPolicy = LooseningPolicy.BOTH
    due: int | None = None
    target: str = ""
    event: OverrideGrant | Release | ArmRequest | None = None
    released_at: int | None = None
    released_by: str = ""


class Arming(msgspec.Struct, frozen=True, kw_only=True):
    """Who armed an account, when and why, and the gaps in what is guaranteed that were known and accepted then."""

    account: AccountId
    at: int
    operator: str
    reason: str = ""
    gaps: tuple[str, ...] = ()
