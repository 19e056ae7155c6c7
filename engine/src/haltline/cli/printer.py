"""Lines from a thread of their own: a paused terminal, or a reader that reads no more, delays nothing.

`haltline run` and `haltline guardian` guard while they tell. A write to a full pipe does not come back, and one to a
closed one raises; both must end with the words that could not be told.
"""

import atexit
import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import typer

type Job = Callable[[], None]

MOST = 1000
"""So many lines wait for whoever reads them; what comes then is left out, and counted."""
LAST_S = 2.0


class Printer:
    """Does jobs that write, one after the other, elsewhere. `left_out` is told how many were, once there is room."""

    def __init__(self, *, left_out: Callable[[int], None] = lambda count: None, most: int = MOST) -> None:
        self._jobs: queue.Queue[Job | None] = queue.Queue(most)
        self._left_out = left_out
        self._missed = 0
        self._busy = False
        self.is_broken = False
        self._thread = threading.Thread(target=self._work, name="printer", daemon=True)
        self._thread.start()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be written: a moving picture is drawn only then."""
        return self._jobs.empty() and not self._busy

    def put(self, job: Job) -> None:
        """Have a job done; never blocks, never raises."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            self._missed += 1

    @property
    def is_done(self) -> bool:
        """Whether it was closed and all that was put is written."""
        return not (self._thread.is_alive() or self.is_broken)

    def close(self, within_s: float = LAST_S) -> bool:
        """Wait a little for what still waits; whether all of it was done."""
        with suppress(queue.Full):
            self._jobs.put(None, timeout=within_s)
        self._thread.join(within_s)
        return self.is_done

    def _work(self) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                self._busy = True
                job()
                if self._missed and self._jobs.empty():
                    missed, self._missed = self._missed, 0
                    self._left_out(missed)
                self._busy = False
        except (OSError, ValueError):  # nobody reads any more; a stream that is closed says ValueError
            self.is_broken = True


@contextmanager
def closing_words(printer: Printer) -> Iterator[None]:
    """Within it the printer is used; at its end the last words have a little time. After a failure the process ends
    without waiting for a reader that reads no more."""
    try:
        yield
    except BaseException:
        if not printer.close():
            atexit.register(os._exit, 1)
        raise
    printer.close()


def end_process(printer: Printer, code: int) -> NoReturn:
    """End with an exit code. Everything is saved by now: where lines are left that nobody reads, leaving normally would
    wait for a reader, or complain about its end."""
    if not printer.is_done:
        os._exit(code)
    raise typer.Exit(code)
