"""The service manager (systemd, or one that speaks its protocol): ready, still well, stopping, and a line of status.

The protocol is one datagram of ``NAME=value`` lines to the socket that `$NOTIFY_SOCKET` names; see sd_notify(3).
"""

import os
import socket
from collections.abc import Mapping
from typing import Self

from haltline.clock import NS_PER_S


class ServiceManager:
    """Tells the service manager how we are. Without one, or when it cannot be reached, nothing happens."""

    def __init__(self, address: str = "", *, watchdog_ns: int | None = None) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_ns = watchdog_ns
        self._owed: tuple[str, ...] = ()

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """The one that started this process. `watchdog_ns` is how often it wants to hear that we are well."""
        address = environ.get("NOTIFY_SOCKET", "")
        usec = environ.get("WATCHDOG_USEC", "")
        is_ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watchdog_ns = int(usec) * NS_PER_S // 1_000_000 if usec.isdecimal() and int(usec) and is_ours else None
        return cls(address if address.startswith(("/", "@")) else "", watchdog_ns=watchdog_ns)

    def ready(self, status: str) -> bool:
        """Start-up is over. Where the socket has no room for it, it is said with the next word: it must not be lost."""
        self._owed = ("READY=1",)
        return self._tell(f"STATUS={_line(status)}")

    def alive(self, status: str) -> bool:
        """We are well: to be said more often than the watchdog's time."""
        return self._tell("WATCHDOG=1", f"STATUS={_line(status)}")

    def status(self, status: str) -> bool:
        """What we are doing, without saying that we are well."""
        return self._tell(f"STATUS={_line(status)}")

    def stopping(self) -> bool:
        """We are about to end in good order."""
        return self._tell("STOPPING=1", "STATUS=stopping")

    def _tell(self, *fields: str) -> bool:
        """Send one datagram; whether it was taken. Never blocks."""
        if not self._address or not hasattr(socket, "AF_UNIX"):
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.setblocking(False)
                channel.sendto("\n".join((*self._owed, *fields)).encode(), self._address)
        except OSError:
            return False
        self._owed = ()
        return True


def _line(text: str) -> str:
    """One line: a line break would begin another field."""
    return " ".join(text.split())
