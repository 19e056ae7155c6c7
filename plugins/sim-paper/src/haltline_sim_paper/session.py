"""One connection at the venue: lines in, answers and numbered pushes out."""

from collections import deque
from collections.abc import Callable, Sequence

from haltline.model.event import Event, Fill
from haltline.model.id import AccountId
from haltline_sim_paper.fault import FaultBox, FaultKind
from haltline_sim_paper.line import LinePeer
from haltline_sim_paper.wire import ASKS, Answer, Ask, Push, line_of

KEPT = 5_000


class Session(LinePeer[Ask]):
    """Reads asks and hands them on. Pushes are numbered from 1 and the last ones are kept, for who missed some."""

    def __init__(
        self, faults: FaultBox, on_ask: Callable[["Session", Ask], None], on_end: Callable[["Session"], None]
    ) -> None:
        super().__init__(ASKS, lambda ask: on_ask(self, ask))
        self.accounts: tuple[AccountId, ...] = ()
        self.is_subscribed = False
        self.is_by_hand = False
        self.seq = 0
        self._faults = faults
        self._on_end = on_end
        self._sent: deque[Push] = deque(maxlen=KEPT)
        self._held: list[Push] = []

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._on_end(self)

    def answer(self, answer: Answer) -> None:
        """Send an answer; nothing happens once the client is gone."""
        self.send(line_of(answer))

    def push(self, event: Event) -> None:
        """Push an event that concerns one of the accounts, or all."""
        account = getattr(event, "account", None) or getattr(getattr(event, "order", None), "account", None)
        if not self.is_subscribed or (account is not None and account not in self.accounts):
            return
        if account is not None and self._faults.on_push(FaultKind.LOSE) is not None:
            return
        for push in self._numbered(event):
            self._sent.append(push)
            self._send(push)

    def beat(self) -> None:
        """A heartbeat: it tells the last number, so that a lost tail is noticed."""
        if self.is_subscribed and not self._faults.has(FaultKind.SILENCE):
            for push in self._held[::-1]:
                self._write(push)
            self._held.clear()
            self._write(Push(seq=self.seq))

    def missed(self, since: int) -> Sequence[Push] | None:
        """The pushes after a number; None where some of them are no longer kept."""
        found = [push for push in self._sent if push.seq > since]
        return found if len(found) == self.seq - since else None

    def _numbered(self, event: Event) -> list[Push]:
        self.seq += 1
        first = Push(seq=self.seq, event=event)
        if not isinstance(event, Fill) or self._faults.on_push(FaultKind.DUPLICATE_FILL) is None:
            return [first]
        self.seq += 1
        return [first, Push(seq=self.seq, event=event)]

    def _send(self, push: Push) -> None:
        if self._faults.on_push(FaultKind.MUTE, FaultKind.SILENCE) is not None:
            return
        if self._faults.on_push(FaultKind.REORDER) is not None:
            self._held.append(push)
            return
        self._write(push)
        for held in self._held[::-1]:
            self._write(held)
        self._held.clear()

    def _write(self, push: Push) -> None:
        self.answer(Answer(seq=push.seq, event=push.event))
