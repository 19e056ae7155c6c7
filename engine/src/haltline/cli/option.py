"""Options that several commands share, so that they read and behave alike everywhere."""

from pathlib import Path
from typing import Annotated

import typer

WANTS_JSON = "haltline.json"
WANTS_PLAIN = "haltline.plain"


def _remember_json(context: typer.Context, wanted: bool) -> bool:
    context.meta[WANTS_JSON] = wanted
    return wanted


def _remember_plain(context: typer.Context, wanted: bool) -> bool:
    context.meta[WANTS_PLAIN] = wanted
    return wanted


Json = Annotated[
    bool,
    typer.Option("--json", callback=_remember_json, is_eager=True, help="Write JSON to standard output, nothing else."),
]
Plain = Annotated[
    bool,
    typer.Option("--plain", callback=_remember_plain, is_eager=True, help="No colours, no boxes, nothing that moves."),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="The set-up. [default: haltline.yaml here or above]"),
]


def command_app(*, help: str | None = None) -> typer.Typer:
    """A Typer of one command, or of a group of them, that looks like all the others."""
    return typer.Typer(
        help=help,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=help is not None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
