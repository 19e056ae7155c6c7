"""Where enforcement writes, and the ids its requests carry."""

import hashlib
from collections.abc import Sequence
from typing import Protocol

from haltline.journal.record import Entry
from haltline.model.id import ActionId
from haltline.model.origin import OWN_PREFIX


class Ledger(Protocol):
    """Where enforcement writes. A failure to write ends enforcement: nothing is sent that is not on record."""

    async def record(self, entries: Sequence[Entry], *, durable: bool) -> None:
        """Write entries; with `durable` they are on disk before this returns."""


def client_id(action: ActionId, leg: str) -> str:
    """The id an order is sent under: the same for the same leg of the same action, however often it is tried."""
    return OWN_PREFIX + hashlib.sha256(f"{action}\0{leg}".encode()).hexdigest()[:24]
