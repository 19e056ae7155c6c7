"""Recordings: bars, ticks and fills from every format, and every way a file can be bad."""

import gzip
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.feather as pa_feather
import pyarrow.parquet as pq
import pytest

from haltline.builtins.paper.price import CONTINUOUS
from haltline.builtins.replay.recording import ReplayRecording
from haltline.builtins.replay.setting import ReplaySetting
from haltline.clock import from_iso
from haltline.errors import CODES, ConfigError
from haltline.model.event import Fill, Quote
from haltline.model.order import Side

SHARED = Path(__file__).parents[4] / "shared/data"
BARS = "time,open,high,low,close,volume\n2025-05-06T00:00:00,10,12,9,11,5\n2025-05-06T00:01:00,11,13,10,12,5\n"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data set is not here")


def recording(folder: Path, *files: Mapping[str, object], **more: object) -> ReplayRecording:
    return ReplayRecording(msgspec.convert({"files": list(files), **more}, ReplaySetting), folder)


def written(folder: Path, text: str, name: str = "a.csv") -> dict[str, object]:
    (folder / name).write_text(text)
    return {"file": name, "symbol": "X"}


def lasts(found: ReplayRecording) -> list[float | None]:
    return [event.last for event in found.events() if isinstance(event, Quote)]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, [10, 9, 12, 9, 11]),
        ({"side": "short"}, [10, 12, 9, 12, 11]),
        ({"path": "ohlc"}, [10, 12, 9, 11]),
        ({"path": "olhc"}, [10, 9, 12, 11]),
        ({"path": "close"}, [11]),
    ],
)
def test_a_bar_is_visited_in_the_stated_order(tmp_path: Path, more: dict[str, object], expected: list[float]) -> None:
    assert lasts(recording(tmp_path, written(tmp_path, BARS), **more))[: len(expected)] == expected


def test_the_prices_of_a_bar_are_spread_over_its_length(tmp_path: Path) -> None:
    start = from_iso("2025-05-06T00:00:00Z")
    events = list(recording(tmp_path, written(tmp_path, BARS), path="ohlc").events())
    assert [(event.at - start) // 10**9 for event in events] == [0, 15, 30, 45, 60, 75, 90, 105]


def test_only_the_first_price_of_a_bar_may_gap(tmp_path: Path) -> None:
    events = list(recording(tmp_path, written(tmp_path, BARS), path="ohlc").events())
    assert [isinstance(e, Quote) and e.source == CONTINUOUS for e in events[:5]] == [False, True, True, True, False]


def test_reading_twice_gives_the_same_events_and_size_counts_them(tmp_path: Path) -> None:
    found = recording(tmp_path, written(tmp_path, BARS))
    assert list(found.events()) == list(found.events())
    assert found.size() == len(list(found.events())) == 10


@pytest.mark.parametrize(
    "stamps",
    [
        ("1746489600", "1746489660"),
        ("1746489600000", "1746489660000"),
        ("1746489600000000", "1746489660000000"),
        ("1746489600000000000", "1746489660000000000"),
        ("1746489600.0", "1746489660.0"),
        ("2025-05-06 00:00:00+00:00", "2025-05-06 00:01:00+00:00"),
        ("2025-05-06T00:00:00Z", "2025-05-06T00:01:00Z"),
        ("2025-05-06 00:00:00.000000", "2025-05-06 00:01:00.000000"),
    ],
)
def test_times_are_read_however_they_are_written(tmp_path: Path, stamps: tuple[str, str]) -> None:
    text = BARS.replace("2025-05-06T00:00:00", stamps[0]).replace("2025-05-06T00:01:00", stamps[1])
    events = list(recording(tmp_path, written(tmp_path, text), path="close").events())
    assert [event.at for event in events] == [from_iso("2025-05-06T00:00:00Z"), from_iso("2025-05-06T00:01:00Z")]


def test_another_spelling_of_times_can_be_stated(tmp_path: Path) -> None:
    text = BARS.replace("2025-05-06T00:00:00", "5/6/2025 0:00").replace("2025-05-06T00:01:00", "5/6/2025 0:01")
    file = written(tmp_path, text) | {"time_format": "%m/%d/%Y %H:%M"}
    assert next(recording(tmp_path, file).events()).at == from_iso("2025-05-06T00:00:00Z")


@pytest.mark.parametrize("suffix", ["csv.gz", "parquet", "feather"])
def test_every_format_gives_the_same_events(tmp_path: Path, suffix: str) -> None:
    expected = list(recording(tmp_path, written(tmp_path, BARS)).events())
    start = from_iso("2025-05-06T00:00:00Z")
    columns: dict[str, pa.Array[Any] | list[float]] = {
        "date": pa.array([start, start + 60 * 10**9], pa.timestamp("ns", "UTC")),
        **{
            name: [float(a), float(b)]
            for name, a, b in (("open", 10, 11), ("high", 12, 13), ("low", 9, 10), ("close", 11, 12))
        },
    }
    path = tmp_path / f"b.{suffix}"
    if suffix == "csv.gz":
        path.write_bytes(gzip.compress(BARS.encode()))
    elif suffix == "parquet":
        pq.write_table(pa.table(columns), path)
    else:
        pa_feather.write_feather(pa.table(columns), path)
    assert list(recording(tmp_path, {"file": path.name, "symbol": "X"}).events()) == expected


def test_several_symbols_in_one_file_stay_in_order_of_time(tmp_path: Path) -> None:
    rows = [f"2025-05-06T00:0{minute}:00,{symbol},10,12,9,11" for minute in range(3) for symbol in "AB"]
    (tmp_path / "a.csv").write_text("time,symbol,open,high,low,close\n" + "\n".join(rows) + "\n")
    events = list(recording(tmp_path, {"file": "a.csv"}).events())
    assert len(events) == 30
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert {event.symbol for event in events if isinstance(event, Quote)} == {"A", "B"}


def test_several_files_are_merged_in_order_of_time(tmp_path: Path) -> None:
    ticks = "time,bid,ask\n2025-05-06T00:00:30,1,2\n2025-05-06T00:00:30,1.5,2\n"
    merged = list(
        recording(tmp_path, written(tmp_path, BARS), written(tmp_path, ticks, "t.csv") | {"symbol": "T"}).events()
    )
    assert [event.at for event in merged] == sorted(event.at for event in merged)
    assert [event.bid for event in merged if isinstance(event, Quote) and event.symbol == "T"] == [1.0, 1.5]


def test_a_fill_log_keeps_its_decimals(tmp_path: Path) -> None:
    head = "time,account,symbol,side,quantity,price,fee,pnl,id\n"
    (tmp_path / "f.csv").write_text(head + "2025-05-06T00:00:00,eval,MNQ,SELL,2,21000.10,0.74,-12.30,t-1\n")
    (event,) = recording(tmp_path, {"file": "f.csv"}).events()
    assert isinstance(event, Fill)
    assert (event.account, event.side, event.price, event.fee) == (
        "eval",
        Side.SELL,
        Decimal("21000.10"),
        Decimal("0.74"),
    )
    assert (event.pnl, event.fill_id) == (Decimal("-12.30"), "t-1")


def test_a_fill_without_a_side_takes_it_from_the_sign(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("time,symbol,amount,price\n1746489600,AMD,-448,15.54\n")
    (event,) = recording(tmp_path, {"file": "f.csv", "kind": "fills", "account": "eval"}).events()
    assert isinstance(event, Fill)
    assert (event.side, event.quantity, event.fill_id) == (Side.SELL, Decimal(448), "f-1")


def codes(caught: pytest.ExceptionInfo[ConfigError]) -> list[str]:
    assert all(problem.code in CODES for problem in caught.value.problems)
    return [problem.code for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("2025-05-06T00:02:00,nan,13,10,12,5", "open is not a price"),
        ("2025-05-06T00:02:00,11,inf,10,12,5", "high is not a price"),
        ("2025-05-06T00:02:00,0,13,0,12,5", "open is not a price"),
        ("2025-05-06T00:02:00,11,13,-1,12,5", "low is not a price"),
        ("2025-05-06T00:02:00,11,13,10,oops,5", "close is not a price"),
        ("2025-05-06T00:02:00,11,13,10,,5", "close is not a price"),
        ("2025-05-06T00:02:00,11,11,10,12,5", "high or low"),
        ("2025-05-06T00:01:00,11,13,10,12,5", "not after"),
        ("2025-05-05T00:00:00,11,13,10,12,5", "not after"),
        ("yesterday,11,13,10,12,5", "time is missing"),
        (",11,13,10,12,5", "time is missing"),
    ],
)
def test_a_bad_row_is_an_error_with_file_and_line_or_left_out_and_counted(tmp_path: Path, row: str, why: str) -> None:
    file = written(tmp_path, f"{BARS}{row}\n")
    with pytest.raises(ConfigError, match=why) as caught:
        list(recording(tmp_path, file).events())
    assert codes(caught) == ["E553"]
    assert "a.csv:4:" in str(caught.value)
    skipping = recording(tmp_path, file, bad_rows="skip", path="close")
    assert lasts(skipping) == [11, 12]
    assert sum(skipping.skipped[str(tmp_path / "a.csv")].values()) == 1


def test_a_row_with_too_few_cells_is_an_error_or_counted(tmp_path: Path) -> None:
    file = written(tmp_path, BARS + "2025-05-06T00:02:00,11\n")
    with pytest.raises(ConfigError) as caught:
        list(recording(tmp_path, file).events())
    assert codes(caught) == ["E553"]
    assert "a.csv:4:" in str(caught.value)
    assert "2 cells instead of 6" in str(caught.value)
    skipping = recording(tmp_path, file, bad_rows="skip", path="close")
    assert lasts(skipping) == [11, 12]
    assert skipping.skipped[str(tmp_path / "a.csv")] == {"too few or too many cells": 1}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("2025-05-06T00:00:00,eval,X,hold,1,5", "side is not"),
        ("2025-05-06T00:00:00,eval,X,buy,0,5", "quantity"),
        ("2025-05-06T00:00:00,eval,X,buy,-1,5", "below 0"),
        ("2025-05-06T00:00:00,eval,X,buy,1,nan", "price"),
    ],
)
def test_a_bad_fill_is_an_error(tmp_path: Path, row: str, why: str) -> None:
    (tmp_path / "f.csv").write_text(f"time,account,symbol,side,quantity,price\n{row}\n")
    with pytest.raises(ConfigError, match=why):
        list(recording(tmp_path, {"file": "f.csv"}).events())


def test_a_tick_without_a_price_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="bid is not a price"):
        list(recording(tmp_path, written(tmp_path, "time,bid,ask\n1746489600,0,2\n")).events())


@pytest.mark.parametrize(
    ("text", "name", "code"),
    [
        ("", "a.csv", "E551"),
        ("not a parquet file", "a.parquet", "E551"),
        ("not a feather file", "a.feather", "E551"),
        ("x", "a.docx", "E551"),
        ("time,price\n\0\1,\2\n", "a.csv", "E551"),
        ("a,b\n1,2\n", "a.csv", "E552"),
        ("time,volume\n1,2\n", "a.csv", "E552"),
    ],
)
def test_a_file_of_the_wrong_kind_is_refused_at_once(tmp_path: Path, text: str, name: str, code: str) -> None:
    with pytest.raises(ConfigError) as caught:
        recording(tmp_path, written(tmp_path, text, name))
    assert codes(caught) == [code]


def test_a_file_without_rows_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        list(recording(tmp_path, written(tmp_path, "time,open,high,low,close\n")).events())
    assert codes(caught) == ["E554"]


def test_a_truncated_archive_is_an_error(tmp_path: Path) -> None:
    rows = "".join(f"{1_746_489_600 + 60 * count},10.{count % 97},12.{count % 89},9.5,11,1\n" for count in range(5000))
    whole = gzip.compress(("time,open,high,low,close,volume\n" + rows).encode())
    (tmp_path / "a.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError) as caught:
        list(recording(tmp_path, {"file": "a.csv.gz", "symbol": "X"}).events())
    assert codes(caught) == ["E551"]


def test_bars_need_a_symbol(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(BARS)
    with pytest.raises(ConfigError, match="symbol"):
        recording(tmp_path, {"file": "a.csv"})


def test_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        recording(tmp_path, {"file": "no.csv"}, {"file": "neither.csv"})
    assert codes(caught) == ["E551", "E551"]


@needs_shared
@pytest.mark.parametrize(
    ("file", "count"),
    [("bars/binance_um_LAYERUSDT_1m_2025-05.feather", 43_199), ("bars/cme_6EH4_1m_2024-01.csv.gz", 29_996)],
)
def test_real_bars_are_read_whole(file: str, count: int) -> None:
    found = recording(SHARED, {"file": file, "symbol": "X"}, path="close")
    assert sum(1 for _ in found.events()) == found.size() == count


@needs_shared
def test_the_real_crash_is_in_the_replay() -> None:
    prices = lasts(recording(SHARED, {"file": "bars/binance_um_LAYERUSDT_1m_2025-05.feather", "symbol": "X"}))
    peak, deepest = 0.0, 0.0
    for price in prices:
        assert price is not None
        peak = max(peak, price)
        deepest = min(deepest, price / peak - 1)
    assert deepest < -0.46


@needs_shared
def test_real_ticks_are_streamed() -> None:
    events = recording(SHARED, {"file": "ticks/lean_SPY_trade_ticks_2013-10-07_11.parquet", "symbol": "SPY"}).events()
    first = [next(events) for _ in range(100_000)]
    assert first[0].at < first[-1].at


@needs_shared
def test_a_real_fill_log_is_read() -> None:
    file = {"file": "fills/pyfolio_test_txn.csv.gz", "account": "eval", "kind": "fills"}
    fills = list(recording(SHARED, file).events())
    assert len(fills) == 9367
    assert isinstance(fills[0], Fill)
    assert (fills[0].symbol, fills[0].price) == ("AMD", Decimal("15.54"))
