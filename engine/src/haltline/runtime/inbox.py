"""What waits for the pump. Bounded: quotes conflate per symbol when behind; too much of the rest is fatal."""

import asyncio
from collections import deque

from haltline.errors import InvariantBroken
from haltline.model.event import Event, Quote
from haltline.model.id import Symbol


class Inbox:
    """Events in order of arrival. `put` is the sink of every broker and feed: it never blocks and never raises.

    Once more than `behind` events wait, a newer quote takes the place of the one of its symbol that still waits
    (counted in `conflated`): it does not queue again, so that no symbol waits longer for being quoted more often. Other
    events are never dropped: past `capacity`, `take` raises InvariantBroken, because state that missed a fill must not
    decide; start-up then asks the brokers again.
    """

    def __init__(self, *, behind: int = 500, capacity: int = 200_000) -> None:
        self.conflated = 0
        self.wake = asyncio.Event()
        self._behind = behind
        self._capacity = capacity
        self._cells: deque[list[Event | None]] = deque()
        self._quotes: dict[Symbol, list[Event | None]] = {}
        self._overflowed = False

    def __len__(self) -> int:
        return len(self._cells)

    def put(self, event: Event) -> None:
        """Take one event."""
        cell: list[Event | None] = [event]
        if type(event) is Quote:
            waiting = self._quotes.get(event.symbol)
            if waiting is not None and waiting[0] is not None and len(self._cells) > self._behind:
                waiting[0] = event
                self.conflated += 1
                return
            self._quotes[event.symbol] = cell
        if len(self._cells) >= self._capacity:
            self._overflowed = True
        else:
            self._cells.append(cell)
        self.wake.set()

    def take(self, limit: int) -> list[Event]:
        """The oldest events, at most `limit`; raises InvariantBroken after an overflow."""
        if self._overflowed:
            raise InvariantBroken(f"more than {self._capacity} events were waiting; state would no longer be true")
        taken: list[Event] = []
        cells = self._cells
        while cells and len(taken) < limit:
            cell = cells.popleft()
            event = cell[0]
            cell[0] = None
            if event is not None:
                taken.append(event)
        if not cells:
            self.wake.clear()
            self._quotes.clear()
        return taken
