"""A restart on a host whose clock is behind the journal: what waits comes to its turn all the same."""

import time
from pathlib import Path

import pytest

from haltline import Haltline
from haltline.clock import NS_PER_S, SystemClock
from haltline.model.event import Quote
from haltline.model.id import Symbol
from haltline.runtime.embed import load_parts

HOUR_NS = 3600 * NS_PER_S
SETUP = """version: 1
store: {path: journal.db}
accounts: {eval: {broker: paper, balance: 50000}}
instruments: {MNQ: {tick_size: 0.25, tick_value: 0.50, asset_class: future}}
rules: [rules.yaml]
"""
RULES = """version: 1
rules: [{id: size, each: position, limit: {value: abs(position.quantity), max: 1}, then: [notify]}]
"""


async def test_an_engine_that_starts_behind_its_journal_goes_on_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "haltline.yaml").write_text(SETUP)
    (tmp_path / "rules.yaml").write_text(RULES)
    real, ahead_ns = time.time_ns, HOUR_NS
    monkeypatch.setattr(time, "time_ns", lambda: real() + ahead_ns)
    async with run(tmp_path) as engine:
        now = engine.engine.clock.now()
        engine.put(Quote(at=now, received_at=now, symbol=Symbol("MNQ"), last=21_000.0))
        await engine.until_idle()
        told = engine.engine.kernel.now
    ahead_ns = 0
    async with run(tmp_path) as engine:
        clock = engine.engine.clock
        assert clock.now() >= engine.engine.kernel.now >= told
        await clock.sleep_until(clock.now() + NS_PER_S // 50)  # and does not wait for an hour
        assert clock.now() < told + HOUR_NS


def run(folder: Path) -> Haltline:
    parts = load_parts(folder / "haltline.yaml", environ={})
    return Haltline.from_parts(parts, clock=SystemClock(), in_memory=False)
