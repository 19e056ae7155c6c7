"""A whole engine whose flatten is refused again and again: it goes on, gets loud on every channel, and ends flat."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path

import pytest

from haltline import Haltline
from haltline.builtins.paper.broker import PaperBroker
from haltline.clock import NS_PER_S, ManualClock
from haltline.errors import Refused, SessionClosed
from haltline.model.event import Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderReport, OrderRequest, Side
from haltline.runtime.embed import load_parts

EVAL, MNQ = AccountId("eval"), Symbol("MNQ")
START = 1_746_500_000 * NS_PER_S
SETUP = """version: 1
mode: live
accounts: {{eval: {{broker: paper, balance: 50000}}}}
instruments: {{MNQ: {{tick_size: 0.25, tick_value: 0.50, asset_class: future, stale_after: 1h}}}}
channels:
  loud: {{kind: jsonl, config: {{path: {folder}/loud.jsonl}}, severities: [critical]}}
  calm: {{kind: jsonl, config: {{path: {folder}/calm.jsonl}}, severities: [info]}}
rules: [rules.yaml]
"""
RULES = """version: 1
rules:
  - id: falls
    each: account
    when: account.day.loss > 500
    then: [block_entries, flatten]
"""


def told(folder: Path, channel: str) -> str:
    path = folder / f"{channel}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return "\n".join(json.loads(line)["text"] for line in lines)


@pytest.mark.parametrize("refusal", [Refused("price band"), SessionClosed("the market is closed")])
async def test_a_flatten_that_is_refused_for_long_gets_loud_everywhere_and_succeeds_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: Refused
) -> None:
    (tmp_path / "haltline.yaml").write_text(SETUP.format(folder=tmp_path))
    (tmp_path / "rules.yaml").write_text(RULES)
    real, tries, blocked = PaperBroker.submit, [], [True]

    async def submit(self: PaperBroker, request: OrderRequest) -> OrderReport:
        if request.reduce_only:
            tries.append(clock.now())
            if blocked[0]:
                raise refusal
        return await real(self, request)

    monkeypatch.setattr(PaperBroker, "submit", submit)
    clock = ManualClock(START)
    parts = load_parts(tmp_path / "haltline.yaml", environ={})
    async with Haltline.from_parts(parts, clock=clock) as engine:

        async def until(second: int) -> None:
            while True:
                for _ in range(40):
                    await asyncio.sleep(0)
                await engine.until_idle()
                wake = clock.next_wake_ns()
                if wake is None or wake > START + second * NS_PER_S:
                    return
                clock.advance_to(wake)

        def price(last: float) -> None:
            now = clock.now()
            engine.put(Quote(at=now, received_at=now, symbol=MNQ, bid=last, ask=last + 0.25, last=last))

        price(21_000.0)
        await until(1)
        broker = engine.engine._brokers["paper"]
        await broker.submit(OrderRequest(account=EVAL, symbol=MNQ, side=Side.BUY, quantity=Decimal(2), client_id="x"))
        await until(2)
        price(20_700.0)
        await until(3)
        price(20_700.0)
        await until(40)
        assert len(tries) >= 4
        assert "Flatten on eval has not succeeded" in told(tmp_path, "loud")
        assert str(refusal) in told(tmp_path, "loud")
        assert "Flatten on eval has not succeeded" in told(tmp_path, "calm")  # it hears nothing critical otherwise
        (shown,) = engine.engine.kernel.enforcements()
        assert shown.failures >= 4
        blocked[0] = False
        await until(120)
        assert (await broker.snapshot(EVAL)).positions == ()
        assert engine.engine.kernel.enforcements() == []
        assert "Flatten on eval succeeded at attempt" in told(tmp_path, "calm")
