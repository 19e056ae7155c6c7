"""The list that every check adds its problems to, so that all are reported at once."""

import difflib
from collections.abc import Iterable, Sequence

from haltline.errors import ConfigError, Place, Problem


class Findings:
    """Problems found so far."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, code: str, place: Place | None, what: str, cure: str = "", *, where: str = "") -> None:
        """Note one error."""
        self.problems.append(Problem(code=code, place=place, what=what, cure=cure, where=where))

    def warn(self, code: str, place: Place | None, what: str, cure: str = "", *, where: str = "") -> None:
        """Note something that is allowed but leaves a gap."""
        self.problems.append(Problem(code=code, place=place, what=what, cure=cure, where=where, severity="warning"))

    def extend(self, problems: Iterable[Problem]) -> None:
        """Note problems found elsewhere."""
        self.problems.extend(problems)

    @property
    def errors(self) -> list[Problem]:
        """Those that forbid loading."""
        return [problem for problem in self.problems if problem.severity == "error"]

    def raise_errors(self) -> None:
        """Raise ConfigError with all errors if there is one."""
        if self.errors:
            raise ConfigError(self.errors)


def did_you_mean(word: str, known: Iterable[str], *, sort: str = "known") -> str:
    """A cure for an unknown word: the nearest known one, or all of them where they are few."""
    names = sorted(set(known))
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if not near:
        near = difflib.get_close_matches(word.lower().replace("-", "_"), names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    if not names:
        return f"{sort}: none"
    return f"{sort}: {listing(names)}"


def listing(names: Sequence[str], *, most: int = 16) -> str:
    """`a, b, c`, cut off after `most`."""
    shown = ", ".join(names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
