"""Fills are judged once, rules that follow market hours wake with them, and windows know the present from the start."""

from decimal import Decimal

from haltline.api.calendar import AlwaysOpen
from haltline.clock import NS_PER_S
from haltline.kernel.kernel import Kernel
from haltline.model.event import InstrumentUpdate
from haltline.model.instrument import InstrumentSpec
from haltline.model.rule import Comparison, LimitSpec, RuleSpec, Scope
from haltline.rules.schedule import parse_schedule
from haltline.state.state import State, StateSettings


def loss_of_a_fill(rule, **more):
    limit = LimitSpec(value="-fill.pnl", comparison=Comparison.AT, threshold=100.0)
    return RuleSpec(id="cooldown", each=Scope.FILL, limit=limit, then=rule.actions("flatten"), **more)


def test_a_fill_fires_its_rule_once_and_the_incident_is_over(world, rule):
    made = world(loss_of_a_fill(rule))
    made.fill(2, 21_000)
    made.fill(-1, 20_950)
    assert made.phases == ["cooldown breached", "cooldown resolved"]
    assert made.actions == ["flatten"]
    assert made.kernel.incidents() == []


def test_an_old_fill_is_not_judged_again_by_the_passing_of_time(world, rule):
    made = world(loss_of_a_fill(rule, excluding=("14:10-14:20",)))
    made.fill(2, 21_000)
    made.at(600).fill(-1, 20_950)
    made.at(1200)
    assert made.phases == []


def test_a_window_knows_the_present_before_anything_happened(world, rule):
    limit = LimitSpec(value='change(account.equity, "5m")', comparison=Comparison.DOWN_TO, threshold=-1000.0)
    made = world(RuleSpec(id="fast", each=Scope.ACCOUNT, limit=limit, then=rule.actions("notify")))
    assert [gauge.measured for gauge in made.kernel.gauges() if gauge.entity == "eval"] == [0.0]


def test_a_schedule_knows_whether_it_follows_the_market():
    assert parse_schedule(["session"], []).follows_session
    assert parse_schedule([], ["session"]).follows_session
    assert not parse_schedule(["09:30-16:00"], []).follows_session


def test_what_a_late_quote_decides_is_stamped_with_the_quote_and_not_with_the_deadline_before_it(world, rule):
    limit = LimitSpec(value='-change(account.equity, "1m")', comparison=Comparison.MAX, threshold=100.0)
    made = world(RuleSpec(id="fast", each=Scope.ACCOUNT, limit=limit, then=rule.actions("notify")))
    made.fill(2, 21_000)
    made.seconds = 5.5  # the tick of a second is due before
    result = made.quote(20_900)
    assert [each.at for each in result.transitions] == [made.now]


class Stuck:
    """A calendar with a fault: its next close is always now. Open in every other minute."""

    def is_open(self, instant_ns: int) -> bool:
        return instant_ns // (60 * NS_PER_S) % 2 == 0

    def next_open(self, instant_ns: int) -> int | None:
        return None

    def next_close(self, instant_ns: int) -> int | None:
        return instant_ns

    def is_early_close(self, instant_ns: int) -> bool:
        return False


def kernel_of(world, calendar: str, *rules):
    made = world()
    settings = StateSettings(
        instruments=(
            InstrumentSpec(symbol="MNQ", tick_size=Decimal("0.25"), tick_value=Decimal("0.5"), calendar=calendar),
        ),
        calendars=lambda name: Stuck() if name == "stuck" else AlwaysOpen(),
        now=made.now,
    )
    made.kernel = Kernel(State(settings), made.compile(rules))
    return made


def test_a_rule_of_an_instrument_follows_the_instruments_own_market(world):
    quoted = RuleSpec(id="r", each=Scope.INSTRUMENT, when="instrument.last > 0", excluding=("session",))
    made = kernel_of(world, "24/7", quoted)
    made.quote(21_000)
    assert made.phases == []


def test_a_rule_of_an_instrument_wakes_with_the_instruments_own_market(world):
    quoted = RuleSpec(id="r", each=Scope.INSTRUMENT, when="instrument.last > 0", during=("session",))
    made = kernel_of(world, "stuck", quoted)
    made.at(60).quote(21_000)
    assert made.phases == []
    made.at(120)
    assert made.phases == ["r breached"]


def test_other_market_hours_of_an_instrument_are_followed_at_once(world):
    quoted = RuleSpec(id="r", each=Scope.INSTRUMENT, when="instrument.last > 0", during=("session",))
    made = kernel_of(world, "24/7", quoted)
    made.quote(21_000)
    spec = InstrumentSpec(symbol="MNQ", tick_size=Decimal("0.25"), tick_value=Decimal("0.5"), calendar="stuck")
    made.send(InstrumentUpdate(at=made.now, received_at=made.now, spec=spec))
    made.at(60)
    assert made.phases == ["r breached", "r resolved"]


def test_a_calendar_whose_edge_is_not_ahead_does_not_stop_the_clock(world):
    made = kernel_of(world, "stuck")
    made.at(600)
    assert made.kernel.deadline > made.now
