"""`haltline notify test|route`: try the channels, and ask who would hear what."""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from haltline.api.reply import Cell, Table
from haltline.api.replytext import reply_text
from haltline.cli.consoleclient import ConsoleClient
from haltline.cli.group import HelpfulCommand
from haltline.cli.operate import journal_of
from haltline.cli.option import Config, Json, Plain, command_app
from haltline.cli.output import Output
from haltline.cli.workspace import find_setup
from haltline.clock import NS_PER_S, SystemClock, from_iso
from haltline.config.finding import did_you_mean
from haltline.config.secret import hidden, secret_values
from haltline.errors import ConfigError, Problem
from haltline.model.rule import Severity
from haltline.notify.forecast import SPAN_NS, forecast, hearings, sentence, summary
from haltline.notify.trial import Trial, TrialResult, trial_message, try_channel
from haltline.runtime.compose import Parts, make_channels, routes_of
from haltline.runtime.embed import load_parts
from haltline.runtime.frame import Run

app = command_app(help="Try the channels, and ask who would hear what.")


@app.command(cls=HelpfulCommand)
def test(
    channels: Annotated[
        list[str] | None, typer.Argument(metavar="[CHANNEL]...", help="Which ones. [default: all of the set-up]")
    ] = None,
    config: Config = None,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Send a real test message through the real channels.

    Where an engine runs, it sends them itself, through chats too. Without one the channels of the set-up are tried.

    \b
    Examples:
      haltline notify test             every channel
      haltline notify test phone       one of them

    \b
    JSON: {"passed": true, "channels": [{"channel", "result", "elapsed_ms", "reason", "cure"}, ...]}

    Exit code 0: all delivered. 1: something was not.
    """
    output = Output(json=json, plain=plain)
    trials = _by_engine(config, channels or [])
    if trials is None:
        trials = _by_itself(output, config, channels or [])
    passed = bool(trials) and all(each.result is TrialResult.DELIVERED for each in trials)
    if json:
        output.emit({"passed": passed, "channels": [_record(each) for each in trials]})
    for each in trials:
        good = each.result is TrialResult.DELIVERED
        took = f"{each.elapsed_ns / 1e6:.0f} ms"
        text = f"delivered in {took}" if good else f"{each.result.value} after {took}: {each.reason}; {each.cure}"
        output.say(f"{each.channel}: {text}", style="green" if good else "red")
    if not trials:
        output.say("the set-up has no channels: nobody would hear anything", style="red")
    raise typer.Exit(0 if passed else 1)


@app.command(cls=HelpfulCommand)
def route(
    labels: Annotated[
        list[str] | None, typer.Argument(metavar="[LABEL=TEXT]...", help="severity=critical rule=daily-loss …")
    ] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="When: 2026-03-02T22:30:00Z.")] = None,
    config: Config = None,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Say who would hear of something, when, and by which route.

    \b
    Examples:
      haltline notify route severity=critical account=eval
      haltline notify route severity=warning rule=daily-loss --at 2026-03-02T23:00:00-06:00

    \b
    JSON: {"labels", "routes": [{"route", "path", "group", "channels", "wait_ns", "repeat_ns", "rests"}],
    "hearings": [{"after_ns", "channel", "why"}]}

    The hearings are those of the first ten minutes if nobody acknowledges.
    """
    output = Output(json=json, plain=plain)
    given = _labels(labels or [])
    now = _instant(at)
    setup = load_parts(find_setup(config)).setup
    routes = routes_of(setup, [entry.name for entry in setup.surfaces])
    found, ahead = forecast(routes, given, now), hearings(routes, given, now, SPAN_NS)
    if json:
        output.emit({"labels": given, "routes": found, "hearings": ahead})
        return
    for item in found:
        output.say(f"route {' › '.join(item.path)}", style="bold")
        group = ", ".join(f"{name}={text or 'none'}" for name, text in item.group.items())
        output.say(f"  {sentence(item)}")
        output.say(f"  grouped by {group}" if group else "  not grouped")
    output.say("if nobody acknowledges:" if ahead else "nobody would hear it in the first ten minutes", style="bold")
    for line in summary(ahead):
        output.say(f"  {line}")


def _by_engine(config: Path | None, names: Sequence[str]) -> list[Trial] | None:
    """What the running engine says of its channels; None where none runs. Raises ConfigError for its refusal."""
    with ExitStack() as stack:
        try:
            client = stack.enter_context(ConsoleClient(journal_of(config)))
        except ConfigError:
            return None
        replies = [client.ask(Run(command="ping", arguments={"channel": name})).reply for name in names or [""]]
    trials: list[Trial] = []
    for reply in replies:
        table = next((part for part in reply.parts if isinstance(part, Table)), None) if reply is not None else None
        if reply is None or table is None:
            what = reply_text(reply) if reply is not None else "the engine gave no answer"
            raise ConfigError([Problem(code="E912", what=what, cure="name a channel or front end of its set-up")])
        trials += [_trial(row) for row in table.rows]
    return trials


def _trial(row: Sequence[Cell]) -> Trial:
    channel, result, took_s, reason, _ = row
    return Trial(
        channel=str(channel), result=TrialResult(str(result)), elapsed_ns=round(float(took_s or 0) * NS_PER_S),
        reason=str(reason or ""),
    )  # fmt: skip


def _by_itself(output: Output, config: Path | None, names: Sequence[str]) -> list[Trial]:
    """Through channels made for it; front ends speak only where an engine runs."""
    parts = load_parts(find_setup(config))
    known, fronts = ([entry.name for entry in each] for each in (parts.setup.channels, parts.setup.surfaces))
    _require(names, known, fronts)
    if fronts and not names:
        output.say(f"not tried: {', '.join(fronts)}; front ends are, where an engine runs", style="yellow")
    return asyncio.run(_try_all(parts, names or known))


async def _try_all(parts: Parts, names: Sequence[str]) -> list[Trial]:
    channels, _ = make_channels(parts)
    clock = SystemClock()
    secrets = secret_values(parts.setup, os.environ)
    trials = [await try_channel(name, channels[name], trial_message(name, clock.now()), clock) for name in names]
    return [msgspec.structs.replace(each, reason=hidden(each.reason, secrets)) for each in trials]


def _record(trial: Trial) -> dict[str, object]:
    return {
        "channel": trial.channel, "result": trial.result.value, "elapsed_ms": trial.elapsed_ns / 1e6,
        "reason": trial.reason, "cure": trial.cure,
    }  # fmt: skip


def _require(names: Sequence[str], known: Sequence[str], fronts: Sequence[str]) -> None:
    problems = [
        Problem(code="E912", what=f"no engine runs, and {name!r} is a front end", cure="start 'haltline run' first")
        if name in fronts
        else Problem(code="E912", what=f"there is no channel {name!r}", cure=did_you_mean(name, known, sort="channels"))
        for name in names
        if name not in known
    ]
    if problems:
        raise ConfigError(problems)


def _labels(words: Sequence[str]) -> dict[str, str]:
    labels, problems = {"severity": Severity.WARNING.value}, []
    for word in words:
        name, equals, text = word.partition("=")
        if not (name and equals):
            problems.append(Problem(code="E912", what=f"{word!r} is not a label", cure="write severity=critical"))
        elif name == "severity" and text not in list(Severity):
            cure = did_you_mean(text, [each.value for each in Severity])
            problems.append(Problem(code="E912", what=f"there is no severity {text!r}", cure=cure))
        labels[name] = text
    if problems:
        raise ConfigError(problems)
    return labels


def _instant(text: str | None) -> int:
    if text is None:
        return time.time_ns() // NS_PER_S * NS_PER_S
    try:
        return from_iso(text)
    except ValueError as error:
        cure = "write 2026-03-02T22:30:00Z"
        raise ConfigError([Problem(code="E912", what=str(error).partition(";")[0], cure=cure)]) from error
