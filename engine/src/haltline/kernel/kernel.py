"""The kernel as everybody above sees it: the step, and what can be asked between two steps."""

from haltline.expr.explain import Explanation
from haltline.kernel import permission, reload, snapshot, view
from haltline.kernel.consent import ConsentBook
from haltline.kernel.core import Core
from haltline.model.order import Intent
from haltline.model.plan import Permission, Result
from haltline.model.rule import Scope
from haltline.rules.compile import CompiledRules


class Kernel(Core):
    """State, rules and incidents. Only `step`, `evaluate_all`, `replace_rules` and `restore` change anything."""

    @property
    def consents(self) -> ConsentBook:
        """What went beyond its caps and waits for an operator."""
        return self.gate.consents

    def check(self, intent: Intent) -> Permission:
        """May this order be sent now?"""
        return permission.check_intent(self, intent)

    def replace_rules(self, compiled: CompiledRules, now: int) -> Result:
        """Swap the rule set; what did not change in meaning goes on."""
        return reload.replace_rules(self, compiled, now)

    def snapshot(self) -> bytes:
        """Everything a decision may depend on."""
        return snapshot.save(self)

    def restore(self, encoded: bytes) -> list[str]:
        """Become what was saved; returns what could not be carried over, in words."""
        return snapshot.restore(self, encoded)

    def incidents(self) -> list[view.IncidentView]:
        """Live incidents, oldest first."""
        return view.incidents(self)

    def enforcements(self) -> list[view.EnforcementView]:
        """What is under way at brokers or waits for another try, oldest first."""
        return view.enforcements(self)

    def gauges(self) -> list[view.Gauge]:
        """How full every limit is, fullest first."""
        return view.gauges(self)

    def explain(self, rule: str, entity: str) -> view.Reasoning:
        """Why, or why not."""
        return view.reasoning(self, rule, entity)

    def evaluate(self, text: str, entity: str, scope: Scope = Scope.ACCOUNT) -> Explanation:
        """Evaluate an expression somebody typed, read-only."""
        return view.evaluate(self, text, scope, entity)
