"""`haltline replay`: recorded prices and fills through rules, enforcement and paper broker, on a virtual clock."""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from haltline.api.registry import Registry
from haltline.builtins.paper.broker import PaperBroker
from haltline.cli.group import HelpfulCommand
from haltline.cli.option import Json, Plain, command_app
from haltline.cli.output import Output
from haltline.cli.progress import progress_bar
from haltline.cli.recording import (
    PAPER,
    BookedRecording,
    Holding,
    begin_with,
    for_replay,
    open_recording,
    parse_file,
    parse_holding,
    plain_setup,
)
from haltline.cli.replayreport import Seen, record, show
from haltline.cli.workspace import FILE_NAME, find_setup, plugins_of, require_meaning, require_paths
from haltline.config.load import load_book, load_setup
from haltline.config.settings import RuleBook, Setup
from haltline.errors import ConfigError, Problem
from haltline.journal.store import Journal
from haltline.model.id import AccountId
from haltline.model.order import Side
from haltline.runtime.compose import Parts
from haltline.runtime.replay import Replay, ReplaySummary

app = command_app()
DEFAULT_BALANCE = 10_000.0


class BarPath(StrEnum):
    """In which order the prices of a bar are visited."""

    PESSIMISTIC = "pessimistic"
    OHLC = "ohlc"
    OLHC = "olhc"
    CLOSE = "close"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked for on the command line."""

    sources: Sequence[dict[str, object]]
    holdings: Sequence[Holding]
    config: Path | None
    rules: Sequence[Path]
    account: str | None
    balance: float | None
    leverage: float | None
    bars: BarPath
    speed: float | None
    journal: Path | None


@app.command(cls=HelpfulCommand)
def replay(
    recordings: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Bars, ticks or fills (CSV, Parquet, Feather), or SYMBOL=FILE."),
    ],
    position: Annotated[
        list[str] | None,
        typer.Option("--position", "-p", metavar="SYMBOL:±QTY[@PRICE]", help="A position to begin with."),
    ] = None,
    balance: Annotated[
        float | None, typer.Option("--balance", min=0, help="Money the account begins with. [default: 10000]")
    ] = None,
    leverage: Annotated[
        float | None, typer.Option("--leverage", min=0.01, help="Margin is the notional divided by this.")
    ] = None,
    rules: Annotated[
        list[Path] | None, typer.Option("--rules", "-r", metavar="FILE", help="Rules to use instead; several are fine.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="A set-up: accounts, instruments, rules.")
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", metavar="ID", help="Whose positions. [default: the first]")
    ] = None,
    bars: Annotated[BarPath, typer.Option("--bars", help="Order of a bar's prices.")] = BarPath.PESSIMISTIC,
    speed: Annotated[
        float | None, typer.Option("--speed", min=0.001, help="60 is a minute a second. [default: as fast as it goes]")
    ] = None,
    journal: Annotated[
        Path | None, typer.Option("--journal", metavar="FILE", help="Keep everything in a journal file.")
    ] = None,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Run recorded prices and fills through the rules.

    Everything is on paper: no broker is called and nobody is messaged. Without --config and --rules, the haltline.yaml
    of this folder is used, or else one rule that stops 25 % below the peak.

    \b
    Examples:
      haltline replay LAYERUSDT_1m.feather -p LAYERUSDT:+1000 --balance 1000 --leverage 5
      haltline replay MNQ=bars.csv MES=other.csv --config haltline.yaml
      haltline replay fills.csv bars.parquet --rules rules.yaml --json

    \b
    JSON: {"ok": true, "events", "first", "last", "seconds", "start_equity", "end_equity",
          "worst_drawdown", "incidents": [...], "receipts": [...], "equity": [[at, value], ...]}
    """
    output = Output(json=json, plain=plain)
    holdings = [parse_holding(text) for text in position or ()]
    request = Request(
        sources=[parse_file(text, holdings) for text in recordings],
        holdings=holdings,
        config=config,
        rules=rules or (),
        account=account,
        balance=balance,
        leverage=leverage,
        bars=bars,
        speed=speed,
        journal=journal,
    )
    require_paths([Path(str(source["file"])) for source in request.sources])
    started = time.perf_counter()
    summary, seen = run_replay(request, output)
    took_s = time.perf_counter() - started
    if json:
        output.emit(record(summary, seen, took_s))
    else:
        show(output, summary, seen, took_s)


def run_replay(request: Request, output: Output) -> tuple[ReplaySummary, Seen]:
    """Load, run to the end, and tell what was seen; raises ConfigError for what cannot be loaded."""
    registry, setup, book = _load(request)
    account = _account(request, setup)
    symbols = [str(source.get("symbol", "")) for source in request.sources]
    symbols += [str(held.symbol) for held in request.holdings]
    leverage = None if request.leverage is None else Decimal(str(request.leverage))
    parts = Parts(setup=for_replay(setup, symbols=symbols, leverage=leverage), book=book, registry=registry)
    require_meaning(parts.setup, book, registry)
    side = "short" if request.holdings and all(held.side is Side.SELL for held in request.holdings) else "long"
    recording = BookedRecording(open_recording(request.sources, request.bars.value, side, registry))
    seen = Seen()
    seen.pace(recording.size())
    with ExitStack() as stack:
        store = stack.enter_context(Journal.open(request.journal)) if request.journal else None
        run = Replay(
            parts,
            recording,
            speed=request.speed,
            journal=store,
            keep_events=store is not None,
            progress=stack.enter_context(progress_bar(output, "replaying")),
            on_event=seen.on_event,
            on_result=seen.on_result,
            on_receipt=seen.receipts.append,
        )
        state = run.kernel.state.accounts[account]
        seen.equity_now = lambda: state.equity
        broker = run.brokers[PAPER]
        assert isinstance(broker, PaperBroker)
        recording.broker = broker
        first = next(iter(recording.events()), None)
        begin_with(request.holdings, broker, account, first=first, now=run.clock.now())
        return asyncio.run(run.run()), seen


def _load(request: Request) -> tuple[Registry, Setup, RuleBook]:
    path = request.config
    if path is None and not request.rules and Path(FILE_NAME).is_file():
        path = Path(FILE_NAME)
    registry = plugins_of([find_setup(path)] if path else []).registry
    balance = Decimal(str(request.balance if request.balance is not None else DEFAULT_BALANCE))
    if path is not None:
        setup = load_setup(path, registry, environ=os.environ)
        if request.balance is not None:
            setup = _with_balance(setup, request.account, balance)
    else:
        setup = plain_setup(request.account or "replay", balance)
    chosen = list(request.rules) or list(setup.rule_files) or [_default_rules()]
    require_paths(chosen)
    return registry, setup, load_book(chosen, registry, environ=os.environ)


def _default_rules() -> Path:
    return Path(str(files("haltline.cli") / "blueprint" / "replay.yaml"))


def _with_balance(setup: Setup, name: str | None, balance: Decimal) -> Setup:
    chosen = name or (setup.accounts[0].id if setup.accounts else "")
    accounts = tuple(
        msgspec.structs.replace(spec, balance=balance) if spec.id == chosen else spec for spec in setup.accounts
    )
    return replace(setup, accounts=accounts)


def _account(request: Request, setup: Setup) -> AccountId:
    known = [spec.id for spec in setup.accounts]
    if request.account is None and known:
        return known[0]
    if request.account not in known:
        cure = f"accounts of the set-up: {', '.join(known) or 'none'}"
        raise ConfigError([Problem(code="E903", what=f"there is no account {request.account!r}", cure=cure)])
    return AccountId(request.account)
