"""A template checked by itself: expanded with its defaults and, where it has none, with an ordinary sample value."""

from haltline.api.registry import Registry
from haltline.config.book import digest_of
from haltline.config.finding import Findings
from haltline.config.rule import bind_rule
from haltline.config.settings import RuleBook
from haltline.config.source import ListNode, MappingNode, Node, ScalarNode, Source
from haltline.config.template import Template, check_constraints, constants_of, expand, read_template
from haltline.config.template_input import InputSpec, InputValue, input_values
from haltline.errors import Place
from haltline.model.rule import RuleSpec

_SAMPLES = {
    "duration": "5m",
    "time_of_day": "17:00",
    "fraction": "50%",
    "text": "sample",
    "enum": "sample",
    "bool": "true",
}
_BOUNDS = ("at_least", "minimum", "at_most", "maximum")


def try_template(source: Source, name: str, registry: Registry, findings: Findings) -> RuleBook | None:
    """The rules of a template with sample inputs, one expansion for every choice of each closed input.

    None where the template itself is wrong. Rules of different expansions may share an id: the book is for checking.
    """
    template = read_template(source, name, findings)
    if template is None:
        return None
    rules: list[RuleSpec] = []
    for values in _samples(template, findings):
        rules += _expanded(template, values, name, registry, findings)
    unique = {digest_of([rule], ()): rule for rule in rules}
    return RuleBook(
        rules=tuple(unique.values()), files=(source.file,), sources={source.file: source.text},
        digest=digest_of(rules, ()),
    )  # fmt: skip


def _samples(template: Template, findings: Findings) -> list[dict[str, InputValue]]:
    base = _values(template, {}, findings)
    if base is None:
        return []
    scratch = Findings()
    if not check_constraints(template, base, template.root.place, scratch, ""):
        broken = [problem for problem in scratch.problems if problem.code == "E430"]
        findings.extend(broken)
        if broken:
            return []
    found = [base]
    for spec in template.inputs.values():
        for word in spec.choices[1:] if spec.default is None else spec.choices:
            found.append(_values(template, {spec.name: _word(word, spec.node.place)}, findings) or base)
        if spec.type == "bool":
            found += [_values(template, {spec.name: _word(word, spec.node.place)}, findings) or base
                      for word in ("true", "false")]  # fmt: skip
    return found


def _values(template: Template, chosen: dict[str, Node], findings: Findings) -> dict[str, InputValue] | None:
    place = template.root.place
    given = {name: (chosen.get(name) or spec.default or _sample(spec), place) for name, spec in template.inputs.items()}
    return input_values(template.inputs, given, place, findings, f"template {template.name!r}")


def _sample(spec: InputSpec) -> Node:
    place = spec.node.place
    if spec.type == "list":
        return ListNode(items=(_word("SAMPLE", place),), place=place)
    if spec.choices:
        return _word(spec.choices[0], place)
    for key in _BOUNDS:
        bound = spec.node.get(key)
        if isinstance(bound, ScalarNode):
            return bound
    return _word(_SAMPLES.get(spec.type, "1"), place)


def _word(text: str, place: Place) -> ScalarNode:
    numeric = text.replace(".", "", 1).isdigit()
    value = float(text) if numeric else text == "true" if text in ("true", "false") else text
    return ScalarNode(text=text, value=value, place=place, shown=text)


def _expanded(
    template: Template, values: dict[str, InputValue], name: str, registry: Registry, findings: Findings
) -> list[RuleSpec]:
    place = template.root.place
    where = f"template {name!r}"
    rule_id = ScalarNode(text=name, value=name, place=place, shown=name)
    rules = []
    for entry in expand(template, values, rule_id, findings, where):
        assert isinstance(entry, MappingNode)
        spec = bind_rule(entry, registry, findings, constants=constants_of(values), template=name)
        if spec is not None:
            rules.append(spec)
    return rules
