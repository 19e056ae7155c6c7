"""The edge: what a plugin hands over is refused where it is no event, or where the journal could not give it back."""

import sys
from typing import get_args

import msgspec

from haltline.journal.record import event_entry
from haltline.model.event import AccountReport, Event, OverrideGrant, PositionReport, Quote

_KINDS = frozenset(get_args(Event))
_EVENTS = msgspec.json.Decoder(Event)
_LONGEST_SYMBOL = 200
_LAST_INSTANT_NS = 1 << 62


def admit(event: Event) -> Event | str:
    """The event as recovery would read it from the journal, so that both see the same; or why it cannot be taken."""
    if type(event) is Quote:
        return _flaw_of_quote(event) or event
    if type(event) not in _KINDS:
        return f"something that is no event was refused: {type(event).__name__}"
    match event:
        case AccountReport(equity=equity, margin_used=used, margin_available=available):
            numbers = {"equity": equity, "margin_used": used, "margin_available": available}
        case PositionReport(liquidation_price=liquidation, margin=margin, leverage=leverage):
            numbers = {"liquidation_price": liquidation, "margin": margin, "leverage": leverage}
        case OverrideGrant(extra=extra):
            numbers = {"extra": extra}  # on record it would be none at all: an exemption
        case _:
            numbers = {}
    bad = [name for name, number in numbers.items() if number is not None and not _is_finite(number)]
    if bad:
        return f"{type(event).__name__} was refused: {', '.join(bad)} is not a finite number"
    return _as_recorded(event)


def _flaw_of_quote(quote: Quote) -> str:
    """The same for the hot path, by hand."""
    symbol = quote.symbol
    if not isinstance(symbol, str) or not symbol.isprintable() or len(symbol) > _LONGEST_SYMBOL:
        return f"Quote was refused: {ascii(symbol)[:60]} is no symbol"
    if not (_is_instant(quote.at) and _is_instant(quote.received_at)):
        return f"Quote of {symbol} was refused: its time is not a count of nanoseconds"
    numbers = (quote.bid, quote.ask, quote.last, quote.mark, quote.volume_24h)
    for number in numbers:
        if number is not None and not _is_finite(number):
            names = ("bid", "ask", "last", "mark", "volume_24h")
            bad = [name for name, each in zip(names, numbers, strict=True) if each is not None and not _is_finite(each)]
            return f"Quote of {symbol} was refused: {', '.join(bad)} is not a finite number"
    return ""


def _as_recorded(event: Event) -> Event | str:
    """The event by way of its record, which has every field in its declared type."""
    try:
        recorded: Event = _EVENTS.decode(event_entry(event, 0).body)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
        return f"{type(event).__name__} was refused: {ascii(str(error))[1:-1]}"
    if not (_is_instant(recorded.at) and _is_instant(recorded.received_at)):
        return f"{type(event).__name__} was refused: its time is not a count of nanoseconds"
    return recorded


def _is_finite(number: object) -> bool:
    return isinstance(number, float | int) and not isinstance(number, bool) and abs(number) <= sys.float_info.max


def _is_instant(instant: object) -> bool:
    return isinstance(instant, int) and 0 <= instant < _LAST_INSTANT_NS
