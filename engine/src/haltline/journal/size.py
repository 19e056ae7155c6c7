"""What fills a journal: records and bytes by kind and by day."""

import msgspec

from haltline.journal.store import Journal

_DAY_NS = 86_400_000_000_000
_QUERY = f"""
SELECT at / {_DAY_NS}, CASE WHEN body LIKE '{{"type":"Quote"%' AND kind = 'event' THEN 'quote' ELSE kind END,
COUNT(*), SUM(LENGTH(CAST(body AS BLOB)))
FROM record GROUP BY 1, 2 ORDER BY 1, 2
"""
_OVERHEAD = 48
"""What a record takes besides its body: number, instant, kind and digest."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """Records of one kind on one day (UTC, days since 1970); quotes are counted apart from other events."""

    day: int
    kind: str
    records: int
    bytes: int


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """A journal's size: of the file, of its saved states, of free space inside, and of its records by day and kind.

    `removed` counts quotes that are gone, in `gaps` gaps.
    """

    file: int
    states: int
    free: int
    gaps: int
    removed: int
    shares: tuple[Share, ...]


def size_of_journal(journal: Journal, file: int) -> Size:
    """Reads every record once."""
    run = journal.connection.execute
    page = run("PRAGMA page_size").fetchone()[0]
    gaps, removed = journal.gaps.total()
    return Size(
        file=file, states=run("SELECT TOTAL(LENGTH(state)) FROM snapshot").fetchone()[0],
        free=page * run("PRAGMA freelist_count").fetchone()[0], gaps=gaps, removed=removed,
        shares=tuple(
            Share(day=int(day or 0), kind=str(kind), records=count, bytes=int(size or 0) + _OVERHEAD * count)
            for day, kind, count, size in run(_QUERY)
        ),
    )  # fmt: skip
