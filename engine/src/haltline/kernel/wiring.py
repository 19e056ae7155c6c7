"""What a kernel is wired from: windows for the needs of its rules, and the orders that watch an instrument."""

from collections.abc import Iterator
from typing import Any

from haltline.expr.window import WindowNeed
from haltline.state.state import State
from haltline.state.window import EventWindow, SeriesWindow


def new_window(need: WindowNeed) -> SeriesWindow | EventWindow:
    """A fresh history for a need."""
    if need.kind == "events":
        return EventWindow(need.duration_ns)
    assert need.duration_ns is not None
    return SeriesWindow(need.duration_ns)


def orders_of(state: State, instrument: Any) -> Iterator[Any]:
    """Working orders on one instrument, of all accounts."""
    return (
        order
        for account in state.accounts.values()
        for order in account.order_book.values()
        if order.instrument is instrument
    )
