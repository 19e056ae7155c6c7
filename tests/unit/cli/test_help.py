"""The help: what people read first."""

from importlib import import_module

import pytest
import typer

from haltline.cli.group import COMMANDS
from haltline.cli.operate import help_of

GROUPS = {
    "notify": ("test", "route"),
    "journal": ("tail", "export", "verify"),
    "capsule": ("make", "replay", "to-test", "show"),
}
LEAVES = [
    *(name for name in COMMANDS if name not in GROUPS),
    *(f"{group} {name}" for group, names in GROUPS.items() for name in names),
]


def test_no_words_show_the_help(terminal):
    ran = terminal()
    assert ran.code == 0
    assert "haltline demo" in ran.out


def test_help_lists_every_command_with_its_meaning(terminal):
    out = terminal("--help").out
    for name, entry in COMMANDS.items():
        assert f"  {name} " in out
        assert entry.meaning in out


def test_version_is_printed(terminal):
    assert terminal("--version").out.startswith("haltline ")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_what_the_command_says_of_itself(name):
    command = typer.main.get_command(import_module(f"haltline.cli.{COMMANDS[name].module}").app)
    if COMMANDS[name].module == "operate":
        command.help = help_of(name)  # one module for all of them
    assert (command.help or "").splitlines()[0] == COMMANDS[name].meaning


@pytest.mark.parametrize("name", LEAVES)
def test_help_of_every_command_has_examples_and_documents_its_json(terminal, name):
    ran = terminal(*name.split(), "--help")
    assert ran.code == 0
    assert f"Examples:\n    haltline {name}" in ran.out
    assert "JSON" in ran.out
    assert "--json" in ran.out
    assert "--plain" in ran.out


def test_a_mistyped_command_is_a_usage_error_with_a_suggestion(terminal):
    ran = terminal("chek")
    assert ran.code == 2
    assert "'check'" in ran.err
    assert ran.out == ""


def test_an_unknown_option_is_a_usage_error(terminal):
    ran = terminal("check", "--colour")
    assert ran.code == 2
    assert "--colour" in ran.err


def test_a_word_outside_a_choice_names_the_choices(terminal):
    ran = terminal("fields", "--sort", "verb")
    assert ran.code == 2
    assert "'verb' is not one of field, collection, function, action" in ran.err
