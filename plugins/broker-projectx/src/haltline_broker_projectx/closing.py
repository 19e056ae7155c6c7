"""Exact closes, and what became of them.

`closeContract` and `partialCloseContract` can never turn a position round, but they take no id of ours and return none.
So each is written down before it is sent, and found again afterwards as the order that the platform made of it: at the
market, untagged, of that contract, side and size, placed since. What is written down outlives the process.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from haltline.clock import NS_PER_S
from haltline.model.order import OrderType, Side
from haltline_broker_projectx.wire import SIDE_CODES, TYPES, WireOrder, stamp_of

KEPT_NS = 24 * 3600 * NS_PER_S
SURE_NS = 3 * NS_PER_S
"""A part-close in doubt that has left no trace for so long did not arrive."""
_TOLERANCE_NS = 3 * NS_PER_S
"""How far off the platform's clock may be from what we think it is."""


class Close(msgspec.Struct, kw_only=True):
    """One close that was sent, or is about to be. `at` is the platform's time then; `sent_at` is ours."""

    client_id: str
    account: str
    contract: str
    side: Side
    size: int
    is_whole: bool
    at: int
    sent_at: int
    is_accepted: bool = False
    order_id: int | None = None
    is_void: bool = False


class CloseBook:
    """Closes by our client id, in a file beside the journal where there is a directory."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._closes: dict[str, Close] = {}
        self._is_read = path is None
        self._writing = asyncio.Lock()

    async def find(self, client_id: str) -> Close | None:
        """A close that may have been sent."""
        await self._read()
        return self._closes.get(client_id)

    async def note(self, close: Close) -> None:
        """Write it down, durably enough to outlive this process."""
        await self._read()
        self._closes[close.client_id] = close
        if close.is_void:
            del self._closes[close.client_id]
        if self._path is not None:
            line = msgspec.json.encode(close) + b"\n"
            async with self._writing:
                await asyncio.to_thread(_append, self._path, line)

    def matched(self, close: Close, orders: Sequence[WireOrder]) -> WireOrder | None:
        """The order that the platform made of a close; one that belongs to another close is none of this one."""
        if close.order_id is not None:
            return next((each for each in orders if each.id == close.order_id), None)
        taken = {each.order_id for each in self._closes.values() if each is not close}
        for each in sorted(orders, key=lambda order: order.id):
            if each.id not in taken and _fits(close, each):
                close.order_id = each.id
                return each
        return None

    async def _read(self) -> None:
        if self._is_read or self._path is None:
            return
        async with self._writing:
            if not self._is_read:
                found = await asyncio.to_thread(_load, self._path)
                self._closes = {**found, **self._closes}
                self._is_read = True


def _fits(close: Close, order: WireOrder) -> bool:
    """A whole close takes what is there by then, which may have grown."""
    is_size = order.size >= close.size if close.is_whole else order.size == close.size
    is_kind = TYPES.get(order.type) is OrderType.MARKET and order.side == SIDE_CODES[close.side]
    is_new = stamp_of(order.creation_timestamp, 0) >= close.at - _TOLERANCE_NS
    return is_size and is_kind and is_new and not order.custom_tag and order.contract_id == close.contract


def _append(path: Path, line: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(line)


def _load(path: Path) -> dict[str, Close]:
    """What was written down in the last day; a line cut off by a crash is none. The file is made short again."""
    if not path.exists():
        return {}
    found: dict[str, Close] = {}
    for line in path.read_bytes().splitlines():
        try:
            close = msgspec.json.decode(line, type=Close)
        except msgspec.MsgspecError:
            continue
        found[close.client_id] = close
    newest = max((close.sent_at for close in found.values()), default=0)
    kept = {key: close for key, close in found.items() if close.sent_at > newest - KEPT_NS and not close.is_void}
    short = path.with_suffix(".new")
    short.write_bytes(b"".join(msgspec.json.encode(close) + b"\n" for close in kept.values()))
    short.replace(path)
    return kept
