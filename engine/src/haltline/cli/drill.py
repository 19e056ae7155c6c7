"""`haltline drill`: a made-up breach through the real alarm path, and how ready that is."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from haltline.cli.group import HelpfulCommand
from haltline.cli.option import Config, Json, Plain, command_app
from haltline.cli.output import Output
from haltline.cli.workspace import find_setup
from haltline.clock import SystemClock
from haltline.config.finding import did_you_mean
from haltline.errors import ConfigError, Problem
from haltline.journal.error import JournalLocked
from haltline.journal.store import Journal
from haltline.model.rule import Severity
from haltline.notify.forecast import summary
from haltline.runtime.compose import Parts
from haltline.runtime.drill import DrillReport, drill_offline
from haltline.runtime.embed import load_parts

app = command_app()


@app.command(cls=HelpfulCommand)
def drill(
    account: Annotated[str | None, typer.Option("--account", help="Whose alarm. [default: the first account]")] = None,
    severity: Annotated[Severity, typer.Option("--severity", help="How loud.")] = Severity.CRITICAL,
    rule: Annotated[str, typer.Option("--rule", help="As if this rule were broken: routes may match it.")] = "drill",
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for Enter as the acknowledgement, and take its time.")
    ] = False,
    config: Config = None,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Send a made-up breach through the real alarm path.

    Nothing reaches a broker, and no rule is evaluated: every message says that it is a drill. What it has shown goes
    on record in the journal, unless a running engine has that open.

    \b
    Examples:
      haltline drill
      haltline drill --account eval --wait

    \b
    JSON: {"score", "on_record", "labels", "deliveries", "unacknowledged", "ack_ns", "checks", "faults"}

    Exit code 0: the alarm reached every channel it was for. 1: it did not.
    """
    output = Output(json=json, plain=plain)
    parts = load_parts(find_setup(config))
    chosen = _account(parts, account)
    labels = {"account": chosen, "rule": rule, "severity": severity.value}
    report = asyncio.run(
        drill_offline(parts, SystemClock(), labels, acknowledge=_acknowledge(output) if wait else None)
    )
    on_record = _record(report, parts.setup.store.path)
    if json:
        fields = ("labels", "deliveries", "unacknowledged", "ack_ns", "checks", "faults")
        output.emit(
            {"score": report.score, "on_record": on_record} | {name: getattr(report, name) for name in fields}
        )  # fmt: skip
    _tell(output, report, on_record=on_record)
    raise typer.Exit(0 if report.checks[0].is_met else 1)


def _tell(output: Output, report: DrillReport, *, on_record: bool) -> None:
    for each in report.deliveries:
        took = f"after {each.elapsed_ns / 1e6:.0f} ms" if each.elapsed_ns is not None else "NOT DELIVERED"
        output.say(
            f"  {each.stage:<13}{each.channel:<16}{took}", style="green" if each.elapsed_ns is not None else "red"
        )
    for fault in report.faults:
        output.say(f"  lost: {fault}", style="red")
    if report.unacknowledged:
        output.say("if nobody had acknowledged:")
    for line in summary(report.unacknowledged):
        output.say(f"  {line}")
    for check in report.checks:
        output.say(f"  [{'x' if check.is_met else ' '}] {check.question} ({check.points})")
    style = "bold green" if report.score == 100 else "bold yellow"
    output.say(f"readiness {report.score} of 100{'' if on_record else '; not on record: an engine has the journal'}",
               style=style)  # fmt: skip


def _account(parts: Parts, wanted: str | None) -> str:
    known = [str(account.id) for account in parts.setup.accounts]
    if wanted is not None and wanted not in known:
        cure = did_you_mean(wanted, known, sort="accounts")
        raise ConfigError([Problem(code="E425", what=f"unknown account {wanted!r}", cure=cure)])
    return wanted or next(iter(known), "")


def _acknowledge(output: Output) -> Callable[[], Awaitable[bool]]:
    async def enter() -> bool:
        output.say("Press Enter when you have heard it.", style="bold")
        return bool(await asyncio.to_thread(sys.stdin.readline))

    return enter


def _record(report: DrillReport, path: Path) -> bool:
    """Put it on record; False where a running engine holds the journal."""
    try:
        with Journal.open(path) as journal:
            journal.append_durable([report.entry()])
    except JournalLocked:
        return False
    return True
