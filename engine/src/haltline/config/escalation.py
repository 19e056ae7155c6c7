"""`escalate:` of a rule → steps of getting louder about an enforcement that is stuck."""

from collections.abc import Sequence

from haltline.api import HandledBy
from haltline.api.registry import Registry
from haltline.clock import parse_duration
from haltline.config.action import ActionBinder
from haltline.config.finding import Findings
from haltline.config.source import ListNode, MappingNode, Node, ScalarNode
from haltline.errors import Place
from haltline.model.rule import ActionSpec, EscalationStep, Severity


class EscalationBinder:
    """Binds the steps of one rule."""

    def __init__(self, actions: ActionBinder, registry: Registry, findings: Findings, where: str) -> None:
        self._actions = actions
        self._registry = registry
        self._findings = findings
        self._where = where

    def bind(
        self, node: Node | None, places: dict[str, Place], acts: Sequence[ActionSpec]
    ) -> tuple[EscalationStep, ...]:
        """All steps, each with its place; `acts` are the rule's actions, one of which can get stuck."""
        items = node.items if isinstance(node, ListNode) else ()
        if items and node is not None and not any(self._can_stick(spec.name) for spec in acts):
            self._findings.add(
                "E432", node.place, "'escalate' in a rule that does nothing at a broker: nothing can get stuck",
                "remove it, or add an action such as flatten to 'then'", where=self._where,
            )  # fmt: skip
        bound = (self._step(item, f"escalate.{index}", places) for index, item in enumerate(items))
        return tuple(step for step in bound if step is not None)

    def _can_stick(self, name: str) -> bool:
        action = self._registry.actions.get(name)
        return action is None or action.handled_by is HandledBy.ENFORCE

    def _step(self, node: Node, key: str, places: dict[str, Place]) -> EscalationStep | None:
        assert isinstance(node, MappingNode)  # the schema has seen to it
        after, severity = node.get("after"), node.get("severity")
        assert isinstance(after, ScalarNode)
        attempts, after_ns = self._after(after)
        return EscalationStep(
            attempts=attempts,
            after_ns=after_ns,
            then=self._actions.bind(node.get("then"), f"{key}.then", places),
            severity=Severity(severity.text) if isinstance(severity, ScalarNode) else Severity.CRITICAL,
            place=node.place,
        )

    def _after(self, node: ScalarNode) -> tuple[int | None, int | None]:
        """A number of failed tries, or a time."""
        text = node.text.strip()
        if text.isdecimal():
            if int(text) >= 1:
                return int(text), None
        else:
            try:
                length = parse_duration(text)
            except ValueError:
                length = 0
            if length > 0:
                return None, length
        self._findings.add(
            "E433", node.place, f"'after' must be a number of failed tries or a time above 0, found {text!r}",
            "write 3 for three failed tries, or 30s", where=self._where,
        )  # fmt: skip
        return None, None
