"""Fills of a while ago are told one by one: what is passed through meanwhile never was, and nothing is done for it."""

from decimal import Decimal

from haltline.clock import NS_PER_S
from haltline.model.event import Fill, Quote
from haltline.model.id import AccountId, FillId, RuleId, Symbol
from haltline.model.order import Side
from haltline.model.rule import Comparison, Evidence, EvidenceSpec, LimitSpec, RuleSpec, Scope

EVAL, OTHER = AccountId("eval"), AccountId("live")
CURE = ("block_entries", "flatten", ("lock", {"until": "released"}), "notify")


def told(made, quantity, price, *, ago_s, account=EVAL):
    """A fill that happened a while ago and is heard of now."""
    made.serial += 1
    return made.send(
        Fill(
            at=made.now - round(ago_s * NS_PER_S), received_at=made.now, account=account, symbol=Symbol("MNQ"),
            fill_id=FillId(f"old{made.serial}"), side=Side.BUY if quantity > 0 else Side.SELL,
            quantity=Decimal(abs(quantity)), price=Decimal(price),
        )
    )  # fmt: skip


def connected_late(world, rule, *specs, then=CURE):
    """The market stands at 20,800, well backed; nothing is known of the trades of the last hour."""
    made = world(*(specs or (rule.loss(then=rule.actions(*then)),)))
    made.at(0)
    for second in (1, 2):
        made.at(second).tick(20_800)
    return made.at(3).forget()


def test_what_is_passed_through_closes_nothing_and_locks_nothing(world, rule):
    made = connected_late(world, rule)
    told(made, 10, 21_000, ago_s=3600)  # worth -2,000 at the price of now, which it never was
    told(made, -10, 21_100, ago_s=1800)
    made.at(60)
    assert (made.actions, made.mode) == (["block_entries", "notify"], "ACTIVE")


def test_meanwhile_entries_are_blocked_and_people_are_told(world, rule):
    made = connected_late(world, rule)
    told(made, 10, 21_000, ago_s=3600)
    assert (made.mode, made.actions) == ("REDUCING", ["block_entries", "notify"])
    assert "still being told" in " ".join(view.waits for view in made.kernel.incidents())


def test_what_is_broken_once_they_are_told_is_acted_on_a_second_later(world, rule):
    made = connected_late(world, rule)
    told(made, 10, 21_000, ago_s=3600)
    made.at(3.999)
    assert "flatten" not in made.actions
    made.at(4)
    assert sorted(made.actions) == ["block_entries", "flatten", "lock", "notify"]
    assert made.mode == "HALTED"


def test_one_witness_is_too_few_meanwhile_where_a_rule_asks_for_no_more(world, rule):
    spec = rule.loss(then=rule.actions("flatten"), evidence=EvidenceSpec(grade=Evidence.WITNESS))
    made = connected_late(world, rule, spec)
    told(made, 10, 21_000, ago_s=3600)
    told(made, -10, 21_100, ago_s=1800)
    made.at(60)
    assert made.actions == []


def test_old_fills_without_end_delay_no_longer_than_the_hold_time(world, rule):
    made = connected_late(world, rule)
    for tenth in range(19):
        made.at(3 + tenth / 10)
        told(made, 10, 21_000, ago_s=3600)
    assert "flatten" not in made.actions
    for tenth in (20, 21):
        made.at(3 + tenth / 10)
        told(made, 10, 21_000, ago_s=3600)
    assert "flatten" in made.actions


def test_a_fill_that_is_a_second_old_is_no_old_one(world, rule):
    made = connected_late(world, rule)
    told(made, 10, 21_000, ago_s=1)
    assert "flatten" in made.actions


def test_a_peak_that_was_passed_through_is_none(world, rule):
    made = connected_late(world, rule)
    told(made, -10, 21_000, ago_s=3600)  # worth +2,000 at the price of now
    told(made, 10, 21_010, ago_s=1800)
    made.at(10).tick(20_800)
    assert made.kernel.state.accounts[EVAL].peak_equity == 50_000


def test_a_peak_that_is_still_so_afterwards_counts(world, rule):
    made = connected_late(world, rule)
    told(made, -10, 21_000, ago_s=3600)
    made.at(4)
    assert made.kernel.state.accounts[EVAL].peak_equity == 54_000


def test_a_lock_begins_with_all_that_was_held(world, rule):
    """Seen live: a lock that began with the first of four old fills took the other three for new positions."""
    made = connected_late(world, rule, then=(("lock", {"until": "released"}),))
    for _ in range(3):
        told(made, 10, 21_000, ago_s=3600)
    made.at(60)
    assert made.mode == "HALTED"
    assert made.actions == ["lock"]


def test_another_account_does_not_wait(world, rule):
    made = connected_late(world, rule)
    told(made, 10, 21_000, ago_s=3600)
    made.fill(10, 21_000, account=OTHER)
    closed = [action.account for result in made.results for action in result.plan if action.name == "flatten"]
    assert closed == [OTHER]


def test_a_sum_over_accounts_waits_for_each(world, rule):
    spec = RuleSpec(
        id=RuleId("all"), each=Scope.PORTFOLIO, then=rule.actions("flatten"),
        limit=LimitSpec(value="portfolio.unrealized_pnl", comparison=Comparison.MIN, threshold=-1000),
    )  # fmt: skip
    made = connected_late(world, rule, spec)
    told(made, 10, 21_000, ago_s=3600)
    told(made, -10, 21_100, ago_s=1800)
    assert made.actions == []


def test_a_rule_on_instruments_waits_for_whoever_holds_it(world, rule):
    spec = RuleSpec(
        id=RuleId("crowd"), each=Scope.INSTRUMENT, when="count(instrument.positions) > 0",
        then=rule.actions("close_position"),
    )  # fmt: skip
    made = connected_late(world, rule, spec)
    told(made, 10, 21_000, ago_s=3600)
    assert made.actions == []
    made.at(4)
    assert made.actions == ["close_position"]


def test_a_rule_that_reads_all_accounts_waits_for_each(world, rule):
    spec = RuleSpec(
        id=RuleId("share"),
        each=Scope.POSITION,
        when="portfolio.unrealized_pnl < -1000",
        then=rule.actions("close_position"),
    )
    made = connected_late(world, rule, spec)
    made.fill(1, 20_800, account=OTHER)
    told(made, 10, 21_000, ago_s=3600)
    assert made.actions == []
    made.at(4)
    assert made.actions == ["close_position", "close_position"]


def test_a_rule_on_fills_judges_each_at_once(world, rule):
    spec = RuleSpec(id=RuleId("huge"), each=Scope.FILL, when="abs(fill.quantity) > 5", then=rule.actions("notify"))
    made = connected_late(world, rule, spec)
    told(made, 10, 21_000, ago_s=3600)
    assert made.actions == ["notify"]


def test_a_window_does_not_remember_it(world, rule):
    spec = RuleSpec(
        id=RuleId("fast"), each=Scope.ACCOUNT, when="max_over(account.equity, '1h') - account.equity > 1000",
        then=rule.actions("notify"),
    )  # fmt: skip
    made = connected_late(world, rule, spec)
    told(made, -10, 21_000, ago_s=3600)
    told(made, 10, 21_010, ago_s=1800)
    made.at(5)
    made.send(Quote(at=made.now, received_at=made.now, symbol=Symbol("MNQ"), last=20_800.0))
    made.at(10)
    assert made.actions == []


def test_it_is_part_of_the_saved_state(world, rule):
    made = connected_late(world, rule)
    told(made, 10, 21_000, ago_s=3600)
    made.restart().at(3.999)
    assert "flatten" not in made.actions
    made.at(4)
    assert "flatten" in made.actions
