"""Pieces that moving pictures share: frames, signs and colours of money, and the bars of limits."""

from collections.abc import Sequence

from rich.box import ROUNDED
from rich.console import RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from haltline.cli.gauge import amount, bar, colour_of, percent
from haltline.kernel.view import Gauge
from haltline.model.plan import TradingMode
from haltline.model.verdict import Verdict

MODE_STYLES = {
    TradingMode.ACTIVE: "bold black on green",
    TradingMode.REDUCING: "bold black on yellow",
    TradingMode.HALTED: "bold white on red",
}


def framed(body: RenderableType, title: str, colour: str = "cyan") -> Panel:
    """A box with its title at the left."""
    return Panel(body, title=f"[bold]{title}[/]", title_align="left", border_style=colour, box=ROUNDED, padding=(0, 1))


def badge(mode: TradingMode) -> Text:
    """The mode of an account as a coloured word."""
    return Text(f" {mode} ", style=MODE_STYLES[mode])


def tone(number: float | None) -> str:
    """Green for a profit, red for a loss, magenta for unknown."""
    if number is None:
        return "magenta"
    return "green" if number > 0 else "red" if number < 0 else "default"


def money(number: float | None) -> str:
    """An amount with cents, ``?`` where unknown."""
    return "?" if number is None else f"{number:,.2f}"


def signed(number: float | None) -> str:
    """An amount with its sign and cents, ``?`` where unknown."""
    return "?" if number is None else f"{number:+,.2f}"


def limit_bars(gauges: Sequence[Gauge], width: int, *, with_entity: bool = False) -> Table:
    """One row a limit: title, bar, how much of how much, percent."""
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    bar_width = max(14, width // 3 - 4)
    table.add_column(width=bar_width)
    table.add_column(justify="right", no_wrap=True, min_width=17)
    table.add_column(justify="right", no_wrap=True, width=5)
    for gauge in gauges:
        title = f"{gauge.entity}  {gauge.title}" if with_entity else gauge.title
        table.add_row(
            Text(title, style="bold" if gauge.verdict is Verdict.BREACH else "default"),
            bar(gauge.utilization, bar_width),
            f"{amount(gauge.measured)} of {amount(gauge.threshold)}",
            Text(percent(gauge.utilization), style=f"bold {colour_of(gauge.utilization)}"),
        )
    return table
