"""The published description of the Bot API, and what in a request departs from it."""

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

from haltline_sim_kit.chat import find_description

type Json = dict[str, Any]

_NAME = "telegram_bot_api_10.1.min.json.gz"
_SCALARS: dict[str, tuple[type, ...]] = {"Integer": (int,), "Float": (int, float), "Boolean": (bool,), "String": (str,)}


def find_schema() -> Path | None:
    """The schema file: in the folder that HALTLINE_CONFORMANCE names, else beside the repository; None: nowhere."""
    return find_description(_NAME)


class Schema:
    """The methods and types of one version of the Bot API."""

    def __init__(self, content: Json) -> None:
        self.version: str = content["version"]
        self._methods: dict[str, Json] = {name.lower(): method for name, method in content["methods"].items()}
        self._types: dict[str, Json] = content["types"]

    def has(self, method: str) -> bool:
        """Whether there is such a method; letter case does not matter."""
        return method.lower() in self._methods

    def violations(self, method: str, given: Json) -> list[str]:
        """What in these parameters the description does not allow, as sentences."""
        described = self._methods.get(method.lower())
        if described is None:
            return [f"{method}: there is no such method"]
        return self._fields(described["name"], described.get("fields", []), given, is_sent=True)

    def answer_violations(self, method: str, answer: object) -> list[str]:
        """What in a result of the simulator itself departs from the description."""
        kinds = self._methods.get(method.lower(), {}).get("returns", [])
        reports = [self._misfit(f"answer to {method}", kind, answer, is_sent=False) for kind in kinds]
        shortest: list[str] = min(reports, key=len, default=[])
        return shortest

    def _fields(self, where: str, fields: list[Json], given: Json, *, is_sent: bool = False) -> list[str]:
        known = {field["name"]: field for field in fields}
        found = [f"{where}: unknown field {name!r}" for name in given if name not in known]
        for name, field in known.items():
            if name not in given:
                if field["required"]:
                    found.append(f"{where}: {name!r} is missing")
                continue
            reports = [self._misfit(f"{where}.{name}", kind, given[name], is_sent=is_sent) for kind in field["types"]]
            shortest: list[str] = min(reports, key=len)
            found += shortest
        return found

    def _misfit(self, where: str, kind: str, value: object, *, is_sent: bool) -> list[str]:
        if kind.startswith("Array of "):
            if not isinstance(value, list):
                return [f"{where}: an array was expected, found {value!r}"]
            inner = kind.removeprefix("Array of ")
            return [
                line for n, each in enumerate(value)
                for line in self._misfit(f"{where}[{n}]", inner, each, is_sent=False)
            ]  # fmt: skip
        if kind in _SCALARS:
            return (
                [] if _is_scalar(kind, value, is_sent=is_sent) else [f"{where}: {kind} was expected, found {value!r}"]
            )
        if kind == "InputFile":
            return [] if isinstance(value, str | bytes) else [f"{where}: a file was expected"]
        return self._object(where, kind, value)

    def _object(self, where: str, kind: str, value: object) -> list[str]:
        described = self._types.get(kind)
        if described is None or not isinstance(value, dict):
            return [f"{where}: {kind} was expected, found {value!r}"]
        if "subtypes" in described:
            reports = [self._object(where, each, value) for each in described["subtypes"]]
            return min(reports, key=len)
        return self._fields(f"{where}({kind})", described.get("fields", []), value)


def _is_scalar(kind: str, value: object, *, is_sent: bool) -> bool:
    if is_sent and isinstance(value, str):
        return _reads_as(kind, value)
    return isinstance(value, _SCALARS[kind]) and (kind == "Boolean") == isinstance(value, bool)


def _reads_as(kind: str, text: str) -> bool:
    """Whether a form field, which is always text, can be read so."""
    match kind:
        case "Integer":
            return text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()
        case "Float":
            return text.removeprefix("-").replace(".", "", 1).isdigit()
        case "Boolean":
            return text.lower() in ("true", "false", "1", "0")
    return True


@cache
def load_schema(path: Path) -> Schema:
    """Read the description; raises OSError and ValueError."""
    return Schema(json.loads(gzip.decompress(path.read_bytes())))
