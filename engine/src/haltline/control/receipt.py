"""Receipts as replies, and waiting for those of a reply's actions."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from haltline.api.field import Kind
from haltline.api.reply import Card, Column, Fact, Paragraph, Reply, ReplyStatus, Table, Tone
from haltline.clock import NS_PER_S
from haltline.journal.receipt import Receipt
from haltline.model.event import OutcomeStatus

_KEPT = 1000
_PATIENCE_S = 90.0
_TONES = {
    OutcomeStatus.DONE: Tone.GOOD,
    OutcomeStatus.FAILED: Tone.BAD,
    OutcomeStatus.UNKNOWN: Tone.BAD,
    OutcomeStatus.SUPERSEDED: Tone.WARNING,
}


class ReceiptBook:
    """The newest receipts by action; whoever waits is woken by each."""

    def __init__(self) -> None:
        self._receipts: OrderedDict[str, Receipt] = OrderedDict()
        self._changed = asyncio.Event()

    def take(self, receipt: Receipt) -> None:
        """Keep one more."""
        self._receipts[str(receipt.action)] = receipt
        if len(self._receipts) > _KEPT:
            self._receipts.popitem(last=False)
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self, actions: Sequence[str]) -> list[Receipt]:
        """The receipts of all these actions, or of those that ended within a minute and a half."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while not all(action in self._receipts for action in actions):
                    await self._changed.wait()
        except TimeoutError:
            pass
        return [self._receipts[action] for action in actions if action in self._receipts]


def receipts_reply(receipts: Sequence[Receipt], *, asked: int) -> Reply:
    """How the actions of a reply ended, each with its proof."""
    if len(receipts) < asked:
        late = Paragraph(text=f"{asked - len(receipts)} of {asked} actions are still under way.", tone=Tone.WARNING)
        return Reply(title="Still under way", tone=Tone.WARNING, parts=(*map(_card, receipts), late))
    is_done = all(receipt.status is OutcomeStatus.DONE for receipt in receipts)
    if not is_done:
        what = "look at the account at the broker now; the engine goes on trying"
        parts = (*(part for receipt in receipts for part in _parts(receipt)), Paragraph(text=f"NOT DONE: {what}."))
        return Reply(title="NOT DONE", status=ReplyStatus.REFUSED, tone=Tone.BAD, parts=parts, code="E801")
    return Reply(title="Done", tone=Tone.GOOD, parts=tuple(part for each in receipts for part in _parts(each)))


def _parts(receipt: Receipt) -> tuple[Card | Table, ...]:
    if not receipt.legs:
        return (_card(receipt),)
    columns = (Column(name="request", label="request"), Column(name="outcome", label="outcome"))
    rows = tuple(leg.words for leg in receipt.legs)
    return (_card(receipt), Table(columns=columns, rows=rows, title="Requests"))


def _card(receipt: Receipt) -> Card:
    about = f"{receipt.symbol} on {receipt.account}" if receipt.symbol else str(receipt.account)
    took_s = receipt.took_ns / NS_PER_S
    left = str(receipt.remaining) if receipt.remaining is not None else None
    facts = [
        Fact(label="outcome", value=receipt.status.value, tone=_TONES[receipt.status]),
        Fact(label="took", value=took_s, kind=Kind.DURATION),
        Fact(label="the broker shows", value=left),
    ]
    if receipt.confirmation:
        facts.append(Fact(label="proof", value=receipt.confirmation))
    if receipt.beyond:
        facts.append(Fact(label="caps", value=receipt.beyond, tone=Tone.WARNING))
    if receipt.reason:
        facts.append(Fact(label="reason", value=receipt.reason))
    return Card(title=f"{receipt.name.replace('_', ' ')} {about}", facts=tuple(facts), tone=_TONES[receipt.status])
