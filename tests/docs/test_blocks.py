"""Every fenced block of every Markdown page is run or checked. A page is one session in one empty folder.

```yaml       the first line is a comment that says what it is
              `# rules.yaml`  a whole file of that name: written to the folder and checked; tests of rules are run too
              `# fragment`    entries of `rules:`, checked as the rules of a file
              `# actions`     an example of `then:`, checked as part of a rule
              `# …, refused: E301 E402`  appended to any of them: it must be refused with exactly these codes
```console    lines after `$` are run in the folder; what follows must be in the output, in this order, where `…` stands
              for anything. How a command ends: `# exits with 1`, `# stopped once it guards`. What cannot begin:
              `# not run here: WHY`.
```python     run in the folder; with `# name.py` as first line also written to it; with `# path/to/file.py`, quoted
              from that file of the repository
```text       directly after python, what it prints; else free
```json, ```toml  parsed
"""

import ast
import contextlib
import glob
import importlib.metadata
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from haltline.cli.main import app
from haltline.compose.kernel import meaning_problems
from haltline.config.load import check_files
from haltline.errors import ConfigError, Problem
from haltline.plugins import load as plugin_load
from haltline.plugins.load import PluginRequest, load_plugins
from haltline.ruletest.run import run_files

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r"#\s*(?P<name>[\w./-]+)(?:, refused: (?P<codes>E\d{3}(?: E\d{3})*))?\s*")
_COMMAND = re.compile(
    r"\$ (?P<line>.*?)"
    r"(?:\s+# exits with (?P<code>\d+))?(?P<stopped>\s+# stopped once it guards)?(?:\s+# not run here: (?P<why>.+))?"
)
_SCOPES = ("account", "position", "portfolio", "instrument", "order", "fill", "intent")
_PREFIX = "pip install uv && uv run "


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, its text, and where it stands."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def title(self) -> re.Match[str] | None:
        """What the first line says the block is."""
        return _TITLE.fullmatch(self.text.partition("\n")[0])

    @property
    def place(self) -> str:
        """For messages."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    return [Block(page, text.count("\n", 0, m.start()) + 1, m[1], m[2]) for m in _FENCE.finditer(text)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, in which the example plugin is installed as far as the engine can tell."""
    acme = importlib.metadata.EntryPoint(name="acme", value="acme_haltline.plugin", group="haltline")
    genuine = plugin_load.installed
    monkeypatch.setattr(
        plugin_load, "installed", lambda group: (*genuine(group), *((acme,) if group == acme.group else ()))
    )
    monkeypatch.syspath_prepend(str(ROOT / "examples/third-party-plugin/src"))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


def test_every_block_of_the_page_holds(page: Path, folder: Path) -> None:
    printed: str | None = None
    for block in blocks_of(page):
        match block.language:
            case "yaml":
                check_yaml(block, Path())
            case "console":
                run_console(block)
            case "python":
                printed = run_python(block, Path())
                continue
            case "text":
                if printed is not None:
                    require_in_order(block.place, block.text.splitlines(), printed)
            case "json":
                json.loads(block.text)
            case "toml":
                tomllib.loads(block.text)
            case _:
                pytest.fail(f"{block.place}: no way to check a block of language {block.language!r}")
        printed = None


# -- yaml --------------------------------------------------------------------------------------------------------------


def check_yaml(block: Block, folder: Path) -> None:
    title = block.title
    assert title, f"{block.place}: the first line must say what this is: '# rules.yaml', '# fragment', '# actions'"
    expected = sorted(set(title["codes"].split())) if title["codes"] else []
    found = [problem for problem in problems_of(block, title["name"], folder) if problem.severity == "error"]
    told = "\n".join(map(str, found))
    assert sorted({problem.code for problem in found}) == expected, f"{block.place}:\n{told}"


def problems_of(block: Block, name: str, folder: Path) -> list[Problem]:
    if name == "actions":
        return fewest([check_text(folder, "actions.yaml", as_rule(block.text, scope)) for scope in _SCOPES])
    if name == "fragment":
        body = "".join(f"  {line}\n" if line else "\n" for line in block.text.splitlines())
        return check_text(folder, "fragment.yaml", f"version: 1\nrules:\n{body}")
    if name.endswith(".test.yaml"):
        return run_rule_tests(block, written(folder, name, block.text))
    return check_text(folder, name, block.text)


def as_rule(actions: str, scope: str) -> str:
    body = "".join(f"    {line}\n" for line in actions.splitlines())
    return f"version: 1\nrules:\n  - id: example\n    each: {scope}\n    when: true\n{body}"


def fewest(findings: list[list[Problem]]) -> list[Problem]:
    return min(findings, key=len)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def check_text(folder: Path, name: str, text: str) -> list[Problem]:
    """Write the file and check it alone: a set-up without the rules it names, which later blocks may write."""
    path = written(folder, name, text)
    registry = load_plugins(named_plugins(folder)).registry
    try:
        found = check_files(
            [path], registry, environ={}, meaning=lambda setup, book: meaning_problems(setup, book, registry)
        )
    except ConfigError as error:
        found = list(error.problems)
    return [problem for problem in found if problem.code != "E121"]


def named_plugins(folder: Path) -> list[PluginRequest]:
    """Those that the page's own set-up names."""
    found = re.search(
        r"^plugins: \[(.*)\]$", "\n".join(p.read_text("utf-8") for p in folder.glob("haltline.yaml")), re.M
    )
    return [PluginRequest(name=name.strip(), required=True) for name in found[1].split(",")] if found else []


def run_rule_tests(block: Block, path: Path) -> list[Problem]:
    report = run_files([path], load_plugins().registry)
    problems = [problem for file in report.files for problem in file.problems]
    failures = [str(failure) for file in report.files for case in file.cases for failure in case.failures]
    assert not failures, f"{block.place}:\n" + "\n\n".join(failures)
    return problems


# -- console -----------------------------------------------------------------------------------------------------------


def run_console(block: Block) -> None:
    lines = block.text.splitlines()
    assert lines and lines[0].startswith("$ "), f"{block.place}: a console block starts with '$ command'"
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        found = _COMMAND.fullmatch(lines[start])
        assert found is not None
        if found["why"]:
            continue
        place = f"{block.page.relative_to(ROOT)}:{block.line + start + 1}: {found['line']}"
        line = found["line"].removeprefix(_PREFIX)
        code, output = run_until_it_guards(line) if found["stopped"] else run_command(place, line)
        assert code == int(found["code"] or 0), f"{place} exited with {code}:\n{output}"
        require_in_order(place, lines[start + 1 : end], output)


def run_command(place: str, line: str) -> tuple[int, str]:
    words = [name for word in shlex.split(line) for name in sorted(glob.glob(word)) or [word]]  # as a shell does
    match words:
        case ["haltline", "demo"]:
            return run_command(place, "haltline demo --plain --fast")  # the same story without the waiting
        case ["haltline", *arguments]:
            result = CliRunner().invoke(app, arguments, prog_name="haltline")
            if result.exception is not None and not isinstance(result.exception, SystemExit):
                raise result.exception
            return result.exit_code, result.output
        case ["pip", "install", *_]:
            return 0, ""  # what it would install is what runs these tests
        case ["pytest"]:
            return 0, ""  # this is it
        case ["cd", to]:
            os.chdir(to)  # within the page's own folder; the fixture goes back
            return 0, ""
        case ["cat", name]:
            return 0, Path(name).read_text("utf-8")
        case _:
            pytest.fail(f"{place}: this test cannot run {words[0]!r}; say '# not run here: WHY'")


def run_until_it_guards(line: str) -> tuple[int, str]:
    """Run in a process of its own, which is asked to stop once it says that it guards."""
    words = [str(Path(sys.executable).with_name("haltline")), *shlex.split(line)[1:]]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        said = []
        for heard in process.stdout:
            said.append(heard)
            if "guarding" in heard:
                process.send_signal(signal.SIGTERM)
        watchdog.cancel()
        return process.wait(), "".join(said)


def require_in_order(place: str, expected: list[str], output: str) -> None:
    """Each line must be found in the output after the one before it; white space and box drawing do not count."""
    rest = simple(output)
    for line in expected:
        pattern = ".*?".join(re.escape(part) for part in simple(line).split("…"))
        found = re.search(pattern, rest)
        assert found, f"{place}: this line is not in the output (from here on):\n  {line}\n--- output:\n{output}"
        rest = rest[found.end() :]


def simple(text: str) -> str:
    return " ".join(re.sub(r"[│─╭╮╰╯┌┐└┘├┤█░▁-▇]", " ", text).split())


# -- python ------------------------------------------------------------------------------------------------------------


def run_python(block: Block, folder: Path) -> str | None:
    title = block.title
    if title and "/" in title["name"]:
        source = (ROOT / title["name"]).read_text("utf-8")
        quoted = block.text.partition("\n")[2].strip()
        assert quoted in source, f"{block.place}: this is not what {title['name']} says"
        return None
    if title and title["name"].endswith(".py"):
        written(folder, title["name"], block.text)
    ast.parse(block.text)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(block.text, block.place, "exec"), {"__name__": "__main__"})
    return output.getvalue()


# -- the checks themselves ---------------------------------------------------------------------------------------------

_SOUND_RULE = "# fragment\n- id: a\n  each: account\n  when: account.locked\n  then: [notify]\n"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("yaml", "rules: []\n"),
        ("yaml", _SOUND_RULE.replace("locked", "lucked")),
        ("yaml", _SOUND_RULE.replace("# fragment", "# fragment, refused: E305")),
        ("console", "$ haltline explain E101\nsomething else\n"),
        ("console", "$ haltline explain E101  # exits with 1\n"),
        ("console", "$ haltline check nowhere.yaml\n"),
        ("python", "assert False\n"),
        ("python", "# docs/generate.py\nnot there\n"),
    ],
)
def test_a_block_that_does_not_hold_is_found(language: str, text: str, folder: Path) -> None:
    page = ROOT / "docs/made-up.md"
    block = Block(page, 1, language, text)
    check = {"yaml": lambda: check_yaml(block, Path()), "console": lambda: run_console(block),
             "python": lambda: run_python(block, Path())}  # fmt: skip
    with pytest.raises(AssertionError):
        check[language]()


def test_a_block_that_holds_passes(folder: Path) -> None:
    check_yaml(Block(ROOT / "docs/made-up.md", 1, "yaml", _SOUND_RULE), Path())
    run_console(Block(ROOT / "docs/made-up.md", 1, "console", "$ haltline explain E101\nE101: … cannot be read\n"))
