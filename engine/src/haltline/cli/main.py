"""The program `haltline`. Nothing heavy is imported here: `haltline --help` must answer in a third of a second."""

import io
import os
import sys
from typing import Annotated

import typer

from haltline import __version__
from haltline.cli.group import CommandGroup

app = typer.Typer(
    cls=CommandGroup,
    name="haltline",
    help="Keeps trading accounts inside their limits: rules in YAML, enforced at the broker.",
    epilog="New here? `haltline demo` shows it at work; `haltline init` writes a set-up that runs.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"haltline {__version__}")
        raise typer.Exit


@app.callback()
def program(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Show the help when no command is named."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    _mend_streams()
    app()


def _mend_streams() -> None:
    """A closed stream swallows what is written; a sign that a terminal's encoding lacks becomes a question mark."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for the life of the process
        elif isinstance(stream, io.TextIOWrapper) and not stream.encoding.lower().startswith("utf"):
            stream.reconfigure(errors="replace")
