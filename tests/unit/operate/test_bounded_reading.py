"""What sums up the past reads the stretch that it is about, however long the journal has become."""

from collections.abc import Iterator, Sequence

import pytest
from operator_desk import PEOPLE, START, Open

from haltline.api import Role, reply_text
from haltline.clock import NS_PER_S
from haltline.control.command.curve import _past
from haltline.control.command.report import count
from haltline.journal.curve import EquityPoint, EquitySample
from haltline.journal.memory import MemoryJournal
from haltline.journal.record import Entry, Record, RecordKind, entry_of, tick_entry
from haltline.model.id import AccountId

DAY_NS = 86_400 * NS_PER_S
NOW = START + 100 * DAY_NS


class Watched(MemoryJournal):
    """Counts the records that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    def iterate(self, from_seq: int = 1, *, kinds: Sequence[RecordKind] = ()) -> Iterator[Record]:
        for record in super().iterate(from_seq):
            self.read += 1
            if not kinds or record.kind in kinds:
                yield record


def sample(at: int, account: str = "eval", equity: float = 1.0) -> Entry:
    point = EquityPoint(account=AccountId(account), equity=equity, day_pnl=0.0)
    return entry_of(RecordKind.EQUITY, at, EquitySample(points=(point,)))


def fired(at: int) -> Entry:
    moved = {"rule": "loss", "entity": "eval", "incident": "loss/eval/1", "account": "eval", "at": at,
             "previous": "ok", "phase": "breached", "severity": "critical", "title": "loss"}  # fmt: skip
    return entry_of(RecordKind.TRANSITION, at, moved)


@pytest.fixture
def journal() -> Watched:
    """A hundred days with a thousand records each, and something every day at noon."""
    kept = Watched()
    for day in range(100):
        begin = START + day * DAY_NS
        ticks = [tick_entry(begin + number * 80 * NS_PER_S) for number in range(1000)]
        kept.append([*ticks[:500], fired(begin + DAY_NS // 2), sample(begin + DAY_NS // 2, equity=day), *ticks[600:]])
    return kept


def test_a_report_counts_its_day_and_reads_little_more(journal: Watched) -> None:
    assert sum(count(journal, NOW - DAY_NS).fired.values()) == 1
    assert journal.read < 1100
    assert sum(count(journal, NOW - 7 * DAY_NS).fired.values()) == 7


def test_a_report_misses_nothing_although_the_clock_was_set_back_meanwhile(journal: Watched) -> None:
    journal.append([tick_entry(NOW + 1800 * NS_PER_S), fired(NOW)])
    assert sum(count(journal, NOW).fired.values()) == 1


def test_the_equity_that_held_at_the_beginning_is_found_however_old_it_is(journal: Watched) -> None:
    journal.records[5] = journal.records[5]._replace(
        kind=RecordKind.EQUITY, body=sample(START, "old", 7.0).body
    )  # one account that was sampled once, on the first day
    rows, moved = _past(journal, "eval", NOW - DAY_NS)
    assert [row[1] for row in rows] == [98.0, 99.0]
    assert len(moved) == 1
    assert _past(journal, "old", NOW - DAY_NS)[0] == [(NOW - DAY_NS, 7.0, 0.0)]
    assert _past(journal, "nobody", NOW - DAY_NS)[0] == []


def test_an_equity_of_late_is_found_without_reading_everything(journal: Watched) -> None:
    _past(journal, "eval", NOW - DAY_NS)
    assert journal.read < 15_000


@pytest.mark.parametrize("on_disk", [False, True])
async def test_the_report_of_a_running_engine_tells_of_its_own_day(opened: Open, on_disk: bool) -> None:
    async with opened(on_disk=on_disk) as desk:
        await desk.done(PEOPLE[Role.TRADER], "pause eval")
        said = reply_text(await desk.say(PEOPLE[Role.ADMIN], "report"))
        assert "pause" in said and "tom" in said
        desk.clock.advance_to(START + 2 * DAY_NS)
        assert "pause" not in reply_text(await desk.say(PEOPLE[Role.ADMIN], "report"))
