"""`${NAME}`, `${NAME:-default}` and `${file:path}`: values that stand outside the file, never printed."""

import re
from collections.abc import Mapping
from pathlib import Path

from haltline.config.finding import Findings
from haltline.errors import Place

_REFERENCE = re.compile(r"\$\{(?!\{)([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_SECRET_BYTES = 65_536


class Secret(str):
    """Text that came by reference: usable as text, shown as ``***`` wherever it is printed by accident."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"


class References:
    """Replaces references in the texts of one file. Paths are relative to `directory`.

    What they give is a Secret, or plain text with `secret` False (in rule files, whose texts are shown anyway).
    """

    def __init__(self, environ: Mapping[str, str], directory: Path, findings: Findings, *, secret: bool = True) -> None:
        self._type = Secret if secret else str
        self._environ = environ
        self._directory = directory
        self._findings = findings

    def __call__(self, text: str, place: Place) -> str | None:
        """The text with every reference replaced; None (and a problem) where one is missing or malformed."""
        failed = False

        def replace(match: re.Match[str]) -> str:
            nonlocal failed
            found = self._lookup(match[1].strip(), place)
            failed = failed or found is None
            return found or ""

        if "${" in _REFERENCE.sub("", text).replace("${{", ""):
            self._findings.add("E119", place, f"{text!r} has a '${{' without '}}'", "write ${NAME} or ${file:path}")
            return None
        replaced = _REFERENCE.sub(replace, text)
        if failed:
            return None
        return text if not _REFERENCE.search(text) else self._type(replaced)

    def _lookup(self, inside: str, place: Place) -> str | None:
        if inside.startswith("file:"):
            return self._file(inside[5:].strip(), place)
        name, dash, default = inside.partition(":-")
        if not _NAME.fullmatch(name):
            self._findings.add(
                "E119", place, f"'${{{inside}}}' is not a reference",
                "write ${NAME}, ${NAME:-default} or ${file:path}",
            )  # fmt: skip
            return None
        value = self._environ.get(name)
        if value:
            return value
        if dash:
            return default
        state = "empty" if value == "" else "not set"
        self._findings.add(
            "E117", place, f"the environment variable {name} is {state}", f"set it, or write ${{{name}:-default}}"
        )
        return None

    def _file(self, name: str, place: Place) -> str | None:
        try:
            with (self._directory / Path(name).expanduser()).open("rb") as stream:
                raw = stream.read(_MAX_SECRET_BYTES + 1)
            if len(raw) > _MAX_SECRET_BYTES:
                raise ValueError("it is larger than 64 kB")
            return raw.decode("utf-8").strip()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self._findings.add(
                "E118", place, f"cannot read the file {name!r}: {reason}", "check the path and its permissions"
            )
            return None
