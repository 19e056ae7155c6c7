"""The published OpenAPI description of Discord's REST, and what in a request or answer departs from it."""

import gzip
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from haltline_sim_kit.chat import find_description

type Json = dict[str, Any]

_NAME = "discord_openapi.json.gz"
_ROOT = "urn:discord"
_IGNORED_IN_EDITS = frozenset({"tts"})
"""Sent by discord.py with every edit; not described, and without effect on the platform."""


def find_schema() -> Path | None:
    """The schema file: in the folder that HALTLINE_CONFORMANCE names, else beside the repository; None: nowhere."""
    return find_description(_NAME)


class Schema:
    """The operations of one version of the API."""

    def __init__(self, content: Json) -> None:
        self.version = f"OpenAPI of API v{content['info']['version']}"
        resource = Resource.from_contents(content, default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource(_ROOT, resource)
        self._root = content
        self._paths = [(_pattern(path), operations) for path, operations in content["paths"].items()]
        self._paths.sort(key=lambda each: each[0].groups)
        self._made: dict[int, Draft202012Validator] = {}

    def violations(self, verb: str, path: str, body: Any, query: dict[str, str]) -> list[str]:
        """What in this request the description does not allow, as sentences; `path` without `/api/v10`."""
        found = self._operation(verb, path)
        if found is None:
            return [f"{verb} {path}: there is no such operation"]
        operation, shared = found
        named = {each.get("name") for each in (*operation.get("parameters", ()), *shared)}
        told = [f"{verb} {path}: unknown query parameter {name!r}" for name in query if name not in named]
        described = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        if described is None:
            return told if body in (None, {}) else [*told, f"{verb} {path}: no body was expected"]
        if body is None:
            return [*told, f"{verb} {path}: a body is missing"] if operation["requestBody"].get("required") else told
        body = _forgiven(verb, body)
        return told + self._misfits(f"{verb} {path}", described, body, is_closed=True)

    def answer_violations(self, verb: str, path: str, status: int, body: Any) -> list[str]:
        """What in an answer of the simulator itself departs from the description."""
        found = self._operation(verb, path)
        if found is None or status >= 400:
            return []
        answers = found[0].get("responses", {})
        if str(status) not in answers:
            return [f"{verb} {path}: answered {status}, described are {sorted(answers)}"]
        described = answers[str(status)].get("content", {}).get("application/json", {}).get("schema")
        return [] if described is None else self._misfits(f"answer to {verb} {path}", described, body)

    def _operation(self, verb: str, path: str) -> tuple[Json, list[Json]] | None:
        for pattern, operations in self._paths:
            if verb.lower() in operations and pattern.fullmatch(path):
                return operations[verb.lower()], operations.get("parameters", [])
        return None

    def _misfits(self, where: str, described: Json, body: Any, *, is_closed: bool = False) -> list[str]:
        validator = self._made.get(id(described))
        if validator is None:
            whole = {"allOf": [_rooted(described)]} | ({"unevaluatedProperties": False} if is_closed else {})
            validator = self._made[id(described)] = Draft202012Validator(whole, registry=self._registry)
        return [f"{where}: {_told(error)}" for error in validator.iter_errors(body)]


def _forgiven(verb: str, body: Any) -> Any:
    """The body without what the platform takes although it is not described: ids as integers, `tts` in edits."""
    if not isinstance(body, dict):
        return body
    found = {key: value for key, value in _spelt(body).items() if verb != "PATCH" or key not in _IGNORED_IN_EDITS}
    for holder in (found, found.get("data")):
        if isinstance(holder, dict) and isinstance(files := holder.get("attachments"), list):
            holder["attachments"] = [{**e, "id": str(e.get("id"))} if isinstance(e, dict) else e for e in files]
    return found


def _spelt(body: Any) -> Any:
    """The same with ids as text."""
    if isinstance(body, list):
        return [_spelt(each) for each in body]
    if not isinstance(body, dict):
        return body
    return {k: str(v) if k.endswith("_id") and isinstance(v, int) else _spelt(v) for k, v in body.items()}


def _told(error: ValidationError) -> str:
    best = error
    while best.context and (inner := best_match(best.context)) is not None:
        best = inner
    place = ".".join(map(str, best.absolute_path))
    return f"{place or 'body'}: {best.message[:200]}"


def _rooted(described: Any) -> Any:
    """The same with references that lead into the whole description."""
    if isinstance(described, list):
        return [_rooted(each) for each in described]
    if not isinstance(described, dict):
        return described
    return {k: f"{_ROOT}{v}" if k == "$ref" else _rooted(v) for k, v in described.items()}


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "([^/]+)", re.escape(path)))


@cache
def load_schema(path: Path) -> Schema:
    """Read the description; raises OSError and ValueError."""
    return Schema(json.loads(gzip.decompress(path.read_bytes())))
