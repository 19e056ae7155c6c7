"""What the shell offers at Tab."""

import os
import shutil
import subprocess
import sys

import pytest

from haltline.cli.completion import accounts, names, of_set_up

PROGRAM = 'import sys; sys.argv[0] = "haltline"; from haltline.cli.main import main; main()'


def test_fields_functions_and_codes_are_offered():
    offered = {name for name, _ in names("")}
    assert {"account.day.loss", "max_over", "E201"} <= offered


def test_only_what_begins_so_is_offered():
    assert {name for name, _ in names("account.day.lo")} == {"account.day.loss"}


def test_rules_and_accounts_of_the_set_up_here_are_offered(terminal, tmp_path, monkeypatch):
    terminal("init", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert "daily-loss" in {name for name, _ in names("dai")}
    assert accounts("e") == [("eval", "account at paper")]


def test_without_a_set_up_there_are_no_accounts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert accounts("") == []


def test_a_broken_set_up_breaks_nothing(tmp_path, monkeypatch):
    (tmp_path / "haltline.yaml").write_text("a: [")
    monkeypatch.chdir(tmp_path)
    assert accounts("") == []
    assert names("E201") == [("E201", names("E201")[0][1])]


def test_commands_of_operators_offer_what_the_set_up_can_tell(terminal, tmp_path, monkeypatch):
    terminal("init", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    offered = [
        [name for name, _ in of_set_up(command, words, text)]
        for command, words, text in (
            ("lock", (), "e"), ("why", (), "dai"), ("why", ("daily-loss",), ""), ("pnl", (), "w"), ("status", (), ""),
            ("lock", ("eval", "1h"), "e"), ("no-such-command", (), ""), ("positions", ("eval", "x", "y"), ""),
        )
    ]  # fmt: skip
    assert offered == [["eval"], ["daily-loss"], ["eval"], ["week"], ["eval"], [], [], []]


@pytest.mark.long
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_is_offered_commands_rules_and_accounts(terminal, tmp_path, shell):
    """As the shell's own script asks: by the environment, with the program itself."""
    terminal("init", str(tmp_path))
    assert "explain" in asked(tmp_path, shell, "haltline expl")
    assert "daily-loss" in asked(tmp_path, shell, "haltline explain dai")
    assert "eval" in asked(tmp_path, shell, "haltline explain daily-loss e")
    assert "eval" in asked(tmp_path, shell, "haltline lock e")


@pytest.mark.long
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_script_for_bash_completes_in_bash_itself(terminal, tmp_path):
    terminal("init", str(tmp_path))
    program = tmp_path / "haltline"
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{PROGRAM}' \"$@\"\n")
    program.chmod(0o755)
    script = asked(tmp_path, "bash", "", task="source")
    line = 'COMP_WORDS=(haltline explain dai); COMP_CWORD=2; _haltline_completion haltline; echo "${COMPREPLY[@]}"'
    done = subprocess.run(
        ["bash", "-c", f"{script}\n{line}"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.stdout.split() == ["daily-loss"], done.stderr


def asked(folder, shell: str, line: str, *, task: str = "complete") -> str:
    """What the program answers to a shell."""
    words = line.split(" ")
    typed = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    typed |= {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | typed | {"_HALTLINE_COMPLETE": f"{task}_{shell}"},
    )  # fmt: skip
    return done.stdout
