"""`haltline plugins`: what each plugin brings, what failed, and what is installed but not enabled."""

from rich.table import Table
from rich.text import Text

from haltline.cli.group import HelpfulCommand
from haltline.cli.option import Config, Json, Plain, command_app
from haltline.cli.output import Output
from haltline.cli.problem import say_problems
from haltline.cli.workspace import plugins_of, present_setup
from haltline.plugins.report import PluginReport, PluginStatus

app = command_app()
_COLOURS = {PluginStatus.OK: "green", PluginStatus.FAILED: "bold red", PluginStatus.NOT_ENABLED: "dim"}


@app.command(cls=HelpfulCommand)
def plugins(config: Config = None, plain: Plain = False, json: Json = False) -> None:
    """List plugins: what they bring, what failed, what is not enabled.

    A plugin is enabled by naming it under `plugins:` in the set-up; rule packs need no naming.

    \b
    Examples:
      haltline plugins
      haltline plugins --config desk.yaml

    \b
    JSON: {"ok": true, "plugins": [{"name", "status", "distribution", "version",
          "required", "provides": [...], "capabilities": [...], "error"}, ...]}
    """
    output = Output(json=json, plain=plain)
    reports = plugins_of(present_setup(config)).reports
    if json:
        failed = any(report.status is PluginStatus.FAILED for report in reports)
        output.emit({"ok": not failed, "plugins": [_as_json(report) for report in reports]})
        return
    output.show(_table(reports))
    say_problems(output, [report.error for report in reports if report.error is not None])


def _table(reports: tuple[PluginReport, ...]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("plugin", "status", "from", "brings"):
        table.add_column(heading, overflow="fold", no_wrap=heading != "brings")
    for report in reports:
        status = Text(report.status.value, style=_COLOURS[report.status])
        origin = f"{report.distribution} {report.version}".strip()
        table.add_row(report.name, status, origin, _brings(report))
    return table


def _brings(report: PluginReport) -> str:
    sorts: dict[str, list[str]] = {}
    for item in report.provides:
        sort, _, name = item.rpartition(" ")
        sorts.setdefault(sort, []).append(name)
    return "\n".join(f"{sort}: {', '.join(names)}" for sort, names in sorts.items())


def _as_json(report: PluginReport) -> dict[str, object]:
    return {
        "name": report.name,
        "status": report.status.value,
        "distribution": report.distribution,
        "version": report.version,
        "required": report.required,
        "provides": report.provides,
        "capabilities": report.capabilities,
        "error": report.error.as_record() if report.error else None,
    }
