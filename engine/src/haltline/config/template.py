"""Rule templates: a file with typed inputs, and its expansion into ordinary rule entries.

``${{ inputs.x }}`` standing alone becomes the value that was given, of its own type and with its own place in the
user's file; within `title`, `why`, `runbook` and labels it becomes text. Expressions read ``inputs.x`` as a name.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from haltline.config.condition import holds
from haltline.config.finding import Findings
from haltline.config.source import ListNode, MappingNode, Node, ScalarNode, Source
from haltline.config.template_input import InputSpec, InputValue
from haltline.config.validate import check_base
from haltline.errors import Place
from haltline.model.rule import ConstantValue

_HOLE = re.compile(r"\$\{\{\s*([a-z][a-z0-9_.]*)\s*\}\}")
_TEXTUAL = frozenset({"title", "why", "runbook", "labels", "id", "suppresses"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One template file, its structure known to be right."""

    name: str
    source: Source
    root: MappingNode
    inputs: Mapping[str, InputSpec]
    rules: tuple[MappingNode, ...]

    @property
    def file(self) -> str:
        """The file as shown to people."""
        return self.source.file


def read_template(source: Source, name: str, findings: Findings) -> Template | None:
    """Check the structure of a template file (E2xx, E430); None where it cannot be used."""
    before = len(findings.problems)
    where = f"template {name!r}"
    if not check_base(source.root, "template", "", findings, where=where):
        return None
    root = source.root
    assert isinstance(root, MappingNode)
    given = root.get("inputs")
    inputs: dict[str, InputSpec] = {}
    for key, node in (given.entries if isinstance(given, MappingNode) else {}).items():
        assert isinstance(node, MappingNode)
        inputs[key] = InputSpec(name=key, type=_text(node, "type"), meaning=_text(node, "meaning"), node=node)
    own = _text(root, "template")
    if own != name.rpartition("/")[2]:
        findings.add("E430", root.entries["template"].place, f"the template calls itself {own!r}",
                     "give it the name of its file", where=where)  # fmt: skip
    rules = root.entries["rules"]
    assert isinstance(rules, ListNode)
    entries = tuple(item for item in rules.items if isinstance(item, MappingNode))
    template = Template(name=name, source=source, root=root, inputs=inputs, rules=entries)
    return template if len(findings.problems) == before else None


def constants_of(values: Mapping[str, InputValue]) -> dict[str, ConstantValue]:
    """What expressions of the expanded rules may read."""
    return {f"inputs.{name}": value.constant for name, value in values.items()}


def check_constraints(
    template: Template, values: Mapping[str, InputValue], place: Place, findings: Findings, where: str
) -> bool:
    """Note E411 for every constraint that the inputs break, E430 for one that cannot be evaluated."""
    before = len(findings.problems)
    constants = constants_of(values)
    given = template.root.get("constraints")
    for item in given.items if isinstance(given, ListNode) else ():
        assert isinstance(item, MappingNode)
        kept = _holds(item.entries["check"], constants, findings, where)
        if kept is False:
            findings.add("E411", place, _text(item, "message"), f"keep to {_text(item, 'check')}", where=where)
    return len(findings.problems) == before


def expand(
    template: Template, values: Mapping[str, InputValue], rule_id: ScalarNode, findings: Findings, where: str
) -> list[MappingNode]:
    """The rule entries of one use: holes filled, entries whose `if` is false left out."""
    constants = constants_of(values)
    filler = _Filler(values, rule_id, findings, where)
    entries = []
    for rule in template.rules:
        condition = rule.get("if")
        if condition is not None and _holds(condition, constants, findings, where) is not True:
            continue
        filled = filler.fill(without(rule, "if"), "")
        assert isinstance(filled, MappingNode)
        entries.append(_titled(filled, template, filler))
    return entries


def without(node: MappingNode, key: str) -> MappingNode:
    """The mapping less one key."""
    entries = {name: value for name, value in node.entries.items() if name != key}
    return MappingNode(entries=entries, keys=node.keys, place=node.place, size=node.size)


def with_entry(node: MappingNode, key: str, value: Node, place: Place) -> MappingNode:
    """The mapping with one key set."""
    return MappingNode(
        entries={**node.entries, key: value}, keys={**node.keys, key: place}, place=node.place, size=node.size
    )


def _titled(entry: MappingNode, template: Template, filler: "_Filler") -> MappingNode:
    for key in ("title", "why", "runbook"):
        text = template.root.get(key)
        if entry.get(key) is None and text is not None:
            entry = with_entry(entry, key, filler.fill(text, key), template.root.keys[key])
    return entry


def _holds(node: Node, constants: Mapping[str, ConstantValue], findings: Findings, where: str) -> bool | None:
    if not isinstance(node, ScalarNode):
        findings.add(
            "E430", node.place, "a condition must be one comparison", "write 'inputs.a <= inputs.b'", where=where
        )
        return None
    constant = constants.get(node.text.strip())
    if isinstance(constant, bool):
        return constant
    try:
        return holds(node.text, constants)
    except ValueError as error:
        findings.add("E430", node.place, f"{node.text!r} cannot be decided: {error}",
                     "compare inputs with each other or with values", where=where)  # fmt: skip
        return None


def _text(node: MappingNode, key: str) -> str:
    value = node.get(key)
    return value.text if isinstance(value, ScalarNode) else ""


class _Filler:
    def __init__(self, values: Mapping[str, InputValue], rule_id: ScalarNode, findings: Findings, where: str) -> None:
        self._values = values
        self._id = rule_id
        self._findings = findings
        self._where = where

    def fill(self, node: Node, key: str) -> Node:
        if isinstance(node, MappingNode):
            textual = key == "labels"
            entries = {name: self.fill(value, "labels" if textual else name) for name, value in node.entries.items()}
            return MappingNode(entries=entries, keys=node.keys, place=node.place, size=node.size)
        if isinstance(node, ListNode):
            return ListNode(items=tuple(self.fill(item, key) for item in node.items), place=node.place, size=node.size)
        return self._scalar(node, key) if "${{" in node.text else node

    def _scalar(self, node: ScalarNode, key: str) -> Node:
        whole = _HOLE.fullmatch(node.text.strip())
        if whole is not None:
            return self._whole(whole[1], node, textual=key in ("title", "why", "runbook", "labels"))
        if "inputs." in node.text and key not in _TEXTUAL:
            self._findings.add(
                "E430", node.place, f"'${{{{ … }}}}' stands inside the expression {node.text[:60]!r}",
                "write the input as a name: inputs.limit", where=self._where,
            )  # fmt: skip
            return node
        return self._written(node, _HOLE.sub(self._textual(node), node.text))

    def _whole(self, name: str, node: ScalarNode, *, textual: bool) -> Node:
        if name == "id":
            return self._id
        value = self._values.get(name.removeprefix("inputs."))
        if value is None or not name.startswith("inputs."):
            self._unknown(name, node)
            return node
        return self._written(node, value.text) if textual else value.node

    def _textual(self, node: ScalarNode) -> "Callable[[re.Match[str]], str]":
        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if name == "id":
                return self._id.text
            value = self._values.get(name.removeprefix("inputs."))
            if value is None:
                self._unknown(name, node)
                return ""
            return value.text

        return replace

    def _unknown(self, name: str, node: ScalarNode) -> None:
        known = ", ".join(["id", *(f"inputs.{name}" for name in self._values)])
        self._findings.add(
            "E430", node.place, f"'${{{{ {name} }}}}' is not known here", f"known: {known}", where=self._where
        )

    @staticmethod
    def _written(node: ScalarNode, text: str) -> ScalarNode:
        return ScalarNode(text=text, value=text, place=node.place, quoted=True, shown=text)
