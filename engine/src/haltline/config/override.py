"""A `use:` entry → its rules: the template with its inputs, once for everybody and once for each override.

Overrides become rules of their own with disjoint filters, so one entity is judged by exactly one of them: the first
override that fits it, else the base.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import msgspec

from haltline.api.registry import Registry
from haltline.config.finding import Findings
from haltline.config.limit import expression
from haltline.config.pack import Packs
from haltline.config.rule import bind_rule, rule_label
from haltline.config.schema import Schema, base_schema
from haltline.config.settings import Mention
from haltline.config.source import ListNode, MappingNode, Node, ScalarNode
from haltline.config.template import Template, check_constraints, constants_of, expand, with_entry
from haltline.config.template_input import InputValue, input_values
from haltline.config.validate import check_base
from haltline.errors import Place, Problem
from haltline.model.id import RuleId
from haltline.model.rule import RuleSpec, Scope

_ACCOUNT = {Scope.ACCOUNT: "account.id"} | {
    scope: f"{scope.value}.account" for scope in (Scope.POSITION, Scope.ORDER, Scope.FILL, Scope.INTENT)
}
_SYMBOL = {
    scope: f"{scope.value}.symbol"
    for scope in (Scope.INSTRUMENT, Scope.POSITION, Scope.ORDER, Scope.FILL, Scope.INTENT)
}
_OWN = frozenset({"use", "id", "with", "override", "where"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Variant:
    """The base (no selector) or one override."""

    given: dict[str, tuple[Node, Place]]
    place: Place
    account: str = ""
    symbol: str = ""

    @property
    def suffix(self) -> str:
        chosen = [part for part in (self.account, self.symbol) if part]
        return "@" + "/".join(chosen) if chosen else ""


class UseBinder:
    """Expands and binds `use:` entries; `mentions` collects the accounts and symbols they name."""

    def __init__(self, registry: Registry, packs: Packs, findings: Findings) -> None:
        self._registry = registry
        self._packs = packs
        self._findings = findings
        self.mentions: list[Mention] = []

    def bind(self, node: MappingNode) -> list[RuleSpec]:
        """All rules of one entry; empty after noting problems."""
        where = rule_label(node)
        before = len(self._findings.problems)
        check_base(node, "rules", "use", self._findings, where=where)
        if any(problem.code != "E201" for problem in self._findings.problems[before:]):
            return []
        name, rule_id = node.entries["use"], node.entries["id"]
        assert isinstance(name, ScalarNode)
        assert isinstance(rule_id, ScalarNode)
        template = self._packs.template(name.text, name.place, where)
        if template is None:
            return []
        variants = self._variants(node, where)
        rules: list[RuleSpec] = []
        for index, variant in enumerate(variants):
            rules += self._bind_variant(
                node, template, rule_id, variant, variants[1:] if not index else variants[1:index]
            )
        return rules

    def _variants(self, node: MappingNode, where: str) -> list[_Variant]:
        base = _given(node.get("with"))
        variants = [_Variant(given=base, place=node.place_of("use"))]
        overrides = node.get("override")
        for item in overrides.items if isinstance(overrides, ListNode) else ():
            assert isinstance(item, MappingNode)
            variant = _Variant(
                given={**base, **_given(item.get("with"))}, place=item.place,
                account=self._mention(item, "account", where), symbol=self._mention(item, "symbol", where),
            )  # fmt: skip
            if not variant.suffix:
                self._findings.add(
                    "E424", item.place, "the override fits nothing", "add 'account:' or 'symbol:'", where=where
                )
            elif any(other.suffix == variant.suffix for other in variants):
                self._findings.add("E424", item.place, f"a second override for {variant.suffix[1:]!r}",
                                   "keep one of them", where=where)  # fmt: skip
            else:
                variants.append(variant)
        return variants

    def _mention(self, item: MappingNode, sort: str, where: str) -> str:
        node = item.get(sort)
        if not isinstance(node, ScalarNode):
            return ""
        self.mentions.append(Mention(sort=sort, name=node.text, where=where, place=node.place))
        return node.text

    def _bind_variant(
        self, node: MappingNode, template: Template, rule_id: ScalarNode, variant: _Variant, others: list[_Variant]
    ) -> list[RuleSpec]:
        where = rule_label(node)
        inner = Findings()
        values = input_values(template.inputs, variant.given, variant.place, inner, where)
        rules: list[RuleSpec] = []
        if values is not None and check_constraints(template, values, variant.place, inner, where):
            rules = self._bind_entries(node, template, rule_id, variant, others, values, inner)
        self._findings.extend(_at_use(problem, template, node.place_of("use")) for problem in inner.problems)
        return rules

    def _bind_entries(
        self, node: MappingNode, template: Template, rule_id: ScalarNode, variant: _Variant, others: list[_Variant],
        values: Mapping[str, InputValue], findings: Findings,
    ) -> list[RuleSpec]:  # fmt: skip
        constants = constants_of(values)
        rules = []
        for entry in expand(template, values, rule_id, findings, rule_label(node)):
            dressed = _dressed(entry, node)
            spec = bind_rule(dressed, self._registry, findings, constants=constants, template=template.name)
            if spec is not None:
                rules.append(self._placed(spec, node, template, variant, others, findings))
        return rules

    def _placed(
        self, spec: RuleSpec, node: MappingNode, template: Template, variant: _Variant, others: list[_Variant],
        findings: Findings,
    ) -> RuleSpec:  # fmt: skip
        filters = [spec.where] if spec.where else []
        own = node.get("where")
        if own is not None:
            filters.append(expression(own))
        if variant.suffix:
            filters.append(self._selects(variant, spec, findings))
        filters += [f"not ({self._selects(other, spec, findings)})" for other in others]
        use = node.place_of("use")
        places = {key: use if place.file == template.file else place for key, place in spec.places.items()}
        if own is not None:
            places["where"] = own.place
        where = " and ".join(f"({text})" for text in filters) if len(filters) > 1 else "".join(filters)
        return msgspec.structs.replace(
            spec, id=RuleId(spec.id + variant.suffix), where=where or None, places={**places, "": use}
        )

    def _selects(self, variant: _Variant, spec: RuleSpec, findings: Findings) -> str:
        parts = []
        for sort, name, fields in (("account", variant.account, _ACCOUNT), ("symbol", variant.symbol, _SYMBOL)):
            if not name:
                continue
            field = fields.get(spec.each)
            if field is None:
                findings.add(
                    "E424", variant.place, f"a rule for each {spec.each.value} has no {sort} to override by",
                    "write a second 'use' entry with a 'where' instead", where=f"rule {str(spec.id)!r}",
                )  # fmt: skip
                continue
            parts.append(f"{field} == {json.dumps(name, ensure_ascii=False)}")
        return " and ".join(parts) or "True"


def _given(node: Node | None) -> dict[str, tuple[Node, Place]]:
    if not isinstance(node, MappingNode):
        return {}
    return {key: (value, node.keys[key]) for key, value in node.entries.items()}


def _dressed(entry: MappingNode, use: MappingNode) -> MappingNode:
    """The template's entry with the keys of the `use` entry laid over it."""
    uses = cast("Mapping[str, Schema]", base_schema("rules")["$defs"])["use"]
    overlaid = set(cast("Schema", uses["properties"])) - _OWN
    for key, value in use.entries.items():
        if key in overlaid and use.get(key) is not None:
            entry = with_entry(entry, key, value, use.keys[key])
    return entry


def _at_use(problem: Problem, template: Template, use: Place) -> Problem:
    if problem.place is None or problem.place.file != template.file:
        return problem
    where = f"{problem.where} (template {template.name!r}, {problem.place})"
    return msgspec.structs.replace(problem, place=use, where=where)
