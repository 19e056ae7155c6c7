"""Imports go downwards only, and what is pure stays pure."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PURE = frozenset({"model", "expr", "rules", "state", "kernel"})
"""Synchronous packages without effects, from the kernel down."""

BANNED = frozenset(
    {"asyncio", "logging", "time", "random", "secrets", "os", "io", "socket", "sqlite3", "subprocess", "threading",
     "tempfile", "shutil", "uuid", "pathlib"}
)  # fmt: skip
BANNED_CALLS = frozenset({"open", "print", "input"})
CLOCK_READERS = frozenset({"now", "utcnow", "today"})
SUPERVISOR = "runtime/supervise.py"
TASK_MAKERS = frozenset({"create_task", "ensure_future", "gather", "shield", "wait_for"})


def test_imports_go_downwards_only() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_from_the_kernel_down_nothing_imports_effects(sources) -> None:
    found = [
        f"{source.name}:{node.lineno}: {name}"
        for source in sources
        if source.package in PURE
        for node in ast.walk(source.tree)
        for name in imported(node)
        if name.partition(".")[0] in BANNED
    ]
    assert found == []


def test_from_the_kernel_down_nothing_reads_a_clock_or_a_file(sources) -> None:
    found = [
        f"{source.name}:{node.lineno}"
        for source in sources
        if source.package in PURE
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and (is_bare(node, BANNED_CALLS) or reads_wall_clock(node))
    ]
    assert found == []


def test_from_the_kernel_down_nothing_is_asynchronous(sources) -> None:
    asynchronous = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    found = [
        f"{source.name}:{node.lineno}"
        for source in sources
        if source.package in PURE
        for node in ast.walk(source.tree)
        if isinstance(node, asynchronous)
    ]
    assert found == []


def test_only_the_supervisor_makes_tasks(sources) -> None:
    """A task group's own `create_task` is fine anywhere: the group waits for it, and its failure is the group's."""
    found = [
        f"{source.name}:{node.lineno}: {name_of(node)}"
        for source in sources
        if source.name != SUPERVISOR
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and is_asyncio(node) and name_of(node) in TASK_MAKERS
    ]
    assert found == []


def test_the_engine_imports_no_plugin(sources) -> None:
    found = [
        f"{source.name}:{node.lineno}: {name}"
        for source in sources
        for node in ast.walk(source.tree)
        for name in imported(node)
        if name.startswith("haltline_") and not name.startswith("haltline_schemas")
    ]
    assert found == []


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


def is_bare(node: ast.Call, names: frozenset[str]) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id in names


def reads_wall_clock(node: ast.Call) -> bool:
    is_reader = isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK_READERS
    return is_reader and isinstance(node.func.value, ast.Name) and node.func.value.id in ("datetime", "date", "time")


def is_asyncio(node: ast.Call) -> bool:
    if isinstance(node.func, ast.Attribute):
        return isinstance(node.func.value, ast.Name) and node.func.value.id in ("asyncio", "loop")
    return isinstance(node.func, ast.Name)


def name_of(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
