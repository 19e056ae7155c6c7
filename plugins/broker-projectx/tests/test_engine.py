"""The whole engine at the platform: how soon a breach becomes a close there."""

import time
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
async def test_a_breach_becomes_a_close_within_half_a_second(desk: Any, tmp_path: Path) -> None:
    sim, trader = desk.sim, desk.trader
    write(tmp_path, sim.url)
    times: list[float] = []
    budget = Budget(hold_ns=NS_PER_S // 50)
    async with Haltline(load_parts(tmp_path / "haltline.yaml"), budget=budget) as engine:
        account = engine.engine.kernel.state.accounts["eval"]
        for number in range(ROUNDS):
            sim.price("MNQZ5", 21_000.0)
            trader.buys("MNQZ5", 2)
            await desk.until(lambda: "MNQZ5" in account.book)
            await engine.until_idle()
            closes = len(sim.calls("Position/closeContract"))
            began = time.time()
            for points in (-5, -10, -15, -20):
                sim.price("MNQZ5", 21_000.0 + points - number % 3 * 0.25)
            await sim.until(lambda closes=closes: len(sim.calls("Position/closeContract")) > closes, timeout_s=10)
            times.append((sim.calls("Position/closeContract")[-1].at - began) * 1_000)
            await desk.until(lambda: trader.is_flat and "MNQZ5" not in account.book)
            await engine.until_idle()
    times.sort()
    p50, p99 = times[ROUNDS // 2], times[-1]
    print(f"price to close at the platform, {ROUNDS} breaches: p50 {p50:.0f} ms, worst {p99:.0f} ms")
    assert p50 < 500
