"""Copies of a journal: made while an engine may be writing, proven before they count, and put back in place."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import msgspec

from haltline.clock import to_iso
from haltline.journal.error import BackupFailed, JournalError, explained
from haltline.journal.lease import Lease
from haltline.journal.store import Journal

type Progress = Callable[[int, int], None]
_PAGES = 4096
_COPY_SLEEP_S = 0.0
_SPARE = 16 * 1024 * 1024


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """A copy that was made and proven: as many records, and the same head, as the journal had when it was read."""

    path: Path
    records: int
    last_seq: int
    head: str
    bytes: int


def back_up(path: Path, to: Path, *, progress: Progress | None = None) -> Backup:
    """Copy a journal into one new file, also while it is written to; the copy is verified record by record.

    Raises BackupFailed where the file exists, where there is no room, and where the copy is not whole; then nothing is
    left behind.
    """
    if to.exists():
        raise BackupFailed(f"{to}: this file exists already", "name another one")
    part = to.with_name(to.name + ".part")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        require_room(to.parent, size_of(path))
        part.unlink(missing_ok=True)
        _copy(path, part, progress)
        made = prove(part)
        part.replace(to)
        sync_folder(to.parent)
    except (OSError, sqlite3.Error) as error:
        raise BackupFailed(
            f"{to}: no backup could be made: {explained(error, to).what}", "free some space, or name another folder"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return msgspec.structs.replace(made, path=to)


def prove(path: Path) -> Backup:
    """Read a copy from its first record to its last; raises BackupFailed where it is not whole."""
    try:
        with Journal.read(path) as copy:
            fault = copy.fault() or copy.verify().reason
            count = copy.count()
            head, last_seq = copy.head, copy.last_seq
    except JournalError as error:
        raise BackupFailed(f"{path}: this is no usable copy of a journal: {error.what}", "use another one") from error
    if fault:
        raise BackupFailed(f"{path}: the copy is not whole: {fault}", "repair the journal first, or use another copy")
    return Backup(path=path, records=count, last_seq=last_seq, head=head, bytes=path.stat().st_size)


def restore(backup: Path, path: Path, now: int) -> Path | None:
    """Put a proven copy in a journal's place; returns where what stood there is now, or None.

    Raises BackupFailed where the copy is not whole, JournalLocked while an engine runs on the journal.
    """
    prove(backup)
    lease = Lease(path)
    try:
        part = path.with_name(path.name + ".part")
        require_room(path.parent, size_of(backup))
        shutil.copyfile(backup, part)
        sync_file(part)
        aside = path.with_name(f"{path.name}.before-restore-{stamp(now)}")
        had = path.exists()
        for ending in ("-wal", "-shm", ""):
            if (old := path.with_name(path.name + ending)).exists():
                old.replace(aside.with_name(aside.name + ending))
        part.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise BackupFailed(
            f"{path}: the copy could not be put in place ({error})", "see what is in the folder"
        ) from error
    finally:
        lease.release()
    return aside if had else None


def stamp(now: int) -> str:
    """An instant as it can stand in a file's name."""
    return to_iso(now)[:19].replace(":", "").replace("-", "") + "Z"


def size_of(path: Path) -> int:
    """How many bytes a journal takes, its write-ahead log included."""
    files = (path, path.with_name(path.name + "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def require_room(folder: Path, size: int) -> None:
    """Raise BackupFailed where a folder has no room for so many bytes, and some to spare."""
    free = shutil.disk_usage(folder).free
    if free < size + _SPARE:
        raise BackupFailed(
            f"{folder}: {free:,} bytes are free, and the backup takes {size:,}",
            "free some space, or name another folder",
        )


def sync_file(path: Path) -> None:
    """Have a file on disk before this returns."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk; systems that cannot open folders do it by themselves."""
    if os.name == "nt":  # pragma: no cover - not reached where the suite runs
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _copy(path: Path, part: Path, progress: Progress | None) -> None:
    """One read transaction around the whole copy: what is written meanwhile does not start it over."""
    uri = f"{path.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5)) as source:
        source.execute("BEGIN")
        source.execute("SELECT COUNT(*) FROM meta").fetchone()
        with closing(sqlite3.connect(part, isolation_level=None)) as target:

            def told(_status: int, remaining: int, total: int) -> None:
                if progress is not None:
                    progress(total - remaining, total)

            source.backup(target, pages=_PAGES, progress=told, sleep=_COPY_SLEEP_S)
            target.execute("PRAGMA journal_mode = DELETE")
    sync_file(part)
