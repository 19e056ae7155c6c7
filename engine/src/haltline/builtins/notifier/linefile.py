"""A file of lines that several programs may append to, and that does not grow without bound.

A line is whole or not there: what did not fit on the disk is taken back, and what a crash has cut short before is
closed with a line end first. While one program writes, others wait: the file is locked, as `flock` does.
"""

import errno
import os
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_LOCK_S = 1.0
_LOOK_S = 0.02
_BUSY = frozenset({errno.EAGAIN, errno.EACCES})


class LineFile:
    """Appends to `path`. At `rotate_bytes` (None: never) it becomes ``path.1``, that one ``path.2``, up to `keep`.

    With `fsync` a line counts as written only once the disk has it.
    """

    def __init__(self, path: Path, *, fsync: bool = False, rotate_bytes: int | None = None, keep: int = 5) -> None:
        self.path = path
        self._fsync = fsync
        self._rotate_bytes = rotate_bytes
        self._keep = keep
        self._is_whole = False

    def append(self, line: bytes) -> None:
        """Append one line, given with its end; raises OSError, and then nothing of it is in the file."""
        descriptor = self._open_locked()
        try:
            if self._is_due(descriptor, len(line)):
                self._rotate()
                os.close(descriptor)
                descriptor = self._open_locked()
            self._write(descriptor, line)
        finally:
            os.close(descriptor)

    def _write(self, descriptor: int, line: bytes) -> None:
        end = os.fstat(descriptor).st_size
        whole = line if self._is_whole or not self._ends_torn() else b"\n" + line
        self._is_whole = False
        written = os.write(descriptor, whole)
        if written != len(whole):
            os.ftruncate(descriptor, end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self._fsync:
            os.fsync(descriptor)
        self._is_whole = True

    def _open_locked(self) -> int:
        """Open it, lock it, and make sure that it was not moved away between the two."""
        deadline = time.monotonic() + _LOCK_S
        while True:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
            descriptor = os.open(self.path, flags, 0o600)
            try:
                if _lock(descriptor) and self._is_there(descriptor):
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
            if time.monotonic() >= deadline:
                raise OSError(errno.EAGAIN, "another program has locked it")
            time.sleep(_LOOK_S)

    def _is_there(self, descriptor: int) -> bool:
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        return False

    def _is_due(self, descriptor: int, more: int) -> bool:
        found = os.fstat(descriptor)
        if self._rotate_bytes is None or not stat.S_ISREG(found.st_mode):
            return False
        return found.st_size > 0 and found.st_size + more > self._rotate_bytes

    def _rotate(self) -> None:
        for number in range(self._keep, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number - 1}") if number > 1 else self.path
            with suppress(FileNotFoundError):
                os.replace(older, self.path.with_name(f"{self.path.name}.{number}"))
        self._is_whole = True

    def _ends_torn(self) -> bool:
        """Whether a program that was killed has left half a line."""
        try:
            with self.path.open("rb") as stream:
                if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode) or not stream.seek(0, os.SEEK_END):
                    return False
                stream.seek(-1, os.SEEK_END)
                return stream.read(1) != b"\n"
        except OSError:
            return False


def _lock(descriptor: int) -> bool:
    """Whether it is ours now; a file system without locks is written to all the same."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _BUSY
    return True
