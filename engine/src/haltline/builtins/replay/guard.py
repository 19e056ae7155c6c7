"""Bad rows: refused with file and row, or left out and counted."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from haltline.builtins.replay.problem import bad_row
from haltline.builtins.replay.setting import BadRows


class RowGuard:
    """Watches one reading of one file: `seen` rows so far, `latest` instant let through, `skipped` rows by reason."""

    def __init__(self, path: Path, *, first_row: int, policy: BadRows) -> None:
        self.path = path
        self.skipped: Counter[str] = Counter()
        self._policy = policy
        self._seen = first_row
        self._latest = -1

    def sieve(self, times: Any, is_bad: Any, explain: Callable[[int], str], *, is_strict: bool) -> Any:
        """Indices of the rows to use; raises ConfigError for the first bad one where bad rows are errors.

        Besides what the caller found bad, a time that is missing or earlier than one before (or, where `is_strict`,
        equal to it) is bad. `explain` says in words what is wrong with a row that the caller found bad.
        """
        import numpy as np  # noqa: PLC0415 - heavy, and only recordings need it

        no_time = times <= 0
        usable = np.where(is_bad | no_time, -1, times)
        latest = np.maximum.accumulate(np.concatenate(([self._latest], usable)))[:-1]
        late = (times <= latest) if is_strict else (times < latest)
        refused = is_bad | no_time | late
        for index in np.flatnonzero(refused).tolist():
            why = "the time is missing or not readable" if no_time[index] else ""
            why = why or (explain(index) if is_bad[index] else "the time is not after that of the row before")
            if self._policy is BadRows.ERROR:
                raise bad_row(self.path, self._seen + index, why)
            self.skipped[why] += 1
        self._seen += len(times)
        kept = np.flatnonzero(~refused)
        if len(kept):
            self._latest = int(times[kept[-1]])
        return kept
