"""Every write of the engine fails in the journal's own words."""

from pathlib import Path

import pytest

from haltline.api import Message
from haltline.journal.error import JournalFull
from haltline.journal.store import Journal
from haltline.model.rule import Severity
from haltline.notify.table import Pending, SqliteOutboxTable
from haltline.runtime.writer import InlineWriter, ThreadWriter


@pytest.mark.parametrize("kind", (InlineWriter, ThreadWriter))
async def test_a_full_disk_is_a_full_disk_for_messages_too(
    tmp_path: Path, kind: type[InlineWriter | ThreadWriter]
) -> None:
    with Journal.open(tmp_path / "journal.db") as journal:
        (pages,) = journal.connection.execute("PRAGMA page_count").fetchone()
        journal.connection.execute(f"PRAGMA max_page_count = {pages}")
        table, writer = SqliteOutboxTable(journal.connection), kind(journal)
        message = Message(id="m", at=1, severity=Severity.INFO, title="t", text="x" * 100_000)
        with pytest.raises(JournalFull):
            await writer.run_in_transaction(lambda: table.put(Pending(key="m", channel="c", message=message, due=1)))
        writer.close()
