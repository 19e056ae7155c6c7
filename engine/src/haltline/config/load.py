"""The door: read a set-up, read rules, or check any files.

`load_setup` and `load_book` return what is valid or raise ConfigError with every problem; nothing is half loaded.
`named_plugins` comes first: it tells which plugins must be registered before the rest can be understood.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from haltline.api.registry import Registry
from haltline.config.book import BookBinder
from haltline.config.cross import check_capabilities, check_mentions
from haltline.config.diagnose import explained, with_excerpts
from haltline.config.finding import Findings
from haltline.config.reference import References
from haltline.config.settings import PluginEntry, RuleBook, Setup
from haltline.config.setup import SetupBinder, is_rule_test, plugin_entries, rule_files, yaml_files
from haltline.config.source import ListNode, MappingNode, Source, read_source
from haltline.config.try_out import try_template
from haltline.errors import ConfigError, Place, Problem

type Meaning = Callable[[Setup | None, RuleBook], Sequence[Problem]]
"""Stage 3: what is wrong with the expressions of a book (the composition passes in `rules.compile`)."""

_SETUP_KEYS = frozenset(
    {
        "accounts",
        "brokers",
        "feeds",
        "channels",
        "instruments",
        "plugins",
        "store",
        "mode",
        "stale_after",
        "guardian",
        "notify",
        "operators",
        "surfaces",
        "drills",
        "arming",
    }
)


def named_plugins(path: Path) -> tuple[PluginEntry, ...]:
    """The plugins that a set-up file names; raises ConfigError where the file cannot be read."""
    root = read_source(path).root
    return plugin_entries(root, Findings()) if isinstance(root, MappingNode) else ()


def load_setup(path: Path, registry: Registry, *, environ: Mapping[str, str]) -> Setup:
    """The valid set-up of a file; raises ConfigError with all problems."""
    findings = Findings()
    source, setup = _read_setup(path, registry, environ, findings)
    if findings.errors or setup is None:
        raise ConfigError(with_excerpts(findings.errors, {source.file: source.text} if source else {}))
    return setup


def load_book(paths: Sequence[Path], registry: Registry, *, environ: Mapping[str, str]) -> RuleBook:
    """All rules of some files or folders; raises ConfigError with all problems that can be told without expressions."""
    findings = Findings()
    book = _read_book(_rule_paths(paths), registry, environ, findings)
    if findings.errors:
        raise explained(ConfigError(findings.errors), book.sources)
    return book


def is_setup(path: Path) -> bool:
    """Whether a file is a set-up, told by its content; raises ConfigError where it cannot be read."""
    return _is_setup(read_source(path))


def check_files(
    paths: Sequence[Path], registry: Registry, *, environ: Mapping[str, str], meaning: Meaning | None = None
) -> list[Problem]:
    """Everything that is wrong with set-ups, rule files and templates, told apart by their content; sorted by place.

    A set-up is checked together with the rule files it names; other rule files together with the set-up where there
    is just one. Folders stand for the files in them; `*.test.yaml` are left to `haltline test`.
    """
    return _Check(registry, environ, meaning).run(paths)


class _Check:
    def __init__(self, registry: Registry, environ: Mapping[str, str], meaning: Meaning | None) -> None:
        self._registry = registry
        self._environ = environ
        self._meaning = meaning
        self._findings = Findings()
        self._sources: dict[str, str] = {}
        self._setups: list[Path] = []
        self._rules: list[Path] = []
        self._templates: list[Path] = []

    def run(self, paths: Sequence[Path]) -> list[Problem]:
        for path in _expanded(paths):
            self._sort(path)
        for path in self._templates:
            self._template(path)
        owned: set[Path] = set()
        single = len(self._setups) == 1
        for path in self._setups:
            owned |= self._setup(path, self._rules if single else [])
        rest = [path for path in self._rules if path.resolve() not in owned]
        if rest:
            self._book(None, rest)
        return with_excerpts(self._findings.problems, self._sources)

    def _sort(self, path: Path) -> None:
        try:
            source = read_source(path)
        except ConfigError as error:
            self._findings.extend(error.problems)
            return
        self._sources[source.file] = source.text
        keys = set(source.root.entries) if isinstance(source.root, MappingNode) else set()
        if "template" in keys:
            self._templates.append(path)
        elif _is_setup(source):
            self._setups.append(path)
        elif keys & {"rules", "define"}:
            self._rules.append(path)
        elif "tests" not in keys:
            self._findings.add(
                "E120", Place(file=source.file), "this is neither a set-up nor a rule file",
                "a rule file has 'rules:', a set-up 'accounts:'",
            )  # fmt: skip

    def _setup(self, path: Path, others: Sequence[Path]) -> set[Path]:
        source, setup = _read_setup(path, self._registry, self._environ, self._findings)
        if source is not None:
            self._sources[source.file] = source.text
        if setup is None:
            return set()
        known = {file.resolve(): file for file in (*others, *setup.rule_files)}
        self._book(setup, list(known.values()))
        return set(known)

    def _book(self, setup: Setup | None, paths: Sequence[Path]) -> None:
        book = _read_book(paths, self._registry, self._environ, self._findings)
        self._sources.update(book.sources)
        if setup is not None:
            self._findings.extend(check_mentions(setup, book))
            self._findings.extend(check_capabilities(setup, book, self._registry))
        if self._meaning is not None:
            self._findings.extend(self._meaning(setup, book))

    def _template(self, path: Path) -> None:
        source = read_source(path)
        book = try_template(source, path.stem, self._registry, self._findings)
        if book is not None and self._meaning is not None:
            self._findings.extend(self._meaning(None, book))


def _read_setup(
    path: Path, registry: Registry, environ: Mapping[str, str], findings: Findings
) -> tuple[Source | None, Setup | None]:
    try:
        source = read_source(path, expand=References(environ, path.parent, findings))
    except ConfigError as error:
        findings.extend(error.problems)
        return None, None
    return source, SetupBinder(source, path, registry, findings).bind()


def _read_book(paths: Sequence[Path], registry: Registry, environ: Mapping[str, str], findings: Findings) -> RuleBook:
    binder = BookBinder(registry, environ, findings)
    for path in paths:
        binder.read(path)
    return binder.book()


def _rule_paths(paths: Sequence[Path]) -> list[Path]:
    """The rule files of paths: files as they are, folders by what lies in them, each once."""
    found: dict[Path, Path] = {}
    for path in paths:
        for file in rule_files(path.parent, path.name) if path.is_dir() else [path]:
            found.setdefault(file.resolve(), file)
    return list(found.values())


def _expanded(paths: Sequence[Path]) -> list[Path]:
    found: dict[Path, Path] = {}
    for path in paths:
        for file in yaml_files(path) if path.is_dir() else [path]:
            if not (path.is_dir() and is_rule_test(file)):
                found.setdefault(file.resolve(), file)
    return list(found.values())


def _is_setup(source: Source) -> bool:
    keys = set(source.root.entries) if isinstance(source.root, MappingNode) else set()
    return "template" not in keys and bool(keys & _SETUP_KEYS or _names_files(source))


def _names_files(source: Source) -> bool:
    """Whether `rules:` is a list of names of files, as in a set-up."""
    rules = source.root.get("rules") if isinstance(source.root, MappingNode) else None
    if rules is None:
        return False
    return not isinstance(rules, MappingNode) and not (
        isinstance(rules, ListNode) and (not rules.items or any(isinstance(item, MappingNode) for item in rules.items))
    )
