"""One life of a real engine on the remote paper venue: until the account is flat and locked, or one symbol closed."""

import asyncio
from pathlib import Path

import msgspec
from point import Points

from haltline.clock import NS_PER_S, SystemClock
from haltline.enforce.budget import Budget
from haltline.runtime.embed import Haltline, load_parts
from haltline_sim_paper.control import Control

LONGEST_S = 30.0
SETUP = """version: 1
mode: live
plugins: [{{name: sim_paper, required: true}}]
store: {{path: data/journal.db}}
accounts: {{eval: {{broker: venue, balance: 50000}}}}
brokers: {{venue: {{kind: paper_remote, config: {{port: {port}}}}}}}
channels: {{file: {{kind: jsonl, config: {{path: data/messages.jsonl}}}}}}
instruments:
  MNQ: {{tick_size: 0.25, tick_value: 0.50, asset_class: future, stale_after: 1h}}
  MES: {{tick_size: 0.25, tick_value: 1.25, asset_class: future, stale_after: 1h}}
rules: [rules.yaml]
"""
RULES = """version: 1
rules:
  - id: daily-loss
    each: account
    limit: {value: account.day.loss, at: 500}
    then: [block_entries, flatten, {lock: {until: reset}}, notify]
    severity: critical
"""


HANDOVER = """
  - id: falls
    each: position
    when: position.symbol == "MNQ" and position.mark < 20970
    then: [close_position]
    severity: critical
"""
"""The second story: a close hangs at the venue, then the account's limit breaks and the flatten takes over."""
CLOSE = """version: 1
rules:
  - id: falls
    each: position
    when: position.symbol == "MNQ" and position.mark < 20900
    then: [close_position, notify]
    severity: critical
    evidence: witness
    on_unknown: hold
"""
"""The third: one symbol is closed, with its orders; the other is left as it is. While the engine waits for evidence, or
for a price after a restart, it would cancel the entries of the whole account."""


def live(folder: Path, port: int, target: tuple[str, int] | None, *, is_first: bool) -> None:
    """Live until the end or until killed; what was seen goes to `points.txt`, how it ended to `end.json`."""
    asyncio.run(_live(folder, port, target, is_first=is_first))


async def _live(folder: Path, port: int, target: tuple[str, int] | None, *, is_first: bool) -> None:
    points = Points(target, folder / "points.txt")
    points.watch_tasks(asyncio.get_running_loop())
    points.watch_writes()
    points.counting = not is_first
    clock = SystemClock()
    parts = load_parts(folder / "haltline.yaml", environ={})
    async with Haltline(parts, clock=clock, budget=Budget(hold_ns=40_000_000, look_ns=20_000_000)) as engine:
        begun = clock.now()
        is_closing = (folder / "rules.yaml").read_text() == CLOSE
        if is_first:
            is_handover = HANDOVER in (folder / "rules.yaml").read_text()
            if is_handover:
                await _until_a_close_hangs(engine, port)
            if is_closing:
                await _until_what_was_is_told(engine)
            points.counting = True
            with Control(port) as market:
                if is_handover:
                    market.price("MES", 5_030, 5_030.25)
                else:
                    market.price("MNQ", 20_890, 20_890.25)
        calm, is_over = 0, _is_closed if is_closing else _is_over
        while calm < 3 and clock.now() < begun + LONGEST_S * NS_PER_S:
            calm = calm + 1 if is_over(engine) else 0
            await clock.sleep_until(clock.now() + 4_000_000)
        points.counting = False
        account = engine.engine.kernel.state.accounts["eval"]
        end = {
            "over": calm == 3,
            "mode": account.mode,
            "locks": len(engine.engine.kernel.governor.locks.of_account("eval")),
            "held": {name: position.quantity for name, position in account.book.items() if position.quantity},
            "took_s": round((clock.now() - begun) / NS_PER_S, 3),
        }
    (folder / "end.json").write_bytes(msgspec.json.encode(end))


async def _until_a_close_hangs(engine: Haltline, port: int) -> None:
    """The order of the close has reached the venue, which does not answer."""
    with Control(port) as market:
        before = market.book().calls["submit"]
        market.price("MNQ", 20_960, 20_960.25)
        while market.book().calls["submit"] == before:
            await engine.engine.clock.sleep_until(engine.engine.clock.now() + 2_000_000)


async def _until_what_was_is_told(engine: Haltline) -> None:
    """Fills that are heard of late are waited for, with entries blocked; here they are of before the story."""
    account = engine.engine.kernel.state.accounts["eval"]
    while "MNQ" not in account.book or account.behind_until:
        await engine.engine.clock.sleep_until(engine.engine.clock.now() + 2_000_000)


def _is_over(engine: Haltline) -> bool:
    return engine.engine.kernel.state.accounts["eval"].mode == "HALTED" and _is_calm(engine)


def _is_closed(engine: Haltline) -> bool:
    return "MNQ" not in engine.engine.kernel.state.accounts["eval"].book and _is_calm(engine)


def _is_calm(engine: Haltline) -> bool:
    flights = engine.engine.kernel.arbiter.flights.values()
    return all(flight.retry_at is not None for flight in flights) and engine.engine.is_idle
