"""The one table of what rules can read: fields, collections, and how each root is reached from each scope.

The checker, editor completion, the documentation page and the explain texts all come from here.
"""

from collections.abc import Iterable

from haltline.api.field import Change, Collection, Field, Kind
from haltline.model.event import ConnectionStatus
from haltline.model.instrument import AssetClass
from haltline.model.order import OrderStatus, OrderType
from haltline.model.origin import Origin
from haltline.model.plan import TradingMode
from haltline.model.rule import Scope
from haltline.state.clockview import WEEKDAYS

_QUOTE, _FILL, _ORDER = Change.QUOTE, Change.FILL, Change.ORDER
_ACCOUNT, _TIME, _LOCK, _NONE = Change.ACCOUNT, Change.TIME, Change.LOCK, Change.NONE
_CALENDAR = Change.CALENDAR
_HELD = _FILL
_MARKED = _QUOTE | _FILL
_VALUE = _QUOTE | _FILL | _ACCOUNT
_PERIOD = _VALUE | _CALENDAR
MONEY_UNIT = "in the account's currency"
_PRICE_UNIT = "in the instrument's price unit"
_FRACTION_UNIT = "0.8 is 80 %"
_SECONDS = "seconds"
_EPOCH = "seconds since 1970, UTC"
_UNITS = {
    Kind.MONEY: MONEY_UNIT,
    Kind.PRICE: _PRICE_UNIT,
    Kind.QUANTITY: "lots, shares or coins",
    Kind.FRACTION: _FRACTION_UNIT,
    Kind.DURATION: _SECONDS,
    Kind.TIME: _EPOCH,
    Kind.TIME_OF_DAY: "seconds since midnight, written 17:00",
}

type Row = tuple[str, Kind, Change, str] | tuple[str, Kind, Change, str, str]
"""Name below the root, kind, what changes it, meaning, and the Python that reads it where that is not the name."""


def _fields(
    root: str, source: str, rows: Iterable[Row], choices: dict[str, tuple[str, ...]] | None = None
) -> list[Field]:
    made = []
    for name, kind, changes, meaning, *code in rows:
        made.append(
            Field(
                name=f"{root}.{name}",
                kind=kind,
                meaning=meaning,
                changes=changes,
                code=code[0] if code else "",
                unit=_UNITS.get(kind, ""),
                source=source,
                choices=(choices or {}).get(name, ()),
            )
        )
    return made


_ACCOUNT_ROWS: tuple[Row, ...] = (
    ("id", Kind.TEXT, _NONE, "The account's name in the set-up."),
    ("broker", Kind.TEXT, _NONE, "The name of its broker in the set-up."),
    ("currency", Kind.TEXT, _NONE, "The currency of its money."),
    ("labels", Kind.TEXT, _NONE, "Its labels of the set-up, desk=futures; phase=funded; label() reads one of them."),
    ("mode", Kind.ENUM, _LOCK, "What the account may do now: anything, only reduce, or only exit."),
    ("live", Kind.BOOL, _LOCK, "Whether it is armed: rules act; otherwise they only decide, record and notify."),
    ("locked", Kind.BOOL, _LOCK, "Whether any lockout bans new risk."),
    ("lock_reason", Kind.TEXT, _LOCK, "Why it is locked; empty where it is not."),
    ("connected", Kind.BOOL, _ACCOUNT,
     "Whether its broker can be reached in full; UNKNOWN until the broker plugin says."),
    ("connection", Kind.ENUM, _ACCOUNT, "How its broker is reached; UNKNOWN until it was reached once."),
    ("blind_for", Kind.DURATION, _ACCOUNT | _TIME,
     "How long its broker has not been reached in full; 0 while it is, UNKNOWN until it was reached once.",
     "(0.0 if {0}.connected else clock.now - {0}.blind_at)"),
    ("can_trade", Kind.BOOL, _ACCOUNT, "Whether the broker lets it trade; UNKNOWN until the broker says."),
    ("data_suspect", Kind.BOOL, _FILL,
     "Whether fills, reports and profits contradict each other.", "bool({0}.suspects)"),
    ("suspect_reason", Kind.TEXT, _FILL, "What contradicts what; empty where nothing does."),
    ("report_age", Kind.DURATION, _ACCOUNT | _TIME,
     "Time since its broker last reported on it; UNKNOWN before the first.", "(clock.now - {0}.reported_time)"),
    ("balance", Kind.MONEY, _FILL | _ACCOUNT, "Cash with all closed trades and fees, without open positions."),
    ("equity", Kind.MONEY, _VALUE, "Balance plus unrealized profit at the account's mark."),
    ("reported_equity", Kind.MONEY, _ACCOUNT, "Equity as the broker last reported it, for comparison."),
    ("margin_used", Kind.MONEY, _VALUE,
     "Margin held by positions: the broker's figure, else computed from the instruments."),
    ("margin_available", Kind.MONEY, _VALUE, "Margin left: the broker's figure, else equity less margin used."),
    ("margin_utilization", Kind.FRACTION, _VALUE, "Margin used as a fraction of equity."),
    ("leverage", Kind.NUMBER, _VALUE,
     "Gross notional divided by equity; 1e9 where equity is gone but positions are not."),
    ("gross_notional", Kind.MONEY, _MARKED, "Longs plus shorts at the mark, in money."),
    ("net_notional", Kind.MONEY, _MARKED, "Longs minus shorts at the mark, in money."),
    ("long_notional", Kind.MONEY, _MARKED, "All longs at the mark, in money."),
    ("short_notional", Kind.MONEY, _MARKED, "All shorts at the mark, in money, as a positive number."),
    ("net_quantity", Kind.QUANTITY, _HELD, "Longs minus shorts, each times its instrument's weight (signed)."),
    ("gross_quantity", Kind.QUANTITY, _HELD, "Longs plus shorts, each times its instrument's weight."),
    ("max_symbol_share", Kind.FRACTION, _MARKED,
     "The largest position's share of gross notional; 0 without positions."),
    ("hhi", Kind.FRACTION, _MARKED,
     "Concentration: sum of the squared shares of positions; 1 is all in one, 0 is none."),
    ("realized_pnl", Kind.MONEY, _FILL, "Profit of all closed trades since the engine knows the account, before fees."),
    ("unrealized_pnl", Kind.MONEY, _MARKED, "Profit of open positions at the account's mark."),
    ("total_pnl", Kind.MONEY, _MARKED, "Realized plus unrealized profit, before fees."),
    ("fees", Kind.MONEY, _FILL, "All fees since the engine knows the account, as a positive cost."),
    ("open_positions", Kind.COUNT, _HELD, "Number of open positions.", "len({0}.book)"),
    ("working_orders", Kind.COUNT, _ORDER, "Number of working orders.", "len({0}.order_book)"),
    ("rejected_orders", Kind.COUNT, _ORDER, "Orders that the broker rejected since the engine knows the account."),
    ("peak_equity", Kind.MONEY, _VALUE, "Highest equity ever seen, moved along by deposits and withdrawals."),
    ("drawdown", Kind.MONEY, _VALUE, "Money below the peak; deposits and withdrawals do not count.",
     "({0}.peak_adjusted - {0}.adjusted)"),
    ("drawdown_fraction", Kind.FRACTION, _VALUE, "Drawdown as a fraction of the peak."),
    ("end_of_day_peak_equity", Kind.MONEY, _PERIOD, "Highest equity that any trading day began or ended with."),
    ("end_of_day_drawdown", Kind.MONEY, _PERIOD, "Money below the highest end-of-day equity; 0 above it."),
    ("loss_streak", Kind.COUNT, _FILL, "Closing fills in a row that lost money, before fees."),
    ("last_closing_pnl", Kind.MONEY, _FILL, "Profit of the last closing fill, before fees; UNKNOWN before the first."),
)  # fmt: skip

_PERIOD_ROWS: tuple[Row, ...] = (
    ("start_equity", Kind.MONEY, _PERIOD,
     "Equity when the {0} began, moved along by deposits and withdrawals; UNKNOWN until first known."),
    ("peak_equity", Kind.MONEY, _PERIOD, "Highest equity of the {0}, moved along by deposits and withdrawals."),
    ("drawdown", Kind.MONEY, _PERIOD, "Money below the peak of the {0}."),
    ("drawdown_fraction", Kind.FRACTION, _PERIOD, "Drawdown of the {0} as a fraction of its peak."),
    ("realized_pnl", Kind.MONEY, _FILL | _CALENDAR, "Profit of trades closed in the {0}, before fees."),
    ("net_realized_pnl", Kind.MONEY, _FILL | _CALENDAR, "Profit of trades closed in the {0}, after its fees."),
    ("realized_loss", Kind.MONEY, _FILL | _CALENDAR,
     "Loss of trades closed in the {0} before fees, as a positive number; 0 in profit."),
    ("net_realized_loss", Kind.MONEY, _FILL | _CALENDAR,
     "Loss of trades closed in the {0} after fees, as a positive number; 0 in profit."),
    ("total_pnl", Kind.MONEY, _PERIOD,
     "Change of equity in the {0}: closed trades, open positions and fees, without deposits and withdrawals."),
    ("loss", Kind.MONEY, _PERIOD, "total_pnl of the {0} as a positive loss; 0 in profit."),
    ("fees", Kind.MONEY, _FILL | _CALENDAR, "Fees of the {0}, as a positive cost."),
    ("fills", Kind.COUNT, _FILL | _CALENDAR, "Number of fills in the {0}."),
    ("entries", Kind.COUNT, _FILL | _CALENDAR,
     "Orders that opened or enlarged a position in the {0}; one however many fills it took."),
    ("round_trips", Kind.COUNT, _FILL | _CALENDAR,
     "How often a position went back to flat, or changed sides, in the {0}."),
    ("label", Kind.TEXT, _CALENDAR, "The name of the {0}."),
)  # fmt: skip
_PERIODS = {"day": "trading day", "session": "session", "week": "trading week"}


# What rules ask for most is written out here, so that the hot path pays no call of the property of the same meaning.
_PERIOD_CODE = {
    "total_pnl": "({0}.adjusted - {0}.PERIOD.start_adjusted)",
    "loss": "(0.0 if {0}.PERIOD.start_adjusted <= {0}.adjusted else {0}.PERIOD.start_adjusted - {0}.adjusted)",
    "drawdown": "({0}.PERIOD.peak_adjusted - {0}.adjusted)",
}


def _period_rows(period: str, words: str) -> Iterable[Row]:
    for name, kind, changes, meaning, *_ in _PERIOD_ROWS:
        code = _PERIOD_CODE.get(name, f"{{0}}.PERIOD.{name}").replace("PERIOD", period)
        yield (f"{period}.{name}", kind, changes, meaning.format(words), code)


_POSITION_ROWS: tuple[Row, ...] = (
    ("account", Kind.TEXT, _NONE, "The account that holds it.", "{0}.account_id"),
    ("symbol", Kind.TEXT, _NONE, "The instrument's symbol."),
    ("underlying", Kind.TEXT, _FILL, "What the instrument is derived from; its own symbol where nothing is named.",
     "{0}.instrument.underlying"),
    ("asset_class", Kind.ENUM, _FILL, "The kind of instrument.", "{0}.instrument.spec.asset_class.value"),
    ("side", Kind.ENUM, _HELD, "Long or short."),
    ("quantity", Kind.QUANTITY, _HELD, "Size held: positive long, negative short."),
    ("average_price", Kind.PRICE, _HELD, "Average price paid for what is held."),
    ("mark", Kind.PRICE, _MARKED, "The price that values it, chosen by the account's mark."),
    ("notional", Kind.MONEY, _MARKED, "Size at the mark in money, always positive."),
    ("net_notional", Kind.MONEY, _MARKED, "Size at the mark in money, negative for shorts."),
    ("unrealized_pnl", Kind.MONEY, _MARKED, "Profit if it were closed at the mark, before fees."),
    ("unrealized_ticks", Kind.NUMBER, _MARKED, "Ticks in favour (positive) or against (negative)."),
    ("unrealized_fraction", Kind.FRACTION, _MARKED, "Unrealized profit as a fraction of what was paid."),
    ("r_multiple", Kind.NUMBER, _MARKED | _ORDER, "Profit in multiples of the risk from the entry to its first stop."),
    ("best_price", Kind.PRICE, _MARKED, "The most favourable mark since it was opened."),
    ("worst_price", Kind.PRICE, _MARKED, "The least favourable mark since it was opened."),
    ("opened_at", Kind.TIME, _HELD, "When it was opened."),
    ("age", Kind.DURATION, _HELD | _TIME, "How long it has been open.", "(clock.now - {0}.opened_at)"),
    ("protected", Kind.BOOL, _MARKED | _ORDER, "Whether working stops on the losing side cover its whole size."),
    ("stop_price", Kind.PRICE, _MARKED | _ORDER, "The farthest of the stops that protect it."),
    ("stop_distance", Kind.PRICE, _MARKED | _ORDER, "Distance in price from the mark to stop_price."),
    ("liquidation_price", Kind.PRICE, _HELD, "Where the venue would liquidate it, as the broker reports."),
    ("liquidation_buffer", Kind.FRACTION, _MARKED, "Distance from the mark to liquidation as a fraction of the mark."),
    ("margin", Kind.MONEY, _MARKED, "Margin it holds: the broker's figure, else computed from the instrument."),
    ("leverage", Kind.NUMBER, _HELD, "Leverage of the position as the broker reports."),
    ("expiry", Kind.TIME, _FILL, "When the instrument expires; UNKNOWN where it does not.", "{0}.instrument.expiry"),
    ("strike", Kind.PRICE, _FILL, "Strike price of an option.", "{0}.instrument.strike"),
    ("right", Kind.TEXT, _FILL, "``call`` or ``put`` for an option, else empty.", "{0}.instrument.spec.right"),
    ("strategy", Kind.TEXT, _HELD, "The strategy it belongs to, as the broker reports; else empty."),
)  # fmt: skip

_ORDER_ROWS: tuple[Row, ...] = (
    ("account", Kind.TEXT, _NONE, "The account it belongs to.", "{0}.account_id"),
    ("id", Kind.TEXT, _NONE, "The broker's id.", "{0}.order_id"),
    ("client_id", Kind.TEXT, _ORDER, "The id given by whoever sent it; empty where none was."),
    ("origin", Kind.ENUM, _ORDER,
     "Who sent it: this engine, a person at the venue's screen, another program, or the venue itself."),
    ("symbol", Kind.TEXT, _NONE, "The instrument's symbol."),
    ("side", Kind.ENUM, _ORDER, "Buy or sell."),
    ("type", Kind.ENUM, _ORDER, "How it is priced."),
    ("status", Kind.ENUM, _ORDER, "Where it is in its life."),
    ("working", Kind.BOOL, _ORDER, "Whether it can still fill."),
    ("quantity", Kind.QUANTITY, _ORDER, "Its whole size, positive."),
    ("filled", Kind.QUANTITY, _ORDER, "What has filled."),
    ("remaining", Kind.QUANTITY, _ORDER, "What can still fill."),
    ("limit_price", Kind.PRICE, _ORDER, "Its limit price; UNKNOWN where the type has none."),
    ("stop_price", Kind.PRICE, _ORDER, "Its stop price; UNKNOWN where the type has none."),
    ("trail", Kind.PRICE, _ORDER, "The distance of a trailing stop."),
    ("reduce_only", Kind.BOOL, _ORDER, "Whether the venue lets it only reduce."),
    ("increases", Kind.BOOL, _ORDER | _FILL, "Whether filling all of it would enlarge exposure or change sides."),
    ("notional", Kind.MONEY, _ORDER | _QUOTE, "What can still fill, in money, at its limit, stop or the mark."),
    ("placed_at", Kind.TIME, _ORDER, "When it was placed."),
    ("age", Kind.DURATION, _ORDER | _TIME, "How long ago it was placed.", "(clock.now - {0}.placed_at)"),
    ("reason", Kind.TEXT, _ORDER, "The broker's words, for a rejection say; else empty."),
)  # fmt: skip

_FILL_ROWS: tuple[Row, ...] = (
    ("account", Kind.TEXT, _NONE, "The account it belongs to.", "{0}.account_id"),
    ("id", Kind.TEXT, _NONE, "The broker's id.", "{0}.fill_id"),
    ("order_id", Kind.TEXT, _NONE, "The id of its order; empty where the broker does not say."),
    ("origin", Kind.ENUM, _FILL | _ORDER, "Who sent its order; UNKNOWN where the broker names none that was heard of."),
    ("symbol", Kind.TEXT, _NONE, "The instrument's symbol."),
    ("side", Kind.ENUM, _NONE, "Buy or sell."),
    ("quantity", Kind.QUANTITY, _FILL, "Size, positive."),
    ("price", Kind.PRICE, _FILL, "Price at which it was executed."),
    ("notional", Kind.MONEY, _FILL, "Size at its price in money."),
    ("fee", Kind.MONEY, _FILL, "Its fee, as a positive cost."),
    ("pnl", Kind.MONEY, _FILL, "Profit it realized before its fee; 0 where it closed nothing."),
    ("net_pnl", Kind.MONEY, _FILL, "Profit it realized less its own fee."),
    ("opens", Kind.BOOL, _FILL, "Whether it opened, enlarged or turned a position."),
    ("closes", Kind.BOOL, _FILL, "Whether it closed at least a part of a position."),
    ("entry", Kind.BOOL, _FILL,
     "Whether it is the first fill of an order that opened or enlarged a position.", "{0}.execution.entry"),
    ("voided", Kind.BOOL, _FILL, "Whether the broker took it back."),
    ("at", Kind.TIME, _FILL, "When it happened."),
    ("age", Kind.DURATION, _FILL | _TIME, "How long ago it happened.", "(clock.now - {0}.at)"),
)  # fmt: skip

_INTENT_ROWS: tuple[Row, ...] = (
    ("account", Kind.TEXT, _NONE, "The account it is meant for.", "{0}.account_id"),
    ("symbol", Kind.TEXT, _NONE, "The instrument's symbol."),
    ("side", Kind.ENUM, _NONE, "Buy or sell."),
    ("quantity", Kind.QUANTITY, _NONE, "Size, positive."),
    ("price", Kind.PRICE, _QUOTE, "Its price; at market the side of the book it would take, else the mark."),
    ("stop_price", Kind.PRICE, _NONE, "Where its stop would be; UNKNOWN where none is proposed."),
    ("confidence", Kind.FRACTION, _NONE, "How sure the proposer is, 0 to 1; UNKNOWN where not said."),
    ("source", Kind.TEXT, _NONE, "Who proposes it.", "{0}.origin"),
    ("strategy", Kind.TEXT, _NONE, "The strategy that proposes it."),
    ("notional", Kind.MONEY, _QUOTE, "Size at its price in money."),
    ("risk", Kind.MONEY, _QUOTE, "Money lost if it fills and then leaves at its stop."),
    ("position_quantity", Kind.QUANTITY, _FILL, "Signed size held now."),
    ("resulting_quantity", Kind.QUANTITY, _FILL, "Signed size held once all of it has filled."),
    ("increases", Kind.BOOL, _FILL, "Whether it would enlarge exposure or change sides."),
)  # fmt: skip

_INSTRUMENT_ROWS: tuple[Row, ...] = (
    ("symbol", Kind.TEXT, _NONE, "Its symbol."),
    ("underlying", Kind.TEXT, _ACCOUNT, "What it is derived from; its own symbol where nothing is named."),
    ("asset_class", Kind.ENUM, _ACCOUNT, "The kind of instrument.", "{0}.spec.asset_class.value"),
    ("currency", Kind.TEXT, _ACCOUNT, "The currency of its prices.", "{0}.spec.currency"),
    ("bid", Kind.PRICE, _QUOTE, "Best bid."),
    ("ask", Kind.PRICE, _QUOTE, "Best ask."),
    ("last", Kind.PRICE, _QUOTE, "Last trade."),
    ("mark", Kind.PRICE, _QUOTE,
     "The venue's mark, else the last trade, else the middle of bid and ask.", "{0}.prices[0]"),
    ("mid", Kind.PRICE, _QUOTE, "Middle of bid and ask."),
    ("spread", Kind.PRICE, _QUOTE, "Ask less bid.", "({0}.ask - {0}.bid)"),
    ("spread_bps", Kind.NUMBER, _QUOTE, "Spread in hundredths of a percent of the middle."),
    ("spread_ticks", Kind.NUMBER, _QUOTE, "Spread in ticks."),
    ("age", Kind.DURATION, _QUOTE | _TIME, "Time since the newest quote; UNKNOWN before the first."),
    ("stale", Kind.BOOL, _QUOTE, "Whether the newest quote is older than its limit while the market is open."),
    ("session_open", Kind.BOOL, _CALENDAR, "Whether its market trades now.", "{0}.hours.open"),
    ("tick_size", Kind.PRICE, _ACCOUNT, "Smallest step of its price."),
    ("tick_value", Kind.MONEY, _ACCOUNT, "Money per tick and unit."),
    ("multiplier", Kind.NUMBER, _ACCOUNT, "Money per unit of price and unit of quantity."),
    ("weight", Kind.NUMBER, _ACCOUNT, "What one unit counts in net_quantity and gross_quantity."),
    ("volume_24h", Kind.NUMBER, _QUOTE, "Volume of the last 24 hours, as the feed reports."),
    ("late_quotes", Kind.COUNT, _QUOTE, "Quotes ignored so far because a younger one was here before."),
    ("refused_quotes", Kind.COUNT, _QUOTE, "Quotes so far that could not be used: zero, crossed or beyond measure."),
    ("data_suspect", Kind.BOOL, _QUOTE,
     "Whether something speaks against its prices: the newest quote could not be used, or jumps and nothing backs it.",
     "bool({0}.suspect_reason)"),
    ("suspect_reason", Kind.TEXT, _QUOTE, "What speaks against its prices; empty where nothing does."),
    ("jump", Kind.FRACTION, _QUOTE, "How far the newest price lies from the one before it; UNKNOWN before the second."),
    ("gap", Kind.DURATION, _QUOTE, "Time between the newest quote and the one before it; UNKNOWN before the second."),
    ("unchanged_for", Kind.DURATION, _QUOTE | _CALENDAR | _TIME,
     "Time since any of its prices last moved while its market was open; 0 while closed, UNKNOWN before the first.",
     "(clock.now - {0}.still_since if {0}.hours.open else 0.0)"),
    ("lag", Kind.DURATION, _QUOTE | _CALENDAR | _TIME,
     "How far its last move lies behind the last move of any other instrument while its market was open: a feed that "
     "is connected and frozen lags."),
    ("expiry", Kind.TIME, _ACCOUNT, "When it expires; UNKNOWN where it does not."),
    ("strike", Kind.PRICE, _ACCOUNT, "Strike price of an option."),
    ("right", Kind.TEXT, _ACCOUNT, "``call`` or ``put`` for an option, else empty.", "{0}.spec.right"),
)  # fmt: skip

_PORTFOLIO_ROWS: tuple[Row, ...] = (
    ("balance", Kind.MONEY, _FILL | _ACCOUNT, "Sum of balances; UNKNOWN where accounts differ in currency."),
    ("equity", Kind.MONEY, _VALUE, "Sum of equities."),
    ("unrealized_pnl", Kind.MONEY, _MARKED, "Sum of unrealized profit."),
    ("realized_pnl", Kind.MONEY, _FILL, "Sum of realized profit, before fees."),
    ("fees", Kind.MONEY, _FILL, "Sum of fees."),
    ("day_pnl", Kind.MONEY, _PERIOD, "Sum of the accounts' total profit of their trading days."),
    ("day_loss", Kind.MONEY, _PERIOD, "day_pnl as a positive loss; 0 in profit."),
    ("gross_notional", Kind.MONEY, _MARKED, "Longs plus shorts of all accounts, in money."),
    ("net_notional", Kind.MONEY, _MARKED, "Longs minus shorts of all accounts, in money."),
    ("leverage", Kind.NUMBER, _VALUE, "Gross notional divided by equity."),
    ("open_positions", Kind.COUNT, _HELD, "Number of open positions."),
    ("working_orders", Kind.COUNT, _ORDER, "Number of working orders."),
    ("account_count", Kind.COUNT, _NONE, "Number of accounts."),
)  # fmt: skip

_CLOCK_ROWS: tuple[Row, ...] = (
    ("now", Kind.TIME, _TIME, "The present instant."),
    ("time", Kind.TIME_OF_DAY, _TIME, "Wall-clock time in the set-up's zone."),
    ("weekday", Kind.ENUM, _TIME, "Day of the week in the set-up's zone."),
    ("date", Kind.TEXT, _TIME, "Date in the set-up's zone, as 2025-05-06."),
    ("zone", Kind.TEXT, _NONE, "The zone of time, weekday and date."),
)

_SESSION_ROWS: tuple[Row, ...] = (
    ("calendar", Kind.TEXT, _NONE, "The trading calendar."),
    ("open", Kind.BOOL, _CALENDAR, "Whether the market trades now."),
    ("next_open", Kind.TIME, _CALENDAR, "When it opens next; UNKNOWN where it never closes."),
    ("next_close", Kind.TIME, _CALENDAR, "When it closes next; UNKNOWN where it never does."),
    ("early_close", Kind.BOOL, _CALENDAR, "Whether this session, or the next, closes earlier than usual."),
    (
        "seconds_to_close",
        Kind.DURATION,
        _TIME | _CALENDAR,
        "Time until it closes; 0 while closed, UNKNOWN where it never does.",
    ),
    ("seconds_to_open", Kind.DURATION, _TIME | _CALENDAR, "Time until it opens; 0 while open."),
)

_SIDES = ("buy", "sell")
_CLASSES = tuple(AssetClass)

FIELDS: tuple[Field, ...] = (
    *_fields("account", "account", _ACCOUNT_ROWS, {"mode": tuple(TradingMode), "connection": tuple(ConnectionStatus)}),
    *(made for period, words in _PERIODS.items() for made in _fields("account", words, _period_rows(period, words))),
    *_fields("position", "position", _POSITION_ROWS, {"side": ("long", "short"), "asset_class": _CLASSES}),
    *_fields(
        "order",
        "broker",
        _ORDER_ROWS,
        {"side": _SIDES, "type": tuple(OrderType), "status": tuple(OrderStatus), "origin": tuple(Origin)},
    ),
    *_fields("fill", "broker", _FILL_ROWS, {"side": _SIDES, "origin": tuple(Origin)}),
    *_fields("intent", "proposed order", _INTENT_ROWS, {"side": _SIDES}),
    *_fields("instrument", "quotes and set-up", _INSTRUMENT_ROWS, {"asset_class": _CLASSES}),
    *_fields("portfolio", "all accounts", _PORTFOLIO_ROWS),
    *_fields("clock", "clock", _CLOCK_ROWS, {"weekday": WEEKDAYS}),
    *_fields("session", "trading calendar", _SESSION_ROWS),
)

COLLECTIONS: tuple[Collection, ...] = (
    Collection(name="account.positions", item="position", meaning="Its open positions.", changes=_HELD | _QUOTE,
               code="{0}.book.values()", bound=100),
    Collection(name="account.orders", item="order", meaning="Its working orders.", changes=_ORDER,
               code="{0}.order_book.values()", bound=100),
    Collection(name="account.fills", item="fill", meaning="Its newest 200 fills, oldest first.", changes=_FILL,
               bound=200),
    Collection(name="portfolio.accounts", item="account", meaning="All accounts.",
               changes=_VALUE | _LOCK | _ORDER, bound=20),
    Collection(name="instrument.positions", item="position", meaning="Open positions in it, of all accounts.",
               changes=_HELD | _QUOTE, bound=20),
)  # fmt: skip

ROOTS: dict[Scope, dict[str, str]] = {
    Scope.PORTFOLIO: {"portfolio": "{0}", "clock": "clock"},
    Scope.ACCOUNT: {"account": "{0}", "session": "{0}.hours", "portfolio": "{0}.portfolio", "clock": "clock"},
    Scope.INSTRUMENT: {"instrument": "{0}", "session": "{0}.hours", "portfolio": "{0}.portfolio", "clock": "clock"},
    **{
        scope: {
            scope.value: "{0}",
            "account": "{0}.account",
            "instrument": "{0}.instrument",
            "session": "{0}.account.hours",
            "portfolio": "{0}.account.portfolio",
            "clock": "clock",
        }
        for scope in (Scope.POSITION, Scope.ORDER, Scope.FILL, Scope.INTENT)
    },
}
"""Per scope: each root that may be named, and the Python that reaches it from the entity."""
