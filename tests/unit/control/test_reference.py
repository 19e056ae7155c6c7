"""The reference of names."""

from haltline.control.reference import SHAPES, reference
from haltline.expr.stdlib import BUILTINS, NAMES
from haltline.plugins.load import load_plugins


def entries():
    return {(entry.sort, entry.name): entry for entry in reference(load_plugins().registry)}


def test_every_function_of_the_language_is_in_the_reference():
    assert set(NAMES) <= {*SHAPES, *BUILTINS}
    assert {("function", name) for name in NAMES} <= set(entries())


def test_every_entry_has_a_meaning():
    assert [key for key, entry in entries().items() if not entry.meaning] == []


def test_registered_things_name_their_plugin():
    assert entries()["action", "flatten"].origin == "builtins"
