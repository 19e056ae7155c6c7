"""Pushes back in order: numbered, each once, none left out."""

from collections.abc import Iterable

from haltline.model.event import Event
from haltline_sim_paper.wire import Push


class Sequence:
    """Hands on events in the order of their numbers; holds back what came too early."""

    def __init__(self, last: int) -> None:
        self.last = last
        self._early: dict[int, Event] = {}
        self._known = last

    @property
    def has_gap(self) -> bool:
        """Whether a push is known to be missing."""
        return self._known > self.last

    def take(self, pushes: Iterable[Push]) -> list[Event]:
        """The events that are next; one already handed on is passed over."""
        for push in pushes:
            self._known = max(self._known, push.seq)
            if push.event is not None and push.seq > self.last:
                self._early[push.seq] = push.event
        ready = []
        while self.last + 1 in self._early:
            self.last += 1
            ready.append(self._early.pop(self.last))
        return ready
