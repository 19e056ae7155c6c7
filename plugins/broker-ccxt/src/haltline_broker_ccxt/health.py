"""What the engine is told of a connection: REST that answers and streams that talk, or which of them does not."""

import logging
from collections.abc import Callable

from haltline.clock import Clock
from haltline.model.event import ConnectionStatus, ConnectionUpdate
from haltline.model.id import AccountId

_PATIENCE = 2
"""Readings that fail in a row before the account counts as blind."""

_log = logging.getLogger(__name__)


class Health:
    """Tells of changes only. Without REST the account is blind; without streams, or after a message that was not
    understood until everything was read again, it is degraded.
    """

    def __init__(self, account: AccountId, clock: Clock, tell: Callable[[ConnectionUpdate], None]) -> None:
        self._account = account
        self._clock = clock
        self._tell = tell
        self._failures = 0
        self._rest_reason = ""
        self._stream_reason = ""
        self._puzzle = ""
        self._told: tuple[ConnectionStatus, str] | None = None
        self.remark = ""

    def rest(self, failure: str = "") -> None:
        """A reading succeeded (empty), or failed."""
        self._failures = self._failures + 1 if failure else 0
        self._rest_reason = failure
        self._puzzle = self._puzzle if failure else ""
        self._look()

    def streams(self, failure: str = "") -> None:
        """The streams talk (empty), or were lost."""
        if failure and not self._stream_reason:
            _log.info("the streams of %s were lost: %s", self._account, failure)
        self._stream_reason = failure
        self._look()

    def puzzled(self, reason: str) -> None:
        """A message was not understood."""
        self._puzzle = reason
        self._look()

    def _look(self) -> None:
        status, reason = ConnectionStatus.CONNECTED, self.remark
        if self._failures >= _PATIENCE:
            status, reason = ConnectionStatus.DISCONNECTED, self._rest_reason
        elif self._stream_reason:
            status, reason = ConnectionStatus.DEGRADED, f"only polled, the streams are down: {self._stream_reason}"
        elif self._puzzle:
            status, reason = ConnectionStatus.DEGRADED, self._puzzle
        is_same = self._told is not None and self._told[0] is status
        if is_same and (status is not ConnectionStatus.CONNECTED or self._told == (status, reason)):
            return
        self._told = status, reason
        now = self._clock.now()
        self._tell(ConnectionUpdate(at=now, received_at=now, account=self._account, status=status, reason=reason))
