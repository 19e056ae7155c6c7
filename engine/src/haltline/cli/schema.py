"""`haltline schema`: the JSON Schema that editors use, with the parts of every loaded plugin."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from haltline.cli.group import HelpfulCommand
from haltline.cli.option import Config, Json, Plain, command_app
from haltline.cli.output import Output, encode
from haltline.cli.workspace import plugins_of, present_setup
from haltline.config.schema import compose_schema

app = command_app()


@app.command(cls=HelpfulCommand)
def schema(
    config: Config = None,
    write: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it to a file.")] = None,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Print the JSON Schema of set-up and rule files for editors.

    \b
    Examples:
      haltline schema -o haltline.schema.json
      haltline schema --json | jq .title

    In an editor with the YAML language server, put this at the top of a rule file:
    # yaml-language-server: $schema=haltline.schema.json

    \b
    JSON: the schema itself, on one line.
    """
    output = Output(json=json, plain=plain)
    composed = compose_schema(plugins_of(present_setup(config)).registry)
    if write is not None:
        write.write_text(_pretty(composed) + "\n", encoding="utf-8")
        if json:
            output.emit({"ok": True, "file": write})
        output.say(f"wrote {write}")
    elif json:
        output.emit(composed)
    else:
        output.say(_pretty(composed))


def _pretty(composed: object) -> str:
    return msgspec.json.format(encode(composed), indent=2)
