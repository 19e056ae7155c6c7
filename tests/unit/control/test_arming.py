"""What arming guarantees is said before it counts, and what it does not is said by name."""

from decimal import Decimal
from pathlib import Path

import pytest

from haltline.api.broker import BrokerKind, Capability
from haltline.api.control import SurfaceKind
from haltline.api.registry import Registry
from haltline.builtins import plugin
from haltline.config.operator import SurfaceEntry
from haltline.config.settings import BrokerEntry, ChannelEntry, GuardianEntry, RuleBook, Setup, StoreEntry
from haltline.control.arming import arm_request, arming_list, new_gaps
from haltline.errors import Refused
from haltline.model.account import AccountSpec
from haltline.model.id import AccountId, RuleId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.rule import ActionSpec, Comparison, Definition, LimitSpec, RuleMode, RuleSpec, Scope, Severity, Step

EVAL = AccountId("eval")
FLATTEN, NOTIFY, STOP = ActionSpec(name="flatten"), ActionSpec(name="notify"), ActionSpec(name="place_stop")


def rule(name="loss", value="account.day.loss", **more):
    limit = LimitSpec(value=value, comparison=Comparison.AT, threshold=500.0)
    return RuleSpec(**({"id": RuleId(name), "each": Scope.ACCOUNT, "limit": limit, "then": (FLATTEN,)} | more))


def make(*rules, able=frozenset(Capability), definitions=(), kind="venue", always_open=False, **more):
    registry = Registry()
    plugin.haltline_register_actions(registry)
    for name, takes in (("chat", 4096), ("page", None)):
        registry.add_surface(
            SurfaceKind(name=name, make=lambda _: None, meaning="a front end", schema={}, max_chars=takes)
        )
    registry.brokers.add(
        "venue",
        BrokerKind(
            name="venue",
            make=lambda _: None,
            meaning="a venue",
            capabilities=frozenset(able),
            schema={},
            always_open=always_open,
        ),
    )
    here = Path()
    fields = {
        "accounts": (AccountSpec(id=EVAL, broker="main"),),
        "brokers": (BrokerEntry(name="main", kind=kind),),
        "channels": (ChannelEntry(name="desk", kind="jsonl"),),
        "guardian": GuardianEntry(floors={EVAL: Decimal(45_000)}),
        "instruments": (InstrumentSpec(symbol=Symbol("MNQ"), tick_size=Decimal("0.25"), tick_value=Decimal("0.5")),),
    } | more
    setup = Setup(path=here, directory=here, store=StoreEntry(path=here), **fields)
    return arming_list(setup, RuleBook(rules=rules, definitions=definitions), registry, EVAL)


def codes(listed):
    return [gap.code for gap in listed.gaps]


def test_a_whole_set_up_on_an_able_broker_has_no_gap():
    listed = make(rule())
    assert codes(listed) == []
    (guarantee,) = listed.guarantees
    assert (guarantee.rule, guarantee.when, guarantee.action, guarantee.acts) == ("loss", "broken", "flatten", True)
    assert "cancel_orders" in guarantee.by


def test_every_occasion_of_a_rule_is_listed():
    steps = (Step(threshold=1.0, then=(NOTIFY,)), Step(threshold=2.0, then=(FLATTEN,)))
    limit = LimitSpec(value="account.day.loss", comparison=Comparison.AT, steps=steps)
    listed = make(rule(limit=limit, then=(), warn_then=(NOTIFY,), on_clear=(NOTIFY,)))
    assert [each.when for each in listed.guarantees] == ["warning", "step 1", "step 2", "over"]


@pytest.mark.parametrize(
    ("capability", "code"),
    [
        (Capability.REDUCE_ONLY, "no-reduce-only"),
        (Capability.STOP_ORDERS, "no-native-stops"),
        (Capability.CANCEL_ALL, "no-cancel-all"),
        (Capability.CLIENT_ORDER_IDS, "no-client-ids"),
        (Capability.PUSH_POSITIONS, "no-push-positions"),
        (Capability.PUSH_ORDERS, "no-push-orders"),
        (Capability.PULL_POSITIONS, "no-pull-positions"),
        (Capability.PULL_ORDERS, "no-pull-orders"),
        (Capability.DEAD_MAN_SWITCH, "no-dead-man-switch"),
    ],
)
def test_what_a_broker_cannot_do_is_a_gap(capability, code):
    assert code in codes(make(rule(), able=frozenset(Capability) - {capability}))


def test_what_a_broker_cannot_do_matters_only_where_something_is_done_there():
    assert codes(make(rule(then=(ActionSpec(name="lock"),)), able=())) == []


def test_an_action_that_the_broker_cannot_carry_out_is_a_gap_of_its_rule():
    listed = make(rule(), rule("stop", then=(STOP,)), able=frozenset(Capability) - {Capability.STOP_ORDERS})
    assert "cannot:stop:place_stop" in codes(listed)
    assert [each.acts for each in listed.guarantees] == [True, False]


def test_a_broker_that_no_plugin_brings_covers_nothing():
    assert codes(make(rule(), kind="gone"))[0] == "no-broker"


def test_a_rule_in_shadow_is_a_gap_and_one_that_is_off_is_nothing():
    listed = make(rule(), rule("new", mode=RuleMode.SHADOW), rule("old", mode=RuleMode.OFF))
    assert codes(listed) == ["shadow:new"]
    assert {each.rule for each in listed.guarantees} == {"loss", "new"}


@pytest.mark.parametrize(
    "rules",
    [
        (),
        (rule(value="account.fills"),),
        (rule(then=(NOTIFY,)),),
        (rule(mode=RuleMode.SHADOW),),
    ],
)
def test_without_a_rule_that_acts_on_losses_there_is_a_gap(rules):
    assert "no-loss-rule" in codes(make(*rules))


def test_a_derived_value_may_be_the_loss():
    named = Definition(name="account.risk", text="account.day.loss / 2")
    assert codes(make(rule(value="account.risk"), definitions=(named,))) == []


def test_a_condition_may_be_about_the_loss():
    assert codes(make(rule(limit=None, when="account.equity < 45000"))) == []


def test_only_a_console_hears_nothing_at_night():
    assert codes(make(rule(), channels=(ChannelEntry(name="screen", kind="console"),))) == ["no-critical-channel"]
    quiet = ChannelEntry(name="desk", kind="jsonl", severities=(Severity.INFO,))
    assert codes(make(rule(), channels=(quiet,))) == ["no-critical-channel"]


@pytest.mark.parametrize(
    ("kind", "severities", "gaps"),
    [
        ("chat", tuple(Severity), []),
        ("chat", (Severity.INFO,), ["no-critical-channel"]),
        ("page", tuple(Severity), ["no-critical-channel"]),
        ("nobody's", tuple(Severity), ["no-critical-channel"]),
    ],
)
def test_a_front_end_that_is_a_channel_hears_for_the_account(kind, severities, gaps):
    chat = SurfaceEntry(name="chat", kind=kind, severities=severities)
    assert codes(make(rule(), channels=(), surfaces=(chat,))) == gaps


def test_an_account_without_a_floor_is_not_guarded_while_the_engine_is_away():
    assert codes(make(rule(), guardian=None)) == ["no-guardian"]
    assert codes(make(rule(), guardian=GuardianEntry())) == ["no-guardian"]


def test_a_set_up_without_instruments_trusts_the_broker_for_them():
    assert codes(make(rule(), instruments=())) == ["unknown-instruments"]


def test_hours_in_which_nothing_can_be_closed_are_a_gap():
    assert codes(make(rule(), accounts=(AccountSpec(id=EVAL, broker="main", calendar="CMES"),))) == ["closed:CMES"]


def test_the_hours_of_other_markets_are_no_gap_where_nothing_closes():
    future = InstrumentSpec(symbol=Symbol("MNQ"), tick_size=Decimal("0.25"), tick_value=Decimal("0.5"), calendar="CMES")
    assert codes(make(rule(), instruments=(future,))) == ["closed:CMES"]
    assert codes(make(rule(), instruments=(future,), always_open=True)) == []


def test_an_account_that_is_not_there_is_refused():
    with pytest.raises(Refused, match=r"no account 'eval'; accounts: other \[E840\]"):
        make(rule(), accounts=(AccountSpec(id=AccountId("other"), broker="main"),))


# -- arming ------------------------------------------------------------------------------------------------------------


def arm(listed, **more):
    return arm_request(listed, **({"operator": "ann", "reason": "ready", "now": 7} | more))


def test_arming_without_gaps_needs_only_a_name_and_a_reason():
    request = arm(make(rule()))
    assert (request.account, request.live, request.operator, request.reason, request.gaps) == (
        EVAL, True, "ann", "ready", (),
    )  # fmt: skip


@pytest.mark.parametrize("left_out", ["operator", "reason"])
def test_arming_without_a_name_or_a_reason_is_refused(left_out):
    with pytest.raises(Refused, match="E841"):
        arm(make(rule()), **{left_out: "  "})


def test_arming_with_gaps_names_all_that_were_not_accepted():
    listed = make(rule(), guardian=None, instruments=())
    with pytest.raises(Refused, match=r"unknown-instruments: .*E842") as refusal:
        arm(listed, accept=["no-guardian"])
    assert "no-guardian" not in str(refusal.value)


@pytest.mark.parametrize("accept", [["no-guardian", "unknown-instruments"], ["all"]])
def test_the_event_holds_the_gaps_that_were_accepted(accept):
    request = arm(make(rule(), guardian=None, instruments=()), accept=accept)
    assert [gap.partition(":")[0] for gap in request.gaps] == ["no-guardian", "unknown-instruments"]


UNREADY = "no drill was run yet, and a readiness of 80 is asked for"


@pytest.mark.parametrize("accept", [[], ["all"], ["no-guardian"]])
def test_an_alarm_path_that_is_not_ready_is_accepted_by_its_own_name_only(accept):
    with pytest.raises(Refused, match=r"not-ready: no drill was run yet.*\[E863\]") as refusal:
        arm(make(rule(), guardian=None), accept=accept, unready=UNREADY)
    assert ("no-guardian: " in str(refusal.value)) is (accept == [])


def test_an_alarm_path_that_is_not_ready_and_accepted_is_on_record():
    request = arm(make(rule()), accept=["not-ready"], unready=UNREADY)
    assert request.gaps == (f"not-ready: {UNREADY}",)
    assert new_gaps(make(rule()), request.gaps) == ()


def test_accepting_the_alarm_path_accepts_no_other_gap():
    with pytest.raises(Refused, match=r"no-guardian: .*E842"):
        arm(make(rule(), guardian=None), accept=["not-ready"], unready=UNREADY)


def test_a_ready_alarm_path_is_no_gap():
    assert arm(make(rule()), accept=["not-ready"]).gaps == ()


def test_gaps_that_open_later_are_told_apart_from_those_accepted():
    accepted = arm(make(rule(), guardian=None), accept=["all"]).gaps
    later = make(rule(), rule("new", mode=RuleMode.SHADOW), guardian=None)
    assert [gap.code for gap in new_gaps(later, accepted)] == ["shadow:new"]


def test_the_list_says_whether_the_set_up_arms_the_account():
    spec = AccountSpec(id=EVAL, broker="main")
    assert not make(rule(), accounts=(spec,)).live
    assert make(rule(), accounts=(replace_live(spec),)).live


def replace_live(spec):
    return AccountSpec(id=spec.id, broker=spec.broker, live=True)
