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


@pytest.mark.long
async def test_a_close_leaves_neither_stop_nor_target_nor_entry_that_would_open_a_position_here(
    desk: Any, tmp_path: Path
) -> None:
    """The platform knows no reduce-only: a stop without its position is an entry."""
    sim, trader = desk.sim, desk.trader
    write(tmp_path, sim.url)
    async with Haltline(load_parts(tmp_path / "haltline.yaml"), budget=Budget(hold_ns=NS_PER_S // 50)) as engine:
        account = engine.engine.kernel.state.accounts["eval"]
        sim.price("MNQZ5", 21_000.0)
        trader.buys("MNQZ5", 2)
        trader.sells("MNQZ5", 2, stop=20_900.0)
        trader.sells("MNQZ5", 2, limit=21_100.0)
        trader.buys("MNQZ5", 1, limit=20_950.0)
        await desk.until(lambda: "MNQZ5" in account.book and len(account.order_book) == 3)
        await engine.until_idle()
        for points in (-5, -10, -15, -20):
            sim.price("MNQZ5", 21_000.0 + points)
        await desk.until(lambda: trader.is_flat and not sim.market.working(77))
        await engine.until_idle()
        for price in (20_940.0, 20_880.0, 21_120.0):
            sim.price("MNQZ5", price)
        assert trader.is_flat
