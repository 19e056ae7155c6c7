"""A bar for what takes long."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from haltline.cli.output import Output

type Told = Callable[[int, int | None], None]
"""Called with how much is done, and of how much; None: of nobody knows how much."""


@contextmanager
def progress_bar(output: Output, doing: str) -> Iterator[Told]:
    """A progress bar on a terminal, nothing elsewhere; `doing` is the word in front of it."""
    if output.json or output.plain:
        yield lambda done, total: None
        return
    columns = (TextColumn(doing), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=output.console, transient=True) as progress:
        task = progress.add_task(doing, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
