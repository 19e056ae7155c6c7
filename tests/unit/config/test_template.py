"""Templates: typed inputs, holes, conditions, overrides."""

from pathlib import Path

import pytest

from haltline.api.registry import Registry, RulePack
from haltline.builtins import plugin
from haltline.config.load import check_files, load_book
from haltline.config.settings import RuleBook
from haltline.errors import ConfigError
from haltline.model.rule import RuleMode, RuleSpec, Severity

TEMPLATE = """\
version: 1
template: cap
title: At most ${{ inputs.limit }} of ${{ inputs.symbols }}
inputs:
  limit: {type: quantity, above: 0, meaning: The largest size}
  share: {type: fraction, default: 80%, meaning: When to warn}
  hold: {type: duration, default: 90s, meaning: How long}
  symbols: {type: list, default: [MNQ, ES], meaning: Which symbols}
  loud: {type: bool, default: false, meaning: Whether it is urgent}
  tone: {type: enum, choices: [info, critical], default: info, meaning: How loud}
  at: {type: time_of_day, default: "17:00", meaning: When}
constraints:
  - {check: inputs.limit <= 100, message: the limit is above the house limit}
rules:
  - id: ${{ id }}
    each: position
    where: position.symbol in inputs.symbols
    limit: {value: abs(position.quantity), max: "${{ inputs.limit }}", warn: "${{ inputs.share }}"}
    for: ${{ inputs.hold }}
    then: [{reduce_to: {quantity: inputs.limit}}]
    severity: ${{ inputs.tone }}
  - id: ${{ id }}-loud
    if: inputs.loud and inputs.tone == "critical"
    each: position
    when: abs(position.quantity) > 2 * inputs.limit
    then: [notify]
    suppresses: ["${{ id }}"]
"""


@pytest.fixture
def pack(tmp_path: Path) -> Registry:
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "cap.yaml").write_text(TEMPLATE)
    registry = Registry()
    plugin.haltline_register_actions(registry)
    registry.add_rule_pack(RulePack(name="house", folder=folder))
    return registry


def load(use: str, pack: Registry, tmp_path: Path) -> RuleBook:
    path = tmp_path / "rules.yaml"
    path.write_text(f"version: 1\nrules:\n  - use: house/cap\n    id: size\n{use}")
    return load_book([path], pack, environ={})


def rules(use: str, pack: Registry, tmp_path: Path) -> dict[str, RuleSpec]:
    return {str(spec.id): spec for spec in load(use, pack, tmp_path).rules}


def problems(use: str, pack: Registry, tmp_path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(use, pack, tmp_path)
    return [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems]


def test_inputs_fill_the_holes_and_are_constants_of_expressions(pack: Registry, tmp_path: Path) -> None:
    found = rules("    with: {limit: 5, hold: 2m}\n", pack, tmp_path)
    assert list(found) == ["size"]
    spec = found["size"]
    assert spec.limit is not None
    assert (spec.limit.threshold, spec.limit.warn, spec.for_ns) == (5.0, 0.8, 120_000_000_000)
    assert spec.title == "At most 5 of MNQ, ES"
    assert spec.then[0].params == {"quantity": 5.0}
    assert spec.constants == {
        "inputs.limit": 5.0, "inputs.share": 0.8, "inputs.hold": 120.0, "inputs.symbols": ("MNQ", "ES"),
        "inputs.loud": False, "inputs.tone": "info", "inputs.at": "17:00",
    }  # fmt: skip


def test_a_rule_with_a_condition_is_there_only_when_it_holds(pack: Registry, tmp_path: Path) -> None:
    found = rules("    with: {limit: 5, loud: true, tone: critical}\n", pack, tmp_path)
    assert list(found) == ["size", "size-loud"]
    assert found["size-loud"].suppresses == ("size",)
    assert found["size"].severity is Severity.CRITICAL


def test_keys_of_the_use_entry_replace_those_of_the_template(pack: Registry, tmp_path: Path) -> None:
    use = (
        "    with: {limit: 5}\n    title: Mine\n    mode: off\n    then: [notify]\n    where: position.side == 'long'\n"
    )
    spec = rules(use, pack, tmp_path)["size"]
    assert (spec.title, spec.mode, spec.then[0].name) == ("Mine", RuleMode.OFF, "notify")
    assert spec.where == "(position.symbol in inputs.symbols) and (position.side == 'long')"


def test_overrides_are_rules_of_their_own_with_disjoint_filters(pack: Registry, tmp_path: Path) -> None:
    use = (
        "    with: {limit: 5}\n    override:\n      - {account: eval, symbol: MNQ, with: {limit: 9}}\n"
        "      - {account: eval, with: {limit: 1}}\n"
    )
    found = rules(use, pack, tmp_path)
    thresholds = {name: spec.limit.threshold for name, spec in found.items() if spec.limit is not None}
    assert thresholds == {"size": 5.0, "size@eval/MNQ": 9.0, "size@eval": 1.0}
    base = "(position.symbol in inputs.symbols)"
    both = 'position.account == "eval" and position.symbol == "MNQ"'
    assert found["size"].where == f'{base} and (not ({both})) and (not (position.account == "eval"))'
    assert found["size@eval/MNQ"].where == f"{base} and ({both})"
    assert found["size@eval"].where == f'{base} and (position.account == "eval") and (not ({both}))'


def test_a_rule_that_suppresses_a_base_id_suppresses_its_overrides(pack: Registry, tmp_path: Path) -> None:
    use = (
        "    with: {limit: 5}\n    override: [{account: eval, with: {limit: 1}}]\n"
        "  - {id: first, each: account, when: account.locked, then: [notify], suppresses: [size]}\n"
    )
    assert rules(use, pack, tmp_path)["first"].suppresses == ("size", "size@eval")


def test_a_wrong_input_is_shown_where_the_user_wrote_it(pack: Registry, tmp_path: Path) -> None:
    assert problems("    with: {limit: 0, share: 80, hold: 5, loud: yes, symbols: MNQ, at: 5pm}\n", pack, tmp_path) == [
        "rules.yaml:5:19: rule 'size': limit: the number 0 is out of range; it must be above 0 [E410]",
        "rules.yaml:5:29: rule 'size': share: expected a fraction such as 80%, found the number 80; write 80% [E409]",
        "rules.yaml:5:39: rule 'size': hold: expected a duration such as 5m, found the number 5; "
        "say the unit: 5s, 5m or 5h [E409]",
        "rules.yaml:5:48: rule 'size': loud: expected true or false, found the text 'yes'; write true [E409]",
        "rules.yaml:5:62: rule 'size': symbols: expected a list, found the text 'MNQ'; write [MNQ] [E409]",
        "rules.yaml:5:71: rule 'size': at: expected a time of day, found the text '5pm'; "
        'write HH:MM in quotes: "17:00" [E409]',
    ]


def test_a_constraint_between_inputs_is_checked_for_every_override(pack: Registry, tmp_path: Path) -> None:
    found = problems("    with: {limit: 5}\n    override: [{account: a, with: {limit: 101}}]\n", pack, tmp_path)
    assert found == [
        "rules.yaml:6:16: rule 'size': the limit is above the house limit; keep to inputs.limit <= 100 [E411]"
    ]


def test_a_problem_inside_the_template_is_shown_at_the_use_with_the_template_beside_it(
    pack: Registry, tmp_path: Path
) -> None:
    broken = tmp_path / "pack" / "cap.yaml"
    broken.write_text(TEMPLATE.replace("then: [notify]", "then: [notfy]"))
    found = problems("    with: {limit: 5, loud: true, tone: critical}\n", pack, tmp_path)
    assert found == [
        "rules.yaml:3:5: rule 'size-loud' (template 'house/cap', pack/cap.yaml:26:12): unknown action 'notfy'; "
        "did you mean 'notify'? [E402]"
    ]


def test_a_template_is_checked_by_itself_with_every_choice(pack: Registry, tmp_path: Path) -> None:
    assert check_files([tmp_path / "pack"], pack, environ={}) == []
    (tmp_path / "pack" / "cap.yaml").write_text(TEMPLATE.replace("inputs.loud and", "inputs.lound and"))
    [problem] = check_files([tmp_path / "pack"], pack, environ={})
    assert problem.code == "E430"
    assert problem.what.endswith("'inputs.lound' is not declared under 'inputs'")


def test_a_hole_inside_an_expression_is_refused(pack: Registry, tmp_path: Path) -> None:
    text = TEMPLATE.replace("2 * inputs.limit", "2 * ${{ inputs.limit }}")
    text = text.replace('inputs.loud and inputs.tone == "critical"', "true")
    (tmp_path / "pack" / "cap.yaml").write_text(text)
    [problem] = check_files([tmp_path / "pack"], pack, environ={})
    assert (problem.code, problem.cure) == ("E430", "write the input as a name: inputs.limit")
