"""Where the mistakes of one expression go: each a `Problem` at the place of its sub-expression."""

import ast
import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from haltline.errors import Place, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Collects problems of the expression `text`, which stands at `place` in `where`.

    `shift` is the number of characters put in front of the text before it was parsed.
    """

    text: str
    where: str
    place: Place | None
    problems: list[Problem]
    shift: int = 0

    def add(self, code: str, what: str, cure: str = "", *, at: ast.AST | None = None, column: int = 0) -> None:
        """Note one problem, once."""
        problem = Problem(code=code, what=what, cure=cure, where=self.where, place=self._locate(at, column))
        if problem not in self.problems:
            self.problems.append(problem)

    def shifted(self, shift: int) -> "Report":
        """The same report for a text that was parsed with `shift` characters before it."""
        return replace(self, shift=shift) if shift else self

    def source(self, node: ast.AST) -> str:
        """The text of a sub-expression on one line."""
        segment = ast.get_source_segment("(" * self.shift + self.text, node) if self.shift else None
        segment = segment or ast.get_source_segment(self.text, node) or self.text
        return " ".join(segment.split())

    def _locate(self, at: ast.AST | None, column: int) -> Place | None:
        if self.place is None or "\n" in self.text:
            return self.place
        if at is not None:
            start = getattr(at, "col_offset", 0)
            column = len(self.text.encode()[:start].decode(errors="ignore"))
        return Place(file=self.place.file, line=self.place.line, column=self.place.column + column)


def suggest(name: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` for the nearest known name, or nothing."""
    nearest = difflib.get_close_matches(name, [str(one) for one in known], n=1, cutoff=0.6)
    return f"did you mean {nearest[0]!r}?" if nearest else ""
