"""Rule files: what they mean when they are right, and what spans files."""

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from haltline.api.registry import Registry
from haltline.clock import NS_PER_S
from haltline.config.load import check_files, load_book
from haltline.config.settings import RuleBook, Setup
from haltline.errors import ConfigError, Problem
from haltline.model.rule import Comparison, Latch, OnUnknown, RuleMode, RuleSpec, Scope, Severity

RULE = "  - {id: %s, each: account, when: account.locked, then: [notify]}\n"


def write(path: Path, body: str) -> Path:
    path.write_text("version: 1\nrules:\n" + body)
    return path


def only(body: str, tmp_path: Path, registry: Registry) -> RuleSpec:
    [spec] = load_book([write(tmp_path / "rules.yaml", body)], registry, environ={}).rules
    return spec


def test_every_key_of_a_rule_is_bound(tmp_path: Path, registry: Registry) -> None:
    spec = only(
        """\
  - id: whole
    title: T
    why: W
    each: position
    where: position.symbol == "MNQ"
    when: not position.protected
    for: 1m30s
    clear: position.protected
    clear_for: 5s
    then: [{place_stop: {distance: "2 * position.average_price"}}, notify]
    on_clear: [notify]
    on_unknown: act
    latch: session
    cooldown: 5m
    max_fires: 3
    during: session
    except: ["12:00-13:00", mon-fri 15:00-15:30 America/Chicago]
    mode: off
    severity: critical
    labels: {team: no, desk: 7}
    runbook: https://wiki/stops
""",
        tmp_path,
        registry,
    )
    assert (spec.each, spec.where, spec.when) == (Scope.POSITION, 'position.symbol == "MNQ"', "not position.protected")
    assert (spec.for_ns, spec.clear_for_ns, spec.cooldown_ns) == (90 * NS_PER_S, 5 * NS_PER_S, 300 * NS_PER_S)
    assert (spec.on_unknown, spec.latch, spec.mode) == (OnUnknown.ACT, Latch.SESSION, RuleMode.OFF)
    assert (spec.severity, spec.max_fires, spec.labels) == (Severity.CRITICAL, 3, {"team": "no", "desk": "7"})
    assert spec.during == ("session",)
    assert spec.excluding == ("12:00-13:00", "mon-fri 15:00-15:30 America/Chicago")
    assert [(action.name, action.params) for action in spec.then] == [
        ("place_stop", {"distance": "2 * position.average_price"}), ("notify", {}),
    ]  # fmt: skip
    assert (spec.title, spec.why, spec.runbook, spec.clear) == ("T", "W", "https://wiki/stops", "position.protected")
    assert spec.places["when"].line == 8
    assert spec.places["then.0.distance"].line == 12


def test_defaults_are_the_restrictive_side(tmp_path: Path, registry: Registry) -> None:
    spec = only(RULE % "plain", tmp_path, registry)
    assert (spec.on_unknown, spec.latch, spec.mode) == (OnUnknown.BLOCK, Latch.CLEAR, RuleMode.LIVE)


@pytest.mark.parametrize(
    ("written", "threshold"),
    [("1000", 1000.0), ("80%", 0.8), ("30m", 1800.0), ("0.5", 0.5), ("account.equity / 2", "account.equity / 2")],
)
def test_a_threshold_is_a_number_a_share_a_duration_or_an_expression(
    written: str, threshold: float | str, tmp_path: Path, registry: Registry
) -> None:
    body = f"  - {{id: r, each: account, limit: {{value: account.margin_used, max: {written}}}, then: [notify]}}\n"
    limit = only(body, tmp_path, registry).limit
    assert limit is not None
    assert (limit.comparison, limit.threshold, limit.warn) == (Comparison.MAX, threshold, None)


def test_a_warning_notifies_unless_told_otherwise(tmp_path: Path, registry: Registry) -> None:
    body = "  - {id: r, each: account, limit: {value: account.day.loss, at: 9, warn: 0.5}, then: [flatten]}\n"
    spec = only(body, tmp_path, registry)
    assert spec.limit is not None
    assert (spec.limit.warn, [action.name for action in spec.warn_then]) == (0.5, ["notify"])


def test_a_ladder_binds_its_rungs(tmp_path: Path, registry: Registry) -> None:
    body = (
        "  - id: r\n    each: account\n    limit:\n      value: account.equity\n      steps:\n"
        "        - {down_to: 900, then: [notify]}\n        - {down_to: 600, then: [flatten]}\n"
    )
    limit = only(body, tmp_path, registry).limit
    assert limit is not None
    assert limit.comparison is Comparison.DOWN_TO
    assert [(step.threshold, step.then[0].name) for step in limit.steps] == [(900.0, "notify"), (600.0, "flatten")]


def test_a_range_has_two_ends(tmp_path: Path, registry: Registry) -> None:
    body = "  - {id: r, each: account, limit: {value: account.leverage, range: [-1, 3]}, then: [notify]}\n"
    limit = only(body, tmp_path, registry).limit
    assert limit is not None
    assert (limit.low, limit.high, limit.threshold) == (-1.0, 3.0, None)


def test_a_streak_of_losses_may_be_negative(tmp_path: Path, registry: Registry) -> None:
    body = "  - {id: r, each: account, limit: {value: account.loss_streak, max: -1}, then: [notify]}\n"
    assert only(body, tmp_path, registry).id == "r"


def test_the_environment_can_set_a_limit(tmp_path: Path, registry: Registry) -> None:
    body = "  - {id: r, each: account, limit: {value: account.day.loss, at: '${MAX_LOSS}'}, then: [notify]}\n"
    book = load_book([write(tmp_path / "rules.yaml", body)], registry, environ={"MAX_LOSS": "750"})
    limit = book.rules[0].limit
    assert limit is not None
    assert limit.threshold == 750.0


def test_definitions_keep_their_places(tmp_path: Path, registry: Registry) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("version: 1\ndefine:\n  account.risk: account.day.loss / account.equity\nrules: []\n")
    [definition] = load_book([path], registry, environ={}).definitions
    assert (definition.name, definition.text) == ("account.risk", "account.day.loss / account.equity")
    assert definition.place is not None
    assert (definition.place.line, definition.place.column) == (3, 17)


@pytest.mark.parametrize("body", ["  day.risk: 1\n", "  account.risk:\n", "  account.Risk: 1\n"])
def test_a_definition_needs_a_name_under_a_scope_and_a_value(body: str, tmp_path: Path, registry: Registry) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(f"version: 1\ndefine:\n{body}rules: []\n")
    with pytest.raises(ConfigError, match=r"\[E20[26]\]"):
        load_book([path], registry, environ={})


def test_the_same_id_in_two_files_names_both_places(tmp_path: Path, registry: Registry) -> None:
    paths = [write(tmp_path / name, RULE % "twin") for name in ("a.yaml", "b.yaml")]
    with pytest.raises(ConfigError) as caught:
        load_book(paths, registry, environ={})
    [problem] = caught.value.problems
    assert problem.place is not None
    assert problem.place.file == str(paths[1])
    assert problem.what == f"the id 'twin' is already used at {paths[0]}:3:10"
    assert problem.excerpt.splitlines()[1].index("^") == 9


def test_a_template_rule_and_a_written_rule_cannot_share_an_id(tmp_path: Path, registry: Registry) -> None:
    body = "  - {use: starter/require-stop-loss, id: r}\n" + RULE % "r-warning"
    with pytest.raises(ConfigError, match=r"'r-warning' is already used at .* \[E401\]"):
        load_book([write(tmp_path / "rules.yaml", body)], registry, environ={})


def test_a_rule_may_suppress_one_that_is_broken_without_a_second_problem(tmp_path: Path, registry: Registry) -> None:
    body = (
        "  - {id: a, each: account, when: account.locked, then: [notify], suppresses: [b]}\n"
        "  - {id: b, each: account, when: account.locked, then: [notfy]}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_book([write(tmp_path / "rules.yaml", body)], registry, environ={})
    assert [problem.code for problem in caught.value.problems] == ["E402"]


def test_a_folder_stands_for_its_files_without_tests_of_rules(tmp_path: Path, registry: Registry) -> None:
    write(tmp_path / "a.yaml", RULE % "a")
    write(tmp_path / "b.yml", RULE % "b")
    (tmp_path / "a.test.yaml").write_text("tests: []\n")
    (tmp_path / ".hidden.yaml").write_text("nonsense: [")
    assert [spec.id for spec in load_book([tmp_path], registry, environ={}).rules] == ["a", "b"]


def test_the_digest_is_of_what_rules_say_not_of_their_layout(tmp_path: Path, registry: Registry) -> None:
    def digest(body: str) -> str:
        return load_book([write(tmp_path / "rules.yaml", body)], registry, environ={}).digest

    first = digest(RULE % "a")
    assert digest("\n# a comment\n" + RULE % "a") == first
    assert digest(RULE % "b") != first


def test_the_meaning_of_sound_rules_is_checked_even_beside_broken_ones(tmp_path: Path, registry: Registry) -> None:
    seen: list[tuple[Setup | None, list[str]]] = []

    def meaning(setup: Setup | None, book: RuleBook) -> Sequence[Problem]:
        seen.append((setup, [str(spec.id) for spec in book.rules]))
        return [Problem(code="E305", what="found later", place=book.rules[0].places["when"])]

    body = RULE % "good" + "  - {id: bad, each: acount, when: x, then: [notify]}\n"
    path = write(tmp_path / "rules.yaml", body)
    found = check_files([path], registry, environ={}, meaning=meaning)
    assert seen == [(None, ["good"])]
    assert [problem.code for problem in found] == ["E305", "E205"]
    assert found[0].excerpt.splitlines()[1].index("^") == found[0].place.column - 1 if found[0].place else False


def test_rule_files_are_checked_with_the_set_up_beside_them(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "haltline.yaml").write_text("version: 1\naccounts: {eval: {broker: paper}}\nrules: rules.yaml\n")
    write(tmp_path / "rules.yaml", RULE % "a")
    write(tmp_path / "more.yaml", RULE % "b")
    seen: list[tuple[bool, list[str]]] = []

    def meaning(setup: Setup | None, book: RuleBook) -> Sequence[Problem]:
        seen.append((setup is not None, sorted(str(spec.id) for spec in book.rules)))
        return []

    assert check_files([tmp_path], registry, environ={}, meaning=meaning) == []
    assert seen == [(True, ["a", "b"])]


def test_the_starter_pack_is_checked_well_under_a_third_of_a_second(registry: Registry) -> None:
    folder = Path(__file__).parents[3] / "rules" / "starter" / "src" / "haltline_rules_starter"
    check_files([folder], registry, environ={})
    started = time.process_time()
    check_files([folder], registry, environ={})
    assert time.process_time() - started < 0.3


@pytest.mark.long
def test_a_rule_file_of_half_a_megabyte_is_checked_within_seconds(tmp_path: Path, registry: Registry) -> None:
    path = write(tmp_path / "big.yaml", "".join(RULE % f"rule-{n}" for n in range(8_000)))
    assert path.stat().st_size > 500_000
    started = time.process_time()
    assert len(load_book([path], registry, environ={}).rules) == 8_000
    assert time.process_time() - started < 30
