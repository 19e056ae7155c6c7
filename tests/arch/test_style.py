"""Conventions of the house that a machine can check."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 500
FORBIDDEN = frozenset({"utils", "util", "helpers", "helper", "common", "misc", "base"})
WALLS = frozenset(
    {"expr/stdlib.py", "plugins/load.py", "plugins/pack.py", "runtime/supervise.py", "cli/group.py", "cli/failure.py",
     "enforce/executor.py", "notify/outbox.py", "notify/trial.py", "runtime/publish.py",
     "runtime/aftercare.py", "runtime/believer.py", "runtime/comparison.py", "runtime/engine.py", "runtime/pump.py",
     "runtime/reload.py",
     "control/service.py"}
)  # fmt: skip
"""Where `except Exception` may stand: around plugins, around tasks, before the person at the terminal."""

_SLEEPS = re.compile(r"\b(?:time|asyncio)\.sleep\((?!0\))")
_POLLS = "# noqa: ASYNC110 - "


def test_no_module_is_longer_than_500_lines() -> None:
    assert [name for name, text in own_modules() if text.count("\n") > LONGEST] == []


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    assert [name for name, _ in own_modules() if Path(name).stem in FORBIDDEN] == []


def test_packages_hold_a_docstring_and_no_code(sources) -> None:
    exporting = {"api/__init__.py", "errors/__init__.py", "clock/__init__.py", "__init__.py"}
    found = [
        source.name
        for source in sources
        if source.name.endswith("__init__.py") and source.name not in exporting and len(source.tree.body) != 1
    ]
    assert found == []


def test_every_package_tells_what_it_is(sources) -> None:
    silent = [
        s.name for s in sources if s.name.endswith("__init__.py") and not (ast.get_docstring(s.tree) or "").strip()
    ]
    assert silent == []


def test_every_module_and_public_name_has_a_docstring(sources) -> None:
    found = [
        f"{source.name}: {name}"
        for source in sources
        for name, node in public(source.tree)
        if not (ast.get_docstring(node) or "").strip()
    ]
    assert found == []


def test_a_broad_except_stands_only_at_a_wall_and_says_why(sources) -> None:
    found = []
    for source in sources:
        lines = source.text.splitlines()
        for node in ast.walk(source.tree):
            if not isinstance(node, ast.ExceptHandler) or not is_broad(node):
                continue
            line = lines[node.lineno - 1]
            reasoned = re.search(r"# noqa: BLE001 - \S", line)
            reraises = isinstance(node.body[-1], ast.Raise)
            if not reraises and (source.name not in WALLS or not reasoned):
                found.append(f"{source.name}:{node.lineno}: {line.strip()}")
    assert found == []


def test_nothing_is_marked_as_to_be_done_later() -> None:
    marks = re.compile(r"#\s*(?:TO" + "DO|FIX" + r"ME|XXX|HACK)\b")
    assert [f"{name}: {found[0]}" for name, text in own_modules() for found in marks.finditer(text)] == []


def test_nothing_is_mocked() -> None:
    banned = "unittest." + "mock"
    files = [file for file in (ROOT / "tests").rglob("*.py") if banned in file.read_text("utf-8")]
    assert files == []


def test_tests_do_not_sleep() -> None:
    """Giving way once (`sleep(0)`) is not sleeping. A test that must sleep says why: after `# sleeps:` on that line, or
    beside the loop that polls (`# noqa: ASYNC110 - why`)."""
    found = []
    for file in sorted((ROOT / "tests").rglob("*.py")):
        lines = ["", *file.read_text("utf-8").splitlines()]
        for number, line in enumerate(lines):
            is_reasoned = "# sleeps:" in line or _POLLS in lines[number - 1] or "re.compile" in line
            if _SLEEPS.search(line) and not is_reasoned:
                found.append(f"{file.relative_to(ROOT)}:{number}")
    assert found == []


def test_a_skip_says_why() -> None:
    bare = re.compile(r"pytest\.skip\(\s*\)|mark\.skip\b(?!if)(?!\(reason)")
    found = [
        file.name
        for file in (ROOT / "tests").rglob("*.py")
        if file != Path(__file__) and bare.search(file.read_text("utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize("folder", ["plugins", "bots"])
def test_a_distribution_is_named_by_kind_and_thing(folder: str) -> None:
    for project in sorted((ROOT / folder).glob("*/pyproject.toml")):
        name = project.parent.name
        text = project.read_text("utf-8")
        prefix = "haltline-" if folder == "plugins" else "haltline-bot-"
        assert f'name = "{prefix}{name}"' in text
        assert (project.parent / "src" / (prefix + name).replace("-", "_")).is_dir()
        source = project.parent / "src" / (prefix + name).replace("-", "_")
        is_plugin = not name.startswith("sim-") or (source / "plugin.py").exists()  # a simulator may be only a server
        if folder == "plugins" and is_plugin:
            assert re.search(rf'^{name.replace("-", "_")} = "', text, re.MULTILINE), f"{name}: entry point"


def test_a_rule_pack_is_named_after_its_folder() -> None:
    for project in sorted((ROOT / "rules").glob("*/pyproject.toml")):
        pack, text = project.parent.name, project.read_text("utf-8")
        module = f"haltline_rules_{pack.replace('-', '_')}"
        assert f'name = "haltline-rules-{pack}"' in text
        assert (project.parent / "src" / module).is_dir()
        assert f'\n{pack} = "{module}"\n' in text.partition('entry-points."haltline.rule_packs"]')[2]


def own_modules() -> list[tuple[str, str]]:
    """Every module of ours that is shipped."""
    folders = [
        *ROOT.glob("*/src"),
        *ROOT.glob("plugins/*/src"),
        *ROOT.glob("rules/*/src"),
        *ROOT.glob("bots/*/src"),
        ROOT / "docs",
    ]
    files = sorted(file for folder in folders for file in folder.rglob("*.py"))
    return [(str(file.relative_to(ROOT)), file.read_text("utf-8")) for file in files]


def public(tree: ast.Module) -> list[tuple[str, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    """The module, its public classes and functions, and the public methods of public classes."""
    found: list[tuple[str, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]] = [("the module", tree)]
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        found.append((node.name, node))
        if isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and not each.name.startswith("_"):
                    found.append((f"{node.name}.{each.name}", each))
    return found


def is_broad(node: ast.ExceptHandler) -> bool:
    names = [node.type] if not isinstance(node.type, ast.Tuple) else node.type.elts
    return any(
        name is None or (isinstance(name, ast.Name) and name.id in ("Exception", "BaseException")) for name in names
    )
