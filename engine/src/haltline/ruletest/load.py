"""A test file → set-up, rules and cases, with every problem at its place."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from haltline.api.registry import Registry
from haltline.compose.kernel import build_state, compile_book
from haltline.config.book import BookBinder
from haltline.config.cross import check_mentions
from haltline.config.diagnose import with_excerpts
from haltline.config.finding import Findings, did_you_mean
from haltline.config.settings import RuleBook, Setup
from haltline.config.setup import SetupBinder, rule_files
from haltline.config.source import ListNode, MappingNode, Node, ScalarNode, Source, compose, read_source
from haltline.errors import ConfigError, Place
from haltline.kernel.kernel import Kernel
from haltline.kernel.packed import unpack_state
from haltline.rules.compile import CompiledRules
from haltline.ruletest.case import Case, CaseKind, Cover
from haltline.ruletest.reading import Reader
from haltline.ruletest.step import read_step

FILE_KEYS = (
    "version", "rules", "book", "define", "accounts", "instruments", "stale_after", "evidence", "caps", "setup",
    "channels", "notify", "at", "tests", "note",
)  # fmt: skip
CASE_KEYS = ("name", "at", "state", "steps", "covers", "note")
_SETUP_KEYS = ("accounts", "instruments", "stale_after", "evidence", "caps")
_NAMED_KEYS = ("notify", "evidence", "caps")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One test file, ready to run: its rules are compiled once for all its cases.

    `uses` maps the place of each `use:` to the id written beside it.
    """

    file: str
    setup: Setup
    book: RuleBook
    compiled: CompiledRules
    cases: tuple[Case, ...]
    sources: Mapping[str, str]
    uses: Mapping[Place, str]


def load_suite(path: Path, registry: Registry, *, environ: Mapping[str, str] | None = None) -> Suite:
    """Read a test file and the rules it names; raises ConfigError with all problems of all of them."""
    source = read_source(path)
    findings = Findings()
    loader = _Loader(path, source, registry, findings, environ or {})
    suite = loader.suite()
    if findings.errors or suite is None:
        raise ConfigError(with_excerpts(findings.errors, loader.sources))
    return suite


def make_kernel(suite: Suite, registry: Registry, at: int) -> Kernel:
    """A fresh kernel with the set-up and rules of the file, at an instant (UTC nanoseconds)."""
    kernel = Kernel(build_state(suite.setup, registry, now=at), suite.compiled)
    kernel.gate.caps = suite.setup.caps
    return kernel


class _Loader:
    def __init__(
        self, path: Path, source: Source, registry: Registry, findings: Findings, environ: Mapping[str, str]
    ) -> None:
        self._path = path
        self._source = source
        self._registry = registry
        self._findings = findings
        self._environ = environ
        self._reader = Reader(findings)
        self.sources: dict[str, str] = {source.file: source.text}

    def suite(self) -> Suite | None:
        root = self._reader.mapping(self._source.root, "a test file")
        if root is None:
            return None
        self._reader.refuse_unknown(root, FILE_KEYS, "test file")
        setup = self._setup(root)
        book = self._book(root)
        cases = tuple(self._cases(root))
        self._require_known_rules(cases, book)
        if setup is not None:
            self._findings.extend(check_mentions(setup, book))
            self._require_known_channels(cases, [entry.name for entry in setup.channels])
        compiled = self._compiled(book)
        if setup is None or compiled is None:
            return None
        return Suite(
            file=self._source.file,
            setup=setup,
            book=book,
            compiled=compiled,
            cases=cases,
            sources=self.sources,
            uses=dict(self._uses(root, book)),
        )

    def _setup(self, root: MappingNode) -> Setup | None:
        """The test file's own accounts and instruments as a set-up in which every account is armed."""
        entries: dict[str, Node] = {"version": _scalar("1", root.place, value=1), "mode": _scalar("live", root.place)}
        entries.update(self._named(root))
        entries.update({key: root.entries[key] for key in _SETUP_KEYS if key in root.entries})
        if "accounts" not in entries:
            self._findings.add("E283", root.place, "'accounts' is missing", "add 'accounts: {eval: {balance: 50000}}'")
        keys = {key: root.place_of(key) for key in entries}
        node = MappingNode(entries=entries, keys=keys, place=root.place)
        source = Source(file=self._source.file, text=self._source.text, root=node)
        return SetupBinder(source, self._path, self._registry, self._findings).bind()

    def _named(self, root: MappingNode) -> dict[str, Node]:
        """Channels and routes, evidence and caps: of the set-up that the test file names, or else its own. Of a channel
        only its name and severities count: nothing is sent."""
        written = root
        name = self._reader.text(root.get("setup"), "setup")
        if name is not None:
            file = self._path.parent / name
            if not file.is_file():
                where = f"it is looked for in {self._path.parent}"
                self._findings.add("E121", root.place_of("setup"), f"there is no set-up {name!r}", where, where="setup")
                return {}
            source = read_source(file)
            self.sources[source.file] = source.text
            written = source.root if isinstance(source.root, MappingNode) else root
        found: dict[str, Node] = {key: node for key in _NAMED_KEYS if (node := written.get(key)) is not None}
        channels = written.get("channels")
        if isinstance(channels, MappingNode):
            entries: dict[str, Node] = {each: _silent(node) for each, node in channels.entries.items()}
            found["channels"] = MappingNode(entries=entries, keys=channels.keys, place=channels.place)
        return found

    def _book(self, root: MappingNode) -> RuleBook:
        binder = BookBinder(self._registry, self._environ, self._findings)
        for item in self._reader.items(root.get("rules"), "rules"):
            pattern = self._reader.text(item, "rules") or ""
            files = rule_files(self._path.parent, pattern) if pattern else []
            if pattern and not files:
                where = f"it is looked for in {self._path.parent}"
                self._findings.add("E121", item.place, f"no rule file matches {pattern!r}", where, where="rules")
            for file in files:
                binder.read(file)
        inline = root.get("book")
        if inline is not None:
            binder.add(self._inline(root, inline))
        book = binder.book()
        self.sources.update(book.sources)
        if not book.rules and not self._findings.errors:
            cure = "name rule files under 'rules:', or write rules under 'book:'"
            self._findings.add("E283", root.place, "there are no rules to test", cure)
        return book

    def _compiled(self, book: RuleBook) -> CompiledRules | None:
        try:
            return compile_book(book, self._registry)
        except ConfigError as error:
            self._findings.extend(error.problems)
            return None

    def _inline(self, root: MappingNode, inline: Node) -> Source:
        entries: dict[str, Node] = {"version": _scalar("1", root.place, value=1), "rules": inline}
        keys = {"version": root.place, "rules": root.place_of("book")}
        if "define" in root.entries:
            entries["define"], keys["define"] = root.entries["define"], root.keys["define"]
        node = MappingNode(entries=entries, keys=keys, place=root.place)
        return Source(file=self._source.file, text=self._source.text, root=node)

    def _uses(self, root: MappingNode, book: RuleBook) -> Iterator[tuple[Place, str]]:
        yield from _uses_in(root.get("book"))
        for file, text in book.sources.items():
            tree = compose(text, file) if file != self._source.file else None
            if isinstance(tree, MappingNode) and "template" not in tree.entries:
                yield from _uses_in(tree.get("rules"))

    # -- cases -----------------------------------------------------------------------------------------------------

    def _cases(self, root: MappingNode) -> Iterator[Case]:
        default = root.get("at")
        default_at = self._reader.instant(default, "at") if default is not None else None
        items = self._reader.items(root.get("tests"), "tests")
        if not items:
            self._findings.add(
                "E283", root.place_of("tests"), "there are no tests", "add 'tests:' with a list of tests"
            )
        names: dict[str, Place] = {}
        for item in items:
            case = self._case(item, default_at)
            if case is None:
                continue
            if case.name in names:
                what = f"the test name {case.name!r} is already used on line {names[case.name].line}"
                self._findings.add("E286", case.place, what, "give every test its own name")
            names.setdefault(case.name, case.place)
            yield case

    def _case(self, node: Node, default_at: int | None) -> Case | None:
        reader = self._reader
        mapping = reader.mapping(node, "a test")
        if mapping is None:
            return None
        name = reader.text(mapping.get("name"), "name")
        where = f"test {name!r}" if name else "test"
        reader.refuse_unknown(mapping, CASE_KEYS, where)
        given = mapping.get("at")
        at = reader.instant(given, "at") if given is not None else default_at
        steps = [read_step(item, reader) for item in reader.items(mapping.get("steps"), "steps")]
        for missing, key, cure in (
            (name is None, "name", "add 'name: …'"),
            (given is None and at is None, "at", "add 'at: 2025-05-06T09:30:00-04:00' here or to the file"),
            (not steps, "steps", "add 'steps:' with a list of steps"),
        ):
            if missing:
                self._findings.add("E283", mapping.place, f"{key!r} is missing", cure, where=where)
        if name is None or at is None:
            return None
        kept = tuple(step for step in steps if step is not None)
        covers, state = tuple(self._covers(mapping)), self._state(mapping)
        return Case(name=name, at=at, steps=kept, place=mapping.place, covers=covers, state=state)

    def _state(self, mapping: MappingNode) -> bytes:
        node = mapping.get("state")
        text = self._reader.text(node, "state") if node is not None else None
        try:
            return unpack_state(text) if text else b""
        except ValueError as error:
            cure = "write the test again with 'haltline capsule to-test'"
            self._findings.add("E288", mapping.place_of("state"), f"the saved state cannot be read: {error}", cure)
            return b""

    def _covers(self, mapping: MappingNode) -> Iterator[Cover]:
        given = mapping.get("covers")
        items = (given,) if isinstance(given, MappingNode) else self._reader.items(given, "covers")
        for item in items:
            entry = self._reader.mapping(item, "covers")
            if entry is None:
                continue
            self._reader.refuse_unknown(entry, ("rule", "case"), "covers")
            rule = self._reader.text(entry.get("rule"), "rule")
            for kind in self._reader.items(entry.get("case"), "case"):
                known = self._reader.value(kind, CaseKind, "covers: case")
                if rule is not None and known is not None:
                    yield Cover(rule=rule, kind=known)

    def _require_known_rules(self, cases: tuple[Case, ...], book: RuleBook) -> None:
        if self._findings.errors:
            return
        known = [str(spec.id) for spec in book.rules]
        for case in cases:
            for step in case.steps:
                for expectation in step.expect:
                    if expectation.rule not in known:
                        cure = did_you_mean(expectation.rule, known, sort="rules")
                        what = f"there is no rule {expectation.rule!r}"
                        self._findings.add("E287", expectation.place, what, cure, where=f"test {case.name!r}")
            for cover in case.covers:
                if cover.rule not in known:
                    cure = did_you_mean(cover.rule, known, sort="rules")
                    what = f"there is no rule {cover.rule!r} to cover"
                    self._findings.add("E287", case.place, what, cure, where=f"test {case.name!r}")

    def _require_known_channels(self, cases: tuple[Case, ...], known: Sequence[str]) -> None:
        for case in cases:
            for hearing in (each for step in case.steps for each in step.heard):
                if hearing.channel not in known:
                    self._findings.add(
                        "E289", hearing.place, f"there is no channel {hearing.channel!r}",
                        did_you_mean(hearing.channel, known, sort="channels"), where=f"test {case.name!r}",
                    )  # fmt: skip


def _silent(node: Node) -> MappingNode:
    """A channel that sends nothing."""
    entries: dict[str, Node] = {"kind": _scalar("console", node.place)}
    severities = node.get("severities") if isinstance(node, MappingNode) else None
    if severities is not None:
        entries["severities"] = severities
    return MappingNode(entries=entries, keys=dict.fromkeys(entries, node.place), place=node.place)


def _scalar(text: str, place: Place, *, value: str | int | None = None) -> ScalarNode:
    return ScalarNode(text=text, value=text if value is None else value, place=place, shown=text)


def _uses_in(node: Node | None) -> Iterator[tuple[Place, str]]:
    for entry in node.items if isinstance(node, ListNode) else ():
        if isinstance(entry, MappingNode) and "use" in entry.entries:
            rule_id = entry.get("id")
            if isinstance(rule_id, ScalarNode):
                yield entry.place_of("use"), rule_id.text
