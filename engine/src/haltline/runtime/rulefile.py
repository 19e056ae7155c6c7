"""The files that a set-up's rules come from, as they look at one moment: enough to see that somebody changed one."""

from collections.abc import Iterable
from pathlib import Path

from haltline.config.settings import Setup
from haltline.config.setup import rule_files

type Look = dict[str, tuple[int, ...]]
"""Each file with what its directory says of it; a file that is not there has an empty entry."""


def look(setup: Setup, read: Iterable[str] = ()) -> Look:
    """The set-up file, whatever its patterns match now, and the files that were read the last time."""
    matched = (file for pattern in setup.rules for file in rule_files(setup.path.parent, pattern))
    names = {str(path) for path in (setup.path, *matched)}.union(read)
    return {name: _mark(Path(name)) for name in sorted(names)}


def changed_files(before: Look, after: Look) -> list[str]:
    """The names of files that came, went or look different."""
    names = dict.fromkeys([*before, *after])
    return [Path(name).name for name in names if before.get(name) != after.get(name)]


def _mark(path: Path) -> tuple[int, ...]:
    """The time of the last change of the inode cannot be set by hand: an edit that keeps size and time shows too."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
