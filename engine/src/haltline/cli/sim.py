"""`haltline sim`: start an installed simulator of a venue or chat platform, so that a set-up can be tried offline."""

from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint
from typing import Annotated, cast

import typer

from haltline.cli.group import HelpfulCommand
from haltline.cli.option import Json, Plain, command_app
from haltline.cli.output import Output
from haltline.config.finding import did_you_mean
from haltline.errors import ConfigError, Problem
from haltline.plugins.discover import SIMULATOR_GROUP, by_name, distribution_of, installed, version_of

app = command_app()

type Main = Callable[[Sequence[str]], None]


@app.command(cls=HelpfulCommand, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def sim(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Which one. [default: list them]")] = None,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Start a simulator of a venue, to try a set-up offline.

    It speaks the real wire format of its platform on this machine, prints its address and runs until it is stopped;
    only the address in the set-up differs. What follows the name is for the simulator: `haltline sim NAME -- --help`.

    \b
    Examples:
      haltline sim                          which ones are installed
      haltline sim projectx --port 8085
      haltline sim projectx -- --help

    \b
    JSON (without a name): {"ok": true, "simulators": [{"name", "distribution", "version"}, ...]}
    """
    output = Output(json=json, plain=plain)
    found = by_name(installed(SIMULATOR_GROUP), SIMULATOR_GROUP)
    if name is not None:
        _load(name, {each: entries[0] for each, entries in found.items()})(context.args)
        return
    rows = [(each, distribution_of(entries[0]), version_of(entries[0])) for each, entries in found.items()]
    if json:
        keys = ("name", "distribution", "version")
        output.emit({"ok": True, "simulators": [dict(zip(keys, row, strict=True)) for row in rows]})
        return
    for each, distribution, version in rows:
        output.say(f"{each}  ({distribution} {version})")
    if not rows:
        output.say("none are installed; their distributions are called haltline-sim-…")


def _load(name: str, entries: dict[str, EntryPoint]) -> Main:
    """The `main` of a simulator; raises ConfigError for one that is not installed or cannot be imported."""
    entry = entries.get(name)
    if entry is None:
        have = f"installed are: {', '.join(entries)}" if entries else "none are installed"
        what = f"no installed distribution brings a simulator {name!r}; {have}"
        cure = did_you_mean(name, entries) or f"install haltline-sim-{name}"
        raise ConfigError([Problem(code="E501", what=what, cure=cure)])
    try:
        return cast("Main", entry.load())
    except (ImportError, AttributeError) as error:
        what = f"the simulator {name!r} cannot be imported: {error}"
        raise ConfigError([Problem(code="E504", what=what, cure="install what it names")]) from error
