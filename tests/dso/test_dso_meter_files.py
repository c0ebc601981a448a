"""Anyone's files of measurements: long and wide, CSV and Parquet, on days when the clock is changed too."""

import io
import re
import time
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridroom.dso.readings.files import read_csv, read_file, zone_named
from gridroom.dso.readings.measurements import NOT_MEASURED, Delivery, DeliveryError, HeaderError, Reason, Series
from gridroom.dso.readings.wall_times import Kind, to_utc
from gridroom.timegrid import local_span

START = datetime(2026, 1, 5, tzinfo=UTC)
BLOCK = timedelta(minutes=15)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
LONG = "time,cable,L1,L2,L3\n"


def csv(text: str, zone: ZoneInfo | None = None) -> Delivery:
    return read_csv(io.BytesIO(text.encode()), BLOCK, zone)


def starts(series: Series) -> list[str]:
    return [series.moment(int(one)).isoformat() for one in series.first]


def wheres(delivery: Delivery) -> list[str]:
    return [one.where for one in delivery.received.findings]


# -- long ------------------------------------------------------------------------------------------------------------


def test_a_broken_row_is_named_with_its_line_and_the_good_ones_are_read() -> None:
    delivery = csv(
        LONG + "2026-01-05T00:00:00Z,c,1,2,3\n"
        "2026-01-05 00:15+00,c,1,2,3,4\n"
        "2026-01-05T00:30:00Z,c,1,x,3\n"
        "2026-01-05T00:45:00Z,c,1,2\n"
        "yesterday,c,1,2,3\n"
        "2026-01-05T01:00:30Z,c,1,2,3\n"
        "2026-01-05T01:00:00Z,,1,2,3\n"
        "1026-01-05T01:00:00Z,c,1,2,3\n"
        "2026-01-05T01:00:00.5Z,c,1,2,3\n"
        "\n"
        "2026-01-05T01:15:00+01:00,c,-1.005,2,3\n"
    )
    assert starts(delivery.series["c"]) == ["2026-01-05T00:00:00+00:00", "2026-01-05T00:15:00+00:00"]
    assert delivery.series["c"].current_ca[:, 1].tolist() == [-100, 200, 300]  # towards more load
    assert delivery.series["c"].rows.tolist() == [2, 12]
    assert wheres(delivery) == [f"row {n}" for n in range(3, 11)]
    texts = [one.text for one in delivery.received.findings]
    for text, word in zip(
        texts,
        ["6 values, not 5; write a point", "L2", "4 values", "ISO", "60 s", "cable", "century", "second"],
        strict=True,
    ):
        assert word in text


@pytest.mark.parametrize("broken", [False, True])
def test_arrow_and_the_careful_way_read_the_same(broken: bool) -> None:
    text = LONG + "".join(
        f"2026-01-05T{h:02}:00:00+01:00, c{h % 3},{h / 7:.4f},{'' if h == 5 else -h},{'NaN' if h == 7 else '1e9'}\n"
        for h in range(20)
    )
    delivery = csv(text + ("nothing\n" if broken else ""))
    assert delivery.received.refused == broken
    for k in range(3):
        series = delivery.series[f"c{k}"]
        hours = np.arange(k, 20, 3)
        assert series.first.tolist() == ((START.timestamp() + (hours - 1) * 3600) // 60).astype(int).tolist()
        assert series.current_ca[0].tolist() == [-(-int(f"{h / 7:.4f}".replace(".", "")) // 100) for h in hours]
        assert series.current_ca[1].tolist() == [NOT_MEASURED if h == 5 else -100 * h for h in hours]
        assert series.odd.all()
        assert series.current_ca[2].tolist() == [0 if h == 7 else 10_000_000 for h in hours]
        assert series.rows.tolist() == (hours + 2).tolist()


def test_rows_may_be_shorter_or_longer_than_a_block() -> None:
    rows = [("00:05", "300"), ("00:15", "3600"), ("02:00", ""), ("03:00", "301"), ("03:15", "x"), ("03:30", "9e9")]
    text = "".join(f"2026-01-05T{at}:00Z,c,1,2,3,{seconds}\n" for at, seconds in rows)
    delivery = csv("time,cable,L1,L2,L3,seconds\n" + text)
    assert delivery.series["c"].count.tolist() == [5, 60, 15]
    assert wheres(delivery) == ["row 5", "row 6", "row 7"]


@pytest.mark.parametrize(
    ("minutes", "n", "lasts"), [(60, 48, 60), (360, 48, 360), (60, 20, 15), (15, 48, 15), (5, 48, 15)]
)
def test_rows_that_are_far_apart_in_a_long_file_do_not_pass_for_readings_of_a_block(
    minutes: int, n: int, lasts: int
) -> None:
    times = [START + i * timedelta(minutes=minutes) for i in range(n)]
    rows = [f"{time.isoformat()},c,1,2,3" for time in times]
    assert set(csv(LONG + "\n".join(rows)).series["c"].count.tolist()) == {lasts}
    said = "time,cable,L1,L2,L3,seconds\n" + "\n".join(f"{one},900" for one in rows)
    assert set(csv(said).series["c"].count.tolist()) == {15}, "what a row says counts"
    assert set(csv(LONG + "\n".join(rows[:1] * n)).series["c"].count.tolist()) == {15}


@pytest.mark.parametrize(("hours", "n", "lasts"), [(1, 3, 60), (6, 48, 360), (6, 20, 15)])
def test_many_rows_of_a_wide_file_may_be_hours_apart(hours: int, n: int, lasts: int) -> None:
    rows = (f"{(START + timedelta(hours=hours * i)).isoformat()},1\n" for i in range(n))
    assert set(csv(f"time,c.L1\n{''.join(rows)}").series["c"].count.tolist()) == {lasts}


@pytest.mark.parametrize(
    "row",
    [
        f"2026-01-05T00:00:00Z,{'c' * 200_000},1,1,1,900",
        f"2026-01-05T00:00:00Z,c,1,1,1,{'9' * 30}",
        "0001-01-01T00:00:00+10:00,c,1,1,1,900",
        "9999-12-31T23:59:00Z,c,1,1,1,900",
        "2026-01-05T00:00:00Z,c,1,1,1,-900",
        '2026-01-05T00:00:00Z,c,"1,1,1,900',
    ],
)
def test_whatever_stands_in_a_row_it_is_a_finding(row: str) -> None:
    delivery = csv(f"time,cable,L1,L2,L3,seconds\n2026-01-05T00:00:00Z,d,1,1,1,900\n{row}\n")
    assert len(delivery.series["d"]) == 1
    assert delivery.received.findings[0].where in ("row 3", "row 4")
    assert "c" not in delivery.series


@given(st.binary(max_size=100) | st.text(max_size=100).map(str.encode))
def test_whatever_stands_in_a_file_nothing_else_is_raised(data: bytes) -> None:
    for text in (data, LONG.encode() + data, b"time,c.L1\n" + data, LONG.encode() + b"2026-01-05T00:00:00Z,c," + data):
        with suppress(DeliveryError):
            read_csv(io.BytesIO(text), BLOCK, AMSTERDAM)


@pytest.mark.parametrize(
    ("head", "hint"),
    [
        ("time;cable;L1;L2;L3", "columns are separated by commas, and numbers have a point"),
        ("cable\tlimit_a", "columns are separated by commas, and numbers have a point"),
        ("Time,Cable,l1,l2,l3", "write time for Time, cable for Cable, L1 for l1, L2 for l2, L3 for l3"),
        ("Cable,Limit_A", "write cable for Cable"),
        ("time,cable,L1,L2,L3,quality,N", "leave out quality, N"),
        ("[]", "readings in JSON come over HTTPS or MQTT only"),
        ("", "the file is empty"),
        ("a,b", "a,b are no columns of measurements"),
    ],
)
def test_of_a_header_that_is_nearly_right_it_is_told_what_to_change(head: str, hint: str) -> None:
    with pytest.raises(HeaderError, match=re.escape(f"row 1: {hint}; the columns must be ")):
        csv(head + "\n" if head else "")


def test_columns_may_stand_in_any_order() -> None:
    delivery = csv("cable,L3,L2,L1,time\nc,3,2,1,2026-01-05T00:00:00Z\n")
    assert delivery.series["c"].current_ca.tolist() == [[100], [200], [300]]


def test_a_decimal_comma_is_pointed_out() -> None:
    delivery = csv(LONG + '2026-01-05T00:00:00Z,c,1,"2,5",3\n')
    assert str(delivery.received.findings[0]) == "row 2: L2: '2,5' is no number; write a point for the comma"


@pytest.mark.parametrize(
    "head", ["time;cable;L1", "", "time", "cable,L1,L2,L3", "time,cable,L1,L2", "time,a.L4", "time,a", "time,a.L1,b"]
)
def test_a_file_with_another_header_is_refused_whole(head: str) -> None:
    with pytest.raises(DeliveryError, match=r"row 1: .*; the columns must be time,cable,L1,L2,L3"):
        csv(head + "\n")


def test_a_column_that_is_there_twice_is_refused() -> None:
    with pytest.raises(DeliveryError, match=r"'c\.L1' stands there twice"):
        csv("time,c.L1,c.L1\n")


# -- wide ------------------------------------------------------------------------------------------------------------


def test_a_wide_row_lasts_until_the_next() -> None:
    rows = "".join(f"2026-01-05T00:{m:02}:00Z,1,2,3,{m},,5\n" for m in range(0, 60, 5))
    delivery = csv("time,a.b.L1,a.b.L2,a.b.L3,c.L1,c.L2,c.L3\n" + rows)
    assert delivery.series["a.b"].count.tolist() == [5] * 12
    assert delivery.series["c"].current_ca[:, 2].tolist() == [1000, NOT_MEASURED, 500]
    hourly = csv("time,c.L1\n" + "".join(f"2026-01-05T{h:02}:00:00Z,1\n" for h in (0, 1, 2, 5)))
    assert hourly.series["c"].count.tolist() == [60] * 4
    assert csv("time,c.L1\n2026-01-05T00:00:00Z,1\n").series["c"].count.tolist() == [15]
    assert hourly.series["c"].current_ca.tolist() == [[100] * 4, [NOT_MEASURED] * 4, [NOT_MEASURED] * 4]


def test_what_is_empty_was_not_measured_and_what_is_no_number_is_a_finding() -> None:
    delivery = csv("time,c.L1,c.L2,c.L3\n2026-01-05T00:00:00Z,,,\n2026-01-05T00:15:00Z,1,x,2\nnow,1,1,1\n")
    assert delivery.series == {}
    assert [str(one) for one in delivery.received.findings] == [
        "row 3: c.L2: 'x' is no number",
        "row 4: time: 'now' is no time in ISO 8601, such as 2026-01-05T17:15:00Z",
    ]


# -- Parquet ---------------------------------------------------------------------------------------------------------


def parquet(folder: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), folder / "m")
    return folder / "m"


def test_parquet_is_read_by_its_content_whatever_its_types(tmp_path: Path) -> None:
    for unit in ("s", "ms", "us", "ns"):
        moments = pa.array([START + i * BLOCK for i in range(3)] + [None], pa.timestamp(unit, "Europe/Amsterdam"))
        file = parquet(
            tmp_path,
            **{
                "c.L1": pa.array([1, None, 3, 4], pa.float32()),
                "time": moments,
                "c.L2": pa.array([1, None, 3, 4], pa.int16()),
                "c.L3": pa.array(["1", None, "x", "4"]),
            },
        )
        delivery = read_file(file, BLOCK)
        assert starts(delivery.series["c"]) == ["2026-01-05T00:00:00+00:00"]
        assert delivery.series["c"].current_ca.tolist() == [[100]] * 3
        assert wheres(delivery) == ["row 3", "row 4"]


def test_long_parquet_with_texts_and_categories(tmp_path: Path) -> None:
    cable = pa.array(["c", "d", None]).dictionary_encode()
    file = parquet(tmp_path, time=["2026-01-05T00:00:00Z"] * 3, cable=cable, L1=[1, 2, 3], L2=[1, 2, 3], L3=[1, 2, 3])
    delivery = read_file(file, BLOCK)
    assert {name: one.current_ca[0].tolist() for name, one in delivery.series.items()} == {"c": [100], "d": [200]}
    assert [str(one) for one in delivery.received.findings] == ["row 3: cable: needs a name of 1 to 200 characters"]


def test_a_broken_parquet_file_is_refused_in_one_line(tmp_path: Path) -> None:
    whole = parquet(tmp_path, time=["2026-01-05T00:00:00Z"] * 999, **{"c.L1": np.arange(999.0)}).read_bytes()
    for data in (whole[:-20], whole[:200] + b"?" * (len(whole) - 208) + whole[-8:], b"PAR1"):
        (tmp_path / "broken").write_bytes(data)
        with pytest.raises(DeliveryError, match="broken: "):
            read_file(tmp_path / "broken", BLOCK)


# -- clocks on the wall ----------------------------------------------------------------------------------------------


def shown(start: datetime, n: int, minutes: int = 15) -> list[str]:
    moments = (start + i * timedelta(minutes=minutes) for i in range(n))
    return [moment.astimezone(AMSTERDAM).replace(tzinfo=None).isoformat() for moment in moments]


@pytest.mark.parametrize(("month", "day", "quarters"), [(3, 29, 92), (10, 25, 100), (1, 5, 96)])
def test_a_local_day_has_92_96_or_100_quarters(month: int, day: int, quarters: int) -> None:
    first, end = local_span(date(2026, month, day), AMSTERDAM)
    assert (end - first) // BLOCK == quarters
    times = shown(first, quarters)
    wide = csv("time,c.L1\n" + "".join(f"{one},{i}\n" for i, one in enumerate(times)), AMSTERDAM)
    rows = [f"{one},{cable},{i},0,0\n" for i, one in enumerate(times) for cable in ("c", "d")]
    long = csv(LONG + "".join(rows), AMSTERDAM)
    back = csv("time,c.L1\n" + "".join(f"{one},{i}\n" for i, one in reversed(list(enumerate(times)))), AMSTERDAM)
    for series in (wide.series["c"], long.series["c"], long.series["d"], back.series["c"]):
        order = np.argsort(series.first)
        assert series.first[order].tolist() == [first.timestamp() // 60 + 15 * i for i in range(quarters)]
        assert (series.current_ca[0, order] // 100).tolist() == list(range(quarters))
        assert series.guessed.sum() == (8 if quarters == 100 else 0)
    assert not wide.received.refused


def test_the_hour_that_the_clock_skips_is_refused() -> None:
    text = "time,c.L1\n" + "".join(f"2026-03-29T0{h}:{m:02}:00,1\n" for h in (1, 2, 3) for m in (0, 15, 30, 45))
    delivery = csv(text, AMSTERDAM)
    assert [str(one) for one in delivery.received.findings] == [
        "row 6: time: 2026-03-29T02:00:00 is skipped by the clocks on that day (3 more like this)"
    ]
    assert len(delivery.series["c"]) == 8


def test_times_without_a_zone_are_refused_unless_it_is_said(tmp_path: Path) -> None:
    delivery = csv("time,c.L1\n2026-01-05T00:00:00,1\n")
    text = "time: '2026-01-05T00:00:00' has no zone; write UTC with Z, or import them with --zone Europe/Amsterdam"
    assert [str(one) for one in delivery.received.findings] == [f"row 2: {text}"]
    many = csv("time,c.L1\nnow,1\n" + "2026-01-05T00:00:00,1\n" * 300 + "2026-01-05T00:00:00Z,1\n").received
    assert [one.where for one in many.findings] == ["row 3", "row 2"]
    assert many.findings[0].text.startswith("time: '2026-01-05T00:00:00' and those of 299 more rows have no zone;")
    assert (many.refused, many.untold, many.counts) == (301, 0, {Reason.UNREADABLE: 301})
    file = parquet(tmp_path, time=pa.array([1783209600], pa.timestamp("s")), **{"c.L1": [1.0]})
    assert read_file(file, BLOCK).received.counts == {Reason.UNREADABLE: 1}
    assert starts(read_file(file, BLOCK, AMSTERDAM).series["c"]) == ["2026-07-04T22:00:00+00:00"]
    assert zone_named(None) is None
    with pytest.raises(DeliveryError, match="'Mars/Olympus' is no time zone"):
        zone_named("Mars/Olympus")


@given(
    st.sampled_from(["Europe/Amsterdam", "America/Havana", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca"]),
    st.integers(0, 365 * 96),
    st.integers(1, 300),
    st.booleans(),
)
def test_what_a_clock_showed_leads_back_to_the_moments(zone: str, quarter: int, n: int, backwards: bool) -> None:
    """Whole hours that come twice: the file holds both."""
    moments = [datetime(2026, 1, 1, tzinfo=UTC) + (quarter + i) * BLOCK for i in range(n)]
    local = [moment.astimezone(ZoneInfo(zone)).replace(tzinfo=UTC) for moment in moments]
    seconds = np.array([one.timestamp() for one in local], dtype=np.int64)
    order = slice(None, None, -1 if backwards else 1)
    utc, kinds = to_utc(seconds[order], ZoneInfo(zone))
    assert not (kinds == Kind.MISSING).any()
    twice = np.array([int((seconds == one).sum()) == 2 for one in seconds[order]])
    sure = (kinds == Kind.PLAIN) | twice
    assert (utc == np.array([one.timestamp() for one in moments], dtype=np.int64)[order])[sure].all()


# -- size ------------------------------------------------------------------------------------------------------------


def test_a_year_of_thirty_series_is_read_in_a_moment_and_progress_is_told(tmp_path: Path) -> None:
    n = 35_040
    columns = {f"c{k}.L{phase}": np.arange(n) / 7 for k in range(10) for phase in (1, 2, 3)}
    moments = pa.array(np.arange(n) * 900 + int(START.timestamp()), pa.timestamp("s", "UTC"))
    file, told = parquet(tmp_path, time=moments, **columns), list[tuple[int, int]]()
    begin = time.process_time()
    delivery = read_file(file, BLOCK, None, lambda done, whole: told.append((done, whole)))
    assert time.process_time() - begin < 5  # a loop over 350,000 rows takes longer by far
    assert sum(len(one) for one in delivery.series.values()) == 10 * n
    assert told[-1] == (n, n)
