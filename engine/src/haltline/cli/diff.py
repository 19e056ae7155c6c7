"""`haltline diff`: what changes in behaviour between two rule sets, and what would fire now."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from haltline.api.registry import Registry
from haltline.cli.diffway import sentence_of, style_of, ways_of
from haltline.cli.group import HelpfulCommand
from haltline.cli.option import Config, Json, Plain, command_app
from haltline.cli.output import Output
from haltline.cli.workspace import FILE_NAME, find_setup, plugins_of, present_setup, require_paths
from haltline.clock import to_iso
from haltline.compose.kernel import meaning_problems
from haltline.config.diagnose import explained
from haltline.config.load import is_setup, load_book, load_setup
from haltline.config.settings import RuleBook, Setup
from haltline.config.waiting import changes_that_wait
from haltline.control.outlook import outlook
from haltline.errors import ConfigError, Problem
from haltline.model.loosening import LooseningPolicy
from haltline.model.plan import Result
from haltline.model.verdict import Phase, Transition
from haltline.rules.difference import KeyChange, RuleDifference, compare_rules

app = command_app()
_VERBS = {Phase.BREACHED: ("fires", "bold red"), Phase.RESOLVED: ("ends", "green")}


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of the comparison; `setup` where it is a whole set-up."""

    setup: Setup | None
    book: RuleBook


@app.command(cls=HelpfulCommand)
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A rule file, a folder, or a set-up.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The same after the edit.")],
    at: Annotated[
        Path | None, typer.Option("--at", metavar="JOURNAL", help="Try both on the state that a journal ends with.")
    ] = None,
    config: Config = None,
    plain: Plain = False,
    json: Json = False,
) -> None:
    """Show what changes in behaviour between two rule sets.

    \b
    Examples:
      haltline diff rules.yaml edited.yaml          rules and keys that differ
      haltline diff old/ new/                       two folders
      haltline diff rules.yaml edited.yaml --at var/haltline.db
                                                    and what would fire now

    \b
    JSON: {"ok": true, "same_behaviour": false, "added": [...], "removed": [...], "changed": [{"rule",
          "only_words", "keys": [{"key", "old", "new"}]}], "unchanged": [...], "definitions": [...],
          "ways": {"RULE": {"direction", "applies"}}, "setup": [...], "at": "..." | null,
          "transitions": [...], "plan": [...]}

    A change tightens, loosens, or may loosen because it cannot be shown to be as strict; the policy `loosening` of the
    set-up says when a running engine uses what loosens.

    Exit code 0: the same behaviour. 1: it differs, or a file has problems.
    """
    output = Output(json=json, plain=plain)
    require_paths([old, new])
    registry = plugins_of([old, new, *present_setup(config)]).registry
    before, after = _read(old, new, registry)
    difference = compare_rules(
        before.book.rules, after.book.rules,
        old_definitions=before.book.definitions, new_definitions=after.book.definitions,
    )  # fmt: skip
    others = changes_that_wait(before.setup, after.setup) if before.setup and after.setup else ()
    when, result = None, Result()
    if at is not None:
        setup = after.setup or before.setup or load_setup(find_setup(config), registry, environ=os.environ)
        instant, result = outlook(setup, registry, old=before.book, new=after.book, journal=at)
        when = to_iso(instant)
    same = difference.same_behaviour and not others
    policy = before.setup.loosening if before.setup is not None else _policy_near(config, registry)
    ways = ways_of(difference, {str(spec.id): spec for spec in before.book.rules}, policy)
    if output.json:
        record = {"ok": True, **msgspec.structs.asdict(difference), "same_behaviour": same, "setup": others, "at": when}
        output.emit(record | {"ways": ways, "transitions": result.transitions, "plan": result.plan})
    else:
        _say_difference(output, difference, ways)
        for sentence in others:
            output.say(f"~ {sentence} (a running engine applies it at a restart)", style="yellow")
        if when is not None:
            _say_outlook(output, when, result)
        output.say("same behaviour" if same else "behaviour differs", style="bold green" if same else "bold yellow")
    raise typer.Exit(0 if same else 1)


def _read(old: Path, new: Path, registry: Registry) -> tuple[_Side, _Side]:
    """Both sides; raises ConfigError with every problem of both."""
    problems: list[Problem] = []
    sides: list[_Side] = []
    for path in (old, new):
        try:
            sides.append(_side(path, registry))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return sides[0], sides[1]


def _side(path: Path, registry: Registry) -> _Side:
    inside = path / FILE_NAME
    file = inside if path.is_dir() and inside.is_file() else path
    setup = load_setup(file, registry, environ=os.environ) if file.is_file() and is_setup(file) else None
    book = load_book(setup.rule_files if setup else [path], registry, environ=os.environ)
    problems = [each for each in meaning_problems(setup, book, registry) if each.severity == "error"]
    if problems:
        raise explained(ConfigError(problems), {**(setup.sources if setup else {}), **book.sources})
    return _Side(setup, book)


def _policy_near(config: Path | None, registry: Registry) -> LooseningPolicy:
    """The policy of the set-up that the files belong to; at once where there is none."""
    found = present_setup(config)
    return load_setup(found[0], registry, environ=os.environ).loosening if found else LooseningPolicy.AT_ONCE


def _say_difference(output: Output, difference: RuleDifference, ways: Mapping[str, Mapping[str, str]]) -> None:
    for name in difference.added:
        output.say(f"+ {name}: added ({sentence_of(ways[name])})", style="green")
    for name in difference.removed:
        output.say(f"- {name}: removed ({sentence_of(ways[name])})", style="red")
    for change in difference.changed:
        output.say(f"~ {change.rule}: changed ({sentence_of(ways[change.rule])})", style=style_of(change))
        _say_keys(output, change.keys)
    if difference.definitions:
        output.say("~ define", style="yellow")
        _say_keys(output, difference.definitions)
    if difference.unchanged:
        output.say(f"= unchanged: {', '.join(difference.unchanged)}", style="dim")


def _say_keys(output: Output, keys: tuple[KeyChange, ...]) -> None:
    for key in keys:
        output.say(f"    {key}")


def _say_outlook(output: Output, when: str, result: Result) -> None:
    output.say(f"on the state of {when}:", style="bold")
    news = _news(result)
    for moved in news:
        verb, style = _VERBS.get(moved.phase, (f"becomes {moved.phase}:", "yellow"))
        output.say(f"    {verb} {_moved(moved)}", style=style)
    for action in result.plan:
        target = "/".join(str(part) for part in (action.account, action.symbol) if part)
        shadow = " (shadow: not carried out)" if action.shadow else ""
        output.say(f"    would do {action.name} {target}{shadow}", style="cyan")
    if not news and not result.plan:
        output.say("    nothing fires and nothing ends", style="dim")


def _news(result: Result) -> list[Transition]:
    """Where every rule and entity ends up, left out what ends up where it began; what fires anew is news."""
    first: dict[tuple[str, str], Phase] = {}
    last: dict[tuple[str, str], Transition] = {}
    for moved in result.transitions:
        key = (str(moved.rule), moved.entity)
        first.setdefault(key, moved.previous)
        last[key] = moved
    return [moved for key, moved in last.items() if moved.phase in (Phase.BREACHED, Phase.RESOLVED) or
            moved.phase is not first[key]]  # fmt: skip


def _moved(moved: Transition) -> str:
    text = f"{moved.rule} on {moved.entity}"
    if moved.measured is not None and moved.threshold is not None:
        text += f": {moved.measured:,.10g} of {moved.threshold:,.10g}"
    return text
