"""The rate budget: a bucket by the minute, a share of it for critical messages."""

from haltline.clock import NS_PER_S
from haltline.model.rule import Severity
from haltline.notify.budget import RateBudget

INFO, CRITICAL = Severity.INFO, Severity.CRITICAL


def test_without_a_limit_nothing_waits() -> None:
    budget = RateBudget(None, 0.25, 0)
    budget.spend(0)
    assert budget.ready_at(INFO, 5) == 5


def test_the_reserved_share_is_for_critical_messages() -> None:
    budget = RateBudget(4, 0.5, 0)
    for _ in range(2):
        assert budget.ready_at(INFO, 0) == 0
        budget.spend(0)
    assert budget.ready_at(INFO, 0) > 0
    assert budget.ready_at(CRITICAL, 0) == 0


def test_it_fills_again_with_time() -> None:
    budget = RateBudget(60, 0.0, 0)
    for _ in range(60):
        budget.spend(0)
    assert 0 < budget.ready_at(INFO, 0) <= NS_PER_S + 1
    assert budget.ready_at(INFO, NS_PER_S + 1) == NS_PER_S + 1


def test_critical_messages_never_wait_however_many_there_were() -> None:
    budget = RateBudget(1, 0.9, 0)
    for _ in range(1000):
        assert budget.ready_at(CRITICAL, 0) == 0
        budget.spend(0)
    assert budget.ready_at(INFO, 0) < 130 * NS_PER_S


def test_a_limit_of_one_still_lets_the_others_through_at_times() -> None:
    assert RateBudget(1, 0.9, 0).ready_at(INFO, 0) == 0
