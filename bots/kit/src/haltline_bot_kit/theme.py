"""The colours of pictures, dark and light; told apart by people who see no red or no green, too."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """Colours as ``#rrggbb``."""

    back: str
    text: str
    faint: str
    trough: str
    line: str
    limit: str
    loss: str
    ok: str
    warning: str
    critical: str

    def severity(self, name: str) -> str:
        """The colour of info, warning or critical; that of faint text for another word."""
        return {"info": self.line, "warning": self.warning, "critical": self.critical}.get(name, self.faint)

    def fill(self, used: float, warn: float | None) -> str:
        """The colour of a gauge: critical from 1 on, warning from `warn` (80 % if not said) on."""
        if used >= 1:
            return self.critical
        return self.warning if used >= (0.8 if warn is None else warn) else self.ok


DARK = Theme(
    back="#11161d", text="#e6edf3", faint="#8b98a5", trough="#232c36", line="#58a6ff", limit="#ff9b71",
    loss="#ff7b72", ok="#3fb6a8", warning="#f0b429", critical="#ff5d5d",
)  # fmt: skip
LIGHT = Theme(
    back="#ffffff", text="#1c2128", faint="#5f6b7a", trough="#e7ebf0", line="#0b62c4", limit="#b3400f",
    loss="#c4314b", ok="#0f7b6c", warning="#b07400", critical="#c8102e",
)  # fmt: skip
THEMES = {"dark": DARK, "light": LIGHT}
