"""How soon one more order of ours follows for the same symbol: whoever opens again and again must not use up the calls.

A locked account that a person or a runaway bot goes on trading is closed again each time, and each time costs calls.
Without an end to that the venue's limit is used up within seconds, and what is open then stays open until the minute is
over. So once half of the calls are used, the first orders for a symbol go out at once, and those beyond them a few
seconds apart. An order that is sent once more, because the venue could not be reached or did not answer, is the same
order, and waits for nothing here.
"""

from collections import deque
from collections.abc import Iterable

from haltline.clock import NS_PER_S, Clock
from haltline.errors import Transient
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderRequest, OrderType

AT_ONCE = 6
"""So many orders for one symbol within a minute wait for nothing."""
APART_NS = 5 * NS_PER_S
_WINDOW_NS = 60 * NS_PER_S


class Spacing:
    """The newest orders by account and symbol."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sent: dict[tuple[AccountId, Symbol], deque[tuple[int, str]]] = {}

    def require(self, request: OrderRequest) -> None:
        """Raise Transient, with the time to come back, where one more order would be too soon; stops never are."""
        if request.type is not OrderType.MARKET:
            return
        sent, now = self._sent.get((request.account, request.symbol)), self._clock.now()
        while sent and sent[0][0] <= now - _WINDOW_NS:
            sent.popleft()
        if not sent or len(sent) < AT_ONCE or now >= sent[-1][0] + APART_NS or _is_among(request, sent):
            return
        wait_s = (sent[-1][0] + APART_NS - now) / NS_PER_S
        raise Transient(
            f"{len(sent)} orders for {request.symbol} within a minute: the next one follows in {wait_s:.1f} s",
            retry_after_s=wait_s,
        )

    def note(self, request: OrderRequest) -> None:
        """An order goes out."""
        if request.type is not OrderType.MARKET:
            return
        sent = self._sent.setdefault((request.account, request.symbol), deque())
        if not _is_among(request, sent):
            sent.append((self._clock.now(), request.client_id))


def _is_among(request: OrderRequest, sent: Iterable[tuple[int, str]]) -> bool:
    """Whether this very order went out before."""
    return bool(request.client_id) and any(client == request.client_id for _, client in sent)
