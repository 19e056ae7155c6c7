"""The paper venue of a desk of operators: a position, an order that rests, and what is on record in the end."""

import asyncio
from decimal import Decimal
from typing import cast

import msgspec
from operator_desk import Desk

from haltline.builtins.paper.broker import PaperBroker
from haltline.journal.receipt import LegOutcome, Receipt
from haltline.journal.record import RecordKind
from haltline.model.event import Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderRequest, OrderType, Side

EVAL, MNQ = AccountId("eval"), Symbol("MNQ")


def venue(desk: Desk) -> PaperBroker:
    return cast(PaperBroker, desk.engine.engine._brokers["paper"])


async def hold(desk: Desk) -> None:
    """Two contracts, and an order that rests below."""
    now = desk.clock.now()
    quote = Quote(at=now, received_at=now, symbol=MNQ, bid=21_000, ask=21_000.25, last=21_000, mark=21_000)
    desk.engine.engine.inbox.put(quote)
    await asyncio.sleep(0)
    venue(desk).on_quote(quote)
    order = {"account": EVAL, "symbol": MNQ, "side": Side.BUY}
    await venue(desk).submit(OrderRequest(**order, quantity=Decimal(2), client_id="mine"))
    await venue(desk).submit(
        OrderRequest(
            **order, quantity=Decimal(1), client_id="rest", type=OrderType.LIMIT, limit_price=Decimal(20_000)
        )
    )  # fmt: skip
    async with asyncio.timeout(60):
        while len(desk.engine.engine.kernel.state.accounts["eval"].order_book) != 1:  # noqa: ASYNC110 - the pump's turn
            await asyncio.sleep(0)


async def holds(desk: Desk) -> tuple[int, int]:
    found = await venue(desk).snapshot(EVAL)
    return len(found.positions), len(found.orders)


def receipts(desk: Desk) -> list[Receipt]:
    bodies = [record.body for record in desk.engine.engine.store.iterate(kinds=[RecordKind.OUTCOME])]
    found = [msgspec.json.decode(body, type=Receipt | LegOutcome) for body in bodies]
    return [each for each in found if isinstance(each, Receipt)]
