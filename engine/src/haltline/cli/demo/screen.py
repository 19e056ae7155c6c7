"""The live picture: account and prices above, limits that fill up, and below what happens. Fits 80 by 24."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from haltline.api.notifier import Message
from haltline.cli.demo.story import COLOURS, Line, Voice, local
from haltline.cli.panel import badge, framed, limit_bars, money, signed, tone
from haltline.cli.plot import plot, sparkline
from haltline.control.status import AccountStatus, Status
from haltline.kernel.view import Gauge
from haltline.model.plan import TradingMode

_TALL = 34
_WIDE = 110
_STORY_MARGIN = 22
_LIMIT_ROWS = 4


@dataclass(slots=True, kw_only=True)
class Scene:
    """Everything the picture shows at one moment."""

    label: str
    status: Status
    prices: dict[str, list[float]]
    equity: list[float]
    lines: Sequence[Line]
    message: Message | None = None
    limits: Sequence[Gauge] = field(default_factory=tuple)


def draw(scene: Scene, *, width: int, height: int) -> Layout:
    """The whole picture for a terminal of that size."""
    account = scene.status.accounts[0]
    tall, wide = height >= _TALL, width >= _WIDE
    root = Layout()
    limits_height = max(_LIMIT_ROWS, len(scene.limits)) + 2
    rows = [
        Layout(_head(scene, width), size=2),
        Layout(name="top", size=7),
        Layout(_limits(scene.limits, width), size=limits_height),
        Layout(name="below"),
    ]
    if tall:
        rows.insert(3, Layout(_equity(scene.equity, width), size=9))
    root.split_column(*rows)
    root["top"].split_row(Layout(_account(account), ratio=1), Layout(_market(scene.prices, width // 2 - 4), ratio=1))
    below = height - 2 - 7 - limits_height - (9 if tall else 0)
    story = _story(scene.lines, below - 2, (width * 2 // 3 if wide else width) - _STORY_MARGIN)
    rings = bool(scene.lines) and scene.lines[-1].voice is Voice.PHONE
    if wide:
        side = _message(scene.message) if scene.message else _quiet_phone()
        root["below"].split_row(Layout(story, ratio=2), Layout(side, ratio=1))
    elif rings and scene.message:
        root["below"].update(_message(scene.message))
    else:
        root["below"].update(story)
    return root


def _head(scene: Scene, width: int) -> RenderableType:
    when = local(scene.status.at).strftime("%a %d %b %Y  %H:%M:%S New York")
    title = Text.assemble((" HALTLINE ", "bold black on cyan"), "  paper account, genuine engine")
    grid = Table.grid(expand=True)
    grid.add_column()
    grid.add_column(justify="right")
    grid.add_row(title, Text(when, style="cyan"))
    label = scene.label if len(scene.label) <= width else scene.label.replace("intraday ", "")
    return Group(grid, Text(label, style="dim italic", no_wrap=True, overflow="ellipsis"))


def _account(account: AccountStatus) -> Panel:
    lines: list[RenderableType] = []
    what = " may trade" if account.mode is TradingMode.ACTIVE else " no new risk"
    lines.append(Text.assemble(badge(account.mode), (what, "dim")))
    lines.append(
        Text.assemble(
            ("equity ", "dim"),
            (money(account.equity), "bold"),
            ("  today ", "dim"),
            (signed(account.day_pnl), f"bold {tone(account.day_pnl)}"),
        )
    )
    for position in sorted(account.positions, key=lambda item: item.symbol, reverse=True)[:2]:
        held = f"{position.symbol} {position.quantity:+g}"
        profit = (signed(position.unrealized_pnl), tone(position.unrealized_pnl))
        lines.append(Text.assemble((held, "bold"), f" @ {position.average_price:,.2f}  ", profit))
    if not account.positions:
        lines.append(Text("flat", style="bold green"))
    if account.working_orders:
        lines.append(Text(f"{account.working_orders} order working", style="dim"))
    return framed(Group(*lines), f"account {account.id} · {account.broker}", "red" if account.lock_reason else "cyan")


def _market(prices: dict[str, list[float]], width: int) -> Panel:
    rows: list[RenderableType] = []
    for symbol, path in prices.items():
        move = path[-1] / path[0] - 1
        price = (f"{symbol} ", "bold"), f"{path[-1]:,.2f}  ", (f"{move * 100:+.2f} %", tone(move))
        rows.append(Text.assemble(*price))
        rows.append(Text(sparkline(path, width), style="cyan", no_wrap=True))
    return framed(Group(*rows), "market")


def _limits(gauges: Sequence[Gauge], width: int) -> Panel:
    return framed(limit_bars(gauges, width), "limits")


def _equity(values: Sequence[float], width: int) -> Panel:
    return framed(Text("\n".join(plot(values, width=width - 4, height=7)), style="cyan", no_wrap=True), "equity")


def _fitting(lines: Sequence[Line], room: int, width: int) -> Sequence[Line]:
    """The newest lines that fit into `room` rows when long ones are wrapped."""
    for count, line in enumerate(reversed(lines)):
        room -= -(-len(line.text) // max(width, 20))
        if room < 0:
            return lines[len(lines) - count :]
    return lines


def _story(lines: Sequence[Line], room: int, width: int) -> Panel:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", no_wrap=True, min_width=8)
    table.add_column(no_wrap=True, min_width=7)
    table.add_column(overflow="fold")
    for line in _fitting(lines, room, width):
        colour = COLOURS[line.voice]
        table.add_row(line.clock, Text(line.voice.value, style=colour), Text(line.text, style=colour))
    return framed(table, "what happens")


def _message(message: Message) -> Panel:
    body = Text.assemble((message.title, "bold"), message.text.removeprefix(message.title))
    return framed(body, "message on your phone", "magenta")


def _quiet_phone() -> Panel:
    return framed(Text("no messages yet", style="dim italic"), "your phone", "bright_black")
