"""`haltline demo`: the engine at work, in half a minute, without an account, a file or a network."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from haltline.cli.demo.screen import Scene, draw
from haltline.cli.demo.stage import Ending, Moment, Stage
from haltline.cli.demo.story import COLOURS, HOLDS_S, Voice
from haltline.cli.group import HelpfulCommand
from haltline.cli.option import Json, Plain, command_app
from haltline.cli.output import Output
from haltline.cli.tree import reasoning_tree
from haltline.clock import to_iso
from haltline.errors import ConfigError, Problem

app = command_app()
STEP_S = 0.014
_FRAMES = 3
_KEY_VOICES = (Voice.WARNING, Voice.BREACH, Voice.RECEIPT, Voice.ANSWER)
_NEXT = (
    ("haltline init desk", "write a set-up of your own, with these rules and a test"),
    ("haltline check desk", "find every mistake in it, with place and cure"),
    ("haltline fields", "what rules can read, call and do; docs/ has the guide"),
)


@app.command(cls=HelpfulCommand)
def demo(
    seed: Annotated[int, typer.Option("--seed", help="Another seed, another day.")] = 7,
    speed: Annotated[float, typer.Option("--speed", min=0.1, max=100, help="2 is twice as fast.")] = 1.0,
    fast: Annotated[bool, typer.Option("--fast", help="Do not wait at all.")] = False,
    journal: Annotated[
        Path | None, typer.Option("--journal", metavar="FILE", help="Keep its journal in a new file.")
    ] = None,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Watch the engine protect an account, in half a minute.

    A scripted trader over-trades on a paper account while the market falls. Only the prices and his orders are
    scripted: rules, enforcement, journal and messages are the genuine engine. Prices are generated: the open and the
    close of 24 October 2018 (NASDAQ Composite and S&P 500, traded here as MNQ and MES) are real, and so are the daily
    returns (1999-2018) from which the path between is drawn.

    \b
    Examples:
      haltline demo
      haltline demo --speed 3 --seed 11
      haltline demo --plain               as lines, for a log or a screen reader
      haltline demo --journal demo.db     and look at its record with 'haltline journal tail --file demo.db'

    \b
    JSON: one object a line: {"at", "voice", "text", "mode", "equity", "positions"},
          and at the end {"ok": true, "prices", "why": {...}, "journal": {"records", "head", ...}}
    """
    output = Output(json=json, plain=plain)
    if journal is not None and journal.exists():
        raise ConfigError([Problem(code="E901", what=f"{str(journal)!r} already exists", cure="name another file")])
    pace = 0.0 if fast or json else 1.0 / speed
    stage = Stage(seed=seed)
    play = _play_live if not (output.plain or output.json) else _play_lines
    asyncio.run(play(stage, output, pace))
    assert stage.ending is not None
    if journal is not None:
        stage.keep_journal(journal)
    if json:
        output.emit(_ending_record(stage.ending, stage.market.label))
    else:
        _close(output, stage, stage.ending)


async def _play_lines(stage: Stage, output: Output, pace: float) -> None:
    output.say(stage.market.label)
    async for moment in stage.play():
        if moment.line is None:
            continue
        if output.json:
            output.emit(_record(moment))
        output.say(moment.line.plain)
        await asyncio.sleep(HOLDS_S[moment.line.voice] * pace)


async def _play_live(stage: Stage, output: Output, pace: float) -> None:
    console = output.console
    number = 0
    with Live(console=console, screen=True, auto_refresh=False) as live:
        async for moment in stage.play():
            number += 1
            if moment.line is None and number % _FRAMES:
                continue
            live.update(_picture(moment.scene, console.size.width, console.size.height), refresh=True)
            held = HOLDS_S[moment.line.voice] if moment.line else STEP_S * _FRAMES
            await asyncio.sleep(held * pace)


def _picture(scene: Scene, width: int, height: int) -> RenderableType:
    return draw(scene, width=width, height=height)


def _record(moment: Moment) -> dict[str, object]:
    assert moment.line is not None
    account = moment.scene.status.accounts[0]
    return {
        "at": to_iso(moment.line.at),
        "voice": moment.line.voice.value,
        "text": moment.line.text,
        "mode": account.mode,
        "equity": account.equity,
        "positions": {position.symbol: position.quantity for position in account.positions},
    }


def _ending_record(ending: Ending, label: str) -> dict[str, object]:
    return {"ok": ending.journal.ok, "prices": label, "why": ending.reasoning, "journal": ending.journal}


def _close(output: Output, stage: Stage, ending: Ending) -> None:
    """What stays on the terminal: the key moments, why, the proof, and what to type next."""
    output.say()
    if not output.plain:
        output.say("What happened", style="bold cyan")
        for line in ending.lines:
            if line.voice in _KEY_VOICES and not line.text.startswith("cancel"):
                output.say(f"  {line.plain}", style=COLOURS[line.voice])
        output.say()
    output.say("Why it stopped the account", style="bold cyan")
    output.show(reasoning_tree(ending.reasoning, unicode=output.unicode))
    output.say()
    journal = ending.journal
    state = "intact" if journal.ok else f"broken at {journal.broken_seq}"
    output.say(f"On record: {journal.records:,} journal entries, hash chain {state}, head {journal.head[:16]}…")
    output.say(stage.market.label, style="dim italic")
    output.say()
    output.say("Your turn", style="bold cyan")
    width = max(len(command) for command, _ in _NEXT)
    for command, meaning in _NEXT:
        hint = Text.assemble("  ", (f"{command:<{width}}", "bold green"), f"  {meaning}")
        output.console.print(hint, soft_wrap=True)
