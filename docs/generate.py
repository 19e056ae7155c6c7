"""Writes the reference pages and the generated parts of the guides from the code itself.

    uv run python docs/generate.py            write what has changed
    uv run python docs/generate.py --check    write nothing; exit code 1 where a page is not what the code says

A page under `docs/reference/` is generated whole. In a guide only what stands between
``<!-- generated: NAME -->`` and ``<!-- end -->`` is.
"""

import ast
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import cast

import yaml
from filekeys import schema_page
from markdownpage import code, page, table
from typer.testing import CliRunner

from haltline import api
from haltline.api import hookspecs
from haltline.api.registry import Registry
from haltline.cli.group import COMMANDS
from haltline.cli.main import app
from haltline.control.command.catalogue import Help, built_in_commands
from haltline.control.door import Door
from haltline.control.reference import Entry, reference
from haltline.errors import CODES
from haltline.plugins.load import load_plugins
from haltline.testing.broker import all_broker_cases
from haltline.testing.conformance.page import brokers_page
from haltline.testing.conformance.record import ConformanceRecord, read_record

DOCS = Path(__file__).parent
ROOT = DOCS.parent
PACKAGES = ROOT / "engine/src/haltline"
_PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

ROOTS = {
    "account": "An account, and its trading day, session and trading week",
    "position": "A position",
    "order": "An order",
    "fill": "A fill",
    "intent": "A proposed order",
    "instrument": "An instrument",
    "portfolio": "All accounts together",
    "clock": "The clock",
    "session": "The market hours of an account or instrument",
}
FAMILIES = {
    "1": "Files and YAML",
    "2": "Structure of set-up, rule and test files",
    "3": "Expressions",
    "4": "Meaning of rules and set-up",
    "5": "Plugins",
    "6": "Data from outside",
    "7": "Journal",
    "8": "Enforcement and the running engine",
    "9": "Command line",
}


def fields_page(entries: list[Entry]) -> str:
    """Fields by root, then collections."""
    parts = [
        "What the expressions of a rule can read. `haltline fields WORD` searches this list, with what installed "
        "plugins add. A field that is missing, stale or not finite is UNKNOWN."
    ]
    fields = [entry for entry in entries if entry.sort == "field"]
    for root, group in groupby(fields, key=lambda entry: entry.name.partition(".")[0]):
        rows = [(code(entry.name), entry.kind, _meaning(entry)) for entry in group]
        parts.append(f"## {root}\n\n{ROOTS[root]}.\n\n" + table(("field", "kind", "meaning"), rows))
    rows = [(code(e.name), e.kind, e.meaning) for e in entries if e.sort == "collection"]
    parts.append(
        "## Collections\n\nWhat generator expressions walk: `sum(p.notional for p in account.positions)`.\n\n"
        + table(("collection", "items", "meaning"), rows)
    )
    return page("Fields", *parts)


def _meaning(entry: Entry) -> str:
    notes = [", ".join(map(code, entry.choices)), "" if entry.choices else entry.unit]
    note = "; ".join(filter(None, notes))
    return f"{entry.meaning} ({note})" if note else entry.meaning


def functions_page(entries: list[Entry]) -> str:
    """Functions of the language and of the built-in plugin."""
    parts = ["What the expressions of a rule can call. Plugins add more: `haltline fields --sort function`."]
    rows = [(code(e.shape), e.kind, e.meaning) for e in entries if e.sort == "function"]
    parts.append(table(("function", "gives", "meaning"), rows))
    parts.append("A function of something UNKNOWN is UNKNOWN, except `known` and `coalesce`, which are there to ask.")
    return page("Functions", *parts)


def commands_page() -> str:
    """One heading per section, then one per command of operators, with its arguments."""
    parts = [
        "What operators can ask of a running engine: `haltline COMMAND`, the same word in a chat, the same buttons. "
        "[Operators](../operators.md) says who may, and how it is confirmed. Plugins add more."
    ]
    confirmed = {"never": "", "press": " Confirmed by a press.", "loosening": " Makes room: confirmed."}
    for section, group in groupby(built_in_commands(cast("Door", None), Help()), key=lambda command: command.section):
        parts.append(f"## {section}")
        for each in group:
            told = f"{each.meaning} For {each.role.value} and above.{confirmed[each.confirm.value]}"
            rows = [(code(a.name), a.kind.value, "yes" if a.required else "", a.meaning) for a in each.arguments]
            arguments = table(("argument", "kind", "required", "meaning"), rows) if rows else ""
            parts.append(f"### {each.name}\n\n{told}\n\n```text\n{each.example}\n```\n\n{arguments}")
    return page("Commands of operators", *parts)


def actions_page(entries: list[Entry], registry: Registry) -> str:
    """One heading per action, with its parameters and what it needs."""
    parts = [
        "What `then`, `warn_then` and `on_clear` can do. An action is written as its name, or as its name with "
        "parameters; a parameter that is a number may be an expression. Plugins add more."
    ]
    for entry in (entry for entry in entries if entry.sort == "action"):
        action = registry.actions.get(entry.name)
        assert action is not None
        scopes = "every scope" if len(action.scopes) == 7 else ", ".join(code(scope) for scope in sorted(action.scopes))
        needs = ", ".join(code(need) for need in sorted(action.needs)) or "nothing"
        text = f"## {entry.name}\n\n{_sentence(entry.meaning)}\n\n"
        text += f"{entry.kind.capitalize()}. Makes sense for {scopes}. Needs of the broker: {needs}.\n\n"
        if action.parameters:
            rows = [
                (code(p.name), p.kind, "yes" if p.required else "", _default(p.default), _with(p.meaning, p.choices))
                for p in action.parameters
            ]
            text += table(("parameter", "kind", "required", "default", "meaning"), rows) + "\n"
        parts.append(text + f"```yaml\n# actions\n{action.example}\n```")
    return page("Actions", *parts)


def _default(value: object) -> str:
    return "" if value is None else code(str(value).lower() if isinstance(value, bool) else str(value))


def _with(meaning: str, choices: tuple[str, ...]) -> str:
    return f"{meaning} ({', '.join(map(code, choices))})" if choices else meaning


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def errors_page() -> str:
    """Every code, by family."""
    parts = ["Every message about a mistake ends with a code. `haltline explain E207` prints one entry of this list."]
    for family, group in groupby(sorted(CODES), key=lambda name: name[1]):
        rows = [(f"**{name}**", *CODES[name]) for name in group]
        parts.append(f"## {FAMILIES[family]}\n\n" + table(("code", "what", "why", "cure"), rows))
    return page("Error codes", *parts)


def cli_page() -> str:
    """The help of every command, as it is printed."""
    runner = CliRunner()

    def show(*words: str) -> str:
        result = runner.invoke(
            app, [*words, "--help"], env={"COLUMNS": "100", "NO_COLOR": "1", "TERMINAL_WIDTH": "100"}
        )
        if result.exit_code:
            raise SystemExit(f"haltline {' '.join(words)} --help failed: {result.output}")
        return f"```text\n{result.output.strip()}\n```"

    parts = [
        "Exit codes: 0 fine, 1 problems, 2 wrong usage, 130 interrupted. `--json` writes one JSON document (or one a "
        "line) to standard output and nothing else; `--plain` leaves out colours and whatever moves.",
        f"## haltline\n\n{show()}",
    ]
    for name, entry in COMMANDS.items():
        if entry.module == "operate" and name != "status":
            continue  # they all take the same options; what each takes besides is in commands.md
        parts.append(f"## haltline {name}\n\n{show(name)}")
        parts += [f"## haltline {name} {sub}\n\n{show(name, sub)}" for sub in _below(entry.module)]
    return page("Command line", *parts)


def _below(module: str) -> list[str]:
    """The commands below a command: `journal tail`."""
    found = import_module(f"haltline.cli.{module}").app.registered_commands
    return [each.name or each.callback.__name__ for each in found] if len(found) > 1 else []


def templates_page(registry: Registry) -> str:
    """Every template of the starter pack, with its inputs and constraints."""
    pack = registry.rule_packs.get("starter")
    assert pack is not None
    parts = [
        "What `use: starter/NAME` can make, and the inputs under `with`. An input without a default must be given."
    ]
    for path in sorted(pack.folder.glob("*.yaml")):
        read = yaml.safe_load(path.read_text("utf-8"))
        rows = [
            (code(name), _kind(given), _default(given.get("default")), _with(given["meaning"], _choices(given)))
            for name, given in read.get("inputs", {}).items()
        ]
        text = f"## starter/{path.stem}\n\n{_named_inputs(read['title'])}. {read.get('why', '').strip()}\n\n"
        text += table(("input", "kind", "default", "meaning"), rows) if rows else "It has no inputs.\n"
        names = dict.fromkeys(code(rule["id"].replace("${{ id }}", "ID")) for rule in read["rules"])
        chosen = " as its inputs choose" if any("if" in rule for rule in read["rules"]) else ""
        demands = "".join(f" {_sentence(item['message'])}" for item in read.get("constraints", []))
        parts.append(
            f"{text}\nMakes {'the rules' if len(names) > 1 else 'the rule'} {', '.join(names)}{chosen}.{demands}"
        )
    return page("Templates of the starter pack", *parts)


def _kind(given: Mapping[str, object]) -> str:
    bounds = {"above": "more than", "at_least": "at least", "below": "less than", "at_most": "at most"}
    limits = [f"{words} {given[key]}" for key, words in bounds.items() if key in given]
    return f"{given['type']} ({', '.join(limits)})" if limits else str(given["type"])


def _choices(given: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(map(str, cast("list[object]", given.get("choices", []))))


def _named_inputs(title: str) -> str:
    """``at ${{ inputs.limit }}`` as ``at `limit` ``."""
    return re.sub(r"\$\{\{ (?:inputs\.)?(\w+) \}\}", r"`\1`", title)


def hooks() -> dict[str, Callable[..., None]]:
    """The hook specifications by name, in the order of the module."""
    return {name: value for name, value in vars(hookspecs).items() if name.startswith("haltline_register_")}


def users(hook: str) -> list[str]:
    """The files of engine, plugins, bots and examples that implement a hook, relative to the repository."""
    folders = (PACKAGES, *(ROOT / name for name in ("bots", "examples", "plugins")))
    files = sorted(file for folder in folders for file in folder.rglob("plugin.py"))
    return [str(file.relative_to(ROOT)) for file in files if f"def {hook}(" in file.read_text("utf-8")]


def _calls(hook: Callable[..., None]) -> list[str]:
    return re.findall(r"registry\.(add_\w+)", hook.__doc__ or "")


def hooks_page() -> str:
    """One heading per hook with its signature, and the records that are registered."""
    parts = [
        inspect.cleandoc(hookspecs.__doc__ or "").partition("\n\n")[2],
        "Everything named here is in `haltline.api`.",
    ]
    for name, hook in hooks().items():
        heading = f"## {name}{inspect.signature(hook)}".replace("haltline.api.registry.", "").replace(" -> None", "")
        links = ", ".join(f"[{Path(user).parent.name}](../../{user})" for user in users(name))
        used = f"Used by {links}." if links else "Used by no plugin here."
        parts.append(f"{heading}\n\n{inspect.cleandoc(hook.__doc__ or '')}\n\n{used}")
        for call in _calls(hook):
            record = _record_of(call)
            parts.append(f"### {record.__name__}\n\n{inspect.cleandoc(record.__doc__ or '')}\n\n" + _attributes(record))
    return page("Hooks", *parts)


def _record_of(call: str) -> type:
    annotation = inspect.signature(getattr(Registry, call)).parameters
    return cast("type", next(value.annotation for name, value in annotation.items() if name != "self"))


def _attributes(record: type) -> str:
    signature = inspect.signature(record)
    lines = [str(parameter).replace("haltline.api.", "") for parameter in signature.parameters.values()]
    return "```text\n" + "\n".join(_shorter(line) for line in lines) + "\n```"


def _shorter(line: str) -> str:
    """A parameter without module paths and factories that say nothing to a reader."""
    line = re.sub(r"(?:\w+\.)+(?=[A-Za-z_])", "", line)
    line = re.sub(r"<(\w+): \d+>", r"\1", line)
    return line.replace(" = <factory>", " = …")


# -- parts of guides --------------------------------------------------------------------------------------------------


def packages_part() -> str:
    """Each package of the engine with the first line of its own docstring, from the top layer down."""
    rows = []
    for line in layers():
        for name in line:
            docstring = ast.get_docstring(ast.parse((PACKAGES / name / "__init__.py").read_text("utf-8"))) or ""
            rows.append((f"[{name}](../engine/src/haltline/{name}/__init__.py)", docstring.partition("\n")[0]))
    return table(("package", "what it is"), rows)


def layers() -> list[list[str]]:
    """The layers of the engine from the top down, as import-linter checks them."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    block = text.partition("layers = [")[2].partition("]")[0]
    return [[name.strip() for name in line.split("|")] for line in re.findall(r'"([^"]+)"', block)]


def layers_part() -> str:
    """The picture of the layers."""
    lines = layers()
    return (
        "```text\n"
        + "\n".join(f"{len(lines) - at:>3}  {' | '.join(line)}" for at, line in enumerate(lines, 1))
        + "\n```\n"
    )


def hooks_part() -> str:
    """The hooks in one table."""
    rows = [
        (
            f"[{name}](reference/hooks.md#{_anchor(f'{name}(registry: Registry)')})",
            " ".join(inspect.cleandoc(hook.__doc__ or "").split()),
            ", ".join(f"[{Path(user).parent.name}](../{user})" for user in users(name)),
        )
        for name, hook in hooks().items()
    ]
    return table(("hook", "what for", "used by"), rows)


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def api_part() -> str:
    """The public names."""
    return ", ".join(map(code, api.__all__)) + "\n"


PARTS: dict[str, Callable[[], str]] = {
    "packages": packages_part,
    "layers": layers_part,
    "hooks": hooks_part,
    "api": api_part,
}


# -- writing -----------------------------------------------------------------------------------------------------------


def records() -> list[ConformanceRecord]:
    """What every broker has shown of the conformance suite."""
    files = [*ROOT.glob("engine/conformance/*.json"), *ROOT.glob("plugins/*/conformance/*.json")]
    return [read_record(file) for file in files]


def pages() -> dict[Path, str]:
    """Every page that should exist, with its content."""
    registry = load_plugins().registry
    entries = reference(registry)
    written = {
        "fields": fields_page(entries),
        "functions": functions_page(entries),
        "actions": actions_page(entries, registry),
        "brokers": page("Brokers", brokers_page(records(), all_broker_cases())),
        "errors": errors_page(),
        "cli": cli_page(),
        "commands": commands_page(),
        "hooks": hooks_page(),
        "schema": schema_page(registry),
        "templates": templates_page(registry),
    }
    made = {DOCS / "reference" / f"{name}.md": text for name, text in written.items()}
    for guide in sorted(DOCS.glob("*.md")):
        made[guide] = _PART.sub(_refreshed, guide.read_text("utf-8"))
    return made


def _refreshed(found: re.Match[str]) -> str:
    return f"{found[1]}{PARTS[found[2]]()}{found[3]}"


def changed() -> dict[Path, str]:
    """The pages whose file is not what the code says, and generated files that should not be there."""
    made = pages()
    stale = {file: "" for file in (DOCS / "reference").glob("*.md") if file not in made}
    differing = {file: text for file, text in made.items() if not file.exists() or file.read_text("utf-8") != text}
    return {**stale, **differing}


def main(arguments: list[str]) -> int:
    """Write what has changed, or with ``--check`` only say so."""
    found = changed()
    is_check = "--check" in arguments
    for file, text in found.items():
        sys.stdout.write(f"{'not what the code says' if is_check else 'wrote'}: {file.relative_to(ROOT)}\n")
        if is_check:
            continue
        file.parent.mkdir(exist_ok=True)
        if text:
            file.write_text(text, encoding="utf-8")
        else:
            file.unlink()
    if is_check and found:
        sys.stdout.write("run: uv run python docs/generate.py\n")
    return 1 if is_check and found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
