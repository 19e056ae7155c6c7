"""Evidence and caps as people write them."""

from pathlib import Path

import pytest

from haltline.api.registry import Registry
from haltline.compose.kernel import build_kernel
from haltline.config.evidence import EvidenceEntry
from haltline.config.load import load_setup
from haltline.config.settings import RuleBook, Setup
from haltline.config.waiting import changes_that_wait
from haltline.model.plan import Caps, Over

NS = 1_000_000_000


def setup_of(folder: Path, text: str, registry: Registry) -> Setup:
    path = folder / "haltline.yaml"
    path.write_text("version: 1\n" + text)
    return load_setup(path, registry, environ={})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", EvidenceEntry(tolerance=0.01, hold_ns=2 * NS)),
        ("evidence: {tolerance: 2%, hold: 5s}", EvidenceEntry(tolerance=0.02, hold_ns=5 * NS)),
        ("evidence: {tolerance: 0.005}", EvidenceEntry(tolerance=0.005, hold_ns=2 * NS)),
    ],
)
def test_the_set_up_says_when_a_price_is_believed(
    tmp_path: Path, registry: Registry, text: str, expected: EvidenceEntry
) -> None:
    setup = setup_of(tmp_path, text, registry)
    assert setup.evidence == expected
    settings = build_kernel(setup, RuleBook(), registry).state.settings
    assert (settings.tolerance, settings.hold_ns) == (expected.tolerance, expected.hold_ns)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Caps()),
        ("caps: {max_positions: 3}", Caps(max_positions=3)),
        (
            "caps: {max_notional: 1000.5, max_orders: 0, over: proceed}",
            Caps(max_notional=1000.5, max_orders=0, over=Over.PROCEED),
        ),
    ],
)
def test_the_set_up_caps_every_action(tmp_path: Path, registry: Registry, text: str, expected: Caps) -> None:
    setup = setup_of(tmp_path, text, registry)
    assert setup.caps == expected
    assert build_kernel(setup, RuleBook(), registry).gate.caps == expected


def test_an_instrument_has_a_tolerance_of_its_own(tmp_path: Path, registry: Registry) -> None:
    setup = setup_of(tmp_path, "instruments: {WILD: {tolerance: 20%}, TAME: {tolerance: 0.001}, SOME: {}}", registry)
    found = {spec.symbol: spec.tolerance for spec in setup.instruments}
    assert (found["WILD"], found["TAME"], found["SOME"]) == (0.2, 0.001, None)


def test_a_running_engine_does_not_take_them_up(tmp_path: Path, registry: Registry) -> None:
    before = setup_of(tmp_path, "", registry)
    after = setup_of(tmp_path, "caps: {max_orders: 1}\nevidence: {hold: 1s}", registry)
    assert {"caps was changed", "evidence was changed"} <= set(changes_that_wait(before, after))
