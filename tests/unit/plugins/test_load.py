"""The loader: real distributions in a folder, each broken in its own way, and what that does to the others."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from textwrap import dedent

import pytest

from haltline.api import Function, Kind
from haltline.errors import CODES, ConfigError, InvariantBroken
from haltline.plugins.discover import installed
from haltline.plugins.load import Loaded, PluginRequest, load_plugins
from haltline.plugins.report import PluginReport, PluginStatus

GOOD = """
from haltline.api import Function, Kind, hookimpl

@hookimpl
def haltline_register_functions(registry):
    registry.add_function(Function(name="{function}", call=abs, returns=Kind.NUMBER, meaning="for tests"))
"""

type Site = Callable[..., tuple[metadata.EntryPoint, ...]]


class Shop:
    """Installs little distributions into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules: list[str] = []

    def install(self, name: str, source: str, *, dist: str = "", requires: str = "", group: str = "haltline") -> None:
        module = f"shop_{len(self.modules)}_{name}"
        self.modules.append(module)
        (self.folder / f"{module}.py").write_text(dedent(source))
        self.describe(dist or f"{name}-dist", f"[{group}]\n{name} = {module}\n", requires)

    def describe(self, dist: str, entry_points: str, requires: str = "") -> None:
        info = self.folder / f"{dist.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        needs = f"Requires-Dist: {requires}\n" if requires else ""
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.0\nSummary: a shop\n{needs}")
        (info / "entry_points.txt").write_text(entry_points)

    def load(self, *wanted: str, required: tuple[str, ...] = ()) -> Loaded:
        found = [entry for dist in metadata.distributions(path=[str(self.folder)]) for entry in dist.entry_points]
        builtins = [entry for entry in metadata.entry_points(group="haltline") if entry.name == "builtins"]
        requests = [PluginRequest(name=name, required=name in required) for name in wanted]
        return load_plugins(requests, entry_points=[*builtins, *found], version="0.1.0")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.syspath_prepend(str(tmp_path))
    shop = Shop(tmp_path)
    yield shop
    for module in shop.modules:
        sys.modules.pop(module, None)


def report(loaded: Loaded, name: str) -> PluginReport:
    return next(found for found in loaded.reports if found.name == name)


def code(loaded: Loaded, name: str) -> str:
    found = report(loaded, name)
    assert found.status is PluginStatus.FAILED
    assert found.error is not None
    assert found.error.code in CODES
    assert found.error.cure
    return found.error.code


def test_the_built_ins_are_loaded_without_being_named() -> None:
    loaded = load_plugins()
    assert report(loaded, "builtins").status is PluginStatus.OK
    assert loaded.registry.actions.get("flatten") is not None
    assert "market_orders" in report(loaded, "builtins").capabilities


def test_the_starter_pack_is_found_without_being_named_or_imported() -> None:
    pack = load_plugins().registry.rule_packs.get("starter")
    assert pack is not None
    assert any(pack.folder.glob("*.yaml"))
    assert "haltline_rules_starter" not in sys.modules


def test_a_named_plugin_is_loaded_and_says_what_it_provides(shop: Shop) -> None:
    shop.install("good", GOOD.format(function="twice"))
    loaded = shop.load("good")
    assert report(loaded, "good").provides == ("function twice",)
    assert report(loaded, "good").distribution == "good-dist"
    assert report(loaded, "good").version == "1.0"


def test_an_installed_plugin_that_is_not_named_is_not_imported(shop: Shop) -> None:
    shop.install("bomb", "raise SystemExit('imported')")
    assert report(shop.load(), "bomb").status is PluginStatus.NOT_ENABLED


def test_the_registry_is_frozen_afterwards() -> None:
    function = Function(name="late", call=abs, returns=Kind.NUMBER, meaning="too late")
    with pytest.raises(InvariantBroken):
        load_plugins().registry.add_function(function)


def test_an_unknown_name_is_reported_with_the_nearest_one(shop: Shop) -> None:
    shop.install("broker_x", GOOD.format(function="twice"))
    loaded = shop.load("broker_y")
    assert code(loaded, "broker_y") == "E501"
    assert "broker_x" in str(report(loaded, "broker_y").error)


def test_an_unknown_required_plugin_refuses_start(shop: Shop) -> None:
    with pytest.raises(ConfigError, match=r"\[E501\]"):
        shop.load("nowhere", required=("nowhere",))


def test_two_distributions_under_one_name_are_refused_naming_both(shop: Shop) -> None:
    shop.install("twin", GOOD.format(function="a"), dist="north")
    shop.install("twin", GOOD.format(function="b"), dist="south")
    loaded = shop.load("twin")
    assert code(loaded, "twin") == "E502"
    assert "'north' and 'south'" in str(report(loaded, "twin").error)


@pytest.mark.parametrize("source", ["import no_such_module_at_all", "raise SystemExit(3)", "1 / 0", "def ("])
def test_a_plugin_that_cannot_be_imported_is_isolated(shop: Shop, source: str) -> None:
    shop.install("broken", source)
    shop.install("good", GOOD.format(function="twice"))
    loaded = shop.load("broken", "good")
    assert code(loaded, "broken") == "E504"
    assert report(loaded, "good").status is PluginStatus.OK


def test_a_hook_that_raises_undoes_only_its_own_plugin(shop: Shop) -> None:
    extra = "\n@hookimpl\ndef haltline_register_observers(registry):\n    raise RuntimeError('disk on fire')\n"
    shop.install("bad", GOOD.format(function="half") + extra)
    shop.install("good", GOOD.format(function="twice"))
    loaded = shop.load("bad", "good")
    assert code(loaded, "bad") == "E505"
    assert "disk on fire" in str(report(loaded, "bad").error)
    assert loaded.registry.functions.get("half") is None
    assert loaded.registry.functions.get("twice") is not None


def test_registering_a_taken_name_undoes_the_second_and_names_both(shop: Shop) -> None:
    shop.install(
        "thief", GOOD.format(function="own") + GOOD.format(function="matches").replace("functions", "observers")
    )
    loaded = shop.load("thief")
    assert code(loaded, "thief") == "E503"
    assert "'builtins'" in str(report(loaded, "thief").error)
    assert loaded.registry.functions.owner_of("matches") == "builtins"
    assert loaded.registry.functions.get("own") is None


def test_a_hook_with_a_typing_error_is_reported_and_later_plugins_load(shop: Shop) -> None:
    shop.install("a_typo", GOOD.format(function="twice").replace("register_functions", "register_funktions"))
    shop.install("good", GOOD.format(function="twice"))
    loaded = shop.load("a_typo", "good")
    assert code(loaded, "a_typo") == "E506"
    assert report(loaded, "good").status is PluginStatus.OK


def test_a_hook_with_other_arguments_is_reported(shop: Shop) -> None:
    shop.install("odd", GOOD.format(function="twice").replace("(registry):", "(registry, more):"))
    assert code(shop.load("odd"), "odd") == "E506"


def test_a_hook_without_the_marker_is_not_passed_over_in_silence(shop: Shop) -> None:
    shop.install("bare", GOOD.format(function="twice").replace("@hookimpl", ""))
    assert code(shop.load("bare"), "bare") == "E506"


def test_a_plugin_without_hooks_is_reported(shop: Shop) -> None:
    shop.install("idle", "x = 1")
    assert code(shop.load("idle"), "idle") == "E506"


def test_a_plugin_for_another_engine_version_is_not_imported(shop: Shop) -> None:
    shop.install("old", "raise SystemExit('imported')", requires="haltline (<0.1)")
    loaded = shop.load("old")
    assert code(loaded, "old") == "E507"
    assert "<0.1" in str(report(loaded, "old").error)


def test_a_range_that_holds_this_version_is_fine(shop: Shop) -> None:
    shop.install("new", GOOD.format(function="twice"), requires="haltline>=0.1,<1")
    assert report(shop.load("new"), "new").status is PluginStatus.OK


@pytest.mark.parametrize(
    ("thing", "flaw"),
    [
        ('registry.add_function(Function(name="", call=abs, returns=Kind.NUMBER, meaning="x"))', "its name"),
        ('registry.add_function(Function(name="f-g", call=abs, returns=Kind.NUMBER, meaning="x"))', "in an expression"),
        ('registry.add_function(Function(name="f", call=3, returns=Kind.NUMBER, meaning="x"))', "`call`"),
        ('registry.add_function(Function(name="f", call=abs, returns=Kind.NUMBER, meaning=""))', "meaning is empty"),
        ('registry.add_action(Action(name="act", meaning="x", handled_by=HandledBy.ENFORCE))', "no `run`"),
        ('registry.add_action(Action(name="act", meaning="x", handled_by=HandledBy.NOTIFY, scopes=()))', "scope"),
        ('channel({"type": "object"})', "open at the top"),
        ('channel({"type": "objekt"})', "not a valid"),
        ('channel({})', "type: object"),
        ('channel(CLOSED, make=None)', "`make`"),
        ('channel(NESTED)', "open at 'a'"),
    ],
)  # fmt: skip
def test_something_unusable_is_refused_with_its_flaw(shop: Shop, thing: str, flaw: str) -> None:
    source = f"""
        from haltline.api import *
        CLOSED = {{"type": "object", "additionalProperties": False}}
        NESTED = CLOSED | {{"properties": {{"a": {{"type": "object"}}}}}}

        @hookimpl
        def haltline_register_functions(registry):
            def channel(schema, make=print):
                registry.add_notifier(NotifierKind(name="n", make=make, meaning="x", schema=schema))
            {thing}
    """
    shop.install("odd", source.replace("import *", "import Action, Function, HandledBy, Kind, NotifierKind, hookimpl"))
    loaded = shop.load("odd")
    assert code(loaded, "odd") == "E508"
    assert flaw in str(report(loaded, "odd").error)
    assert loaded.registry.functions.names() == ["label", "matches"]


def test_all_problems_of_required_plugins_come_at_once(shop: Shop) -> None:
    shop.install("one", "1 / 0")
    shop.install("two", "x = 1")
    with pytest.raises(ConfigError) as caught:
        shop.load("one", "two", required=("one", "two"))
    assert [problem.code for problem in caught.value.problems] == ["E504", "E506"]


def test_a_rule_pack_without_yaml_is_reported(shop: Shop) -> None:
    (shop.folder / "bare_pack").mkdir()
    (shop.folder / "bare_pack" / "__init__.py").write_text("")
    shop.describe("bare-pack", "[haltline.rule_packs]\nbare = bare_pack\n")
    assert code(shop.load(), "bare") == "E509"


def test_a_rule_pack_whose_package_is_missing_is_reported(shop: Shop) -> None:
    shop.describe("ghost-pack", "[haltline.rule_packs]\nghost = ghost_pack_missing\n")
    assert code(shop.load(), "ghost") == "E509"


def test_two_rule_packs_under_one_name_are_refused(shop: Shop) -> None:
    shop.describe("north-pack", "[haltline.rule_packs]\ntwin = north\n")
    shop.describe("south-pack", "[haltline.rule_packs]\ntwin = south\n")
    assert code(shop.load(), "twin") == "E502"


def test_a_requirement_that_cannot_be_read_is_no_reason_to_refuse(shop: Shop) -> None:
    shop.install("odd", GOOD.format(function="twice"), requires="!!!")
    assert report(shop.load("odd"), "odd").status is PluginStatus.OK


def test_a_rule_pack_is_registered_without_running_its_code(shop: Shop) -> None:
    (shop.folder / "mined_pack").mkdir()
    (shop.folder / "mined_pack" / "__init__.py").write_text("raise SystemExit('imported')")
    (shop.folder / "mined_pack" / "a.yaml").write_text("version: 1\n")
    shop.describe("mined-pack", "[haltline.rule_packs]\nmined = mined_pack\n")
    loaded = shop.load()
    pack = loaded.registry.rule_packs.get("mined")
    assert pack is not None
    assert (pack.version, pack.meaning) == ("1.0", "a shop")
    assert report(loaded, "mined").provides == ("rule pack mined",)


def test_what_was_installed_or_removed_meanwhile_is_found_so(shop: Shop) -> None:
    def names() -> set[str]:
        return {entry.name for entry in installed("haltline")}

    assert names() == names() >= {"builtins"}
    os.utime(shop.folder, ns=(1, 1))
    assert "late" not in names()
    shop.install("late", GOOD.format(function="late"))
    assert "late" in names()
    shutil.rmtree(shop.folder / "late_dist-1.0.dist-info")
    os.utime(shop.folder, ns=(2, 2))
    assert "late" not in names()


def test_a_schema_that_was_invalid_once_is_invalid_again(shop: Shop) -> None:
    source = """
    from haltline.api import NotifierKind, hookimpl

    @hookimpl
    def haltline_register_functions(registry):
        registry.add_notifier(NotifierKind(name="odd", make=print, schema={"type": 7}, meaning="odd"))
    """
    shop.install("odd", source)
    first, second = (report(shop.load("odd"), "odd").error for _ in range(2))
    assert first is not None
    assert second is not None
    assert "is not a valid JSON Schema" in str(first)
    assert str(first) == str(second)
