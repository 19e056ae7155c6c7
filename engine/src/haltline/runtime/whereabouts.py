"""Where the local channel of a journal is: a socket beside it, or a file that tells a port and its token."""

import os
import socket
from pathlib import Path

import msgspec

_LONGEST = 100
"""Bytes of a socket's path that every system takes."""


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """A port of this machine, and what one must say to be heard there."""

    port: int
    token: str


def socket_path(journal: Path) -> Path:
    """The socket beside a journal."""
    return journal.with_name(f"{journal.name}.sock")


def port_file(journal: Path) -> Path:
    """The file beside a journal that tells the port, where there can be no socket."""
    return journal.with_name(f"{journal.name}.port")


def needs_port(journal: Path) -> bool:
    """Whether a socket cannot be there: the system has none, or the path is too long for one."""
    return not hasattr(socket, "AF_UNIX") or len(os.fsencode(socket_path(journal).resolve())) > _LONGEST
