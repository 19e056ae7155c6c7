"""One thing that is wrong with what a user wrote, with its place and its cure."""

import msgspec


class Place(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Where something stands in a file: 1-based `line` and `column`."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One problem: where, what, what now, and a stable code.

    `where` names the thing in the user's words (``rule 'daily-loss'``), `cure` is what to do about it,
    `excerpt` is the source line with a caret below it (filled in by `config.diagnose`).
    """

    code: str
    what: str
    cure: str = ""
    where: str = ""
    place: Place | None = None
    excerpt: str = ""
    severity: str = "error"

    @property
    def sort_key(self) -> tuple[str, int, int, str]:
        """File, then line, then column, then code."""
        place = self.place
        return (place.file, place.line, place.column, self.code) if place else ("", 0, 0, self.code)

    def as_record(self) -> dict[str, object]:
        """The problem for JSON: flat, with the same keys everywhere; places that are not known are null."""
        place = self.place
        return {
            "file": place.file if place else None,
            "line": place.line if place else None,
            "column": place.column if place else None,
            "code": self.code,
            "severity": self.severity,
            "where": self.where,
            "what": self.what,
            "cure": self.cure,
            "excerpt": self.excerpt,
        }

    def __str__(self) -> str:
        parts = [f"{self.place}: " if self.place else "", f"{self.where}: " if self.where else "", self.what]
        if self.cure:
            parts.append(f"; {self.cure}")
        parts.append(f" [{self.code}]")
        return "".join(parts)
