"""What incidents keep of their quotes, and what a capsule says of those that are gone."""

import pytest

from haltline.clock import NS_PER_S
from haltline.config.settings import StoreEntry
from haltline.control.capsulefile import Capsule
from haltline.control.capsulemake import make_capsule
from haltline.control.capsuleplay import replay
from haltline.control.incidentspan import find_span, read_spans
from haltline.control.retention import Needs
from haltline.journal.compact import Compaction, Span
from haltline.journal.error import QuotesRemoved
from haltline.journal.store import Journal

HOUR = 3600 * NS_PER_S


@pytest.fixture
def store(tmp_path):
    return StoreEntry(path=tmp_path / "j.db", keep_quotes_ns=HOUR, keep_incidents_ns=20 * HOUR)


@pytest.fixture
def told(engine, loss, store):
    """An incident in a file, an hour of quotes in front of it and behind it, and states saved on the way."""
    with Journal.open(store.path) as journal:
        world = engine(loss())
        world.journal = journal
        journal.append([])
        world.begin("fresh")
        for _ in range(240):
            world.seconds += 15
            world.take(world.quote(21_000.0))
        world.save()
        world.fall()
        ended = journal.last_seq
        for _ in range(240):
            world.seconds += 15
            world.take(world.quote(21_000.0))
        for _ in range(3):
            world.save()
        yield world, journal, ended


def needs_of(journal, store, now):
    needs = Needs(journal, store)
    while needs.read(5):
        pass
    while needs.weigh(now, 1):
        pass
    return needs


def compact(journal, spans, cutoff):
    work = Compaction(journal, cutoff=cutoff, kept=spans)
    while work.step(cutoff) is not None:
        pass


def test_an_incident_keeps_its_quotes_from_the_state_before_it_until_it_ended(told, store, tmp_path, registry_of):
    world, journal, ended = told
    needs = needs_of(journal, store, world.now)
    (span,) = needs.spans(world.now)
    assert journal.state_before(world.now - 3 * HOUR) is None
    assert 240 < span.first < ended - 60
    assert span.last <= ended
    compact(journal, needs.spans(world.now), world.now)
    assert journal.verify().removed > 30
    incident = find_span(read_spans(journal), "loss")
    made = make_capsule(journal, incident, tmp_path, registry_of, lead_ns=600 * NS_PER_S)
    with Capsule(made.path) as capsule:
        assert replay(capsule, registry_of).is_identical


def test_its_saved_state_outlives_the_hours(told, store):
    world, journal, _ = told
    needs_of(journal, store, world.now)
    (span,) = needs_of(journal, store, world.now).spans(world.now)
    for hour in range(60):
        journal.write_snapshot(journal.last_seq, world.now + hour * HOUR // 4, b"later")
    assert span.first in [row[0] for row in journal.connection.execute("SELECT seq FROM snapshot")]


def test_an_incident_that_is_old_keeps_nothing(told, store):
    world, journal, _ = told
    needs = needs_of(journal, store, world.now)
    assert needs.spans(world.now + 25 * HOUR) == []
    assert needs_of(journal, store, world.now + 25 * HOUR).spans(world.now) == []


def test_an_incident_without_a_way_back_keeps_nothing(told, store):
    world, journal, _ = told
    journal.connection.execute("DELETE FROM snapshot WHERE seq < (SELECT MAX(seq) FROM snapshot)")
    assert needs_of(journal, store, world.now).spans(world.now) == []


def test_what_is_known_is_not_weighed_again(told, store):
    world, journal, _ = told
    needs = needs_of(journal, store, world.now)
    before = needs.spans(world.now)
    journal.connection.execute("DELETE FROM snapshot")
    while needs.read():
        pass
    needs.weigh(world.now)
    assert needs.spans(world.now) == before


def test_many_old_incidents_cost_one_step_and_are_forgotten(told, store):
    _, journal, _ = told
    needs = Needs(journal, store)
    while needs.read():
        pass
    (old,) = needs._todo
    needs._todo = [old] * 1000
    assert not needs.weigh(old.moved_at + 25 * HOUR, 1)
    assert needs._reader.all() == []
    assert not needs._reader._owners


def test_what_an_engine_before_this_one_had_is_forgotten_as_well(told, store):
    world, journal, _ = told
    needs = needs_of(journal, store, world.now)
    world.begin("fresh")
    needs_of(journal, store, world.now)
    while needs.read():
        pass
    (before,) = needs._reader.closed
    while needs.weigh(before.moved_at + 25 * HOUR):
        pass
    assert needs._reader.closed == []


def test_a_capsule_whose_way_is_gone_says_so(told, tmp_path, registry_of):
    world, journal, _ = told
    compact(journal, [], world.now)
    with pytest.raises(QuotesRemoved, match=r"on the way to this incident.*--lead.*\[E709\]"):
        make_capsule(journal, find_span(read_spans(journal), "loss"), tmp_path, registry_of)


def test_a_capsule_ends_where_quotes_are_gone_behind_the_breach(told, tmp_path, registry_of):
    world, journal, _ = told
    incident = find_span(read_spans(journal), "loss")
    fired = journal.seq_at(incident.fired_at)
    compact(journal, [Span(1, fired)], world.now)
    made = make_capsule(journal, incident, tmp_path, registry_of)
    assert made.manifest.journal.is_open
    assert made.manifest.journal.last <= incident.last
    assert made.comparison.is_identical


def test_a_reader_only_weighs(told, store):
    world, _, _ = told
    with Journal.read(store.path) as journal:
        assert needs_of(journal, store, world.now).spans(world.now)
