"""How far the chain is proven: a walk in small steps that is remembered, so that no start reads everything again."""

from haltline.journal.chain import ORIGIN
from haltline.journal.error import JournalBroken
from haltline.journal.schema import meta_of, set_meta
from haltline.journal.store import Journal

STEP = 400
_KEY = "proven"
_REMEMBER_EVERY = 20_000


class Proof:
    """A walk from the last proven record to the newest one; `seq` is how far it has come.

    Records between a vouched gap and the record that vouches for it count as proven only with that one.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.seq, digest = _remembered(journal)
        self._walk = journal.walk(self.seq + 1)
        if self._walk.digest != digest:
            self.seq, self._walk = 0, journal.walk()

    def step(self, limit: int = STEP) -> bool:
        """Prove some more records; False once the newest is proven. Raises JournalBroken at one that does not fit."""
        for count, record in enumerate(self._journal.raw(self._walk.after + 1), 1):
            if not self._walk.take(record):
                self._fail()
            if count >= limit:
                if self._walk.after - self.seq >= _REMEMBER_EVERY:
                    self._remember()
                return True
        self._remember()
        if not self._walk.report().ok:
            self._fail()
        return False

    def _remember(self) -> None:
        if self._walk.is_settled and self._walk.after != self.seq:
            self.seq = self._walk.after
            with self._journal.transaction():
                set_meta(self._journal.connection, _KEY, f"{self.seq} {self._walk.digest.hex()}")

    def _fail(self) -> None:
        raise JournalBroken(
            f"{self._journal.path}: {self._walk.broken}", "stop the engine, then run 'haltline journal repair'"
        )


def _remembered(journal: Journal) -> tuple[int, bytes]:
    seq, _, digest = meta_of(journal.connection).get(_KEY, "").partition(" ")
    try:
        return int(seq), bytes.fromhex(digest)
    except ValueError:
        return 0, ORIGIN
