"""`haltline init`."""

import pytest

from haltline.cli.init import BLUEPRINT


def test_it_writes_what_it_lists(terminal, tmp_path):
    ran = terminal("init", str(tmp_path / "desk"))
    assert ran.code == 0
    for name in BLUEPRINT:
        assert (tmp_path / "desk" / name).is_file()
        assert name in ran.out


def test_what_it_writes_passes_check_and_test(terminal, tmp_path):
    terminal("init", str(tmp_path))
    checked = terminal("check", str(tmp_path))
    assert checked.out == "no problems in 3 files\n"
    tested = terminal("test", str(tmp_path))
    assert tested.code == 0
    assert "2 passed, 0 failed" in tested.out


def test_it_refuses_to_overwrite_and_changes_nothing(terminal, tmp_path):
    (tmp_path / "haltline.yaml").write_text("mine")
    ran = terminal("init", str(tmp_path))
    assert ran.code == 1
    assert "--force" in ran.err
    assert "[E901]" in ran.err
    assert (tmp_path / "haltline.yaml").read_text() == "mine"
    assert not (tmp_path / "rules").exists()


def test_it_overwrites_when_forced(terminal, tmp_path):
    (tmp_path / "haltline.yaml").write_text("mine")
    assert terminal("init", str(tmp_path), "--force").code == 0
    assert "version: 1" in (tmp_path / "haltline.yaml").read_text()


@pytest.mark.parametrize("options", [(), ("--force",)])
def test_an_existing_gitignore_is_left_alone(terminal, tmp_path, options):
    (tmp_path / ".gitignore").write_text("mine")
    assert terminal("init", str(tmp_path), *options).code == 0
    assert (tmp_path / ".gitignore").read_text() == "mine"


def test_json_lists_the_files(terminal, tmp_path):
    assert terminal("init", str(tmp_path), "--json").json == {
        "ok": True,
        "folder": str(tmp_path),
        "files": list(BLUEPRINT),
    }
