"""What operators ask of the running engine, from its own machine: one module for all of those commands."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from haltline.api.reply import Reply, ReplyStatus
from haltline.cli.completion import of_set_up
from haltline.cli.consoleclient import ConsoleClient
from haltline.cli.group import HelpfulCommand
from haltline.cli.operation import SECTIONS
from haltline.cli.option import Config, Json, Plain, command_app
from haltline.cli.output import Output
from haltline.cli.replyview import show_reply
from haltline.cli.workspace import find_setup
from haltline.config.finding import Findings
from haltline.config.reference import References
from haltline.config.source import MappingNode, ScalarNode, read_source
from haltline.errors import ConfigError
from haltline.runtime.frame import Complete, Follow, Run, Say

app = command_app()
WAITS = 3
_QUICK_S = 1.0
_HELP = """{meaning}

Asks the running engine, as an operator. Words go to the arguments in their order, or as name=value; the reason is what
is left. What is confirmed first is not done before.

\b
Examples:
  haltline {example}
  haltline help {name}          what it takes; needs a running engine

\b
JSON: the reply: {{"title", "status", "tone", "parts": [...], "buttons": [...], "actions": [...], ...}};
      one more line with the receipt, where something is done at the broker

Exit code 0: done or answered. 1: refused, or not done. 3: it waits for a confirmation.
"""


def complete(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """What the running engine offers for the next word; where none runs, accounts and rules of the set-up."""
    words, command = tuple(context.params.get("words") or ()), context.info_name or ""
    try:
        with ConsoleClient(journal_of(context.params.get("config")), timeout_s=_QUICK_S) as client:
            ask = Complete(command=command, words=words, text=incomplete)
            return [(choice.value, choice.meaning) for choice in client.ask(ask).choices]
    except ConfigError:
        return of_set_up(command, words, incomplete)


@app.command(cls=HelpfulCommand, context_settings={"ignore_unknown_options": True})
def operate(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WORDS]...", autocompletion=complete, help="As `haltline help COMMAND` says."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Confirm without being asked.")] = False,
    code: Annotated[str, typer.Option("--code", metavar="CODE", help="The one-time code, where it is wanted.")] = "",
    config: Config = None,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Ask the running engine, as an operator: `help_of` says what each command does."""
    output = Output(json=json, plain=plain)
    name = context.info_name or ""
    with ConsoleClient(journal_of(config)) as client:
        reply = _reply(client, Say(command=name, words=tuple(words or ())))
        show_reply(output, reply)
        if reply.status is ReplyStatus.ASKS:
            reply = _confirmed(client, reply, output, yes=yes, code=code)
        if reply.actions:
            reply = _reply(client, Follow(actions=reply.actions))
            show_reply(output, reply)
    raise typer.Exit({ReplyStatus.DONE: 0, ReplyStatus.ASKS: WAITS}.get(reply.status, 1))


def help_of(name: str) -> str:
    """The help of one command."""
    section = next(each for each in SECTIONS.values() if name in each)
    meaning, example = section[name]
    return _HELP.format(meaning=meaning, example=example, name=name)


def journal_of(config: Path | None) -> Path:
    """Where the set-up keeps its journal, read from the file alone: a mistake elsewhere in it must not keep anybody
    from commanding the engine that runs."""
    path = find_setup(config)
    root = read_source(path, expand=References({}, path.parent, Findings())).root
    store = root.get("store") if isinstance(root, MappingNode) else None
    named = store.get("path") if isinstance(store, MappingNode) else None
    return path.parent.resolve() / (named.text if isinstance(named, ScalarNode) else "haltline.db")


def _confirmed(client: ConsoleClient, asked: Reply, output: Output, *, yes: bool, code: str) -> Reply:
    """The reply after its confirmation; the question itself where nobody answers it here."""
    confirmation = asked.confirmation
    if confirmation is None:
        return asked
    if confirmation.second_person:
        output.say(f"another operator confirms it with: haltline confirm {confirmation.nonce}", style="yellow")
        return asked
    if not yes and not (sys.stdin.isatty() and not output.json):
        output.say(f"confirm it with --yes, or: haltline confirm {confirmation.nonce}", style="yellow")
        return asked
    if not yes and not typer.confirm("Do it?"):
        reply = _reply(client, Run(command="decline", arguments={"nonce": confirmation.nonce}))
    else:
        if confirmation.code and not code:
            code = typer.prompt("One-time code", hide_input=True) if sys.stdin.isatty() else ""
        reply = _reply(client, Run(command="confirm", arguments={"nonce": confirmation.nonce, "code": code}))
    show_reply(output, reply)
    return reply


def _reply(client: ConsoleClient, ask: Say | Run | Follow) -> Reply:
    reply = client.ask(ask).reply
    return reply if reply is not None else Reply(title="no answer", status=ReplyStatus.REFUSED)
