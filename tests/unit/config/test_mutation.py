"""Whatever a person writes in place of something right: a problem, never a crash."""

import copy
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haltline.api.registry import Registry
from haltline.compose.kernel import meaning_problems
from haltline.config.load import check_files

RULES = """\
version: 1
define: {account.used: account.day.loss / 2}
rules:
  - id: a
    each: account
    where: account.id != "x"
    limit: {value: account.day.loss, at: 1000, warn: 80%}
    then: [flatten, {lock: {until: next_session}}]
    for: 5s
    labels: {a: b}
    during: [session]
    suppresses: [b]
  - id: b
    each: position
    limit: {value: position.quantity, steps: [{at: 1, then: [notify]}, {at: 2, then: [{reduce_to: {quantity: 1}}]}]}
  - id: c
    each: account
    limit: {value: account.leverage, range: [1, 3]}
    then: [notify]
    max_fires: 2
  - use: starter/max-contracts-per-instrument
    id: d
    with: {limit: 5, action: close}
    override: [{account: eval, with: {limit: 1}}, {symbol: MNQ, with: {limit: 2}}]
    title: Mine
"""
SETUP = """\
version: 1
mode: shadow
store: {path: x.db}
stale_after: 5s
accounts: {eval: {broker: paper, balance: 5, zone: UTC, roll: "17:00", labels: {a: b}}}
brokers: {sim: {kind: paper, required: true, config: {latency_ms: 5}}}
channels: {c: {kind: console, severities: [info]}}
instruments: {X: {tick_size: 1, tick_value: 1, aliases: [y], expiry: 2025-12-19T15:00:00-06:00, margin_fraction: 5%}}
plugins: [a, {name: b}]
"""
TEMPLATE = """\
version: 1
template: cap
title: At most ${{ inputs.limit }}
inputs:
  limit: {type: quantity, above: 0, at_most: 100, meaning: m}
  list: {type: list, default: [a], meaning: m}
  word: {type: text, choices: [a, b], default: a, meaning: m}
constraints: [{check: inputs.limit > 0, message: m}]
rules:
  - id: ${{ id }}
    if: inputs.word == "a"
    each: position
    limit: {value: position.quantity, max: "${{ inputs.limit }}"}
    then: [notify]
"""
DOCUMENTS = {name: yaml.load(text, Loader=yaml.BaseLoader) for name, text in
             {"rules": RULES, "haltline": SETUP, "cap": TEMPLATE}.items()}  # fmt: skip
SCALARS = st.sampled_from(
    ["", "~", "yes", "5", "-1", "1e400", "80%", "5m", "17:00", "x y", "notify", "a", "${{ id }}", "${{ inputs.limit }}",
     "${{ x }}", "${NO}", "((", "account.equity > 5", "inputs.limit", "true", "0x1", "*"]
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from(["id", "use", "then", "kind", "value", "at", "x"]), inner),
    ),
    max_leaves=4,
)


def paths_of(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in items for found in paths_of(item, (*path, key)))]


def replaced(document: object, path: tuple[object, ...], value: object) -> object:
    if not path:
        return value
    result = copy.deepcopy(document)
    inner = result
    for step in path[:-1]:
        inner = inner[step]  # type: ignore[index]
    if value is None:
        del inner[path[-1]]  # type: ignore[attr-defined]
    else:
        inner[path[-1]] = value  # type: ignore[index]
    return result


@pytest.mark.parametrize("name", DOCUMENTS)
@given(data=st.data())
@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_file_gives_problems_with_codes_and_never_a_crash(
    name: str, data: st.DataObject, registry: Registry
) -> None:
    document = DOCUMENTS[name]
    changed = replaced(document, data.draw(st.sampled_from(paths_of(document))), data.draw(st.none() | VALUES))
    text = yaml.safe_dump(changed).replace("'", "") if data.draw(st.booleans()) else yaml.safe_dump(changed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.yaml"
        path.write_text(text)
        found = check_files(
            [path], registry, environ={}, meaning=lambda setup, book: meaning_problems(setup, book, registry)
        )
    assert all(problem.place is not None for problem in found if problem.code < "E450")


@pytest.mark.parametrize(("name", "text"), [("rules", RULES), ("haltline", SETUP), ("cap", TEMPLATE)])
def test_the_unchanged_files_are_fine(name: str, text: str, tmp_path: Path, registry: Registry) -> None:
    path = tmp_path / f"{name}.yaml"
    path.write_text(text)
    found = check_files(
        [path], registry, environ={}, meaning=lambda setup, book: meaning_problems(setup, book, registry)
    )
    assert found == []
