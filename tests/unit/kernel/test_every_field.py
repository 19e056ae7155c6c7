"""Whatever a rule reads, in whatever scope, and whatever it asks for then: it ends no engine.

Two such rules did, and would have at every start anew: one on positions that read the portfolio, one that closed what
had no price by then.
"""

from decimal import Decimal

import pytest

from haltline.api.registry import Registry
from haltline.builtins import plugin
from haltline.compose.vocabulary import build_vocabulary
from haltline.errors import ConfigError
from haltline.model.event import AccountReport, ActionOutcome, OutcomeStatus
from haltline.model.id import AccountId, RuleId
from haltline.model.order import OrderStatus
from haltline.model.rule import RuleSpec, Scope

EVAL = AccountId("eval")
CLOSING = ("close_position", "flatten", "lock")


def roots():
    """One field of each sort that a rule may read, by its name."""
    registry = Registry()
    plugin.haltline_register_actions(registry)
    plugin.haltline_register_functions(registry)
    return sorted(build_vocabulary(registry).fields)


def a_day(made):
    """Trades, orders, quotes that go stale, a report, a restart, and tries that fail."""
    made.fill(2, 21_000)
    made.order("o", 1)
    made.order("p", -1, symbol="MES")
    made.fill(1, 5_000, symbol="MES", account="live")
    made.quote(20_000)
    made.tick(19_000)
    made.at(1)
    made.send(AccountReport(at=made.now, received_at=made.now, account=EVAL, equity=40_000.0, balance=Decimal(45_000)))
    made.order("o", 1, status=OrderStatus.FILLED)
    made.fill(-2, 19_000)
    made.at(5)
    made.restart()
    made.fill(3, 19_000)
    made.at(70)
    for flight in list(made.kernel.arbiter.flights.values())[:3]:
        action = flight.action
        made.send(
            ActionOutcome(
                at=made.now, received_at=made.now, action_id=action.id, account=action.account,
                status=OutcomeStatus.FAILED,
            )
        )  # fmt: skip
    made.at(200)
    made.kernel.gauges()


def played(world, rule, scope, names):
    """How many rules of a scope could be made; each was played through the day."""
    count = 0
    for name in names:
        for action in CLOSING:
            then = rule.actions((action, {"until": "released"} if action == "lock" else {}))
            spec = RuleSpec(id=RuleId("r"), each=scope, when=f"known({name}) or not known({name})", then=then)
            try:
                made = world(spec, stale_after_s=3)
            except ConfigError:
                continue
            a_day(made)
            count += 1
    return count


@pytest.mark.parametrize("scope", [each for each in Scope if each is not Scope.INTENT])
def test_a_few_fields_of_each_sort(world, rule, scope):
    names = ["portfolio.unrealized_pnl", "account.equity", "instrument.stale", "position.mark", "order.quantity"]
    assert played(world, rule, scope, names) >= 2


@pytest.mark.long
@pytest.mark.parametrize("scope", [each for each in Scope if each is not Scope.INTENT])
def test_every_field(world, rule, scope):
    assert played(world, rule, scope, roots()) > 20
