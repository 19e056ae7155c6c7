"""What the engine is told of a connection: REST that answers and streams that talk, or which of them does not."""

import logging
from collections.abc import Callable

from haltline.clock import NS_PER_S, Clock
from haltline.model.event import ConnectionStatus, ConnectionUpdate
from haltline.model.id import AccountId

_GRACE_NS = 5 * NS_PER_S
"""Streams break and come back all day long; REST covers for them, so that is only told where it lasts."""
_PATIENCE = 2

_log = logging.getLogger(__name__)


class Health:
    """Tells of changes only. Without REST the account is blind; without streams it is degraded."""

    def __init__(self, account: AccountId, clock: Clock, tell: Callable[[ConnectionUpdate], None]) -> None:
        self._account = account
        self._clock = clock
        self._tell = tell
        self._failures = 0
        self._rest_reason = ""
        self._silent_since: int | None = None
        self._stream_reason = ""
        self._told: tuple[ConnectionStatus, str] | None = None
        self.remark = ""

    def rest(self, failure: str = "") -> None:
        """A reading succeeded (empty), or failed."""
        self._failures = self._failures + 1 if failure else 0
        self._rest_reason = failure
        self.look()

    def streams(self, failure: str = "") -> None:
        """The streams talk (empty), or were lost."""
        if not failure:
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = self._clock.now()
            _log.info("the streams of %s were lost: %s", self._account, failure)
        self._stream_reason = failure
        self.look()

    def look(self) -> None:
        """Tell what has changed."""
        now = self._clock.now()
        status, reason = ConnectionStatus.CONNECTED, self.remark
        if self._failures >= _PATIENCE:
            status, reason = ConnectionStatus.DISCONNECTED, self._rest_reason
        elif self._silent_since is not None and now - self._silent_since >= _GRACE_NS:
            status, reason = ConnectionStatus.DEGRADED, f"only polled, the streams are down: {self._stream_reason}"
        if (
            self._told is not None
            and self._told[0] is status
            and (status is not ConnectionStatus.CONNECTED or self._told[1] == reason)
        ):
            return
        self._told = status, reason
        self._tell(ConnectionUpdate(at=now, received_at=now, account=self._account, status=status, reason=reason))
