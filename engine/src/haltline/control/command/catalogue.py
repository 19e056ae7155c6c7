"""All commands: the built-in ones, help among them, and what plugins add."""

from collections.abc import Callable, Sequence

from haltline.api.control import Argument, ArgumentKind, Call, Caller, Command
from haltline.api.registry import Registry
from haltline.api.reply import Card, Column, Fact, Reply, Table
from haltline.config.finding import did_you_mean
from haltline.control.command.act import Acts
from haltline.control.command.curve import Curves
from haltline.control.command.difference import Differences
from haltline.control.command.drill import DrillCommands
from haltline.control.command.engine import EngineCommands
from haltline.control.command.incident import Incidents
from haltline.control.command.limit import Limits
from haltline.control.command.look import Looking
from haltline.control.command.query import Queries
from haltline.control.command.reading import text_of
from haltline.control.command.report import Reports
from haltline.control.command.restrain import Restraints
from haltline.control.door import Door
from haltline.control.line import split_command, usage
from haltline.errors import EngineError, PluginFailed

SECTION = "Help"

_ANSWERS = {
    "confirm": ("confirm nonce [code]", "Confirm what waits, by its nonce; as the second operator too."),
    "decline": ("decline nonce", "Leave what waits undone, by its nonce."),
}
"""What answers a question of the service is no command of its own, and can be asked about all the same."""

type Usable = Callable[[Caller | None], Sequence[Command]]
"""The commands that a caller may use."""


class Help:
    """Commands about commands."""

    def __init__(self) -> None:
        self.usable: Usable = lambda caller: ()

    def commands(self) -> tuple[Command, ...]:
        """All of this family."""
        about = Argument(name="command", meaning="one command", kind=ArgumentKind.COMMAND, required=False)
        return (
            Command(
                name="whoami", meaning="Who you are here, and what you may do.", run=self.whoami, section=SECTION,
                example="whoami",
            ),
            Command(
                name="help", meaning="The commands you may use, or one of them.", run=self.help, arguments=(about,),
                section=SECTION, example="help lock",
            ),
        )  # fmt: skip

    async def whoami(self, call: Call) -> Reply:
        """Name, role, accounts."""
        facts = (
            Fact(label="role", value=call.role.value),
            Fact(label="accounts", value=", ".join(call.accounts) or "none"),
            Fact(label="known as", value=f"{call.caller.platform} {call.caller.user}"),
        )
        return Reply(title=call.operator, parts=(Card(title=call.operator, facts=facts),), private=True)

    async def help(self, call: Call) -> Reply:
        """A table, or one command with its arguments; raises EngineError for a word that is none you may use."""
        usable, wanted = self.usable(call.caller), split_command(text_of(call, "command"))[0]
        command = next((each for each in usable if each.name == wanted), None)
        if wanted in _ANSWERS:
            written, meaning = _ANSWERS[wanted]
            return Reply(title=meaning, parts=(Card(title=written, facts=()),), private=True)
        if wanted and command is None:
            known = [*(each.name for each in usable), *_ANSWERS]
            raise EngineError(f"there is no command {wanted[:60]!r}; {did_you_mean(wanted, known)} [E850]")
        if command is None:
            columns = (Column(name="command", label="command"), Column(name="meaning", label="what it does"))
            rows = tuple((usage(each), each.meaning) for each in usable)
            return Reply(title="What you can ask for", parts=(Table(columns=columns, rows=rows),), private=True)
        facts = tuple(Fact(label=each.name, value=each.meaning) for each in command.arguments)
        example = Fact(label="example", value=command.example or command.name)
        card = Card(title=usage(command), facts=(*facts, example))
        return Reply(title=command.meaning, parts=(card,), private=True)


def built_in_commands(door: Door, about: Help) -> tuple[Command, ...]:
    """All that come with the engine."""
    families = (
        Looking(door), Limits(door), Curves(door), Queries(door), Reports(door), Incidents(door), Restraints(door),
        Acts(door), EngineCommands(door), DrillCommands(door), Differences(door),
        about,
    )  # fmt: skip
    return tuple(command for family in families for command in family.commands())


def all_commands(door: Door, about: Help, registry: Registry) -> tuple[Command, ...]:
    """Those that come with the engine, then those of plugins; raises PluginFailed where one takes a name of ours."""
    built_in = built_in_commands(door, about)
    taken = {command.name for command in built_in} | {"confirm", "decline"}
    for name, _, owner in registry.commands.items():
        if name in taken:
            raise PluginFailed(f"command {name!r} of {owner!r} is one of the engine; rename it [E503]")
    return (*built_in, *(command for _, command, _ in registry.commands.items()))
