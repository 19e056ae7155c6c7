"""`haltline doctor`: is this set-up able to guard? Looks at everything, changes nothing, and says what to do."""

import asyncio
import os
from typing import Annotated

import typer

from haltline.api import Level
from haltline.cli.group import HelpfulCommand
from haltline.cli.option import Config, Json, Plain, command_app
from haltline.cli.output import Output
from haltline.cli.problem import say_problems
from haltline.cli.workspace import find_setup
from haltline.clock import SystemClock
from haltline.compose.kernel import meaning_problems
from haltline.config.diagnose import with_excerpts
from haltline.errors import ConfigError, Problem
from haltline.runtime.doctor import CONNECT_S, QUOTE_S, Examination, Examined
from haltline.runtime.embed import load_parts

app = command_app()
_STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}


@app.command(cls=HelpfulCommand)
def doctor(
    config: Config = None,
    send: Annotated[bool, typer.Option("--send", help="Send a test message through every channel.")] = False,
    connect: Annotated[float, typer.Option("--connect", metavar="SECONDS", help="How long a broker may take.")] = (
        CONNECT_S
    ),
    quotes: Annotated[float, typer.Option("--quotes", metavar="SECONDS", help="How long a quote may take.")] = QUOTE_S,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Try whether a set-up can guard: brokers, prices, people, channels.

    It logs in for real, looks at every account and listens for prices. It sends no order and changes nothing, here or
    at any broker. Every line is ok, warn or fail, and says what to do.

    \b
    Examples:
      haltline doctor                       everything, without a message
      haltline doctor --send                with a test message through every channel

    \b
    JSON: {"ok": true, "findings": [{"subject", "level", "about", "text", "cure"}, ...]}

    Exit code 0: nothing fails. 1: something does.
    """
    output = Output(json=json, plain=plain)
    found: list[Examined] = []

    def tell(examined: Examined) -> None:
        found.append(examined)
        each = examined.finding
        if not json:
            output.say(
                f"{each.level.value:<5} {examined.subject}: {each.about}: {each.text}", style=_STYLES[each.level]
            )
            if each.cure:
                output.say(f"      {each.cure}")

    parts = load_parts(find_setup(config))
    problems = with_excerpts(list(meaning_problems(parts.setup, parts.book, parts.registry)), {})
    wrong = [problem for problem in problems if problem.severity == "error"]
    if wrong:
        raise ConfigError(wrong)
    say_problems(output, problems)
    examination = Examination(
        parts, clock=SystemClock(), environ=os.environ, told=tell, connect_s=connect, quote_s=quotes, send=send
    )
    examination.say("files", Level.OK, "set-up and rules", f"{len(parts.book.rules)} rules, nothing is wrong in them")
    asyncio.run(examination.run())
    failed = sum(each.finding.level is Level.FAIL for each in found)
    warned = sum(each.finding.level is Level.WARN for each in found)
    if json:
        output.emit({"ok": not failed, "findings": [_record(each) for each in found] + _remarks(problems)})
    output.say(
        f"{failed} fail, {warned + len(problems)} to know, {len(found) - failed - warned} ok",
        style="bold red" if failed else "bold green",
    )
    raise typer.Exit(1 if failed else 0)


def _record(examined: Examined) -> dict[str, str]:
    each = examined.finding
    return {
        "subject": examined.subject, "level": each.level.value, "about": each.about, "text": each.text,
        "cure": each.cure,
    }  # fmt: skip


def _remarks(problems: list[Problem]) -> list[dict[str, str]]:
    """What `haltline check` warns of."""
    return [
        {"subject": "files", "level": "warn", "about": each.code, "text": each.what, "cure": each.cure}
        for each in problems
    ]
