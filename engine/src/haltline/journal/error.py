"""What can be wrong with a journal, in plain words and with a code."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from haltline.errors import EngineError


class JournalError(EngineError):
    """A journal cannot be used; `code` is stable."""

    code = "E706"

    def __init__(self, what: str, cure: str) -> None:
        self.what = what
        self.cure = cure
        super().__init__(f"{what}; {cure} [{self.code}]")


class JournalLocked(JournalError):
    """Another process writes to it."""

    code = "E701"


class JournalFull(JournalError):
    """The disk has no room."""

    code = "E702"


class NotAJournal(JournalError):
    """The file is something else."""

    code = "E703"


class JournalNewer(JournalError):
    """The file was written by a later version."""

    code = "E704"


class JournalBroken(JournalError):
    """A record is not what was written."""

    code = "E705"


class JournalUnusable(JournalError):
    """The file cannot be opened or written for a reason of the file system."""

    code = "E706"


class QuotesRemoved(JournalError):
    """What is asked for needs quotes that compaction removed."""

    code = "E709"


class BackupFailed(JournalError):
    """A copy could not be made, or is not whole."""

    code = "E710"


class OtherSetup(JournalError):
    """The journal belongs to accounts that this set-up does not have."""

    code = "E711"


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """What SQLite or the file system raises inside is raised as a JournalError."""
    try:
        yield
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        raise explained(error, path) from error


def explained(error: sqlite3.Error | OSError | UnicodeDecodeError, path: Path) -> JournalError:
    """The plain words for what SQLite or the file system said; of a damaged file, even that may be no text."""
    name = getattr(error, "sqlite_errorname", "") or ""
    text = str(error)
    if name.startswith("SQLITE_FULL") or getattr(error, "errno", None) == errno.ENOSPC:
        return JournalFull(f"{path}: the disk is full", "free some space and start again; what was written is safe")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return JournalLocked(f"{path}: another program is writing to the journal", "close it and start again")
    if name.startswith("SQLITE_TOOBIG"):
        return JournalUnusable(f"{path}: a record is larger than the journal can hold", "see what made it so large")
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM")):
        return JournalUnusable(f"{path}: the file or its folder may not be written to", "change its permissions")
    if path.is_dir():
        return JournalUnusable(f"{path}: this is a folder", "name a file under `store: path:`")
    if name.startswith("SQLITE_NOTADB"):
        return NotAJournal(f"{path}: this file is not a journal", "name another file under `store: path:`")
    if name in ("SQLITE_CORRUPT", "SQLITE_ERROR", "SQLITE_MISMATCH") or isinstance(error, UnicodeDecodeError):
        return JournalBroken(f"{path}: the file is damaged ({text})", "restore it from a backup")
    return JournalUnusable(f"{path}: the journal cannot be used ({text})", "check the folder and its permissions")
