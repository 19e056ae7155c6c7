"""`haltline guardian`: the second process, which holds a hard floor when the engine is silent."""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from haltline.cli.floor import read_floors
from haltline.cli.group import HelpfulCommand
from haltline.cli.option import Config, Json, Plain, command_app
from haltline.cli.output import Output
from haltline.cli.printer import Printer, closing_words, end_process
from haltline.cli.workspace import find_setup, plugins_of
from haltline.clock import SteadyClock, SystemClock, format_duration, parse_duration, to_iso
from haltline.config.guardian import BEAT_NS, LOOKS, is_hasty
from haltline.config.load import load_setup
from haltline.config.settings import GuardianEntry, RuleBook, Setup
from haltline.errors import ConfigError, Problem
from haltline.model.rule import Severity
from haltline.runtime.compose import Parts
from haltline.runtime.guardian import Guardian, GuardianNote
from haltline.runtime.guardian_hand import open_record
from haltline.runtime.service_manager import ServiceManager
from haltline.runtime.writer import ThreadWriter

app = command_app()
INTERRUPTED = 130
_STYLES = {Severity.INFO: "", Severity.WARNING: "yellow", Severity.CRITICAL: "bold red"}


@app.command(cls=HelpfulCommand)
def guardian(
    config: Config = None,
    floor: Annotated[
        list[str] | None,
        typer.Option("--floor", metavar="ACCOUNT=EQUITY", help="Flatten at this equity; instead of the set-up's."),
    ] = None,
    silence: Annotated[
        str | None, typer.Option("--silence", metavar="DURATION", help="How long the engine may be silent: 15s.")
    ] = None,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Hold a hard floor when the engine is silent: a second process.

    It changes nothing on an account that the engine guards. When the engine gives no sign of life for longer than the
    silence allowed, or does not reach an account for as long, the guardian asks the broker itself what the equity is,
    flattens an account at its floor, and tells every channel. Its connection can read, cancel and close, nothing else.

    \b
    Examples:
      haltline guardian
      haltline guardian --floor eval=45000 --silence 15s
      haltline guardian --json

    \b
    JSON: one object a line: {"kind": "started" | "silent" | "alive" | "unguarded" | "guarded" | "account" | "receipt" |
    "notice" | "stopped", "at", "account", "severity", "title", "text"}

    Exit code 0 when a service manager stopped it (SIGTERM), 130 after Ctrl-C, 1 when it could not go on.
    """
    output = Output(json=json, plain=plain)
    parts = _parts(find_setup(config))
    entry = _entry(parts.setup, floor or [], silence)
    printer = Printer(left_out=lambda count: output.say(f"{count:,} lines were left out: nobody read them"))
    with closing_words(printer):
        received = asyncio.run(_watch(parts, entry, output, printer))
    end_process(printer, INTERRUPTED if received == signal.SIGINT else 0)


def _parts(path: Path) -> Parts:
    """The set-up alone: a mistake in a rule file must not keep the guardian away."""
    registry = plugins_of([path]).registry
    setup = load_setup(path, registry, environ=os.environ)
    channels = tuple(channel for channel in setup.channels if channel.kind != "console")  # its lines say it already
    return Parts(setup=replace(setup, channels=channels), book=RuleBook(), registry=registry)


def _entry(setup: Setup, floors: Sequence[str], silence: str | None) -> GuardianEntry:
    entry = setup.guardian or GuardianEntry()
    given = read_floors(floors, [account.id for account in setup.accounts])
    entry = replace(entry, floors={**entry.floors, **given})
    if silence is None:
        return entry
    try:
        silence_ns = parse_duration(silence)
    except ValueError as error:
        raise ConfigError([Problem(code="E208", where="--silence", what=str(error), cure="write 15s")]) from error
    if is_hasty(silence_ns, entry.interval_ns):
        cure = f"allow at least {format_duration(max(BEAT_NS, entry.interval_ns) * LOOKS)}"
        raise ConfigError([Problem(code="E431", where="--silence", what=f"{silence} is too short", cure=cure)])
    return replace(entry, silence_ns=silence_ns)


async def _watch(parts: Parts, entry: GuardianEntry, output: Output, printer: Printer) -> int:
    manager = ServiceManager.from_environ(os.environ)
    store, unrecorded = open_record(parts.setup.store.path)
    try:
        writer = ThreadWriter(store)
        watcher = Guardian(
            parts, entry, clock=SteadyClock(), wall=SystemClock(), store=store, writer=writer, pid=os.getpid(),
            unrecorded=unrecorded,
        )  # fmt: skip
        lines = _Lines(output, printer)
        watcher.subscribers.append(lines.see)
        received: list[int] = []

        def stop(number: int) -> None:
            received.append(number)
            manager.stopping()
            watcher.stop()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):  # Windows has no handlers on the loop: Ctrl-C ends the process there
                loop.add_signal_handler(number, stop, number)

        def started() -> None:
            manager.ready(_doing(entry))
            lines.started(_doing(entry))

        watcher.looked.append(lambda: manager.alive(_state(watcher)))
        await watcher.run(started)
        lines.stopped()
        writer.close()
    finally:
        store.close()
    return received[0] if received else signal.SIGTERM


def _doing(entry: GuardianEntry) -> str:
    floors = ", ".join(f"{name} at {floor:,.2f}" for name, floor in entry.floors.items())
    silence = format_duration(entry.silence_ns)
    holding = f"it flattens {floors}" if floors else "it only tells: there is no floor"
    return f"guarding beside the engine; after {silence} of silence {holding}"


def _state(watcher: Guardian) -> str:
    if watcher.is_silent:
        return "the engine is SILENT"
    away = ", ".join(sorted(watcher.watch.away))
    return f"the engine does NOT guard {away}" if away else "watching the engine"


class _Lines:
    """What the guardian says, as lines or as JSON."""

    def __init__(self, output: Output, printer: Printer) -> None:
        self._output = output
        self._printer = printer
        self._clock = SystemClock()

    def started(self, text: str) -> None:
        """It watches now."""
        self._write("started", self._clock.now(), "", Severity.INFO, text, "")

    def stopped(self) -> None:
        """It is about to end."""
        self._write("stopped", self._clock.now(), "", Severity.INFO, "stopped in good order", "")

    def see(self, note: GuardianNote) -> None:
        """Write down what it says."""
        self._write(note.kind, note.at, note.account, note.severity, note.title, note.text)

    def _write(self, kind: str, at: int, account: str, severity: Severity, title: str, text: str) -> None:
        if self._output.json:
            record = {"kind": kind, "at": to_iso(at), "account": account, "severity": severity.value}
            self._printer.put(partial(self._output.emit, record | {"title": title, "text": text}))
            return
        line = f"{title}: {text}" if text else title
        self._printer.put(partial(self._say, f"{to_iso(at)}  {kind:<9}{line}", _STYLES[severity] or None))

    def _say(self, line: str, style: str | None) -> None:
        self._output.say(line, style=style)
        self._output.stream.flush()
