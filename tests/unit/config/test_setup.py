"""haltline.yaml: what it means when it is right."""

import dataclasses
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from haltline.api.broker import Capability
from haltline.api.registry import Registry
from haltline.config.cross import check_capabilities
from haltline.config.load import load_book, load_setup, named_plugins
from haltline.config.settings import PluginEntry, Setup
from haltline.errors import ConfigError
from haltline.model.account import MarkSource
from haltline.model.instrument import AssetClass
from haltline.model.rule import Severity

WHOLE = """\
version: 1
mode: shadow
store: {path: data/haltline.db}
stale_after: 15s
accounts:
  eval:
    {broker: paper, currency: USD, balance: 50000.10, calendar: CMES, zone: America/Chicago, roll: 17:00, mark: last,
     mode: live, labels: {firm: topstep, country: no, size: 50}}
  desk: {broker: sim}
brokers:
  sim: {kind: paper, required: false, config: {latency_ms: 5}}
channels:
  console: {kind: console, severities: [warning, critical]}
instruments:
  MNQ: {weight: 2}
  LAYERUSDT: {tick_size: 0.0001, tick_value: 0.0001, asset_class: perpetual, margin_fraction: 5%, aliases: [LAYER]}
rules: [rules/*.yaml]
plugins: [broker_x, {name: notify_y, required: true}]
"""


def load(text: str, folder: Path, registry: Registry) -> Setup:
    path = folder / "haltline.yaml"
    path.write_text(text)
    return load_setup(path, registry, environ={})


@pytest.fixture
def whole(tmp_path: Path, registry: Registry) -> Setup:
    (tmp_path / "rules").mkdir()
    for name in ("b.yaml", "a.yaml", "a.test.yaml"):
        (tmp_path / "rules" / name).write_text("version: 1\nrules: []\n")
    return load(WHOLE, tmp_path, registry)


def test_money_is_read_exactly_and_words_stay_words(whole: Setup) -> None:
    account = whole.accounts[0]
    assert account.balance == Decimal("50000.10")
    assert (account.roll, account.mark, account.zone) == ("17:00", MarkSource.LAST, "America/Chicago")
    assert account.labels == {"firm": "topstep", "country": "no", "size": "50"}


def test_an_account_is_live_only_where_it_or_the_default_says_so(whole: Setup) -> None:
    assert [(account.id, account.live) for account in whole.accounts] == [("eval", True), ("desk", False)]


def test_a_broker_kind_needs_no_entry_of_its_own(whole: Setup) -> None:
    found = [(broker.name, broker.kind, broker.required, dict(broker.config)) for broker in whole.brokers]
    assert found == [("sim", "paper", False, {"latency_ms": 5}), ("paper", "paper", True, {})]


def test_paths_are_relative_to_the_set_up(whole: Setup) -> None:
    assert whole.store.path == whole.directory / "data" / "haltline.db"
    assert [path.name for path in whole.rule_files] == ["a.yaml", "b.yaml"]


def test_channels_name_the_severities_they_hear(whole: Setup) -> None:
    assert whole.channels[0].severities == (Severity.WARNING, Severity.CRITICAL)


def test_own_instruments_are_laid_over_the_built_in_ones(whole: Setup) -> None:
    table = {str(spec.symbol): spec for spec in whole.instruments}
    assert (table["MNQ"].weight, table["MNQ"].tick_value) == (2.0, Decimal("0.5"))
    assert table["LAYERUSDT"].asset_class is AssetClass.PERPETUAL
    assert table["LAYERUSDT"].margin_fraction == Decimal("0.05")
    assert table["LAYERUSDT"].multiplier == 1


@pytest.mark.parametrize(
    ("symbol", "size", "value"),
    [
        ("NQ", "0.25", "5"), ("MNQ", "0.25", "0.5"), ("ES", "0.25", "12.5"), ("MES", "0.25", "1.25"), ("YM", "1", "5"),
        ("MYM", "1", "0.5"), ("RTY", "0.1", "5"), ("M2K", "0.1", "0.5"), ("6E", "0.00005", "6.25"),
    ],
)  # fmt: skip
def test_the_built_in_table_has_the_economics_of_the_contracts(
    symbol: str, size: str, value: str, tmp_path: Path, registry: Registry
) -> None:
    table = {str(spec.symbol): spec for spec in load("version: 1\n", tmp_path, registry).instruments}
    assert (table[symbol].tick_size, table[symbol].tick_value) == (Decimal(size), Decimal(value))


def test_plugins_are_named_before_anything_else_is_understood(whole: Setup, tmp_path: Path) -> None:
    found = [
        PluginEntry(name=entry.name, required=entry.required) for entry in named_plugins(tmp_path / "haltline.yaml")
    ]
    assert found == [PluginEntry(name="broker_x"), PluginEntry(name="notify_y", required=True)]


def test_places_of_values_are_kept_for_later_problems(whole: Setup) -> None:
    assert (whole.places["accounts.eval.calendar"].line, whole.places["accounts.desk"].line) == (7, 9)


def test_a_mistake_in_one_entry_does_not_hide_one_in_another(tmp_path: Path, registry: Registry) -> None:
    text = (
        "version: 1\naccounts:\n  a: {blance: 5}\n  b: {broker: papr}\nbrokers: {sim: {kind: ppr}}\nstore: {pth: x}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(text, tmp_path, registry)
    assert [problem.code for problem in caught.value.problems] == ["E201", "E417", "E420", "E201"]


def test_two_instruments_cannot_share_a_name(tmp_path: Path, registry: Registry) -> None:
    with pytest.raises(ConfigError, match=r"the name 'ENQ' already belongs to 'NQ'.*\[E428\]"):
        load("version: 1\ninstruments: {XX: {aliases: [ENQ]}}\n", tmp_path, registry)


@pytest.mark.parametrize(("mode", "severity"), [("live", "error"), ("shadow", "warning")])
def test_an_action_that_a_broker_cannot_do_forbids_going_live(
    mode: str, severity: str, tmp_path: Path, registry: Registry
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "version: 1\nrules:\n"
        "  - {id: r, each: position, when: not position.protected, then: [{place_stop: {distance: 5}}]}\n"
    )
    setup = load(f"version: 1\nmode: {mode}\naccounts: {{eval: {{broker: paper}}}}\n", tmp_path, registry)
    book = load_book([rules], registry, environ={})
    kind = registry.brokers.get("paper")
    action = registry.actions.get("place_stop")
    assert kind is not None
    assert action is not None
    assert check_capabilities(setup, book, registry) == []
    weak = Registry()
    weak.add_broker(dataclasses.replace(kind, capabilities=frozenset()))
    weak.add_action(action)
    [problem] = check_capabilities(setup, book, weak)
    assert (problem.code, problem.severity) == ("E426", severity)


@pytest.mark.parametrize(
    ("given", "expected"), [("", True), (", positions_from_broker: false", False)], ids=["left out", "said"]
)
def test_where_a_broker_pushes_positions_fills_are_not_counted_beside_them(
    given: str, expected: bool, tmp_path: Path, registry: Registry
) -> None:
    paper, own = registry.brokers.get("paper"), Registry()
    assert paper is not None
    own.add_broker(paper)
    own.add_broker(replace(paper, name="pushing", capabilities=paper.capabilities | {Capability.PUSH_POSITIONS}))
    text = (
        "version: 1\nbrokers: {venue: {kind: pushing}}\nrules: []\n"
        f"accounts: {{eval: {{broker: venue{given}}}, desk: {{broker: paper}}}}\n"
    )
    setup = load(text, tmp_path, own)
    assert [account.positions_from_broker for account in setup.accounts] == [expected, False]
