"""References: resolved, missing, and never shown."""

from pathlib import Path

import pytest

from haltline.api.registry import Registry
from haltline.config.finding import Findings
from haltline.config.load import load_setup
from haltline.config.reference import References, Secret
from haltline.errors import ConfigError, Place

PLACE = Place(file="f.yaml")


def resolved(text: str, environ: dict[str, str], directory: Path = Path()) -> tuple[str | None, list[str]]:
    findings = Findings()
    found = References(environ, directory, findings)(text, PLACE)
    return found, [problem.code for problem in findings.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${KEY}", "s3cret"), ("a-${KEY}-b", "a-s3cret-b"), ("${NO:-5}", "5"), ("${EMPTY:-5}", "5"), ("${NO:-}", ""),
        ("plain", "plain"), ("$5 and {x}", "$5 and {x}"), ("${{ inputs.x }}", "${{ inputs.x }}"),
    ],
)  # fmt: skip
def test_references_are_replaced(text: str, value: str) -> None:
    assert resolved(text, {"KEY": "s3cret", "EMPTY": ""}) == (value, [])


@pytest.mark.parametrize(
    ("text", "code"), [("${NO}", "E117"), ("${EMPTY}", "E117"), ("${a b}", "E119"), ("${x", "E119")]
)
def test_what_cannot_be_resolved_is_a_problem(text: str, code: str) -> None:
    assert resolved(text, {"EMPTY": ""}) == (None, [code])


def test_a_file_is_read_relative_to_the_set_up_and_stripped(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    assert resolved("${file:token}", {}, tmp_path) == ("s3cret", [])


def test_a_huge_file_is_not_a_secret(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x" * 70_000)
    assert resolved("${file:token}", {}, tmp_path) == (None, ["E118"])


def test_a_secret_is_usable_as_text_and_hidden_when_printed() -> None:
    secret = Secret("s3cret")
    assert f"Bearer {secret}" == "Bearer s3cret"
    assert repr({"token": secret}) == "{'token': ***}"


def test_a_secret_in_a_config_reaches_the_plugin_and_no_repr(tmp_path: Path, registry: Registry) -> None:
    path = tmp_path / "haltline.yaml"
    path.write_text('version: 1\nchannels:\n  log: {kind: jsonl, config: {path: "${WHERE}"}}\n')
    setup = load_setup(path, registry, environ={"WHERE": "s3cret"})
    assert setup.channels[0].config["path"] == "s3cret"
    assert "s3cret" not in repr(setup)


def test_a_referenced_number_takes_the_type_the_schema_wants(tmp_path: Path, registry: Registry) -> None:
    path = tmp_path / "haltline.yaml"
    path.write_text(
        'version: 1\naccounts: {eval: {broker: sim, balance: "${BALANCE}"}}\n'
        'brokers: {sim: {kind: paper, config: {latency_ms: "${LATENCY}", check_margin: "${CHECK}"}}}\n'
        'channels: {log: {kind: jsonl, config: {path: "${DIGITS}"}}}\n'
    )
    environ = {"BALANCE": "50000.10", "LATENCY": "20", "CHECK": "false", "DIGITS": "0123"}
    setup = load_setup(path, registry, environ=environ)
    assert str(setup.accounts[0].balance) == "50000.10"
    assert setup.brokers[0].config == {"latency_ms": 20, "check_margin": False}
    assert setup.channels[0].config == {"path": "0123"}


def test_no_message_shows_a_referenced_value(tmp_path: Path, registry: Registry) -> None:
    path = tmp_path / "haltline.yaml"
    path.write_text(
        'version: 1\nmode: "${S}"\naccounts: {eval: {broker: "${S}", balance: "${S}", zone: "${S}", roll: "${S}"}}\n'
        'brokers: {sim: {kind: paper, config: {latency_ms: "${S}"}}, other: {kind: "${S}"}}\n'
        'channels: {log: {kind: console, severities: ["${S}"]}}\nstore: {keep_quotes: "${S}"}\n'
        'instruments: {X: {expiry: "${S}", tick_size: "${S}", stale_after: "${S}"}}\nrules: "${S}"\n'
    )
    with pytest.raises(ConfigError) as caught:
        load_setup(path, registry, environ={"S": "s3cret"})
    assert len(caught.value.problems) >= 10
    assert "s3cret" not in repr(caught.value.problems) + str(caught.value)


def test_a_missing_reference_is_one_problem_not_two(tmp_path: Path, registry: Registry) -> None:
    path = tmp_path / "haltline.yaml"
    path.write_text("version: 1\naccounts: {eval: {balance: '${NO}'}}\n")
    with pytest.raises(ConfigError) as caught:
        load_setup(path, registry, environ={})
    assert [problem.code for problem in caught.value.problems] == ["E117"]
