"""Prints what a killed engine left behind: its state as the journal has it, and the book of the paper broker."""

import asyncio
from pathlib import Path

import msgspec

from haltline.clock import SystemClock
from haltline.control.recall import recall_kernel
from haltline.model.id import AccountId
from haltline.runtime.compose import make_brokers
from haltline.runtime.embed import load_parts

parts = load_parts(Path("haltline.yaml"))
kernel = recall_kernel(Path("data/journal.db"), parts.registry, lambda: (parts.setup, parts.book)).kernel
(broker,) = make_brokers(parts, SystemClock(), Path("data").resolve()).values()
snapshot = asyncio.run(broker.snapshot(AccountId("eval")))
account = kernel.state.accounts["eval"]
state = {
    "positions": {name: position.quantity for name, position in account.book.items()},
    "broker": [str(position.quantity) for position in snapshot.positions if position.quantity],
    "balance": str(snapshot.account.balance),
    "equity": account.equity,
    "peak": account.day.peak_equity,
    "loss": account.day.loss,
    "fills": account.day.fills,
    "mode": account.mode,
    "live": sorted((view.rule, view.entity, view.phase.value) for view in kernel.incidents()),
    "locks": sorted(lock.rule for lock in kernel.governor.locks.of_account("eval")),
}
print(msgspec.json.encode(state).decode())
