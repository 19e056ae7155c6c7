"""What `haltline replay` is told on the command line, as a set-up that touches nothing outside: paper, in memory."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

import msgspec
import typer

from haltline.api.feed import FeedSetup, Recording
from haltline.api.registry import Registry
from haltline.builtins.paper.broker import PaperBroker
from haltline.clock import SystemClock, parse_duration
from haltline.config.settings import BrokerEntry, Setup, StoreEntry
from haltline.errors import ConfigError, Problem
from haltline.model.account import AccountSpec, MarkSource
from haltline.model.event import Event, Fill, Quote, Tick
from haltline.model.id import AccountId, Symbol
from haltline.model.instrument import AssetClass, InstrumentSpec
from haltline.model.order import OrderRequest, OrderStatus, Side

PAPER = "paper"
STALE_AFTER_NS = parse_duration("10m")
"""Bars come once a minute or hour: a price of a recording is stale later than a live one."""
_POSITION = re.compile(r"(?P<symbol>[^:@\s]+):(?P<sign>[+-]?)(?P<quantity>\d+(?:\.\d+)?)(?:@(?P<price>\d+(?:\.\d+)?))?")
_WORD = re.compile(r"[A-Z0-9]*[A-Z][A-Z0-9]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A position to begin with; without a `price` it is opened at the first one of the recording."""

    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal | None = None


def parse_holding(text: str) -> Holding:
    """``LAYERUSDT:+1000@3.10``; raises BadParameter for anything else."""
    found = _POSITION.fullmatch(text.strip())
    try:
        if found is None or not Decimal(found["quantity"]):
            raise InvalidOperation
        return Holding(
            symbol=Symbol(found["symbol"]),
            side=Side.SELL if found["sign"] == "-" else Side.BUY,
            quantity=Decimal(found["quantity"]),
            price=Decimal(found["price"]) if found["price"] else None,
        )
    except InvalidOperation:
        example = "write SYMBOL:+QUANTITY or SYMBOL:-QUANTITY, with @PRICE if you like: LAYERUSDT:+1000@3.10"
        raise typer.BadParameter(f"{text!r} is not a position; {example} [E905]", param_hint="--position") from None


def parse_file(text: str, holdings: Sequence[Holding]) -> dict[str, object]:
    """``SYMBOL=FILE``, or a FILE whose name tells the symbol, as the feed `replay` wants it."""
    symbol, equals, name = text.partition("=")
    if not equals:
        symbol, name = guess_symbol(text, holdings), text
    found: dict[str, object] = {"file": name}
    if symbol:
        found["symbol"] = symbol
    return found


def guess_symbol(file: str, holdings: Sequence[Holding]) -> str:
    """The symbol of a position that the file's name contains, else its longest word in capitals."""
    stem = Path(file).name
    named = [str(holding.symbol) for holding in holdings if holding.symbol in stem]
    words = [word for word in re.split(r"[._\-]", stem) if _WORD.fullmatch(word)]
    return max(named or words, key=len, default="")


def open_recording(files: Sequence[dict[str, object]], path: str, side: str, registry: Registry) -> Recording:
    """The files as one recording; raises ConfigError with the problems of all of them."""
    kind = registry.feeds.get("replay")
    assert kind is not None
    config: dict[str, object] = {"files": [dict(file) for file in files], "path": path, "side": side}
    made = kind.make(FeedSetup(name="replay", config=config, instruments=(), clock=SystemClock()))
    assert not hasattr(made, "run")
    return made


def plain_setup(account: str, balance: Decimal) -> Setup:
    """A set-up of one account, where none is named."""
    here = Path().resolve()
    spec = AccountSpec(id=AccountId(account), balance=balance)
    return Setup(path=here / "replay", directory=here, store=StoreEntry(path=here / "unused"), accounts=(spec,))


def for_replay(setup: Setup, *, symbols: Sequence[str], leverage: Decimal | None) -> Setup:
    """The set-up on paper: every account acts, at the simulated broker, and nobody outside hears of it."""
    config = next((dict(entry.config) for entry in setup.brokers if entry.kind == PAPER), {})
    if leverage is not None:
        config["leverage"] = float(leverage)
    known = {spec.symbol for spec in setup.instruments}
    added = tuple(_instrument(symbol) for symbol in dict.fromkeys(symbols) if symbol and symbol not in known)
    return replace(
        setup,
        live=True,
        accounts=tuple(_on_paper(account) for account in setup.accounts),
        brokers=(BrokerEntry(name=PAPER, kind=PAPER, config=config),),
        feeds=(),
        channels=(),
        instruments=(*setup.instruments, *added),
        stale_after_ns=max(setup.stale_after_ns, STALE_AFTER_NS),
    )


def _on_paper(account: AccountSpec) -> AccountSpec:
    mark = MarkSource.LAST if account.mark is MarkSource.CLOSE_SIDE else account.mark
    return msgspec.structs.replace(account, broker=PAPER, live=True, mark=mark)


def _instrument(symbol: str) -> InstrumentSpec:
    tick = Decimal("0.00000001")
    return InstrumentSpec(
        symbol=Symbol(symbol), tick_size=tick, tick_value=tick, lot_size=tick, asset_class=AssetClass.SPOT
    )


def begin_with(
    holdings: Sequence[Holding], broker: PaperBroker, account: AccountId, *, first: Event | None, now: int
) -> None:
    """Put the positions into the paper book; those without a price at that of the `first` event, or their own first.

    Raises ConfigError where the margin does not cover one.
    """
    if isinstance(first, Quote):
        broker.venue.on_quote(first, now)
    for number, holding in enumerate(holdings):
        if holding.price is not None:
            broker.venue.execute(
                account, holding.symbol, holding.side, quantity=holding.quantity, price=holding.price, now=now
            )
            continue
        request = OrderRequest(
            account=account,
            symbol=holding.symbol,
            side=holding.side,
            quantity=holding.quantity,
            client_id=f"position-{number}",
        )
        report = broker.venue.submit(request, now)
        if report.status is OrderStatus.REJECTED:
            what = f"the paper broker refuses the position in {holding.symbol}: {report.reason}"
            raise ConfigError([Problem(code="E905", what=what, cure="give the account more --balance or --leverage")])


class BookedRecording:
    """A recording whose fills are booked at the paper broker, so that it can close what they opened."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.broker: PaperBroker | None = None

    def size(self) -> int | None:
        """As many as the recording itself says."""
        return self._recording.size()

    def events(self) -> Iterator[Event]:
        """Quotes as they are. A fill is booked at its instant, and time is let pass so that its report is heard."""
        for event in self._recording.events():
            if not isinstance(event, Fill):
                yield event
                continue
            now = event.received_at
            pause = Tick(at=now, received_at=now)
            yield pause
            assert self.broker is not None
            self.broker.venue.execute(
                event.account,
                event.symbol,
                event.side,
                quantity=event.quantity,
                price=event.price,
                now=now,
                fee=event.fee,
            )
            yield pause
