"""`haltline arming`: what arming an account guarantees, by what, and what it does not cover."""

from typing import Annotated

import msgspec
import typer
from rich.table import Table

from haltline.cli.completion import accounts
from haltline.cli.group import HelpfulCommand
from haltline.cli.option import Config, Json, Plain, command_app
from haltline.cli.output import Output
from haltline.cli.workspace import open_workspace
from haltline.control.arming import ArmingList, Guarantee, arming_list
from haltline.model.id import AccountId

app = command_app()


@app.command(cls=HelpfulCommand)
def arming(
    account: Annotated[
        str | None, typer.Argument(metavar="[ACCOUNT]", autocompletion=accounts, help="[default: all accounts]")
    ] = None,
    config: Config = None,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Show what is guaranteed for an armed account, and what is not.

    For every action of every rule: what happens, by which capabilities of the broker, and which it lacks. A gap has a
    code by which it is accepted when somebody arms the account.

    \b
    Examples:
      haltline arming                 all accounts of the set-up
      haltline arming eval --json     one account, for programs

    \b
    JSON: {"ok": true, "accounts": [{"account", "broker", "kind", "live", "guarantees": [{"rule", "when",
          "action", "meaning", "by", "missing", "acts"}], "gaps": [{"code", "text"}]}]}

    Exit code 0, also where there are gaps: whether they matter is yours to say.
    """
    output = Output(json=json, plain=plain)
    workspace = open_workspace(config)
    names = [AccountId(account)] if account is not None else [each.id for each in workspace.setup.accounts]
    lists = [arming_list(workspace.setup, workspace.book, workspace.loaded.registry, name) for name in names]
    if output.json:
        output.emit({"ok": True, "accounts": [msgspec.to_builtins(each) for each in lists]})
        return
    for each in lists:
        _say(output, each)


def _say(output: Output, listed: ArmingList) -> None:
    state = "armed by the set-up" if listed.live else "in shadow"
    output.say(f"account {listed.account} at broker {listed.broker} ({listed.kind}), {state}", style="bold")
    if output.plain:
        for each in listed.guarantees:
            output.say(f"  {_sign(each)} {each.rule}, {each.when}: {each.action} by {_by(each)}")
    else:
        output.show(_table(listed))
    for gap in listed.gaps:
        output.say(f"  not covered: {gap}", style="yellow")
    if not listed.gaps:
        output.say("  no gap is known", style="green")


def _table(listed: ArmingList) -> Table:
    table = Table("", "rule", "when", "action", "by", box=None, pad_edge=False)
    for each in listed.guarantees:
        table.add_row(_sign(each), each.rule, each.when, each.action, _by(each), style="" if each.acts else "dim")
    return table


def _sign(guarantee: Guarantee) -> str:
    """`ok` where it acts, `no` where the broker lacks something, `--` where it is only recorded."""
    if guarantee.missing:
        return "no"
    return "ok" if guarantee.acts else "--"


def _by(guarantee: Guarantee) -> str:
    lacks = f"; lacks {', '.join(guarantee.missing)}" if guarantee.missing else ""
    return (", ".join(guarantee.by) or "Haltline itself") + lacks
