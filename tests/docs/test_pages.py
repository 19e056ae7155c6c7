"""Pages: links lead somewhere, generated parts are what the code says, nothing private slips in."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import haltline
from haltline.config.schema import base_schema

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```\s*$", re.MULTILINE | re.DOTALL)

PRIVATE = tuple("/" + name + "/" for name in ("work", "root", "home"))
HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"), ("files", "pythonhosted", "org"), ("pythonhosted", "org"), ("registry", "npmjs", "org"),
        ("proxy", "golang", "org"), ("crates", "io"), ("conda", "anaconda", "org"), ("index", "docker", "io"),
    )
)  # fmt: skip


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, made as GitHub makes them."""
    text = _FENCE.sub("", page.read_text("utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "") for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in plain}


def test_every_link_leads_somewhere(page: Path) -> None:
    text = _FENCE.sub("", page.read_text("utf-8"))
    dead = []
    for target in _LINK.findall(text):
        if re.match(r"https?:|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors_of(file)):
            dead.append(target)
    assert dead == []


def test_every_guide_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    queue = [ROOT / "README.md"]
    while queue:
        page = queue.pop()
        if page in seen or not page.is_file() or page.suffix != ".md":
            continue
        seen.add(page)
        targets = _LINK.findall(_FENCE.sub("", page.read_text("utf-8")))
        queue += [(page.parent / target.partition("#")[0]).resolve() for target in targets if "://" not in target]
    assert set((ROOT / "docs").rglob("*.md")) - seen == set()


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    sys.path.insert(0, str(ROOT / "docs"))
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "docs/generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_what_the_code_says(generator: ModuleType) -> None:
    stale = [str(file.relative_to(ROOT)) for file in generator.changed()]
    assert stale == [], "run: uv run python docs/generate.py"


def test_the_layers_in_the_picture_are_all_packages_of_the_engine(generator: ModuleType) -> None:
    drawn = {name for line in generator.layers() for name in line}
    found = {path.parent.name for path in (ROOT / "engine/src/haltline").glob("*/__init__.py")}
    assert drawn == found


def test_the_glossary_has_one_line_for_each_word() -> None:
    rows = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs/glossary.md").read_text("utf-8"), re.MULTILINE)[1:]
    words = [row.strip().lower() for row in rows]
    assert len(words) == len(set(words))


def test_the_newest_changes_are_those_of_this_version() -> None:
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    projects = [ROOT / "engine/pyproject.toml", ROOT / "schemas/pyproject.toml", *ROOT.glob("rules/*/pyproject.toml")]
    versions = {tomllib.loads(project.read_text("utf-8"))["project"]["version"] for project in projects}
    assert newest is not None
    assert {newest[1]} == versions == {haltline.__version__}


def described_keys(schema: dict) -> set[str]:
    """The keys that the guide must show: those of rules, of `use`, of `limit` and of a rule file."""
    parts = [schema, *(schema["$defs"][name] for name in ("rule", "use", "limit"))]
    return {key for part in parts for key in part["properties"]}


def test_the_guide_shows_every_key_of_a_rule_in_an_example() -> None:
    guide = (ROOT / "docs/rules.md").read_text("utf-8")
    examples = "\n".join(re.findall(r"^```yaml\n(.*?)^```", guide, re.MULTILINE | re.DOTALL))
    shown = set(re.findall(r"\b([a-z_]+):(?=\s)", examples))
    assert described_keys(base_schema("rules")) - shown == set()


@pytest.mark.parametrize("name", ["setup", "rules", "template"])
def test_every_key_of_a_file_says_what_it_means(name: str, generator: ModuleType) -> None:
    from filekeys import described  # beside the generator

    schema = base_schema(name)
    silent = [
        f"{where}.{key}"
        for where, part in [("", schema), *schema["$defs"].items()]
        for key, value in part.get("properties", {}).items()
        if "const" not in value and not described(value, schema)
    ]
    assert silent == []


def tracked() -> list[Path]:
    """Files under version control, or those that would be if this is an unpacked archive."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return [ROOT / name for name in done.stdout.split("\0") if name]
    hidden = (".venv", ".git", "__pycache__")
    return [file for file in ROOT.rglob("*") if file.is_file() and not any(part in hidden for part in file.parts)]


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = []
    for file in tracked():
        if not file.is_file():
            continue
        text = file.read_text("utf-8", errors="ignore")
        for name in (*PRIVATE, *HOSTS):
            at = text.find(name)
            if at >= 0:
                found.append(f"{file.relative_to(ROOT)}:{text.count(chr(10), 0, at) + 1}: {name}")
    assert found == []
