"""One entry of `rules:` → RuleSpec, with the checks that span several keys."""

from collections.abc import Mapping

from haltline.api.registry import Registry
from haltline.clock import parse_duration
from haltline.config.action import ActionBinder
from haltline.config.escalation import EscalationBinder
from haltline.config.evidence import bind_evidence
from haltline.config.finding import Findings
from haltline.config.limit import LimitBinder, expression
from haltline.config.source import ListNode, MappingNode, Node, ScalarNode
from haltline.config.validate import check_base
from haltline.errors import Place
from haltline.model.id import RuleId
from haltline.model.loosening import LooseningPolicy
from haltline.model.rule import (
    ActionSpec,
    ConstantValue,
    Latch,
    LimitSpec,
    OnUnknown,
    RuleMode,
    RuleSpec,
    Scope,
    Severity,
)

_INSTANTS = frozenset({Scope.FILL, Scope.INTENT})
_NOTIFY = (ActionSpec(name="notify"),)


def rule_label(node: Node) -> str:
    """How messages name a rule: by its id where it has one."""
    name = node.get("id") if isinstance(node, MappingNode) else None
    return f"rule {name.shown!r}" if isinstance(name, ScalarNode) else "rule without id"


def bind_rule(
    node: Node, registry: Registry, findings: Findings, *, constants: Mapping[str, ConstantValue] | None = None,
    template: str = "",
) -> RuleSpec | None:  # fmt: skip
    """All three parts of checking one rule but its expressions; None where problems were found."""
    before = len(findings.problems)
    where = rule_label(node)
    check_base(node, "rules", "rule", findings, where=where)
    if not isinstance(node, MappingNode) or any(problem.code != "E201" for problem in findings.problems[before:]):
        return None
    spec = _Binder(node, registry, findings, constants or {}, where).bind(template)
    return None if any(problem.severity == "error" for problem in findings.problems[before:]) else spec


class _Binder:
    def __init__(
        self,
        node: MappingNode,
        registry: Registry,
        findings: Findings,
        constants: Mapping[str, ConstantValue],
        where: str,
    ) -> None:
        self._node = node
        self._findings = findings
        self._constants = constants
        self._where = where
        self._registry = registry
        self._each = Scope(self._text("each"))
        self._actions = ActionBinder(registry, self._each, constants, findings, where)
        self._places: dict[str, Place] = {}
        self._registry = registry
        self._waiting: list[ActionSpec] = []

    def bind(self, template: str) -> RuleSpec:
        _flatten(self._node, "", self._places)
        self._require_condition()
        limit = self._limit()
        self._require_sense(limit)
        warn = limit is not None and limit.warn is not None
        self._waiting += [action for step in (limit.steps if limit is not None else ()) for action in step.then]
        then, warn_then, on_clear = self._bound("then"), self._bound("warn_then"), self._bound("on_clear")
        rungs = [action for step in (limit.steps if limit is not None else ()) for action in step.then]
        louder = EscalationBinder(self._actions, self._registry, self._findings, self._where)
        return RuleSpec(
            id=RuleId(self._text("id")),
            each=self._each,
            title=self._text("title"),
            why=self._text("why"),
            where=self._expression("where"),
            when=self._expression("when"),
            limit=limit,
            for_ns=self._duration("for"),
            clear=self._expression("clear"),
            clear_for_ns=self._duration("clear_for"),
            then=then,
            on_clear=on_clear,
            warn_then=warn_then or (_NOTIFY if warn else ()),
            escalate=louder.bind(self._node.get("escalate"), self._places, (*then, *rungs, *warn_then, *on_clear)),
            on_unknown=OnUnknown(self._text("on_unknown") or OnUnknown.BLOCK),
            latch=Latch(self._text("latch") or Latch.CLEAR),
            cooldown_ns=self._duration("cooldown"),
            max_fires=int(self._text("max_fires")) if self._node.get("max_fires") else None,
            during=self._texts("during"),
            excluding=self._texts("except"),
            mode=RuleMode(self._text("mode") or RuleMode.LIVE),
            suppresses=self._texts("suppresses"),
            severity=Severity(self._text("severity") or Severity.WARNING),
            labels=labels_of(self._node.get("labels")),
            runbook=self._text("runbook"),
            loosening=LooseningPolicy(text) if (text := self._text("loosening")) else None,
            evidence=bind_evidence(
                self._node.get("evidence"), self._waiting, self._registry, self._findings, self._where
            ),
            template=template,
            constants=dict(self._constants),
            places=self._places,
        )

    def _require_condition(self) -> None:
        found = [key for key in ("when", "limit") if self._node.get(key) is not None]
        if len(found) == 2:
            self._add(
                "E210", self._node.keys["limit"], "a rule has either 'when' or 'limit', not both", "split it into two"
            )
        elif not found:
            self._add(
                "E210", self._node.place, "the rule has no condition", "add 'when:' or 'limit:', or 'use:' a template"
            )

    def _limit(self) -> LimitSpec | None:
        node = self._node.get("limit")
        if not isinstance(node, MappingNode):
            return None
        return LimitBinder(self._actions, self._constants, self._findings, self._where).bind(node, self._places)

    def _require_sense(self, limit: LimitSpec | None) -> None:
        node = self._node
        if self._each in _INSTANTS:
            for key in ("for", "clear_for"):
                if node.get(key) is not None:
                    self._add("E415", node.keys[key], f"{key!r} has no meaning for each: {self._each.value}",
                              f"remove it: {_article(self._each.value)} is over at once")  # fmt: skip
        given = node.get("limit")
        has_steps = isinstance(given, MappingNode) and given.get("steps") is not None
        if has_steps and node.get("then") is not None:
            self._add("E415", node.keys["then"], "'then' does not go with 'steps'", "every step has its own 'then'")
        if not has_steps and node.get("then") is None:
            self._add("E202", node.place_of("then"), "the key 'then' is missing", "add 'then: [notify]'")
        if node.get("warn_then") is not None and limit is not None and limit.warn is None:
            self._add("E414", node.keys["warn_then"], "'warn_then' without 'warn'", "add 'warn: 80%' to the limit")
        if node.get("warn_then") is not None and node.get("limit") is None:
            self._add(
                "E414", node.keys["warn_then"], "'warn_then' without a limit", "only a 'limit' has a warning level"
            )
        if self._text("id") in self._texts("suppresses"):
            self._add("E416", node.keys["suppresses"], "the rule suppresses itself", "name another rule")

    def _bound(self, key: str) -> tuple[ActionSpec, ...]:
        bound = self._actions.bind(self._node.get(key), key, self._places)
        self._waiting += bound if key in ("then", "warn_then") else ()
        return bound

    def _text(self, key: str) -> str:
        node = self._node.get(key)
        return node.text.strip() if isinstance(node, ScalarNode) else ""

    def _texts(self, key: str) -> tuple[str, ...]:
        return texts_of(self._node.get(key))

    def _expression(self, key: str) -> str | None:
        node = self._node.get(key)
        return expression(node) if node is not None else None

    def _duration(self, key: str) -> int:
        text = self._text(key)
        if not text:
            return 0
        try:
            return parse_duration(text)
        except ValueError as error:
            self._add("E208", self._places[key], str(error), "write 90s, 5m, 1h30m or 2d")
            return 0

    def _add(self, code: str, place: Place, what: str, cure: str) -> None:
        self._findings.add(code, place, what, cure, where=self._where)


def texts_of(node: Node | None) -> tuple[str, ...]:
    """A text, or a list of texts, as a tuple."""
    if isinstance(node, ListNode):
        return tuple(str(item.text) for item in node.items if isinstance(item, ScalarNode))
    return (str(node.text),) if isinstance(node, ScalarNode) else ()


def labels_of(node: Node | None) -> dict[str, str]:
    """A mapping of texts, exactly as written."""
    if not isinstance(node, MappingNode):
        return {}
    return {key: str(value.text) for key, value in node.entries.items() if isinstance(value, ScalarNode)}


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _flatten(node: Node, key: str, places: dict[str, Place]) -> None:
    places[key] = node.place
    if isinstance(node, MappingNode):
        for name, value in node.entries.items():
            _flatten(value, f"{key}.{name}" if key else name, places)
    elif isinstance(node, ListNode):
        for index, item in enumerate(node.items):
            _flatten(item, f"{key}.{index}", places)
