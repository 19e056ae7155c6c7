"""One poller per token: Telegram gives each update to one of them only, so two would steal from each other."""

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from haltline.errors import Transient


def lease_path(token: str, folder: Path | None = None) -> Path:
    """The file that stands for a token on this machine, for this user; its name does not tell the token."""
    name = hashlib.sha256(b"haltline telegram " + token.encode()).hexdigest()[:24]
    return (folder or Path(tempfile.gettempdir())) / f"haltline-{os.getuid()}-telegram-{name}.lease"


@contextlib.contextmanager
def lease(token: str, folder: Path | None = None) -> Iterator[None]:
    """Hold the token's lease; raises Transient while another process of this machine has it.

    The operating system gives it back when the process ends, however it ends.
    """
    path = lease_path(token, folder)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Transient("another haltline on this machine reads this bot's messages already") from None
        yield
    finally:
        os.close(descriptor)
