"""Lockouts are a set: each ends by its own release, and an account is locked while any of them stands."""

from collections.abc import Iterable, Iterator

from haltline.model.id import AccountId, Symbol
from haltline.model.plan import Lock


class LockBook:
    """All standing locks. An expiry instant itself is already free: a lock holds in ``[since, until)``."""

    def __init__(self) -> None:
        self._locks: dict[str, Lock] = {}

    def __iter__(self) -> Iterator[Lock]:
        return iter(self._locks.values())

    def __getitem__(self, lock_id: str) -> Lock:
        """The lock of that id, which stands; raises KeyError if it does not."""
        return self._locks[lock_id]

    def get(self, lock_id: str) -> Lock | None:
        """The lock of that id, if it stands."""
        return self._locks.get(lock_id)

    def add(self, lock: Lock) -> bool:
        """Add a lock; one with the same id only ever gets longer. Tells whether anything changed."""
        standing = self._locks.get(lock.id)
        if standing is not None and not _outlasts(lock, standing):
            return False
        self._locks[lock.id] = lock
        return True

    def release(self, lock_id: str) -> Lock | None:
        """Lift one lock; None if it does not stand."""
        return self._locks.pop(lock_id, None)

    def expire(self, now: int) -> list[Lock]:
        """Lift and return every lock whose time has come."""
        due = [lock for lock in self._locks.values() if lock.until is not None and lock.until <= now]
        for lock in due:
            del self._locks[lock.id]
        return due

    def of_account(self, account: AccountId) -> list[Lock]:
        """Locks on the whole account."""
        return [lock for lock in self._locks.values() if lock.account == account and lock.symbol is None]

    def of_symbol(self, account: AccountId, symbol: Symbol) -> list[Lock]:
        """Locks on one symbol of the account (not those on the whole account)."""
        return [lock for lock in self._locks.values() if (lock.account, lock.symbol) == (account, symbol)]

    def next_expiry(self) -> int | None:
        """The first instant at which a lock ends by itself."""
        return min((lock.until for lock in self._locks.values() if lock.until is not None), default=None)

    def replace(self, locks: Iterable[Lock]) -> None:
        """Take exactly these locks (after a restart)."""
        self._locks = {lock.id: lock for lock in locks}


def _outlasts(new: Lock, standing: Lock) -> bool:
    if standing.until is None:
        return False
    return new.until is None or new.until > standing.until
