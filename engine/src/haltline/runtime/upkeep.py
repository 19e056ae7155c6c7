"""The journal looked after while the engine runs: its chain is proven and old quotes are removed, in small steps.

Every step is one short piece of work for the journal's writer, so that a durable write never waits long for it.
"""

from collections.abc import Callable

from haltline.clock import NS_PER_S, Clock
from haltline.config.settings import StoreEntry
from haltline.control.retention import Needs
from haltline.journal.compact import Compaction, Removed, free_pages
from haltline.journal.error import JournalBroken
from haltline.journal.proof import Proof
from haltline.journal.store import Journal
from haltline.runtime.health import HealthBook, Tell
from haltline.runtime.writer import Writer

PASS_EVERY_NS = 300 * NS_PER_S
FIRST_AFTER_NS = 60 * NS_PER_S
"""A start has better things to do."""
PAUSE_NS = NS_PER_S // 50
"""Between two steps: at most a fifth of the writer's time goes into looking after what it wrote."""
SERVICE = "journal"
GONE = "journal file"


class Upkeep:
    """One pass after the other, for ever: prove what is not proven yet, then remove what is old.

    Damage found is told once, on every channel; from then on nothing is removed, and the service shows as degraded.
    """

    def __init__(
        self, journal: Journal, *, writer: Writer, store: StoreEntry, clock: Clock, health: HealthBook, tell: Tell
    ) -> None:
        self._journal = journal
        self._writer = writer
        self._store = store
        self._clock = clock
        self._health = health
        self._tell = tell
        self._needs = Needs(journal, store)
        self._is_damaged = False
        self._is_gone = False
        self.removed = Removed()

    async def run(self) -> None:
        """Look after the journal until cancelled."""
        await self._clock.sleep_until(self._clock.now() + FIRST_AFTER_NS)
        while True:
            await self.look_after()
            await self._clock.sleep_until(self._clock.now() + PASS_EVERY_NS)

    async def look_after(self) -> None:
        """One pass."""
        await self._look_for_file()
        if self._is_damaged:
            return
        try:
            await self._prove()
            await self._compact()
        except JournalBroken as error:
            self._is_damaged = True
            self._health.set(SERVICE, "degraded", str(error), at=self._clock.now())
            text = f"{error}. The engine goes on: its present state does not come from there."
            await self._tell("The journal is damaged", text)

    async def _look_for_file(self) -> None:
        """Whoever removes or replaces the file of a running engine sees nothing of it until the next start."""
        is_gone = not self._journal.is_in_place
        if is_gone and not self._is_gone:
            text = (
                f"{self._journal.path} is not the file that this engine writes to: it was removed or replaced. What is "
                "written from then on is lost once the engine ends: locks, incidents, receipts. Put the file back, or "
                "note them down and start the engine again."
            )
            self._health.set(GONE, "degraded", "removed or replaced while the engine runs", at=self._clock.now())
            await self._tell("The journal's file is gone", text)
        elif self._is_gone and not is_gone:
            self._health.set(GONE, "up", at=self._clock.now())
        self._is_gone = is_gone

    async def _prove(self) -> None:
        proof: list[Proof] = []
        await self._writer.run(lambda: proof.append(Proof(self._journal)))
        await self._until_done(proof[0].step)
        self._health.set(SERVICE, "up", f"proven up to record {proof[0].seq}", at=self._clock.now())

    async def _compact(self) -> None:
        needs, now = self._needs, self._clock.now()
        await self._until_done(needs.read)
        await self._until_done(lambda: needs.weigh(now))
        cutoff = now - self._store.keep_quotes_ns
        made: list[Compaction] = []
        await self._writer.run(lambda: made.append(Compaction(self._journal, cutoff=cutoff, kept=needs.spans(now))))
        await self._until_done(lambda: self._remove(made[0]))
        await self._until_done(lambda: free_pages(self._journal))

    def _remove(self, compaction: Compaction) -> bool:
        removed = compaction.step(self._clock.now())
        if removed is not None:
            self.removed.add(removed)
        return removed is not None

    async def _until_done(self, step: Callable[[], bool]) -> None:
        """Steps with a pause behind each, until one says that nothing is left."""
        more = [True]

        def once() -> None:
            more[0] = step()

        while more[0]:
            await self._writer.run(once)
            if more[0]:
                await self._clock.sleep_until(self._clock.now() + PAUSE_NS)
