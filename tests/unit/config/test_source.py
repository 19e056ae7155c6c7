"""YAML with places: what is kept, and what is refused."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haltline.config.source import MAX_BYTES, ListNode, MappingNode, Node, ScalarNode, compose, read_source
from haltline.errors import ConfigError


def scalar(text: str) -> ScalarNode:
    node = compose(f"key: {text}\n", "f.yaml")
    assert isinstance(node, MappingNode)
    value = node.entries["key"]
    assert isinstance(value, ScalarNode)
    return value


def codes_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        compose(text, "f.yaml")
    return [problem.code for problem in caught.value.problems]


def test_every_key_and_value_knows_its_line_and_column() -> None:
    node = compose("a: 1\nb:\n  - x\n  - {c: y}\n", "f.yaml")
    assert isinstance(node, MappingNode)
    items = node.entries["b"]
    assert isinstance(items, ListNode)
    inner = items.items[1]
    assert isinstance(inner, MappingNode)
    assert str(node.keys["b"]) == "f.yaml:2:1"
    assert str(items.items[0].place) == "f.yaml:3:5"
    assert str(inner.keys["c"]) == "f.yaml:4:6"
    assert str(inner.entries["c"].place) == "f.yaml:4:9"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5), ("-5", -5), ("0.25", 0.25), ("1e3", 1000.0), (".5", 0.5), ("true", True), ("False", False),
        ("~", None), ("", None),
        ("'5'", "5"), ("no", "no"), ("off", "off"), ("17:00", "17:00"), ("1:30", "1:30"), ("010", "010"),
        ("1_000", "1_000"), ("2025-05-06", "2025-05-06"), ("0x10", "0x10"), ("!!str 5", "5"), ("80%", "80%"),
    ],
)  # fmt: skip
def test_a_plain_word_is_a_number_or_a_switch_only_where_it_can_mean_nothing_else(text: str, value: object) -> None:
    found = scalar(text).value
    assert (type(found), found) == (type(value), value)


def test_a_scalar_keeps_the_text_it_was_written_with() -> None:
    assert scalar("50000.10").text == "50000.10"


def test_all_duplicate_keys_of_a_file_are_reported() -> None:
    assert codes_of("a: 1\na: 2\nb: {c: 1, c: 2}\n") == ["E108", "E108"]


def test_merge_keys_fill_in_what_is_not_given() -> None:
    node = compose("base: &b {x: 1, y: 2}\nown:\n  <<: *b\n  y: 3\n", "f.yaml")
    assert isinstance(node, MappingNode)
    own = node.entries["own"]
    assert isinstance(own, MappingNode)
    assert {key: value.value for key, value in own.entries.items() if isinstance(value, ScalarNode)} == {"x": 1, "y": 3}


def test_an_alias_to_itself_is_unknown() -> None:
    assert codes_of("a: &a [*a]\n") == ["E112"]


def test_a_hundred_thousand_open_brackets_are_refused_at_once() -> None:
    started = time.process_time()
    assert codes_of("a: " + "[" * 100_000) == ["E111"]
    assert time.process_time() - started < 1


def test_a_bomb_of_merge_keys_is_refused() -> None:
    lines = ["a0: &a0 {" + ", ".join(f"k{i}: 1" for i in range(200)) + "}"]
    lines += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 20) + "]" for n in range(1, 6)]
    assert codes_of("\n".join(lines)) == ["E110"]


def test_a_rule_file_of_two_megabytes_is_refused_with_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    path.write_text("version: 1\nrules:\n" + "  - {id: x, each: account}\n" * 80_000)
    started = time.process_time()
    with pytest.raises(ConfigError) as caught:
        read_source(path, shown="big.yaml")
    assert time.process_time() - started < 0.5
    assert str(caught.value) == (
        f"big.yaml:1:1: the file has {path.stat().st_size:,} bytes, the limit is {MAX_BYTES:,}; "
        "split it into several rule files; files that people write are far smaller [E102]"
    )


def test_a_missing_file_is_a_problem_at_its_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file; check the path .* \[E101\]"):
        read_source(tmp_path / "nothing.yaml")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_or_a_device_in_place_of_a_file_is_a_problem_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    for name in ("pipe.yaml", "zero.yaml"):
        with pytest.raises(ConfigError, match=r"cannot read it: it is a pipe or a device, and no file; .* \[E101\]"):
            read_source(tmp_path / name)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="shells name no pipes here")
def test_a_pipe_that_a_shell_made_is_read(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"version: 1\n")
    os.close(writing)
    try:
        assert read_source(Path(f"/dev/fd/{reading}")).text == "version: 1\n"
    finally:
        os.close(reading)


def test_a_link_that_leads_to_itself_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    with pytest.raises(ConfigError, match=r"\[E101\]"):
        read_source(tmp_path / "loop.yaml")


def test_a_folder_in_place_of_a_file_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read it: Is a directory.* \[E101\]"):
        read_source(tmp_path)


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbfversion: 1\r\nrules: []\r\n")
    root = read_source(path).root
    assert isinstance(root, MappingNode)
    assert list(root.entries) == ["version", "rules"]


def test_a_utf_16_file_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "wide.yaml"
    path.write_text("version: 1\n", encoding="utf-16")
    with pytest.raises(ConfigError, match=r"is not UTF-8; save the file as UTF-8 \[E103\]"):
        read_source(path)


def test_a_syntax_problem_shows_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("a: [1\nb: 2\n")
    with pytest.raises(ConfigError) as caught:
        read_source(path)
    assert caught.value.problems[0].excerpt == "a: [1\n   ^"


@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>'\"%@#,? \n\t0.1"), max_size=60))
@settings(deadline=None, max_examples=300)
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    try:
        node: Node | None = compose(text, "f.yaml")
    except ConfigError as error:
        node = None
        assert all(problem.place is not None and problem.code.startswith("E1") for problem in error.problems)
    assert node is None or node.size >= 1
