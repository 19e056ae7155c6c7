"""What `haltline doctor` is told: login, clock, account, what the key may do, markets."""

from collections.abc import Collection, Sequence

from haltline.api import Finding, Level
from haltline.errors import Refused
from haltline_broker_ccxt.setting import Setting
from haltline_broker_ccxt.venue import Venue


async def diagnose(venue: Venue, setting: Setting, symbols: Collection[str]) -> Sequence[Finding]:
    """Log in and look; raises Transient or Refused where that is not possible. `symbols` are those that are named."""
    await venue.open()
    await venue.line.set_clock()
    snapshot = await venue.pull()
    report = snapshot.account
    sort = "a simulator" if setting.host else "live money"
    equity = "unknown" if report.equity is None else f"{report.equity:,.2f}"
    text = f"{sort}, equity {equity}, {len(snapshot.positions)} positions, {len(snapshot.orders)} working orders"
    found = [
        Finding(level=Level.OK, about="login", text=f"{venue.name} accepts the key"),
        _clock(venue),
        Finding(level=Level.OK, about="account", text=text),
    ]
    if report.can_trade is False:
        found.append(
            Finding(
                level=Level.FAIL, about="permissions", text="the venue does not let this account trade",
                cure="give the key the right to trade futures",
            )
        )  # fmt: skip
    found += await venue.permissions()
    return [*found, *(_market(venue, symbol) for symbol in sorted(symbols)), *_dead_man(setting)]


def _clock(venue: Venue) -> Finding:
    ahead_s = venue.line.offset_ms / 1000
    if not venue.line.is_apart:
        return Finding(level=Level.OK, about="clock", text=f"{venue.name}'s clock is ours")
    text = f"our clock is {ahead_s:+.1f} s from {venue.name}'s; requests carry its time"
    return Finding(level=Level.WARN, about="clock", text=text, cure="have this machine keep its time by NTP")


def _market(venue: Venue, symbol: str) -> Finding:
    try:
        market, _ = venue.markets.find(symbol)
    except Refused as refusal:
        cure = "name it under `symbols`, as ccxt calls it"
        return Finding(level=Level.FAIL, about=f"market {symbol}", text=str(refusal), cure=cure)
    text = f"{market.ccxt}, tick {market.tick}, lot {market.lot}, settled in {market.settle}"
    return Finding(level=Level.OK, about=f"market {symbol}", text=text)


def _dead_man(setting: Setting) -> Sequence[Finding]:
    if not setting.dead_man_s:
        return ()
    text = f"after {setting.dead_man_s} s without us the venue cancels open orders and closes no position"
    if not setting.dead_man_strips_stops:
        return (Finding(level=Level.OK, about="dead-man switch", text=f"{text}; it rests while a stop protects"),)
    cure = "take dead_man_strips_stops out"
    return (
        Finding(level=Level.WARN, about="dead-man switch", text=f"{text}, protective stops included", cure=cure),
    )  # fmt: skip
