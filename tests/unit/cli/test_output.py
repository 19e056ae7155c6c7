"""Where words go, and in which dress."""

import io
import json
from decimal import Decimal
from pathlib import Path

import pytest

from haltline.cli.output import Output, encode


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def ordinary_terminal(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def test_a_terminal_gets_colours():
    stream = Terminal()
    Output(stream=stream).say("hello", style="red")
    assert "\x1b[" in stream.getvalue()


def test_a_file_gets_none():
    stream = io.StringIO()
    output = Output(stream=stream)
    output.say("hello", style="red")
    assert stream.getvalue() == "hello\n"
    assert output.plain


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_the_environment_can_ask_for_plain(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    stream = Terminal()
    output = Output(stream=stream)
    output.say("hello", style="red")
    assert output.plain
    assert "\x1b[" not in stream.getvalue()


def test_plain_gives_up_characters_that_some_terminals_break():
    assert Output(stream=Terminal()).unicode
    assert not Output(stream=Terminal(), plain=True).unicode


def test_square_brackets_are_shown_as_they_are():
    stream = io.StringIO()
    Output(stream=stream).say("[E201] and [bold]")
    assert stream.getvalue() == "[E201] and [bold]\n"


def test_long_lines_are_not_broken():
    stream = io.StringIO()
    Output(stream=stream).say("x" * 500)
    assert stream.getvalue() == "x" * 500 + "\n"


def test_json_mode_says_nothing_else():
    stream = io.StringIO()
    output = Output(json=True, stream=stream)
    output.say("hello")
    output.show("hello")
    output.emit({"a": 1})
    assert stream.getvalue() == '{"a":1}\n'


def test_what_json_cannot_hold_becomes_null_or_text():
    found = json.loads(encode({"nan": float("nan"), "money": Decimal("1.50"), "path": Path("a/b")}))
    assert found == {"nan": None, "money": "1.50", "path": "a/b"}
