"""The whole state as plain values that msgpack can carry, and back, exactly.

The images below name the attributes that are facts; everything else (sums, equities, values of positions, stops) is
derived again from them by the code that derived it first, so both give the same floats.
"""

from collections.abc import Callable
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, cast

import msgspec

from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderReport
from haltline.state.account import Account
from haltline.state.entity import NAN
from haltline.state.fill import FillEntity
from haltline.state.instrument import Instrument
from haltline.state.ledger import Execution, Ledger, Lot
from haltline.state.order import Order
from haltline.state.period import Period
from haltline.state.position import Position

if TYPE_CHECKING:
    from haltline.state.state import State


class _Prices(msgspec.Struct, forbid_unknown_fields=True):
    bid: float
    ask: float
    last: float
    quoted_mark: float
    bid_until: int
    ask_until: int
    last_until: int
    mark_until: int
    volume_24h: float
    quoted_at: int
    late_quotes: int
    source_name: str
    stale: bool
    stale_due: int
    pending: bool
    bid_before: float = NAN
    ask_before: float = NAN
    last_before: float = NAN
    mark_before: float = NAN
    other_prices: list[float] = []
    other_at: int = 0
    traded: float = NAN
    traded_at: int = 0
    before_at: int = 0
    moved_at: int = 0
    refused_at: int = 0
    refused_quotes: int = 0
    refused_reason: str = ""
    book_told: int = 0
    last_told: int = 0
    mark_told: int = 0


class _InstrumentImage(msgspec.Struct, forbid_unknown_fields=True):
    spec: InstrumentSpec
    prices: _Prices
    holders: list[str]


class _PositionFacts(msgspec.Struct, forbid_unknown_fields=True):
    strategy: str
    initial_stop: float
    liquidation_price: float
    leverage: float
    reported_margin: float
    high: float
    low: float
    reference: float


class _PositionImage(msgspec.Struct, forbid_unknown_fields=True):
    symbol: str
    lot: Lot
    opened_ns: int
    facts: _PositionFacts


class _OrderImage(msgspec.Struct, forbid_unknown_fields=True):
    symbol: str
    report: OrderReport
    opened_ns: int
    updated_at: int


class _FillImage(msgspec.Struct, forbid_unknown_fields=True):
    symbol: str
    execution: Execution
    at_ns: int


class _LedgerImage(msgspec.Struct, forbid_unknown_fields=True):
    base: Lot
    lot: Lot
    own_pnl: Decimal
    last_fill_at: int
    reported_at: int
    executions: list[Execution]


class _PeriodFacts(msgspec.Struct, forbid_unknown_fields=True):
    label: str
    started_at: int
    start_adjusted: float
    peak_adjusted: float
    fills: int
    entries: int
    round_trips: int
    pnl_sum: Decimal
    fee_sum: Decimal
    realized_pnl: float
    fees: float


class _AccountFacts(msgspec.Struct, forbid_unknown_fields=True):
    live: bool
    locked: bool
    lock_reason: str
    mode: str
    connected: bool | None
    can_trade: bool | None
    connection_at: int
    reported_at: int
    reported_equity: float
    reported_margin_used: float
    reported_margin_available: float
    funded: bool
    balance_at: int
    flow_sum: Decimal
    flows: float
    flow_base: float
    pnl_sum: Decimal
    fee_sum: Decimal
    realized_pnl: float
    fees: float
    peak_adjusted: float
    end_of_day_peak_adjusted: float
    loss_streak: int
    last_closing_pnl: float
    seen_fills: dict[str, bool]
    seen_flows: dict[str, None]
    seen_orders: dict[str, str | None]
    suspects: dict[str, str]
    doubtful: bool = False
    behind_until: int = 0
    rejected_orders: int = 0
    connection: str | None = None
    blind_at: float = NAN


class _AccountImage(msgspec.Struct, forbid_unknown_fields=True):
    facts: _AccountFacts
    balance_sum: Decimal
    day: _PeriodFacts
    week: _PeriodFacts
    session: _PeriodFacts
    ledgers: dict[str, _LedgerImage]
    positions: list[_PositionImage]
    orders: list[_OrderImage]
    fills: list[_FillImage]


class _ViewFacts(msgspec.Struct, forbid_unknown_fields=True):
    open: bool
    early_close: bool
    next_open_ns: int | None
    next_close_ns: int | None
    opened_ns: int
    due: int | None


class _RollFacts(msgspec.Struct, forbid_unknown_fields=True):
    label: str
    week: str
    started_ns: int
    next_ns: int


class _StateImage(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    now_ns: int
    next_edge: int
    pending: list[tuple[int, str]]
    views: dict[str, _ViewFacts]
    rolls: dict[str, _RollFacts]
    instruments: list[_InstrumentImage]
    accounts: dict[str, _AccountImage]


VERSION = 1


def take(state: "State") -> msgspec.Struct:
    """Everything that cannot be derived from the settings, to be encoded before anything changes."""
    return _StateImage(
        version=VERSION,
        now_ns=state.clock.now_ns,
        next_edge=state.next_edge,
        pending=list(state.pending),
        views={name: _copy(_ViewFacts, view) for name, view in state.views.items()},
        rolls={f"{roll.roll} {roll.zone}": _copy(_RollFacts, roll) for roll in state.rolls.values()},
        instruments=[_take_instrument(item) for item in state.instruments.values()],
        accounts={key: _take_account(item) for key, item in state.accounts.items()},
    )


def take_plain(state: "State") -> dict[str, object]:
    """The same as plain values."""
    plain: dict[str, object] = msgspec.msgpack.decode(msgspec.msgpack.encode(take(state)))
    return plain


def put_back(state: "State", data: dict[str, object]) -> None:
    """Make a state what it was. Accounts new to the snapshot start fresh; those set up no more are left out.

    Raises msgspec.ValidationError for anything but a snapshot of this version.
    """
    image = msgspec.convert(data, _StateImage)
    if image.version != VERSION:
        raise msgspec.ValidationError(f"the snapshot has version {image.version}, this engine reads {VERSION}")
    state.clock.now_ns = image.now_ns
    for row in image.instruments:
        _put_instrument(state.add_instrument(row.spec), row)
    _put_time(state, image)
    state.portfolio.reset()
    state.portfolio.moved_at = max((item.moved_at for item in state.instruments.values()), default=0)
    for item in state.instruments.values():
        item.positions.clear()
        item.floating.clear()
    for key, account in state.accounts.items():
        account.reset()
        if key in image.accounts:
            _put_account(state, account, image.accounts[key])
    for row in image.instruments:
        holders = (state.accounts[key] for key in row.holders if key in state.accounts)
        state.instruments[row.spec.symbol].positions[:] = [item.book[row.spec.symbol] for item in holders]
    state.pending[:] = image.pending
    state.next_edge = image.next_edge


def _put_time(state: "State", image: _StateImage) -> None:
    for name, view in image.views.items():
        if name in state.views:
            _paste(view, state.views[name])
    for roll in state.rolls.values():
        found = image.rolls.get(f"{roll.roll} {roll.zone}")
        if found is None:
            roll.refresh(image.now_ns)
        else:
            _paste(found, roll)


def _copy[T: msgspec.Struct](image: type[T], source: object) -> T:
    return image(*_reader(image)(source))


@cache
def _reader(image: type[msgspec.Struct]) -> Callable[[object], tuple[object, ...]]:
    """All attributes of an image at once: this is done for every instrument while nothing else may run."""
    return attrgetter(*image.__struct_fields__)


def _take_ledger(ledger: Ledger) -> _LedgerImage:
    image = _copy(_LedgerImage, ledger)
    image.executions = cast("list[Execution]", msgspec.Raw(ledger.packed()))  # the same bytes, encoded once
    return image


def _paste(image: msgspec.Struct, target: object) -> None:
    for name in image.__struct_fields__:
        setattr(target, name, getattr(image, name))


def _take_instrument(item: Instrument) -> _InstrumentImage:
    holders = [position.account.key for position in item.positions]
    return _InstrumentImage(spec=item.spec, prices=_copy(_Prices, item), holders=holders)


def _put_instrument(item: Instrument, image: _InstrumentImage) -> None:
    _paste(image.prices, item)
    item.set_prices(item.bid, item.ask, item.last, item.quoted_mark)


def _take_account(item: Account) -> _AccountImage:
    return _AccountImage(
        facts=_copy(_AccountFacts, item),
        balance_sum=item.balance_sum,
        day=_copy(_PeriodFacts, item.day),
        week=_copy(_PeriodFacts, item.week),
        session=_copy(_PeriodFacts, item.session),
        ledgers={symbol: _take_ledger(ledger) for symbol, ledger in item.ledgers.items()},
        positions=[
            _PositionImage(symbol=symbol, lot=held.lot, opened_ns=held.opened_ns, facts=_copy(_PositionFacts, held))
            for symbol, held in item.book.items()
        ],
        orders=[
            _OrderImage(
                symbol=order.symbol, report=order.report, opened_ns=order.opened_ns, updated_at=order.updated_at
            )
            for order in item.order_book.values()
        ],
        fills=[_FillImage(symbol=fill.symbol, execution=fill.execution, at_ns=fill.at_ns) for fill in item.fills],
    )


def _put_account(state: "State", item: Account, image: _AccountImage) -> None:
    _paste(image.facts, item)
    item.set_balance(image.balance_sum)
    for period, facts in zip(_periods(item), (image.day, image.week, image.session), strict=True):
        _paste(facts, period)
    for symbol, row in image.ledgers.items():
        ledger = item.ledgers[symbol] = Ledger(state.instruments[symbol].exact_multiplier)
        _paste(row, ledger)
    for order in image.orders:
        made = Order(order.report, account=item, instrument=state.instruments[order.symbol], at=order.updated_at)
        made.opened_ns = order.opened_ns
        item.order_book[order.report.order_id] = made
        made.instrument.set_floating(made)
    for held in image.positions:
        instrument = state.instruments[held.symbol]
        position = Position(held.lot, account=item, instrument=instrument, opened_ns=held.opened_ns)
        position.find_stops()
        _paste(held.facts, position)
        item.book[held.symbol] = position
    for fill in image.fills:
        execution = item.ledgers[fill.symbol].find(fill.execution.fill_id) or fill.execution
        item.fills.append(
            FillEntity(execution, account=item, instrument=state.instruments[fill.symbol], at_ns=fill.at_ns)
        )
    item.recount()
    item.find_lowest_peak()
    item.adjusted = NAN  # being restored is no jump
    item.revalue()
    item.find_lowest_peak()


def _periods(item: Account) -> tuple[Period, Period, Period]:
    return (item.day, item.week, item.session)
