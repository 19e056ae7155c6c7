"""`haltline run`: guards the accounts of a set-up until it is stopped."""

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.live import Live
from rich.text import Text

from haltline.cli.group import HelpfulCommand
from haltline.cli.liveview import PHASE_STYLES, draw_status
from haltline.cli.option import Config, Json, Plain, command_app
from haltline.cli.output import Output
from haltline.cli.printer import Printer, closing_words, end_process
from haltline.cli.workspace import find_setup, require_meaning
from haltline.clock import NS_PER_S, to_iso
from haltline.control.status import status_of
from haltline.errors.inert import inert
from haltline.model.account import AccountSpec
from haltline.model.plan import Result
from haltline.model.verdict import Transition
from haltline.runtime.compose import Parts
from haltline.runtime.embed import Haltline, load_parts
from haltline.runtime.health import EngineStatus
from haltline.runtime.pace import calm, settle
from haltline.runtime.service_manager import ServiceManager

app = command_app()
FRAME_S = 0.25
INTERRUPTED = 130
_KEPT = 200
PATIENCE_NS = 10 * NS_PER_S
"""For so long the start waits for brokers; accounts of those that have not answered are shown as not guarded."""


@app.command(cls=HelpfulCommand)
def run(
    config: Config = None,
    shadow: Annotated[bool, typer.Option("--shadow", help="Act on no account, whatever the set-up says.")] = False,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Guard the accounts of a set-up until stopped.

    What an earlier run left behind is taken up first: positions, peaks, timers, locks and half-done actions.

    \b
    Examples:
      haltline run
      haltline run --config desk.yaml --shadow
      haltline run --plain >> haltline.log      as lines, under a service manager

    \b
    JSON: one object a line: {"kind": "started" | "transition" | "plan" | "notice" | "stopped", "at", ...}

    Exit code 0 when a service manager stopped it (SIGTERM), 130 after Ctrl-C, 1 when it could not go on.
    """
    output = Output(json=json, plain=plain)
    path = find_setup(config)
    parts = load_parts(path)
    require_meaning(parts.setup, parts.book, parts.registry)
    if shadow:
        parts = _in_shadow(parts)
    moving = not (output.plain or output.json)
    if moving:
        parts = _without_console(parts)
    printer = Printer(left_out=lambda count: output.say(f"{count:,} lines were left out: nobody read them"))
    with closing_words(printer):
        received = _run_loop(_guard(parts, path, output, printer, moving=moving))
    end_process(printer, INTERRUPTED if received == signal.SIGINT else 0)


def _run_loop(work: Coroutine[None, None, int]) -> int:
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop  # noqa: PLC0415 - not there on Windows

    return uvloop.run(work)


async def _guard(parts: Parts, path: Path, output: Output, printer: Printer, *, moving: bool) -> int:
    stopped: asyncio.Queue[int] = asyncio.Queue()
    log = _Log(output, printer, moving=moving)
    starting = Haltline.from_parts(
        parts, in_memory=False, subscribers=[log.see], watch=True, patience_ns=PATIENCE_NS
    )  # fmt: skip

    def stop(number: int) -> None:
        stopped.put_nowait(number)
        starting.proceed()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows has no handlers on the loop: Ctrl-C ends the process there
            loop.add_signal_handler(number, stop, number)
    printer.put(lambda: output.say(f"starting {path}", style="dim"))
    calm()
    async with starting as engine:
        _tell_service_manager(engine)
        settle()
        log.started(engine, _guarded(engine.status(), rules=len(parts.book.rules)))
        received = await (_picture(engine, log, path, output, printer, stopped) if moving else stopped.get())
        ServiceManager.from_environ(os.environ).stopping()
        log.stopped(engine)
    return received


def _guarded(status: EngineStatus, *, rules: int) -> str:
    """What is guarded, and what is not because its broker has not answered."""
    guarded = ", ".join(sorted(status.reconciled)) or ("nothing yet" if status.accounts else "no account")
    text = f"guarding {guarded} with {rules} rules"
    waiting = sorted(set(status.accounts) - set(status.reconciled))
    if not waiting:
        return text
    reasons = [f"{each.name}: {each.reason}" for each in status.services if each.reason and "broker" in each.name]
    return f"{text}; NOT guarded until its broker answers: {', '.join(waiting)}" + "".join(f" ({r})" for r in reasons)


def _tell_service_manager(engine: Haltline) -> None:
    """Ready now, and well as long as rules are evaluated: one that is stuck is started again by the service manager."""
    manager, watchdog = ServiceManager.from_environ(os.environ), engine.engine.watchdog
    manager.ready("guarding")
    if watchdog is not None:
        watchdog.subscribers.append(lambda pulse: (manager.alive if pulse.is_well else manager.status)(pulse.status))


async def _picture(
    engine: Haltline, log: "_Log", path: Path, output: Output, printer: Printer, stopped: asyncio.Queue[int]
) -> int:
    """Draw until stopped; while the terminal takes nothing, nothing is drawn."""
    console = output.console
    live = Live(console=console, screen=True, auto_refresh=False)
    printer.put(live.start)
    try:
        while stopped.empty():
            picture = draw_status(
                status_of(engine.engine.kernel),
                engine.status(),
                list(log.lines),
                where=str(path),
                width=console.size.width,
                height=console.size.height,
            )
            if printer.is_idle:
                printer.put(partial(live.update, picture, refresh=True))
            with suppress(TimeoutError):
                async with asyncio.timeout(FRAME_S):
                    return await stopped.get()
        return stopped.get_nowait()
    finally:
        printer.put(live.stop)


class _Log:
    """What the engine decides, as lines for the picture, as text, or as JSON."""

    def __init__(self, output: Output, printer: Printer, *, moving: bool) -> None:
        self.lines: deque[Text] = deque(maxlen=_KEPT)
        self._output = output
        self._printer = printer
        self._moving = moving
        self._early: list[Result] | None = []

    def started(self, engine: Haltline, text: str) -> None:
        """The engine is ready."""
        self._write("started", engine.status().now, text, accounts=list(engine.status().accounts))
        early, self._early = self._early or [], None
        for result in early:
            self.see(result)

    def stopped(self, engine: Haltline) -> None:
        """The engine is about to end."""
        self._moving = False
        self._write("stopped", engine.status().now, "stopped in good order; everything is saved")

    def see(self, result: Result) -> None:
        """Write down everything a result says; what recovery decides comes after the line that says we guard."""
        if self._early is not None:
            self._early.append(result)
            return
        at = 0
        for moved in result.transitions:
            at = moved.at
            self._write("transition", at, _sentence(moved), style=PHASE_STYLES[moved.phase], transition=moved)
        for action in result.plan:
            at = action.at
            target = "/".join(str(part) for part in (action.account, action.symbol) if part)
            shadow = " (shadow: not carried out)" if action.shadow else ""
            self._write("plan", at, f"{action.name} {target}{shadow}: {action.reason}", style="cyan", action=action)
        for notice in result.notices:
            self._write("notice", at, notice, style="dim")

    def _write(self, kind: str, at: int, text: str, *, style: str = "", **more: object) -> None:
        stamp = to_iso(at) if at else ""
        self.lines.append(Text.assemble((f"{stamp[11:19]:<9} ", "dim"), (inert(text), style)))
        if self._output.json:
            self._printer.put(partial(self._output.emit, {"kind": kind, "at": stamp or None, "text": text} | more))
        elif not self._moving:
            self._printer.put(partial(self._say, f"{stamp}  {kind:<11}{text}"))

    def _say(self, line: str) -> None:
        self._output.say(line)
        self._output.stream.flush()


def _sentence(moved: Transition) -> str:
    text = f"{moved.rule} on {moved.entity}: {moved.previous} → {moved.phase}"
    if moved.measured is not None and moved.threshold is not None:
        text += f", {moved.measured:,.10g} of {moved.threshold:,.10g}"
    return text + (f" ({moved.reason})" if moved.reason else "") + (" [shadow]" if moved.shadow else "")


def _in_shadow(parts: Parts) -> Parts:
    accounts = tuple(_watched(account) for account in parts.setup.accounts)
    return replace(parts, setup=replace(parts.setup, live=False, accounts=accounts))


def _watched(account: AccountSpec) -> AccountSpec:
    return msgspec.structs.replace(account, live=False)


def _without_console(parts: Parts) -> Parts:
    """The moving picture shows what happens; messages on the same terminal would tear it."""
    channels = tuple(channel for channel in parts.setup.channels if channel.kind != "console")
    return replace(parts, setup=replace(parts.setup, channels=channels))
