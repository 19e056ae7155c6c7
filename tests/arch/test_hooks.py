"""The nine hooks: documented with the same signature, and used by what is built in or by an example."""

import importlib.util
import inspect
import sys
from pathlib import Path

import pytest

from haltline.api import hookspecs

ROOT = Path(__file__).parents[2]
HOOKS = {name: value for name, value in vars(hookspecs).items() if name.startswith("haltline_register_")}
IN_A_PLUGIN_TO_COME = frozenset({"rule_packs"})
"""Hooks without a user yet; this list only shrinks."""


def users(name: str) -> list[Path]:
    folders = (ROOT / "engine/src", ROOT / "plugins", ROOT / "examples", ROOT / "bots")
    return [
        file for folder in folders for file in folder.rglob("plugin.py") if f"def {name}(" in file.read_text("utf-8")
    ]


def test_there_are_nine_hooks() -> None:
    assert len(HOOKS) == 9


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_has_a_heading_with_its_signature(name: str) -> None:
    page = (ROOT / "docs/reference/hooks.md").read_text("utf-8")
    parameters = ", ".join(
        f"{parameter.name}: {parameter.annotation.__name__}"
        for parameter in inspect.signature(HOOKS[name]).parameters.values()
    )
    assert f"\n## {name}({parameters})\n" in page


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_says_what_it_is_for_and_how_to_register(name: str) -> None:
    assert "`registry.add_" in inspect.getdoc(HOOKS[name])


@pytest.mark.parametrize(
    "name", [name for name in HOOKS if name.rpartition("haltline_register_")[2] not in IN_A_PLUGIN_TO_COME]
)
def test_a_hook_has_a_user(name: str) -> None:
    assert users(name)


def test_the_list_of_hooks_without_a_user_only_shrinks() -> None:
    used = {sort for sort in IN_A_PLUGIN_TO_COME if users(f"haltline_register_{sort}")}
    assert used == set(), "take these off the list"


def test_every_hook_that_a_plugin_implements_exists() -> None:
    for file in [ROOT / "engine/src/haltline/builtins/plugin.py", *ROOT.glob("examples/*/src/*/plugin.py")]:
        defined = {
            line.split("(")[0].removeprefix("def ")
            for line in file.read_text("utf-8").splitlines()
            if line.startswith("def ")
        }
        assert {name for name in defined if name.startswith("haltline_")} <= HOOKS.keys()


def test_the_built_in_plugin_imports_nothing_heavy() -> None:
    """Checked where it is cheap: the module is loaded already, its own imports are only first-party ones."""
    spec = importlib.util.find_spec("haltline.builtins.plugin")
    assert spec is not None and spec.origin is not None
    lines = [
        line for line in Path(spec.origin).read_text("utf-8").splitlines() if line.startswith(("import ", "from "))
    ]
    assert all(line.startswith("from haltline") for line in lines)
    assert "haltline.api" in sys.modules
