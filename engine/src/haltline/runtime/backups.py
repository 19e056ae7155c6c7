"""Copies of the journal while the engine runs: made on time, proven, the newest few kept."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from haltline.clock import NS_PER_S, Clock
from haltline.config.settings import BackupEntry
from haltline.journal import backup_process
from haltline.journal.backup import Backup, stamp
from haltline.journal.error import BackupFailed
from haltline.runtime.health import HealthBook, Tell
from haltline.runtime.upkeep import FIRST_AFTER_NS

SERVICE = "backup"
AGAIN_AFTER_NS = 3_600 * NS_PER_S
_STAMP = "%Y%m%dT%H%M%SZ"

type Copy = Callable[[Path, Path], Awaitable[Backup]]


class Backups:
    """One copy every `entry.every_ns`, counted from the newest there is: a restart neither skips one nor adds one.

    A copy that fails is told once, on every channel, and tried again within the hour; older copies stay until a newer
    one is proven. Files that are not named as ours are never touched.
    """

    def __init__(
        self, journal: Path, *, entry: BackupEntry, clock: Clock, health: HealthBook, tell: Tell, copy: Copy
    ) -> None:
        self._journal = journal
        self._entry = entry
        self._clock = clock
        self._health = health
        self._tell = tell
        self._copy = copy
        self._has_failed = False

    async def run(self) -> None:
        """Make copies until cancelled."""
        while True:
            await self._clock.sleep_until(self.due())
            await self.make()

    def due(self) -> int:
        """When the next copy is made, in UTC nanoseconds; a minute from now at the soonest."""
        now = self._clock.now()
        if self._has_failed:
            return now + min(self._entry.every_ns, AGAIN_AFTER_NS)
        newest = max((instant for instant, _ in self.copies()), default=0)
        return max(min(newest, now) + self._entry.every_ns, now + FIRST_AFTER_NS)

    async def make(self) -> None:
        """One copy, now; then the oldest beyond those to keep are removed."""
        now = self._clock.now()
        to = self._entry.folder / f"{self._journal.stem}-{stamp(now)}.db"
        try:
            self._clear()
            made = await self._copy(self._journal, to)
            for _, path in self.copies()[: -self._entry.keep]:
                path.unlink(missing_ok=True)
        except (BackupFailed, OSError) as error:
            await self._fail(str(error), now)
            return
        self._has_failed = False
        self._health.set(SERVICE, "up", f"{made.path.name}: {made.records:,} records, proven", at=now)

    def copies(self) -> list[tuple[int, Path]]:
        """The copies there are, each with its instant (UTC nanoseconds), oldest first."""
        found: list[tuple[int, Path]] = []
        for path in self._entry.folder.glob("*.db"):
            name = path.stem.removeprefix(f"{self._journal.stem}-")
            with suppress(ValueError):
                made = datetime.strptime(name, _STAMP).replace(tzinfo=UTC)
                found.append((int(made.timestamp()) * NS_PER_S, path))
        return sorted(found)

    def _clear(self) -> None:
        """Remove what a copy left that was killed half-way."""
        for path in self._entry.folder.glob(f"{self._journal.stem}-*.db.part*"):
            path.unlink(missing_ok=True)

    async def _fail(self, reason: str, now: int) -> None:
        self._health.set(SERVICE, "degraded", reason, at=now)
        if not self._has_failed:
            self._has_failed = True
            await self._tell("No backup of the journal", f"{reason}. It is tried again within the hour.")


async def copy_apart(path: Path, to: Path) -> Backup:
    """A proven copy made by a process of its own, at low priority; raises BackupFailed with what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", backup_process.__name__, str(path), str(to),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        said, complaint = await process.communicate()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise _failure(process.returncode, complaint.decode(errors="replace").strip().splitlines())
    return msgspec.json.decode(said, type=Backup, dec_hook=lambda kind, value: kind(value))


def _failure(code: int | None, lines: list[str]) -> BackupFailed:
    if code == backup_process.REFUSED:
        return BackupFailed(lines[-2], lines[-1])
    reason = lines[-1] if lines else f"it ended with {code}"
    return BackupFailed(f"the process that copies failed: {reason}", "run `haltline journal backup` to see why")
