"""The group of all commands: loads one only when it is called, and is the wall before the person at the terminal."""

import os
import re
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from haltline.cli.coercion import use_quick_coercion
from haltline.cli.operation import SECTIONS

if TYPE_CHECKING:  # the types of Typer's own copy of Click are not public
    from typer._click import Command, Context, HelpFormatter


class Entry(NamedTuple):
    """One command as the help lists it: its section and what it does; `module` holds it as `app`."""

    section: str
    meaning: str
    module: str


COMMANDS: dict[str, Entry] = {
    "demo": Entry("Start here", "Watch the engine protect an account, in half a minute.", "demo.command"),
    "init": Entry("Start here", "Write a commented set-up that works as it is.", "init"),
    "sim": Entry("Start here", "Start a simulator of a venue, to try a set-up offline.", "sim"),
    "check": Entry("Rules", "Find everything that is wrong in set-ups, rules and tests.", "check"),
    "test": Entry("Rules", "Run *.test.yaml files on the real engine.", "test"),
    "replay": Entry("Rules", "Run recorded prices and fills through the rules.", "replay"),
    "diff": Entry("Rules", "Show what changes in behaviour between two rule sets.", "diff"),
    "explain": Entry("Rules", "Say why a rule fires or not, or what a code or name means.", "explain"),
    "fields": Entry("Rules", "List what rules can read, call and do.", "fields"),
    "run": Entry("Guard", "Guard the accounts of a set-up until stopped.", "run"),
    "doctor": Entry("Guard", "Try whether a set-up can guard: brokers, prices, people, channels.", "doctor"),
    "arming": Entry("Guard", "Show what is guaranteed for an armed account, and what is not.", "arming"),
    "guardian": Entry("Guard", "Hold a hard floor when the engine is silent: a second process.", "guardian"),
    "journal": Entry("Guard", "Read, verify, back up and look after the record of every decision.", "journalcare"),
    "capsule": Entry("Guard", "Keep an incident as one file: replay it, make it a test.", "capsule"),
    "notify": Entry("Guard", "Try the channels, and ask who would hear what.", "notify"),
    "plugins": Entry("Guard", "List plugins: what they bring, what failed, what is not enabled.", "plugins"),
    "schema": Entry("Guard", "Print the JSON Schema of set-up and rule files for editors.", "schema"),
}
_OWN = {"drill": "drill"}
"""Those that work without a running engine too have a module of their own."""
COMMANDS |= {
    name: Entry(f"Operate: {section.lower()}", meaning, _OWN.get(name, "operate"))
    for section, commands in SECTIONS.items()
    for name, (meaning, _) in commands.items()
}


class CommandGroup(TyperGroup):
    """Commands by name, each imported when it is needed."""

    def list_commands(self, ctx: "Context") -> list[str]:
        """All names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: "Context", cmd_name: str) -> "Command | None":
        """Import and build the command of that name."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            self.commands = {name: TyperCommand(name) for name in COMMANDS}  # Typer suggests from these
            return None
        # start-up time: `--help` and every other command must not pay for this one's imports
        module = import_module(f"haltline.cli.{entry.module}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        if entry.module == "operate":
            command.help = module.help_of(cmd_name)
        return command

    def parse_args(self, ctx: "Context", args: list[str]) -> list[str]:
        """Read the options before the command's name."""
        use_quick_coercion(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Write the commands in sections, from the table alone."""
        for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
            with formatter.section(section):
                formatter.write_dl([(n, e.meaning) for n, e in COMMANDS.items() if e.section == section], col_max=11)

    def get_help(self, ctx: "Context") -> str:
        """The help, with its headings in colour on a terminal."""
        return colour_headings(super().get_help(ctx))

    def invoke(self, ctx: "Context") -> object:
        """Run the command; what it raises becomes problems and an exit code, never a stack trace."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, TyperException, BrokenPipeError):
            raise
        except Exception as error:  # noqa: BLE001 - the wall before the person at the terminal
            from haltline.cli.failure import report_failure  # noqa: PLC0415 - start-up time: rarely needed

            raise typer.Exit(report_failure(error, ctx.meta)) from None


class HelpfulCommand(TyperCommand):
    """A command whose help has coloured headings."""

    def parse_args(self, ctx: "Context", args: list[str]) -> list[str]:
        """Read the words after the command's name."""
        use_quick_coercion(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def get_help(self, ctx: "Context") -> str:
        """The help, with its headings in colour on a terminal."""
        return colour_headings(super().get_help(ctx))


def colour_headings(text: str) -> str:
    """Make headings of a help text bold and coloured where the terminal can."""
    if "NO_COLOR" in os.environ or not sys.stdout.isatty():
        return text
    return re.sub(r"^(\w[\w ]*):", lambda found: typer.style(found[0], fg="cyan", bold=True), text, flags=re.MULTILINE)
