"""The engine's source files, parsed once."""

import ast
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "engine/src/haltline"


@dataclass(frozen=True, slots=True)
class Source:
    """One module: its path below the package, its text and its tree."""

    name: str
    text: str
    tree: ast.Module

    @property
    def package(self) -> str:
        """The engine's package it belongs to; empty at the top."""
        return self.name.partition("/")[0] if "/" in self.name else ""


@lru_cache(maxsize=1)
def _sources() -> tuple[Source, ...]:
    files = sorted(PACKAGE.rglob("*.py"))
    return tuple(
        Source(str(file.relative_to(PACKAGE)), text := file.read_text("utf-8"), ast.parse(text)) for file in files
    )


@pytest.fixture
def sources() -> tuple[Source, ...]:
    """Every module of the engine."""
    return _sources()
