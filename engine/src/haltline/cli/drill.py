"""`haltline drill`: a made-up breach through the real alarm path, and how ready that is."""

import asyncio
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from haltline.api.reply import Paragraph, Reply, ReplyStatus, Tone
from haltline.cli.completion import accounts
from haltline.cli.consoleclient import ConsoleClient
from haltline.cli.group import HelpfulCommand
from haltline.cli.operate import journal_of
from haltline.cli.option import Config, Json, Plain, command_app
from haltline.cli.output import Output
from haltline.cli.replyview import show_reply
from haltline.cli.workspace import find_setup
from haltline.clock import SystemClock
from haltline.config.finding import did_you_mean
from haltline.control.command.drill import LONGEST_S, drill_reply
from haltline.errors import ConfigError, Problem
from haltline.journal.error import JournalLocked
from haltline.journal.store import Journal
from haltline.model.rule import Severity
from haltline.notify.drillreport import DrillReport
from haltline.runtime.compose import Parts
from haltline.runtime.drill import Acknowledged, drill_offline
from haltline.runtime.embed import load_parts
from haltline.runtime.frame import Follow, Run

app = command_app()


@app.command(cls=HelpfulCommand)
def drill(
    account: Annotated[
        str | None,
        typer.Option("--account", autocompletion=accounts, help="Whose alarm. [default: the first account]"),
    ] = None,
    severity: Annotated[Severity, typer.Option("--severity", help="How loud.")] = Severity.CRITICAL,
    rule: Annotated[
        str | None, typer.Option("--rule", help="As if this rule were broken: routes may match it.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until somebody acknowledges it, and take the time.")
    ] = False,
    flatten: Annotated[
        bool, typer.Option("--flatten", help="Also flatten the account; only where no money is real.")
    ] = False,
    config: Config = None,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Send a made-up breach through the real alarm path.

    No rule is evaluated, and every message says that it is a drill. Nothing reaches a broker, but for --flatten: what
    an account at the paper exchange holds is closed, like by any flatten, with a receipt. Where an engine runs, it is
    drilled itself, bots included, and `--wait` waits two minutes for somebody to press Acknowledge or to use `ack`.
    Without one the channels of the set-up are tried, and `--wait` waits for Enter. What it has shown goes on record.

    \b
    Examples:
      haltline drill
      haltline drill --account eval --wait
      haltline drill --account paper --flatten

    \b
    JSON: the reply: {"title", "status", "tone", "parts": [...], ...}; where an engine runs, one more line before it

    Exit code 0: the alarm reached every channel it was for. 1: it did not.
    """
    output = Output(json=json, plain=plain)
    reply = _by_engine(output, config, account=account, severity=severity, rule=rule, wait=wait, flatten=flatten)
    if reply is None and flatten:
        cure = "start `haltline run`, or leave --flatten out"
        raise ConfigError([Problem(code="E864", what="only a running engine can flatten an account", cure=cure)])
    if reply is None:
        reply = _by_itself(output, config, account=account, severity=severity, rule=rule or "drill", wait=wait)
    show_reply(output, reply)
    raise typer.Exit(0 if reply.status is ReplyStatus.DONE else 1)


def _by_engine(
    output: Output, config: Path | None, *, account: str | None, severity: Severity, rule: str | None, wait: bool,
    flatten: bool,
) -> Reply | None:  # fmt: skip
    """What the running engine says of its drill; None where none runs."""
    given = {"severity": severity.value, "wait": f"{LONGEST_S:g}s" if wait else "", "account": account or ""}
    given |= {"rule": rule or "", "flatten": "yes" if flatten else ""}
    with ExitStack() as stack:
        try:
            client = stack.enter_context(ConsoleClient(journal_of(config), timeout_s=2 * LONGEST_S + 60))
        except ConfigError:
            return None
        begun = client.ask(Run(command="drill", arguments=given)).reply
        if begun is None or not begun.actions:
            return begun
        show_reply(output, begun)
        return client.ask(Follow(actions=begun.actions)).reply


def _by_itself(
    output: Output, config: Path | None, *, account: str | None, severity: Severity, rule: str, wait: bool
) -> Reply:
    parts = load_parts(find_setup(config))
    labels = {"account": _account(parts, account), "rule": rule, "severity": severity.value}
    report = asyncio.run(
        drill_offline(parts, SystemClock(), labels, acknowledge=_acknowledge(output) if wait else None)
    )
    reply = drill_reply(report)
    missing = [entry.name for entry in parts.setup.surfaces]
    notes = [] if _record(report, parts.setup.store.path) else ["Not on record: an engine has the journal."]
    if missing:
        notes.append(f"Not tried: {', '.join(missing)}; front ends are, where an engine runs.")
    more = tuple(Paragraph(text=note, tone=Tone.WARNING) for note in notes)
    return msgspec.structs.replace(reply, parts=(*reply.parts, *more))


def _account(parts: Parts, wanted: str | None) -> str:
    known = [str(account.id) for account in parts.setup.accounts]
    if wanted is not None and wanted not in known:
        cure = did_you_mean(wanted, known, sort="accounts")
        raise ConfigError([Problem(code="E425", what=f"unknown account {wanted!r}", cure=cure)])
    return wanted or next(iter(known), "")


def _acknowledge(output: Output) -> Acknowledged:
    async def enter() -> str:
        output.say("Press Enter when you have heard it.", style="bold")
        return "Enter" if await asyncio.to_thread(sys.stdin.readline) else ""

    return enter


def _record(report: DrillReport, path: Path) -> bool:
    """Put it on record; False where a running engine holds the journal."""
    try:
        with Journal.open(path) as journal:
            journal.append_durable([report.entry()])
    except JournalLocked:
        return False
    return True
