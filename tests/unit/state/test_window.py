"""Rolling windows: against a plain reference, bounded, exact to restore, and honest about when answers change."""

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haltline.state.window import BUCKETS, EventWindow, SeriesWindow

S = 10**9
SPAN_S = 300
NAN = math.nan
VALUES = st.one_of(st.integers(-1000, 1000).map(float), st.just(NAN))
SAMPLES = st.lists(st.tuples(st.integers(1, 60), VALUES), min_size=1, max_size=60)


def timeline(samples):
    """Samples at whole seconds, so that each has its own bucket and answers are exact."""
    now, rows = 1_000_000, []
    for step, value in samples:
        now += step
        rows.append((now, value))
    return rows


def window_of(rows, duration_s=SPAN_S):
    window = SeriesWindow(duration_s * S)
    for at, value in rows:
        window.add(at * S, value)
    return window


def held_in(rows, now):
    """Values held in (now - span, now], with how long."""
    start = now - SPAN_S
    ends = [at for at, _ in rows[1:]] + [now]
    for (at, value), end in zip(rows, ends, strict=True):
        is_held_at_start = at <= start < end or (at <= start and end == now)
        if (at > start or is_held_at_start) and value == value:
            yield value, max(end - max(at, start), 0)


@given(SAMPLES, st.integers(0, 400))
@settings(deadline=None, max_examples=200)
def test_all_answers_agree_with_a_plain_reference(samples, wait):
    rows = timeline(samples)
    now = rows[-1][0] + wait
    window = window_of(rows)
    answers = [
        window.change(now * S), window.min_over(now * S), window.max_over(now * S),
        window.avg_over(now * S), window.stddev_over(now * S),
    ]  # fmt: skip
    newest = rows[-1][1]
    if newest != newest:
        assert all(map(math.isnan, answers))
        return
    known = [(at, value) for at, value in rows if value == value]
    before = [value for at, value in known if at <= now - SPAN_S]
    held = list(held_in(rows, now))
    total = sum(span for _, span in held)
    mean = sum(value * span for value, span in held) / total if total else newest
    variance = sum((value - mean) ** 2 * span for value, span in held) / total if total else 0.0
    assert answers[0] == newest - (before[-1] if before else known[0][1])
    assert answers[1:3] == [min(value for value, _ in held), max(value for value, _ in held)]
    assert answers[3] == pytest.approx(mean, abs=1e-6)
    assert answers[4] == pytest.approx(math.sqrt(variance), abs=1e-2)


def test_s0_19_the_same_loss_counts_within_the_window_only():
    fast = window_of([(0, 1000.0), (299, 690.0)])
    assert fast.change(299 * S) == -310.0
    slow = window_of([(second, 1000.0 - second / 900 * 310) for second in range(901)])
    assert slow.change(900 * S) == pytest.approx(-310 / 3)


def test_memory_is_bounded_however_many_samples_come():
    window = SeriesWindow(300 * S)
    for step in range(50_000):
        window.add(step * S // 50, math.sin(step))
    assert len(window.snapshot()["buckets"]) <= BUCKETS + 2
    assert (window.min_over(1000 * S), window.max_over(1000 * S)) == (
        pytest.approx(-1.0, abs=1e-6),
        pytest.approx(1.0, abs=1e-6),
    )


def test_long_life_does_not_wear_the_sums_out():
    window = SeriesWindow(60 * S)
    for step in range(200_000):
        window.add(step * S, 1e6 + step % 2)
    assert window.avg_over(200_000 * S) == pytest.approx(1e6 + 0.5, abs=1e-6)
    assert window.stddev_over(200_000 * S) == pytest.approx(0.5, abs=1e-3)


def test_an_empty_window_knows_nothing():
    window = SeriesWindow(S)
    answers = [window.change(0), window.min_over(0), window.max_over(0), window.avg_over(0), window.stddev_over(0)]
    assert all(map(math.isnan, answers))
    assert window.expires_at(0) is None


def test_one_sample_is_its_own_least_greatest_and_average():
    window = window_of([(0, 5.0)])
    assert [window.change(0), window.min_over(0), window.max_over(0), window.avg_over(0), window.stddev_over(0)] == [
        0.0,
        5.0,
        5.0,
        5.0,
        0.0,
    ]


def test_an_answer_changes_by_time_alone_when_the_oldest_sample_leaves():
    window = window_of([(0, 5.0), (10, 7.0)])
    assert window.expires_at(10 * S) == SPAN_S * S
    assert window.change(SPAN_S * S - 1) == 2.0
    assert window.expires_at(SPAN_S * S) == (SPAN_S + 10) * S
    assert window.change((SPAN_S + 10) * S) == 0.0
    assert window.expires_at((SPAN_S + 10) * S) is None


@given(SAMPLES, SAMPLES)
@settings(deadline=None, max_examples=100)
def test_a_restored_series_goes_on_exactly(first, then):
    rows = timeline(first)
    original, restored = window_of(rows, 30), SeriesWindow(30 * S)
    restored.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(original.snapshot())))
    now = rows[-1][0]
    for step, value in then:
        now += step
        answers = []
        for window in (original, restored):
            window.add(now * S, value)
            found = (
                window.change,
                window.min_over,
                window.max_over,
                window.avg_over,
                window.stddev_over,
                window.expires_at,
            )
            answers.append([ask(now * S) for ask in found])
        assert repr(answers[0]) == repr(answers[1])
    assert repr(restored.snapshot()) == repr(original.snapshot())


def test_events_count_until_they_are_exactly_as_old_as_the_window():
    window = EventWindow(60 * S)
    for at in (0, 10, 20):
        window.add(at * S, 1.0)
    assert (window.count(60 * S - 1), window.count(60 * S), window.count(79 * S)) == (3.0, 2.0, 1.0)
    assert window.expires_at(79 * S) == 80 * S
    assert window.count(80 * S) == 0.0
    assert window.expires_at(80 * S) is None


@given(st.lists(st.floats(-1e12, 1e12), max_size=50))
@settings(deadline=None, max_examples=100)
def test_sums_are_exact_with_and_without_end(values):
    bounded, endless = EventWindow(S), EventWindow()
    for value in values:
        bounded.add(0, value)
        endless.add(0, value)
    assert bounded.sum(0) == endless.sum(0) == math.fsum(values)


@given(st.lists(st.sampled_from([0.0, 1.0]), max_size=30))
@settings(deadline=None, max_examples=50)
def test_a_streak_is_the_run_at_the_end(values):
    window = EventWindow()
    for at, value in enumerate(values):
        window.add(at, value)
    run = 0
    while run < len(values) and values[-1 - run]:
        run += 1
    assert window.streak(len(values)) == run


def test_a_streak_that_meets_an_unknown_is_unknown():
    window = EventWindow(100)
    for value in (1.0, NAN, 1.0):
        window.add(1, value)
    assert math.isnan(window.streak(2))
    assert math.isnan(window.sum(2))


def test_an_event_taken_back_never_was():
    for window in (EventWindow(100), EventWindow()):
        for at, value in ((1, 0.1), (2, 0.2), (3, 0.3)):
            window.add(at, value)
        window.take_back(2, 0.2)
        window.take_back(9, 9.0)
        assert (window.count(3), window.sum(3), window.streak(3)) == (2.0, 0.4, 2.0)


def test_events_without_end_stay_bounded_in_memory():
    window = EventWindow()
    for at in range(10_000):
        window.add(at, 0.1)
    assert (window.count(10_000), window.sum(10_000)) == (10_000.0, math.fsum([0.1] * 10_000))
    assert len(window.snapshot()["events"]) <= 512


@pytest.mark.parametrize("duration", [50, None])
def test_a_restored_event_window_goes_on_exactly(duration):
    original, restored = EventWindow(duration), EventWindow(duration)
    for at in range(100):
        original.add(at, at / 10)
    restored.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(original.snapshot())))
    for at in range(100, 130):
        for window in (original, restored):
            window.add(at, at / 10)
    for window in (original, restored):
        assert (window.count(130), window.sum(130)) == (original.count(130), original.sum(130))
    assert restored.snapshot() == original.snapshot()


@pytest.mark.parametrize(
    "data",
    [
        {"before": None, "buckets": "no", "evicted": 0, "reference": 1.0},
        {"before": None, "buckets": [], "evicted": "x", "reference": 1.0},
    ],
)
def test_a_snapshot_of_something_else_is_refused(data):
    with pytest.raises(TypeError):
        SeriesWindow(S).restore(data)
