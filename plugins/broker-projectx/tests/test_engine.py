"""The whole engine at the platform: each breach becomes one close there."""

from pathlib import Path
from typing import Any

import pytest

from haltline import Haltline
from haltline.clock import NS_PER_S
from haltline.enforce.budget import Budget
from haltline.runtime.embed import load_parts
from haltline_sim_projectx.server import KEY, USER

ROUNDS = 8
SETUP = """
version: 1
mode: live
accounts: {{eval: {{broker: px, balance: 50000, mark: last, positions_from_broker: true}}}}
brokers:
  px:
    kind: projectx
    config:
      user: {user}
      key: {key}
      accounts: {{eval: PRACTICE77}}
      contracts: [MNQ]
      api_url: {url}/api
      hub_url: {url}/hubs
plugins: [broker_projectx]
rules: [rules.yaml]
store: {{path: var/haltline.db}}
"""
RULES = """
version: 1
rules:
  - id: cut
    each: position
    limit: {value: -position.unrealized_pnl, max: 40}
    then: [close_position]
    severity: critical
"""


def write(folder: Path, url: str) -> None:
    (folder / "haltline.yaml").write_text(SETUP.format(user=USER, key=KEY, url=url))
    (folder / "rules.yaml").write_text(RULES)


@pytest.mark.long
async def test_each_breach_becomes_one_close(desk: Any, tmp_path: Path) -> None:
    """How soon is measured by `tests/perf/venue_latency.py`, and stands in docs/brokers.md."""
    sim, trader = desk.sim, desk.trader
    write(tmp_path, sim.url)
    budget = Budget(hold_ns=NS_PER_S // 50)
    async with Haltline(load_parts(tmp_path / "haltline.yaml"), budget=budget) as engine:
        account = engine.engine.kernel.state.accounts["eval"]
        for number in range(ROUNDS):
            sim.price("MNQZ5", 21_000.0)
            trader.buys("MNQZ5", 2)
            await desk.until(lambda: "MNQZ5" in account.book)
            await engine.until_idle()
            for points in (-5, -10, -15, -20):
                sim.price("MNQZ5", 21_000.0 + points - number % 3 * 0.25)
            await desk.until(lambda: trader.is_flat and "MNQZ5" not in account.book)
            await engine.until_idle()
            assert len(sim.calls("Position/closeContract")) == number + 1
