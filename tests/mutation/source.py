"""The engine's functions: in their text, and as they are loaded."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FunctionType

PACKAGE = Path(__file__).parents[2] / "engine/src/haltline"

type Function = ast.FunctionDef | ast.AsyncFunctionDef


def tree_of(module: str) -> ast.Module:
    """A module (`rules/incident.py`), parsed."""
    return ast.parse((PACKAGE / module).read_text("utf-8"))


def functions_of(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    """Every function of a module and method of a class, but for those within functions."""
    for node in tree.body:
        for prefix, each in _members(node):
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                yield prefix + each.name, each


def _members(node: ast.stmt, prefix: str = "") -> Iterator[tuple[str, ast.stmt]]:
    yield prefix, node
    if isinstance(node, ast.ClassDef):
        for each in node.body:
            yield from _members(each, f"{prefix}{node.name}.")


def function_of(module: str, name: str) -> FunctionType:
    """The loaded function `Class.name`, beneath what decorators put around it."""
    found: object = import_module("haltline." + module.removesuffix(".py").replace("/", "."))
    for part in name.split("."):
        found = vars(found)[part]
    for wrapper in ("__func__", "fget", "func", "__wrapped__"):
        found = getattr(found, wrapper, found) if not isinstance(found, FunctionType) else found
    found = getattr(found, "__wrapped__", found)
    assert isinstance(found, FunctionType), f"{module}::{name} is no function"
    return found
