"""The moving picture of `haltline run`: accounts, limits as bars, incidents, what happened last, what is up."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.table import Table
from rich.text import Text

from haltline.cli.panel import badge, framed, limit_bars, money, signed, tone
from haltline.clock import to_iso
from haltline.control.status import AccountStatus, Status
from haltline.kernel.view import IncidentView
from haltline.model.verdict import Phase
from haltline.runtime.health import EngineStatus, RulesStatus, ServiceHealth

PHASE_STYLES = {
    Phase.PENDING: "yellow",
    Phase.WARNING: "yellow",
    Phase.BREACHED: "bold red",
    Phase.RESOLVED: "green",
    Phase.OK: "green",
    Phase.UNKNOWN: "magenta",
}
_HEALTH_STYLES = {"up": "green", "starting": "yellow", "degraded": "yellow", "down": "bold red"}


def draw_status(
    status: Status, engine: EngineStatus, happened: Sequence[Text], *, where: str, width: int, height: int
) -> Layout:
    """The whole picture for a terminal of that size."""
    accounts = len(status.accounts) + 3
    limits = min(max(len(status.gauges), 1), max(3, (height - accounts) // 3)) + 2
    incidents = min(max(len(status.incidents), 1), 5) + 2
    root = Layout()
    root.split_column(
        Layout(_head(engine, where), size=2),
        Layout(_refused(engine.rules), size=2, visible=bool(engine.rules.problems)),
        Layout(framed(_accounts(status.accounts), "accounts"), size=accounts),
        Layout(framed(_limits(status, width, limits - 2), "limits, fullest first"), size=limits),
        Layout(framed(_incidents(status.incidents), "incidents", _incident_colour(status.incidents)), size=incidents),
        Layout(framed(_happened(happened, height), "what happened")),
        Layout(_services(engine.services), size=1),
    )
    return root


def _head(engine: EngineStatus, where: str) -> RenderableType:
    grid = Table.grid(expand=True)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(
        Text.assemble((" HALTLINE ", "bold black on cyan"), f"  {where}"),
        Text(f"{to_iso(engine.now)[:19]}Z", style="cyan"),
    )
    watching = "ready" if len(engine.reconciled) == len(engine.accounts) else "waiting for brokers"
    line = f"{engine.events:,} events, {watching}; Ctrl-C stops"
    if engine.rules.waiting:
        line += f"; restart to apply: {', '.join(engine.rules.waiting)}"
    return Group(grid, Text(line, style="dim italic"))


def _refused(rules: RulesStatus) -> RenderableType:
    """What nobody may overlook: the files are broken, and the rules that guard are not the ones in them."""
    head = f" RULES NOT RELOADED since {to_iso(rules.failed_at or 0)[11:19]}: the earlier {rules.rules} stay in force "
    first = Text(rules.problems[0] if rules.problems else "", style="red", no_wrap=True, overflow="ellipsis")
    return Group(Text(head, style="bold white on red", no_wrap=True, overflow="ellipsis"), first)


def _accounts(accounts: Sequence[AccountStatus]) -> Table:
    table = Table(box=None, expand=True, padding=(0, 1), header_style="dim")
    for heading in ("account", "mode", "acts", "equity", "today", "positions", "orders"):
        table.add_column(heading, justify="right" if heading in ("equity", "today", "orders") else "left", no_wrap=True)
    for account in accounts:
        held = ", ".join(f"{position.symbol} {position.quantity:+g}" for position in account.positions)
        table.add_row(
            Text(account.id, style="bold"),
            badge(account.mode),
            Text("yes", style="green") if account.live else Text("shadow", style="yellow"),
            money(account.equity),
            Text(signed(account.day_pnl), style=tone(account.day_pnl)),
            held or Text("flat", style="dim"),
            str(account.working_orders),
        )
    return table


def _limits(status: Status, width: int, rows: int) -> RenderableType:
    if not status.gauges:
        return Text("no rule with a limit concerns anything yet", style="dim italic")
    return limit_bars(status.gauges[:rows], width, with_entity=True)


def _incidents(incidents: Sequence[IncidentView]) -> RenderableType:
    if not incidents:
        return Text("none", style="green")
    table = Table.grid(padding=(0, 2))
    for incident in incidents[-5:]:
        reason = incident.waits or incident.reason or incident.title
        table.add_row(
            Text(to_iso(incident.since)[11:19], style="dim"),
            Text(incident.phase.value, style=PHASE_STYLES[incident.phase]),
            f"{incident.rule} on {incident.entity}",
            Text(reason + (" [shadow]" if incident.shadow else ""), style="dim", no_wrap=True, overflow="ellipsis"),
        )
    return table


def _incident_colour(incidents: Sequence[IncidentView]) -> str:
    if any(incident.phase is Phase.BREACHED for incident in incidents):
        return "red"
    return "yellow" if incidents else "cyan"


def _happened(lines: Sequence[Text], height: int) -> RenderableType:
    return Group(*lines[-height:]) if lines else Text("nothing yet", style="dim italic")


def _services(services: Sequence[ServiceHealth]) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    for service in services:
        line.append(f" {service.name} ", style="dim").append(
            service.status, _HEALTH_STYLES.get(service.status, "default")
        )
        if service.reason and service.status != "up":
            line.append(f" ({service.reason})", style="dim")
    return line
