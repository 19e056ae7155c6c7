"""The whole state: events in, entities out, and what each event touched.

`apply` checks an event first (DataRefused leaves everything as it was), then does what is due by time, then the event.
"""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from haltline.api.calendar import Calendar
from haltline.api.field import Change
from haltline.clock import NS_PER_S
from haltline.errors import DataRefused
from haltline.model.account import AccountSpec
from haltline.model.event import (
    AccountReport,
    CashFlow,
    ConnectionUpdate,
    Event,
    Fill,
    InstrumentUpdate,
    OrderUpdate,
    PositionReport,
    Quote,
)
from haltline.model.id import Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import Intent
from haltline.model.rule import Scope
from haltline.state import freshness, reduce, snapshot
from haltline.state.account import Account
from haltline.state.backing import REPEAT_NS
from haltline.state.clockview import ClockView
from haltline.state.day import RollClock
from haltline.state.entity import QUOTE, Entity
from haltline.state.hours import SessionView, always_open
from haltline.state.instrument import TOLERANCE, Instrument
from haltline.state.intent import IntentEntity
from haltline.state.portfolio import Portfolio
from haltline.state.price import FAR
from haltline.state.refuse import (
    check_intent,
    check_spec,
    is_usable,
    refuse_account,
    refuse_quote,
    refuse_symbol,
)
from haltline.state.suspicion import note_refused

HOLD_NS = 2 * NS_PER_S
"""How long a breach must hold where evidence is missing, unless rule or set-up say otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSettings:
    """What a state is made from. `stale_after_ns` is the limit of instruments without their own; None is never.

    `calendars` raises KeyError for an unknown name. `zone` is that of the `clock` root; `now` the first instant.
    `tolerance` is by which fraction two observations of a price may differ and still back each other; `hold_ns` how
    long a breach must hold where evidence is missing.
    """

    accounts: tuple[AccountSpec, ...] = ()
    instruments: tuple[InstrumentSpec, ...] = ()
    calendars: Callable[[str], Calendar] = always_open
    stale_after_ns: int | None = None
    zone: str = "UTC"
    now: int = 0
    tolerance: float = TOLERANCE
    hold_ns: int = HOLD_NS


class State:
    """Everything that rules can read, and the only code that changes it (but for what the kernel owns)."""

    def __init__(self, settings: StateSettings) -> None:
        self.settings = settings
        self.clock = ClockView(settings.zone, settings.now)
        self.portfolio = Portfolio()
        self.accounts: dict[str, Account] = {}
        self.instruments: dict[str, Instrument] = {}
        self.names: dict[str, Instrument] = {}
        self.views: dict[str, SessionView] = {}
        self.rolls: dict[tuple[str, str], RollClock] = {}
        self.pending: list[tuple[int, str]] = []
        self.touched: list[Entity] = []
        self.created: list[Entity] = []
        self.removed: list[Entity] = []
        self.next_edge = FAR
        for spec in settings.instruments:
            self.add_instrument(spec)
        for account in settings.accounts:
            self._add_account(account)
        freshness.find_next_edge(self)

    def _add_account(self, spec: AccountSpec) -> None:
        roll = self.rolls.get((spec.zone, spec.roll))
        if roll is None:
            roll = self.rolls[(spec.zone, spec.roll)] = RollClock(spec.zone, spec.roll)
            roll.refresh(self.clock.now_ns)
        hours = self.view(spec.calendar)
        self.accounts[spec.id] = Account(spec, portfolio=self.portfolio, hours=hours, roll=roll)

    def add_instrument(self, spec: InstrumentSpec) -> Instrument:
        """Take in a new instrument, or new economics of a known one; raises DataRefused for unusable or taken names."""
        self.check_instrument(spec)
        known = self.instruments.get(spec.symbol)
        hours = self.view(spec.calendar)
        limit, tolerance = self.settings.stale_after_ns, self.settings.tolerance
        if known is None:
            known = Instrument(
                spec, hours=hours, portfolio=self.portfolio, clock=self.clock, stale_after_ns=limit, tolerance=tolerance
            )
            self.instruments[spec.symbol] = known
        else:
            known.adopt(spec, hours=hours, stale_after_ns=limit, tolerance=tolerance)
            self.names = {name: item for name, item in self.names.items() if item is not known}
        for name in (spec.symbol, *spec.aliases):
            self.names[name] = known
        return known

    def check_instrument(self, spec: InstrumentSpec) -> None:
        """Raise DataRefused where economics are unusable, a name is taken or the calendar is unknown."""
        check_spec(spec)
        known = self.instruments.get(spec.symbol)
        for name in (spec.symbol, *spec.aliases):
            other = self.names.get(name)
            if other is not None and other is not known:
                raise DataRefused(
                    "E611",
                    f"instrument {spec.symbol!r}: the name {name!r} already belongs to {other.symbol!r}; rename one",
                )
        try:
            self.view(spec.calendar)
        except KeyError as unknown:
            raise DataRefused(
                "E612",
                f"instrument {spec.symbol!r}: calendar {spec.calendar!r} is unknown; name one that a plugin brings",
            ) from unknown

    def view(self, calendar: str) -> SessionView:
        """The one view of a calendar; raises KeyError for an unknown name."""
        found = self.views.get(calendar)
        if found is None:
            found = self.views[calendar] = SessionView(calendar, self.settings.calendars(calendar), self.clock)
            found.begin(self.clock.now_ns)
            if found.due is not None and found.due < self.next_edge:
                self.next_edge = found.due
        return found

    def resolve(self, symbol: str) -> Instrument:
        """The instrument of a symbol, alias or ProjectX contract id; raises DataRefused E602 for an unknown one."""
        found = self.names.get(symbol)
        if found is None:
            parts = symbol.split(".")
            if len(parts) >= 4 and parts[0] == "CON":
                found = self.names.get(parts[3])
            elif len(parts) == 3 and parts[0] == "F":
                found = self.names.get(parts[2])
            if found is None:
                refuse_symbol(symbol)
            self.names[symbol] = found
        return found

    def account(self, account: str) -> Account:
        """The account of an id; raises DataRefused E601 for an unknown one."""
        found = self.accounts.get(account)
        if found is None:
            refuse_account(account, sorted(self.accounts))
        return found

    def touch(self, entity: Entity, mask: int) -> None:
        """Note that an entity has changed."""
        if not entity.changed:
            self.touched.append(entity)
        entity.changed |= mask

    def apply(self, event: Event, now: int) -> None:
        """Take in one event; raises DataRefused, and then nothing has changed."""
        self.touched.clear()
        self.created.clear()
        self.removed.clear()
        if type(event) is Quote:
            self._quote(event, now)
            return
        match event:
            case Fill():
                reduce.fill(self, event, now)
            case OrderUpdate():
                reduce.order(self, event, now)
            case PositionReport():
                reduce.position(self, event, now)
            case AccountReport():
                reduce.account(self, event, now)
            case CashFlow():
                reduce.flow(self, event, now)
            case InstrumentUpdate():
                reduce.instrument(self, event, now)
            case ConnectionUpdate():
                reduce.connection(self, event, now)
            case _:  # a Tick, or an operator's word: the kernel's business
                self.move(now)

    def advance(self, now: int) -> None:
        """Do everything that is due by time alone."""
        self.touched.clear()
        self.created.clear()
        self.removed.clear()
        self.move(now)

    def move(self, now: int) -> None:
        """Set the clock, never back, and do what is due; what was touched before stays listed."""
        self.clock.now_ns = max(self.clock.now_ns, now)
        if now >= self.next_edge or (self.pending and self.pending[0][0] <= now):
            freshness.run_due(self, now)

    @property
    def deadline(self) -> int | None:
        """The next instant at which time alone may change something; never later than the true one."""
        earliest = min(self.next_edge, self.pending[0][0] if self.pending else FAR)
        return None if earliest >= FAR else earliest

    def _quote(self, event: Quote, now: int) -> None:
        instrument = self.names.get(event.symbol) or self.resolve(event.symbol)
        if not is_usable(event) or event.volume_24h is not None:
            refuse_quote(event)
        self.clock.now_ns = max(self.clock.now_ns, now)
        if now >= self.next_edge or (self.pending and self.pending[0][0] <= now):
            freshness.run_due(self, now)
        repeat_ns = REPEAT_NS
        if event.volume_24h is not None:
            if event.volume_24h != instrument.volume_24h:
                repeat_ns = 0  # something was traded in between: the same price is one more observation
            instrument.volume_24h = event.volume_24h
        at = event.at if event.at < now else now
        if at < instrument.quoted_at:
            instrument.late_quotes += 1
            self.touch(instrument, QUOTE)
            return
        if (
            instrument.take(event, at, repeat_ns=repeat_ns)
            and instrument.stale_after_ns < FAR
            and instrument.hours.open
        ):
            self._watch(instrument, now)
        self.reprice(instrument)

    def note_refused(self, event: Quote, now: int, reason: str) -> None:
        """A quote was refused: no price changes, but what is known is no longer backed until a good one comes."""
        instrument = self.names.get(event.symbol)
        if instrument is not None:
            note_refused(instrument, min(event.at, now), reason)
            self.reprice(instrument)

    def observe_trade(self, instrument: Instrument, price: float, at: int) -> None:
        """A fill of ours backs a price; where none is known it is one, and counts as the last trade until a quote."""
        if at >= instrument.traded_at:
            doubt = instrument.suspect_reason
            instrument.traded, instrument.traded_at = price, at
            if instrument.suspect_reason != doubt:
                self.touch(instrument, int(Change.QUOTE))
        if instrument.mark == instrument.mark or at < instrument.quoted_at:
            return
        trade = Quote(at=at, received_at=at, symbol=Symbol(instrument.symbol), last=price, source="own fill")
        if instrument.take(trade, at) and instrument.stale_after_ns < FAR and instrument.hours.open:
            self._watch(instrument, self.clock.now_ns)
        instrument.last_until = 0  # any quote replaces it, whatever prices that brings
        self.reprice(instrument)

    def watch(self, instrument: Instrument) -> None:
        """Apply a limit of age that is new to prices that are here already."""
        if not instrument.quoted_at or instrument.stale:
            return
        instrument.stale_due = min(FAR, instrument.quoted_at + instrument.stale_after_ns)
        if instrument.stale_after_ns < FAR and instrument.hours.open:
            instrument.stale_due = max(instrument.stale_due, instrument.hours.opened_ns + instrument.stale_after_ns)
            self._watch(instrument, self.clock.now_ns)
            if instrument.stale:
                self.reprice(instrument)

    def _watch(self, instrument: Instrument, now: int) -> None:
        if instrument.stale_due <= now:
            instrument.forget_prices()
        elif not instrument.pending:
            instrument.pending = True
            heapq.heappush(self.pending, (instrument.stale_due, instrument.symbol))

    def reprice(self, instrument: Instrument) -> None:
        """Value all positions of an instrument anew, and list everything this touches."""
        touched = self.touched
        if not instrument.changed:
            touched.append(instrument)
        instrument.changed |= QUOTE
        if instrument.floating:
            for order in instrument.floating:
                for entity in (order, order.account, self.portfolio):
                    self.touch(entity, QUOTE)
        positions = instrument.positions
        if not positions:
            return
        for position in positions:
            position.revalue()
            if not position.changed:
                touched.append(position)
            position.changed |= QUOTE
            account = position.account
            account.revalue()
            if not account.changed:
                touched.append(account)
            account.changed |= QUOTE
        portfolio = self.portfolio
        if not portfolio.changed:
            touched.append(portfolio)
        portfolio.changed |= QUOTE

    def intent(self, intent: Intent) -> IntentEntity:
        """A proposed order as an entity; raises DataRefused for unknown names and unusable numbers."""
        account, instrument = self.account(intent.account), self.resolve(intent.symbol)
        check_intent(intent)
        return IntentEntity(intent, account=account, instrument=instrument)

    def entity(self, scope: Scope, key: str) -> Entity | None:
        """The entity of that key (``eval``, ``eval/MNQ``), or None."""
        if scope is Scope.PORTFOLIO:
            return self.portfolio if key == self.portfolio.key else None
        if scope is Scope.INSTRUMENT:
            return self.names.get(key)
        if scope is Scope.ACCOUNT:
            return self.accounts.get(key)
        return next((item for item in self.entities(scope) if item.key == key), None)

    def entities(self, scope: Scope) -> Iterable[Entity]:
        """All entities of a scope; none for intents."""
        match scope:
            case Scope.PORTFOLIO:
                return (self.portfolio,)
            case Scope.ACCOUNT:
                return self.accounts.values()
            case Scope.INSTRUMENT:
                return self.instruments.values()
            case Scope.POSITION:
                return [item for account in self.accounts.values() for item in account.book.values()]
            case Scope.ORDER:
                return [item for account in self.accounts.values() for item in account.order_book.values()]
            case Scope.FILL:
                return [item for account in self.accounts.values() for item in account.fills]
            case Scope.INTENT:
                return ()

    def snapshot(self) -> dict[str, object]:
        """Everything as plain values that msgpack can carry."""
        return snapshot.take_plain(self)

    def image(self) -> object:
        """What `snapshot` says, to be encoded before anything changes."""
        return snapshot.take(self)

    def restore(self, data: dict[str, object]) -> None:
        """Become exactly what was taken; the settings must name the same accounts."""
        snapshot.put_back(self, data)
