"""The edge: numbers that are not finite do not come in, because a journal in JSON could not give them back."""

import math

from haltline.model.event import AccountReport, Event, PositionReport, Quote


def flaw(event: Event) -> str:
    """Why an event from outside cannot be taken, empty if it can."""
    match event:
        case Quote(bid=bid, ask=ask, last=last, mark=mark, volume_24h=volume):
            numbers = {"bid": bid, "ask": ask, "last": last, "mark": mark, "volume_24h": volume}
        case AccountReport(equity=equity, margin_used=used, margin_available=available):
            numbers = {"equity": equity, "margin_used": used, "margin_available": available}
        case PositionReport(liquidation_price=liquidation, margin=margin, leverage=leverage):
            numbers = {"liquidation_price": liquidation, "margin": margin, "leverage": leverage}
        case _:
            return ""
    bad = [name for name, number in numbers.items() if number is not None and not math.isfinite(number)]
    return f"{type(event).__name__} was refused: {', '.join(bad)} is not a finite number" if bad else ""
