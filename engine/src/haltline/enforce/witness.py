"""The other witness: what a broker's pushes have told the kernel of an account, as enforcement may see it."""

from typing import Protocol

from haltline.api import AccountSnapshot
from haltline.journal.receipt import Remaining
from haltline.model.id import AccountId


class Witness(Protocol):
    """A read-only view of the kernel's books, and a way to tell it what a pull has shown. All synchronous and cheap."""

    def seen(self, account: AccountId) -> Remaining | None:
        """What pushes show now; None where there are none to go by (the broker has none, or its stream is down)."""

    def is_working(self, account: AccountId, order_id: str) -> bool | None:
        """Whether pushes show an order as working; None where there are none to go by."""

    def activity(self, account: AccountId) -> object:
        """Something that differs whenever a fill or an order of the account was heard of in between."""

    def correct(self, snapshot: AccountSnapshot, *, since: object) -> bool:
        """Put a pulled snapshot to the kernel; False where something was heard of `since`, and nothing was done."""


class NoWitness:
    """Nothing is pushed to anybody: two pulls decide."""

    def seen(self, account: AccountId) -> None:
        """Nothing."""

    def is_working(self, account: AccountId, order_id: str) -> None:
        """Nothing."""

    def activity(self, account: AccountId) -> None:
        """Nothing."""

    def correct(self, snapshot: AccountSnapshot, *, since: object) -> bool:
        """There is nobody to tell."""
        return True
