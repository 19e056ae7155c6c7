"""`haltline init`: a commented set-up that checks, tests and runs as it is."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from haltline.cli.group import HelpfulCommand
from haltline.cli.option import Json, Plain, command_app
from haltline.cli.output import Output
from haltline.errors import ConfigError, Place, Problem

app = command_app()

BLUEPRINT = {
    "haltline.yaml": "the set-up: accounts, brokers, channels",
    "rules/account.yaml": "your rules, with the starter pack's templates",
    "rules/account.test.yaml": "stories that the rules must get right",
    ".gitignore": "keeps the journal out of version control",
}
_STORED_AS = {".gitignore": "gitignore.txt"}
_KEPT = frozenset({".gitignore"})


@app.command(cls=HelpfulCommand)
def init(
    folder: Annotated[Path, typer.Argument(help="Where to write it; made if missing.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are already there.")] = False,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Write a commented set-up that works as it is.

    \b
    Examples:
      haltline init                  in this folder
      haltline init desk             in a new folder
      haltline init --force          again, over what is there

    \b
    JSON: {"ok": true, "folder": "...", "files": ["haltline.yaml", ...]}
    """
    output = Output(json=json, plain=plain)
    if not force:
        _refuse_overwriting(folder)
    written = [name for name in BLUEPRINT if name not in _KEPT or not (folder / name).exists()]
    for name in written:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_content(name), encoding="utf-8")
    if json:
        output.emit({"ok": True, "folder": folder, "files": written})
        return
    for name in written:
        output.console.print(f"[green]wrote[/] {folder / name}  [dim]{BLUEPRINT[name]}[/]", soft_wrap=True)
    output.say()
    output.say("Next:", style="bold")
    for command, meaning in (
        *([] if folder == Path() else [(f"cd {folder}", "goes there")]),
        ("haltline check", "finds mistakes"),
        ("haltline test", "plays the stories"),
        ("haltline run", "guards, in shadow: it watches and tells, but does not act"),
    ):
        output.console.print(f"  [bold cyan]{command}[/]  {meaning}", soft_wrap=True)


def _refuse_overwriting(folder: Path) -> None:
    taken = [folder / name for name in BLUEPRINT if name not in _KEPT and (folder / name).exists()]
    if taken:
        cure = "choose another folder, or overwrite with --force"
        raise ConfigError(
            [
                Problem(code="E901", place=Place(file=str(path)), what="there is already a file", cure=cure)
                for path in taken
            ]
        )


def _content(name: str) -> str:
    found: Traversable = files("haltline.cli") / "blueprint"
    for part in _STORED_AS.get(name, name).split("/"):
        found = found / part
    return found.read_text(encoding="utf-8")
