"""Who is at the other end of a local socket: the user, as the operating system says it, never as they say it."""

import getpass
import os
import socket
import struct


def user_name(uid: int | None = None) -> str:
    """The name of a user of this machine; of the one who runs this process if none is given. A number where the
    system knows no name."""
    if os.name == "nt":
        return getpass.getuser()
    import pwd  # noqa: PLC0415 - not there on Windows

    number = os.getuid() if uid is None else uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def peer_uid(connection: socket.socket) -> int | None:
    """The user at the other end of a Unix socket; None where the system does not tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is not None:
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
        return int(uid)
    local, xucred = getattr(socket, "SOL_LOCAL", 0), getattr(socket, "LOCAL_PEERCRED", None)
    if xucred is None:
        return None
    _, uid = struct.unpack("2I", connection.getsockopt(local, xucred, 8))
    return int(uid)
