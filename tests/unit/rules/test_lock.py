"""Lockouts are a set with union semantics."""

from haltline.model.id import AccountId, RuleId, Symbol
from haltline.model.plan import Lock
from haltline.rules.lock import LockBook

EVAL = AccountId("eval")


def lock(name: str, until: int | None = None, *, symbol: str | None = None, release: str = "time") -> Lock:
    return Lock(
        id=name,
        account=EVAL,
        since=0,
        reason=name,
        symbol=Symbol(symbol) if symbol else None,
        until=until,
        release=release,
        rule=RuleId(name),
    )


def book(*locks: Lock) -> LockBook:
    standing = LockBook()
    for each in locks:
        standing.add(each)
    return standing


def test_a_short_lock_does_not_end_a_long_one() -> None:
    locks = book(lock("day", 1000), lock("cooldown", 60))
    assert [each.id for each in locks.expire(60)] == ["cooldown"]
    assert [each.id for each in locks.of_account(EVAL)] == ["day"]


def test_a_lock_ends_exactly_at_its_instant() -> None:
    locks = book(lock("day", 1000))
    assert locks.expire(999) == []
    assert [each.id for each in locks.expire(1000)] == ["day"]


def test_the_same_lock_again_only_ever_gets_longer() -> None:
    locks = book(lock("day", 1000))
    assert not locks.add(lock("day", 500))
    assert not locks.add(lock("day", 1000))
    assert locks.add(lock("day", 2000))
    assert locks.next_expiry() == 2000


def test_a_lock_without_end_outlasts_every_other() -> None:
    locks = book(lock("auth"))
    assert not locks.add(lock("auth", 10**18))
    assert locks.next_expiry() is None


def test_releasing_an_unknown_lock_does_nothing() -> None:
    assert book().release("nothing") is None


def test_a_lock_on_a_symbol_does_not_lock_the_account() -> None:
    locks = book(lock("rty", symbol="RTY"))
    assert locks.of_account(EVAL) == []
    assert [each.id for each in locks.of_symbol(EVAL, Symbol("RTY"))] == ["rty"]


def test_a_lock_that_had_an_end_may_be_made_endless() -> None:
    locks = book(lock("day", 1000))
    assert locks.add(lock("day"))
    assert locks.next_expiry() is None


def test_a_lock_of_another_account_locks_neither_this_account_nor_its_symbols() -> None:
    other = AccountId("other")
    locks = book(lock("day", 1000), lock("rty", symbol="RTY"))
    assert (locks.of_account(other), locks.of_symbol(other, Symbol("RTY"))) == ([], [])
    assert locks.of_symbol(EVAL, Symbol("MNQ")) == []


def test_of_several_locks_the_first_to_end_is_next_and_one_without_end_never_is() -> None:
    assert book(lock("late", 900), lock("auth"), lock("soon", 60)).next_expiry() == 60


def test_a_lock_without_end_does_not_expire_with_the_others() -> None:
    assert [each.id for each in book(lock("auth"), lock("day", 5)).expire(10)] == ["day"]
