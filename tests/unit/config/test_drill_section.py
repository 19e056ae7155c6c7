"""`drills:` of a set-up: when a drill comes again, over weekends and changes of the clock."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from haltline.api.broker import BrokerKind
from haltline.api.registry import Registry
from haltline.clock import NS_PER_S, from_iso, to_iso
from haltline.config.drill import DrillEntry
from haltline.config.load import load_setup
from haltline.config.settings import Setup
from haltline.config.waiting import changes_that_wait
from haltline.errors import ConfigError
from haltline.model.rule import Severity

BASE = "version: 1\naccounts: {eval: {broker: paper, balance: 1}, other: {broker: paper, balance: 1}}\n"

type Load = Callable[[str], Setup]


@pytest.fixture
def load(tmp_path: Path, registry: Registry) -> Load:
    def load(section: str) -> Setup:
        (tmp_path / "haltline.yaml").write_text(BASE + section)
        return load_setup(tmp_path / "haltline.yaml", registry, environ={})

    return load


def after(entry: DrillEntry, instant: str) -> str:
    found = entry.next_after(from_iso(instant))
    assert found is not None
    return to_iso(found).replace(".000", "")


def test_a_drill_has_defaults_that_ask_for_somebody(load: Load) -> None:
    (drill,) = load("drills: {weekly: {at: mon 08:30 Europe/Berlin}}\n").drills
    assert (drill.name, drill.account, drill.severity, drill.wait_ns) == (
        "weekly", "", Severity.CRITICAL, 120 * NS_PER_S,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("at", "now", "begins"),
    [
        ("mon 08:30 Europe/Berlin", "2026-01-07T12:00:00Z", "2026-01-12T07:30:00Z"),
        ("mon 08:30 Europe/Berlin", "2026-01-12T07:30:00Z", "2026-01-19T07:30:00Z"),
        ("mon-fri 08:30 Europe/Berlin", "2026-01-09T07:30:00Z", "2026-01-12T07:30:00Z"),
        ("mon,thu 23:59 America/Chicago", "2026-01-12T00:00:00Z", "2026-01-13T05:59:00Z"),
        ("08:30 UTC", "2026-01-12T08:30:01Z", "2026-01-13T08:30:00Z"),
        ("sun 02:30 Europe/Berlin", "2026-03-27T00:00:00Z", "2026-03-29T01:30:00Z"),  # the hour that is left out
        ("sun 02:30 Europe/Berlin", "2026-10-24T00:00:00Z", "2026-10-25T00:30:00Z"),  # the hour that comes twice
    ],
)
def test_it_begins_at_its_time_in_its_zone(load: Load, at: str, now: str, begins: str) -> None:
    (drill,) = load(f'drills: {{d: {{at: "{at}"}}}}\n').drills
    assert after(drill, now) == begins


def test_the_hour_that_comes_twice_holds_one_drill(load: Load) -> None:
    (drill,) = load("drills: {d: {at: sun 02:30 Europe/Berlin}}\n").drills
    assert after(drill, "2026-10-25T00:30:00Z") == "2026-11-01T01:30:00Z"


def test_who_may_command_and_when_drills_come_is_not_taken_up_silently(load: Load) -> None:
    setup = load(
        "operators: {ann: {role: admin, identities: {local: ann}}}\ndrills: {d: {at: 08:30 UTC}}\n"
        "surfaces: {}\ncontrol: {per_minute: 30}\n"
    )
    assert changes_that_wait(setup, setup) == ()
    edited = load(
        "operators: {ann: {role: viewer, identities: {local: ann}}, bob: {role: admin}}\n"
        "drills: {d: {at: 09:30 UTC}}\ncontrol: {per_minute: 60}\n"
    )
    assert changes_that_wait(setup, edited) == (
        "operator 'ann' was changed", "operator 'bob' was added", "drill 'd' was changed", "control was changed",
    )  # fmt: skip
    assert changes_that_wait(setup, replace(setup, drills=())) == ("drill 'd' was removed",)


class RealMoney:
    """A registry in which the paper exchange does not say that its money is none."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.brokers = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)

    def get(self, name: str) -> BrokerKind | None:
        found = self._registry.brokers.get(name)
        return None if found is None else replace(found, practice=False)

    def items(self) -> Any:
        return self._registry.brokers.items()


def test_a_drill_flattens_where_no_money_is_real_and_the_set_up_says_so(load: Load) -> None:
    drills = load("drills: {a: {at: 08:30 UTC}, b: {at: 08:30 UTC, flatten: true, account: other}}\n").drills
    assert [each.flatten for each in drills] == [False, True]


@pytest.mark.parametrize("account", ["", ", account: other"])
def test_a_drill_that_would_flatten_real_money_is_refused_at_the_load(
    tmp_path: Path, registry: Registry, account: str
) -> None:
    file = tmp_path / "haltline.yaml"
    file.write_text(f"{BASE}drills: {{d: {{at: 08:30 UTC, flatten: true{account}}}}}\n")
    with pytest.raises(ConfigError, match=r"may hold real money.*\[E448\]"):
        load_setup(file, cast(Any, RealMoney(registry)), environ={})
    file.write_text(f"{BASE}drills: {{d: {{at: 08:30 UTC, flatten: false{account}}}}}\n")
    load_setup(file, cast(Any, RealMoney(registry)), environ={})
