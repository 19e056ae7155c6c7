"""What there is to say about one error code."""

from typing import NamedTuple


class CodeEntry(NamedTuple):
    """One row: a title, why it happens, and the cure."""

    title: str
    why: str
    cure: str
