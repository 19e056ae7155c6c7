"""The command `chart`: equity, drawdown or headroom of an account as a picture, for every front end that shows one."""

import asyncio
from collections.abc import Mapping

from haltline.api import Argument, ArgumentKind, Call, Cell, Command, Picture, Reply, Table, Tone
from haltline.errors import EngineError
from haltline_bot_kit.chart import CurvePoint, Gauge, Level, Mark, drawdown_chart, equity_chart, headroom_chart
from haltline_bot_kit.theme import THEMES, Theme

_WHAT = ("equity", "drawdown", "room")


def chart_command() -> Command:
    """The command to register."""
    return Command(
        name="chart",
        meaning="A picture of an account: its equity, its drawdown, or how full its limits are.",
        run=draw,
        account="account",
        section="See",
        example="chart equity eval 8h",
        arguments=(
            Argument(name="what", meaning="equity, drawdown or room", kind=ArgumentKind.CHOICE, choices=_WHAT),
            Argument(name="account", meaning="the account", kind=ArgumentKind.ACCOUNT),
            Argument(name="last", meaning="how far back; 24h if left out", kind=ArgumentKind.DURATION, required=False),
            Argument(
                name="theme", meaning="dark or light; dark if left out", kind=ArgumentKind.CHOICE, required=False,
                choices=tuple(THEMES),
            ),
        ),
    )  # fmt: skip


async def draw(call: Call) -> Reply:
    """Ask for the numbers as the same operator, and draw them in a thread; raises EngineError for nothing to draw."""
    what, account = str(call.arguments["what"]), str(call.arguments["account"])
    theme = THEMES[str(call.arguments.get("theme") or "dark")]
    try:
        if what == "room":
            picture = await _room(call, account, theme)
        else:
            picture = await _curve(call, account, theme, is_drawdown=what == "drawdown")
    except ValueError as nothing:
        raise EngineError(f"{nothing} for {account}") from nothing
    return Reply(title=picture.text, tone=Tone.PLAIN, parts=(picture,))


async def _curve(call: Call, account: str, theme: Theme, *, is_drawdown: bool) -> Picture:
    last = call.arguments.get("last")
    asked = {"account": account} | ({"last": f"{last:.0f}s"} if isinstance(last, int | float) else {})
    reply = await call.run("equity", asked)
    tables = {part.title: part for part in reply.parts if isinstance(part, Table)}
    curve = [
        CurvePoint(at=int(_number(row["at"]) or 0), equity=_number(row["equity"])) for row in _rows(tables, "Equity")
    ]
    currency = tables["Equity"].columns[1].unit
    known = [point.equity for point in curve if point.equity is not None]
    now = "unknown" if not curve or curve[-1].equity is None else f"{curve[-1].equity:,.2f} {currency}"
    if is_drawdown:
        image = await asyncio.to_thread(
            drawdown_chart, curve, title=f"{account}: drawdown", currency=currency, theme=theme
        )
        return Picture(
            image=image, text=f"{account}: {max(known) - known[-1]:,.2f} {currency} below the highest of the time shown"
        )
    levels = [
        Level(name=str(row["title"]), equity=level)
        for row in _rows(tables, "Limits")
        if (level := _number(row["equity"])) is not None
    ]
    marks = [
        Mark(at=int(_number(row["at"]) or 0), label=str(row["rule"]), severity=str(row["severity"]))
        for row in _rows(tables, "Fired")
    ]
    image = await asyncio.to_thread(
        equity_chart, curve, title=f"{account}: equity", currency=currency, levels=levels, marks=marks, theme=theme
    )
    return Picture(image=image, text=f"{account}: equity {now}, {len(marks)} incidents in the time shown")


async def _room(call: Call, account: str, theme: Theme) -> Picture:
    reply = await call.run("room", {"account": account})
    table = next(part for part in reply.parts if isinstance(part, Table))
    rows = [dict(zip((column.name for column in table.columns), row, strict=True)) for row in table.rows]
    gauges = [_gauge(row, account) for row in rows]
    image = await asyncio.to_thread(headroom_chart, gauges, title=f"{account}: room", theme=theme)
    full = sum(1 for gauge in gauges if gauge.used is not None and gauge.used >= 1)
    return Picture(image=image, text=f"{account}: {len(gauges)} limits, {full} of them reached")


def _gauge(row: Mapping[str, Cell], account: str) -> Gauge:
    entity = str(row["entity"]).removeprefix(f"{account}/").removeprefix(account)
    left, unit = _number(row["headroom"]), f" {row['unit']}" if row.get("unit") else ""
    return Gauge(
        name=f"{row['rule']} {entity}".strip(), used=_number(row["utilization"]),
        room="" if left is None else f"{left:,.10g}{unit} left" if left >= 0 else f"over by {-left:,.10g}{unit}",
    )  # fmt: skip


def _rows(tables: Mapping[str, Table], title: str) -> list[dict[str, Cell]]:
    table = tables.get(title)
    if table is None:
        return []
    names = [column.name for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in table.rows]


def _number(cell: Cell) -> float | None:
    return float(cell) if isinstance(cell, int | float) and not isinstance(cell, bool) else None
