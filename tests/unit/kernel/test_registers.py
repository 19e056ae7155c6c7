"""What is registered of live incidents is what a look at each of them would find, whatever happens."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from haltline.clock import NS_PER_S
from haltline.kernel.governor import accounts_of
from haltline.model.id import RuleId
from haltline.model.rule import OnUnknown, RuleMode, RuleSpec, Scope
from haltline.model.verdict import Phase

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["quote", "fill", "wait", "restart", "tick"]), st.sampled_from([20_000, 20_600, 21_000, 21_400])
    ),
    max_size=25,
)


def rules(rule):
    then = rule.actions("block_entries", "notify")
    wide = RuleSpec(
        id=RuleId("dear"), each=Scope.INSTRUMENT, when="instrument.last > 21300", then=then, clear_for_ns=5 * NS_PER_S
    )
    held = RuleSpec(
        id=RuleId("cheap"), each=Scope.POSITION, when="position.mark < 20500", then=then, for_ns=7 * NS_PER_S
    )
    return (
        rule.loss("stop", at=500, warn=0.5, for_ns=10 * NS_PER_S, clear_for_ns=20 * NS_PER_S, suppresses=("cheap",)),
        rule.loss("shadow", at=300, mode=RuleMode.SHADOW, then=then),
        rule.loss("soft", at=800, on_unknown=OnUnknown.WARN),
        rule.size(maximum=3),
        wide,
        held,
        RuleSpec(id=RuleId("all"), each=Scope.PORTFOLIO, when="portfolio.open_positions > 1", then=then),
    )


def check(kernel):
    book, every = kernel.live, list(kernel.live.values())
    blocking = [each for each in every if each.blocks or each.waits]
    loud = [each for each in blocking if not each.rule.shadow]
    narrow = [each for each in loud if each.entity.scope is not Scope.INSTRUMENT]
    assert set(book.holding) == {each.id for each in every if each.fire_at is not None or each.clear_at is not None}
    assert set(book.blocking) == {each.id for each in blocking}
    assert set(book.barring) == {each.id for each in loud if each.entity.scope is Scope.INSTRUMENT}
    assert book.blocked == Counter(accounts_of(each.entity)[0] or "" for each in narrow)
    assert set(book.silencing) == {each.id for each in every if each.rule.suppresses and each.phase is Phase.BREACHED}
    assert [each.place for each in every] == sorted(each.place for each in every)


@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_the_registers_say_what_a_look_at_every_incident_would_find(kernel_makers, steps):
    world, rule = kernel_makers
    made = world(*rules(rule), stale_after_s=10)
    made.quote(21_000)
    made.fill(2, 21_000)
    for what, number in steps:
        if what == "quote":
            made.tick(number)
        elif what == "tick":
            made.tick(number, "MES")
        elif what == "fill":
            made.fill(1 if number > 20_500 else -1, 21_000, "MNQ" if number != 20_600 else "MES")
        elif what == "wait":
            made.at(made.seconds + (number - 19_900) / 100)
        else:
            made.restart()
        check(made.kernel)
    made.kernel.replace_rules(made.compile((rules(rule)[0], *rules(rule)[3:6])), made.now)
    check(made.kernel)
