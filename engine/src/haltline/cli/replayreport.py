"""What a replay showed: kept while it runs, then as a table with a chart, or as JSON."""

from collections.abc import Callable
from dataclasses import dataclass, field

from rich.table import Table
from rich.text import Text

from haltline.cli.gauge import amount, percent
from haltline.cli.output import Output
from haltline.cli.plot import plot, thin
from haltline.clock import format_duration, to_iso
from haltline.journal.receipt import Receipt
from haltline.model.event import Event
from haltline.model.plan import Result
from haltline.model.verdict import Phase, Transition
from haltline.runtime.replay import ReplaySummary

_SAMPLES = 20_000
_IN_JSON = 1500
_PHASE_STYLES = {Phase.WARNING: "yellow", Phase.BREACHED: "bold red", Phase.RESOLVED: "green", Phase.UNKNOWN: "magenta"}
_MOST_ROWS = 20


@dataclass(slots=True, kw_only=True)
class Seen:
    """What happened so far. Equity is sampled evenly over the events, and at every transition."""

    equity_now: Callable[[], float] = field(default=lambda: float("nan"))
    every: int = 1
    transitions: list[Transition] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    curve: list[tuple[int, float]] = field(default_factory=list)
    peak: float = 0.0
    worst_drawdown: float = 0.0
    _count: int = 0

    def pace(self, size: int | None) -> None:
        """Sample so often that a chart has enough points."""
        self.every = max(1, (size or _SAMPLES) // _SAMPLES)

    def on_event(self, event: Event) -> None:
        """Follow the equity: its peak and its fall at every event, the curve now and then."""
        self._count += 1
        equity = self.equity_now()
        if equity > self.peak:
            self.peak = equity
        elif self.peak - equity > self.worst_drawdown * self.peak:
            self.worst_drawdown = (self.peak - equity) / self.peak
        if self._count % self.every == 0 or self._count == 1:
            self._sample(event.received_at)

    def on_result(self, result: Result) -> None:
        """Keep the changes of incidents."""
        self.transitions += result.transitions
        for moved in result.transitions:
            self._sample(moved.at)

    def _sample(self, at: int) -> None:
        equity = self.equity_now()
        if equity == equity:
            self.curve.append((at, equity))

    @property
    def breaches(self) -> list[Transition]:
        """Every firing of a rule."""
        return [moved for moved in self.transitions if moved.phase is Phase.BREACHED]

    def lively(self) -> list[tuple[int, float]]:
        """The curve without what comes after its last movement, but for a little."""
        last = self.curve[-1][1]
        moved = next((index for index in reversed(range(len(self.curve))) if self.curve[index][1] != last), 0)
        end = self.curve[moved][0] + max((self.curve[moved][0] - self.curve[0][0]) // 10, 1)
        return [point for point in self.curve if point[0] <= end] if moved else self.curve


def record(summary: ReplaySummary, seen: Seen, took_s: float) -> dict[str, object]:
    """The replay as one JSON object."""
    return {
        "ok": True,
        "events": summary.events,
        "first": to_iso(summary.first_ns),
        "last": to_iso(summary.last_ns),
        "seconds": round(took_s, 3),
        "start_equity": seen.curve[0][1] if seen.curve else None,
        "end_equity": seen.curve[-1][1] if seen.curve else None,
        "worst_drawdown": seen.worst_drawdown,
        "incidents": seen.transitions,
        "receipts": seen.receipts,
        "equity": [(to_iso(at), round(equity, 2)) for at, equity in thin(seen.curve, _IN_JSON)],
    }


def show(output: Output, summary: ReplaySummary, seen: Seen, took_s: float) -> None:
    """Chart, incidents, receipts and sums for people."""
    if seen.curve:
        _show_chart(output, seen)
    output.show(_incidents(seen) if seen.transitions else Text("no rule fired and none came close", style="green"))
    for receipt in seen.receipts[:_MOST_ROWS]:
        line = Text.assemble((f"{to_iso(receipt.ended_at)}  ", "dim"), (f"{receipt.name} ", "bold"), str(receipt))
        output.console.print(line, soft_wrap=True)
    output.say()
    output.show(_sums(summary, seen, took_s))


def _show_chart(output: Output, seen: Seen) -> None:
    width = min(output.console.size.width, 120) - 2
    curve = seen.lively()
    first, last = curve[0][0], curve[-1][0]
    span = max(last - first, 1)
    sign = "▲" if output.unicode else "^"
    marks = [((moved.at - first) / span, sign) for moved in seen.breaches]
    lines = plot(_evenly(curve, width * 2), width=width, height=10, marks=marks, unicode=output.unicode)
    heading = f"equity from {to_iso(first)[:16]} to {to_iso(last)[:16]}"
    if len(curve) < len(seen.curve):
        heading += ", unchanged afterwards"
    output.say(f"{heading}; {sign} where a rule fired" if marks else heading, style="bold cyan")
    for number, line in enumerate(lines):
        output.say(line, style="bold red" if marks and number == len(lines) - 1 else "cyan")
    output.say()


def _evenly(curve: list[tuple[int, float]], count: int) -> list[float]:
    """The curve at evenly spaced instants, each the newest value by then."""
    first, last = curve[0][0], curve[-1][0]
    found, position = [], 0
    for number in range(count):
        instant = first + (last - first) * number // max(count - 1, 1)
        while position + 1 < len(curve) and curve[position + 1][0] <= instant:
            position += 1
        found.append(curve[position][1])
    return found


def _incidents(seen: Seen) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("when", "rule", "entity", "became", "value", "limit", "used"):
        table.add_column(heading, justify="right" if heading in ("value", "limit", "used") else "left", no_wrap=True)
    for moved in seen.transitions[:_MOST_ROWS]:
        table.add_row(
            Text(to_iso(moved.at)[:19], style="dim"),
            moved.rule,
            moved.entity,
            Text(moved.phase.value, style=_PHASE_STYLES.get(moved.phase, "default")),
            amount(moved.measured),
            amount(moved.threshold),
            percent(moved.utilization),
        )
    if len(seen.transitions) > _MOST_ROWS:
        table.add_row(f"… and {len(seen.transitions) - _MOST_ROWS} more (--json has all)")
    return table


def _sums(summary: ReplaySummary, seen: Seen, took_s: float) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column()
    length = format_duration(summary.last_ns - summary.first_ns)
    table.add_row("period", f"{to_iso(summary.first_ns)[:16]} to {to_iso(summary.last_ns)[:16]} ({length})")
    rate = summary.events / max(took_s, 1e-9)
    table.add_row("events", f"{summary.events:,} in {took_s:.1f} s ({rate:,.0f} a second)")
    if seen.curve:
        table.add_row("equity", f"{seen.curve[0][1]:,.2f} at the start, {seen.curve[-1][1]:,.2f} at the end")
        table.add_row("worst fall", f"{seen.worst_drawdown:.1%} below the peak")
    table.add_row("rules fired", str(len(seen.breaches)))
    table.add_row("actions", str(len(seen.receipts)))
    return table
