"""A backup in a process of its own, for an engine that goes on meanwhile: `python -m` this module, journal, new file.

Proving a copy costs seconds of processor time per million records, which an engine's loop does not have. Prints the
copy's record as JSON; ends with `REFUSED` and two lines on stderr, what and cure, where no copy could be made.
"""

import os
import sys
from pathlib import Path

import msgspec

from haltline.journal.backup import back_up
from haltline.journal.error import JournalError

REFUSED = 3
_NICE = 19
"""Whatever else runs goes first."""


def main(arguments: list[str]) -> int:
    """Make the copy; returns what the process ends with."""
    os.nice(_NICE)
    path, to = map(Path, arguments)
    try:
        made = back_up(path, to)
    except JournalError as error:
        sys.stderr.write(f"{error.what}\n{error.cure}\n")
        return REFUSED
    sys.stdout.write(msgspec.json.encode(made, enc_hook=str).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
