"""The sign of life that engine and guardian leave for each other: one small file each, replaced every second."""

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from haltline.errors import EngineError

FORMAT = 1
GUARDING = "guarding"
STARTING = "starting"


class AccountBeat(msgspec.Struct, frozen=True, kw_only=True):
    """One account as its writer sees it. `confirmed`: its broker has answered; `equity` None: not known.

    `unguarded` says why the engine does not guard it now, `pull_age_ns` how long ago its broker last answered a pull.
    `sending` is the guardian's: a request of its own is on its way.
    """

    mode: str
    live: bool
    confirmed: bool
    equity: float | None = None
    unguarded: str = ""
    pull_age_ns: int | None = None
    sending: bool = False


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """One beat. `run` and `number` never repeat; `wall` is UTC, `steady` the host's own count, both in nanoseconds.

    `state` is ``starting``, ``guarding``, ``stuck`` (alive, and nothing is evaluated), ``stopped`` (in good order) or
    ``failed``. `journal` is the name of the journal's file, `seq` and `head` its last record and that record's digest.
    `guards` names the accounts that the engine guards now; None is from an older one, which speaks for all at once.
    """

    haltline: int = FORMAT
    role: str
    run: str
    number: int
    pid: int
    wall: int
    steady: int
    state: str
    journal: str
    seq: int = 0
    head: str = ""
    accounts: dict[str, AccountBeat] = {}
    guards: tuple[str, ...] | None = None


class NoHeartbeat(EngineError):
    """There is no heartbeat to be read: the file is missing, torn, or somebody else's."""


_DECODER = msgspec.json.Decoder(Heartbeat)


def heartbeat_path(journal: Path, role: str) -> Path:
    """Where ``engine`` or ``guardian`` leaves its heartbeat: beside the journal."""
    return journal.with_name(f"{journal.name}.{role}")


def write_heartbeat(path: Path, beat: Heartbeat) -> None:
    """Replace the file in one step, so that nobody reads half a beat; raises OSError. Not fsynced: the next follows."""
    draft = path.with_name(f"{path.name}.part")
    draft.write_bytes(msgspec.json.encode(beat) + b"\n")
    os.replace(draft, path)


def read_heartbeat(path: Path, *, role: str, journal: str) -> Heartbeat:
    """The newest beat; raises NoHeartbeat with the reason where it is not one of `role` on `journal`."""
    try:
        beat = _DECODER.decode(path.read_bytes())
    except FileNotFoundError:
        raise NoHeartbeat(f"there is no file {path.name}") from None
    except OSError as error:
        raise NoHeartbeat(f"{path.name} cannot be read ({error.strerror})") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NoHeartbeat(f"{path.name} is torn or not a heartbeat") from error
    if beat.haltline != FORMAT:
        raise NoHeartbeat(f"{path.name} is of format {beat.haltline}, which another version wrote")
    if (beat.role, beat.journal) != (role, journal):
        raise NoHeartbeat(f"{path.name} is that of the {beat.role} of {beat.journal}")
    return beat


def is_guarding(beat: Heartbeat) -> bool:
    """Whether its writer guards, or has begun to guard something."""
    return beat.state == GUARDING or (beat.state == STARTING and bool(beat.guards))


def is_guarded(beat: Heartbeat, account: str) -> bool:
    """Whether its writer guards this account: it says so, or says nothing of single accounts."""
    return is_guarding(beat) and (beat.guards is None or account in beat.guards)


class Vigil:
    """How long the other side has been silent, counted in time that was really watched.

    A beat counts as a sign of life if it is new and `is_sign` of one. Between two looks at most `longest_gap_ns` are
    added, so that neither a clock that is set nor a watcher that stood still takes the other for dead. `silent_ns`
    begins at 0: whoever has just begun to watch knows nothing yet.
    """

    def __init__(
        self, *, silence_ns: int, longest_gap_ns: int, is_sign: Callable[[Heartbeat], bool] = is_guarding
    ) -> None:
        self.silent_ns = 0
        self.last: Heartbeat | None = None
        self.was_heard = False
        self._silence_ns = silence_ns
        self._longest_gap_ns = longest_gap_ns
        self._is_sign = is_sign
        self._looked_at: int | None = None
        self._seen: tuple[str, int] | None = None

    @property
    def is_silent(self) -> bool:
        """Whether there was no sign of life for longer than allowed."""
        return self.silent_ns > self._silence_ns

    def look(self, beat: Heartbeat | None, now: int) -> None:
        """Note the newest beat (None: there is none to be read)."""
        is_first = self._looked_at is None  # what lay there before we came may be from long ago
        elapsed = now - self._looked_at if self._looked_at is not None else 0
        self._looked_at = now
        self.silent_ns += max(0, min(elapsed, self._longest_gap_ns))
        if beat is None:
            return
        mark = (beat.run, beat.number)
        if mark == self._seen:
            return
        self._seen, self.last = mark, beat
        if self._is_sign(beat) and not is_first:
            self.silent_ns, self.was_heard = 0, True


class HeartbeatFile:
    """Where one process leaves its beats. The newest stays, whichever thread comes last: a process that ends does not
    wait for the beat before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._newest = 0
        self._one_writes = threading.Lock()

    def write(self, beat: Heartbeat) -> None:
        """Leave it, unless a later one was left meanwhile; raises OSError."""
        with self._one_writes:
            if beat.number > self._newest:
                write_heartbeat(self._path, beat)
                self._newest = beat.number


class FileWork:
    """File work in a thread, one piece at a time, given up on after `call_s`: a disk that hangs must not hang us.

    Work whose caller was cancelled is waited for before the next; after work that was given up on nothing is begun
    until it has ended.
    """

    def __init__(self, call_s: float = 5.0) -> None:
        self._call_s = call_s
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="haltline-file")
        self._hangs: Future[Any] | None = None

    async def run[T](self, work: Callable[[], T]) -> T:
        """Do it; raises what it raises, and OSError where the disk does not answer."""
        if self._hangs is not None and not self._hangs.done():
            raise OSError(errno.ETIMEDOUT, "the disk has not answered the last request yet")
        begun = self._pool.submit(work)
        try:
            async with asyncio.timeout(self._call_s):
                return await asyncio.wrap_future(begun)
        except TimeoutError as error:
            self._hangs = begun
            raise OSError(errno.ETIMEDOUT, "the disk does not answer") from error
