"""START or END of the minute: read off the body, against every recording there is."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path

import pytest
from tradewind.adapters.alpha_vantage.labels import NEW_YORK, Side, label_side, start_of
from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE

DATA = Path(__file__).parents[4] / "shared" / "data"


def at(text: str, day: str = "2019-02-14") -> datetime:
    return datetime.fromisoformat(f"{day} {text}")


def quiet(*texts: str, day: str = "2019-02-14") -> dict[datetime, int]:
    """Labels of minutes that are all alike."""
    return {at(text, day): 100 for text in texts}


OLD, NEW = "2019-02-14", "2026-05-15"

# The body, and which minute its labels mean.
BODIES: list[tuple[str, Mapping[datetime, int], Side]] = [
    # The body's own marks are stronger than its date, in both directions: an old month asked for
    # today is labelled in today's way.
    ("regular day by start", quiet("09:30", "09:31", "15:59", day=OLD), "start"),
    ("regular day by end", quiet("09:31", "15:59", "16:00", day=NEW), "end"),
    ("half-day by end", quiet("09:31", "12:59", "13:00", day=NEW), "end"),
    ("by start, closing auction at 16:00", quiet("09:30", "15:59", "16:00", day=OLD), "start"),
    # Extended hours.
    ("04:00 is no end", quiet("04:00", "08:00", day=OLD), "start"),
    ("20:00 is no start", quiet("18:00", "20:00", day=NEW), "end"),
    (
        "busy after the open",
        {**quiet("08:00", day=NEW), at("09:30", NEW): 90, at("09:31", NEW): 900},
        "end",
    ),
    (
        "busy at the open",
        {**quiet("09:29", day=OLD), at("09:30", OLD): 5_000, at("09:31", OLD): 4_000},
        "start",
    ),
    # Nothing tells: the date of the newest label does.
    ("middle of a day, old", quiet("13:17", "14:56", day="2017-12-18"), "end"),
    ("middle of a day, new", quiet("13:17", "14:56", day=NEW), "start"),
    ("the last day by end", quiet("14:00", day="2023-07-09"), "end"),
    ("the first day by start", quiet("14:00", day="2023-07-10"), "start"),
    # The compact body: an afternoon's end and a morning's beginning.
    (
        "cut day, new, thin opening",
        {**quiet("15:10", "15:59", day="2026-05-14"), **quiet("09:31", "09:40", day=NEW)},
        "start",
    ),
    (
        "cut day, old",
        {**quiet("15:10", "16:00", day="2019-02-13"), **quiet("09:31", "09:40", day=OLD)},
        "end",
    ),
    # Days outvote a day: a thin symbol's odd opening.
    (
        "two to one",
        {
            **quiet("09:30", "15:59", day="2026-05-12"),
            **quiet("09:30", "15:59", day="2026-05-13"),
            **quiet("09:31", "16:00", day="2026-05-14"),
        },
        "start",
    ),
    # A tie is decided by the date.
    (
        "one to one",
        {**quiet("09:30", "15:59", day="2026-05-12"), **quiet("09:31", "16:00", day="2026-05-13")},
        "start",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("volumes", "side"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES]
)
def test_what_a_body_says(volumes: Mapping[datetime, int], side: Side) -> None:
    assert label_side(volumes) == side


# -- times -----------------------------------------------------------------------------------

# Label, side, start in UTC.
STARTS: list[tuple[str, Side, str]] = [
    ("2026-11-23 09:30", "start", "2026-11-23T14:30"),  # winter
    ("2026-11-23 09:31", "end", "2026-11-23T14:30"),
    ("2026-07-01 09:30", "start", "2026-07-01T13:30"),  # summer
    ("2026-10-30 15:59", "start", "2026-10-30T19:59"),  # the last session of summer time
    ("2026-11-02 09:30", "start", "2026-11-02T14:30"),  # the first of winter time
    ("2026-03-06 16:00", "end", "2026-03-06T20:59"),  # the last of winter time
    ("2026-03-09 09:31", "end", "2026-03-09T13:30"),  # the first of summer time
    ("2020-11-01 00:59", "start", "2020-11-01T04:59"),  # beside the hour that is there twice
    ("2020-11-01 02:00", "start", "2020-11-01T07:00"),
    ("2020-03-08 03:00", "end", "2020-03-08T06:59"),  # beside the hour that is not there
]


@pytest.mark.parametrize(("label", "side", "start"), STARTS)
def test_new_york_wall_clock_becomes_utc(label: str, side: Side, start: str) -> None:
    expected = datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert start_of(datetime.fromisoformat(label), side) == expected


@pytest.mark.parametrize("label", ["2020-11-01 01:30", "2020-11-01 01:00", "2020-03-08 02:30"])
def test_a_time_that_is_not_there_once_is_refused(label: str) -> None:
    with pytest.raises(InvalidInputError, match="twice or not at all"):
        start_of(datetime.fromisoformat(label), "start")


# -- recordings ------------------------------------------------------------------------------


def rows(path: str) -> dict[datetime, int]:
    file = DATA / path
    if not file.is_file():
        pytest.skip("../shared/data is absent")
    if file.suffix == ".json":
        body = json.loads(file.read_bytes())
        (series,) = (value for name, value in body.items() if name.startswith("Time Series"))
        return {datetime.fromisoformat(at): int(row["5. volume"]) for at, row in series.items()}
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        names = {name.lower(): name for name in reader.fieldnames or ()}
        column = next(names[name] for name in ("timestamp", "datetime", "date") if name in names)
        return {
            _new_york(row[column]): int(float(row[names["volume"]]))
            for row in reader
            if row[column]
        }


def _new_york(text: str) -> datetime:
    if "/" in text:  # the index file alone: month first
        return datetime.strptime(text, "%m/%d/%Y %H:%M")  # noqa: DTZ007 - New York, naive
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is None else moment.astimezone(NEW_YORK).replace(tzinfo=None)


def by_day(volumes: Mapping[datetime, int]) -> Iterator[tuple[date, dict[datetime, int]]]:
    for day, labels in groupby(sorted(volumes), key=lambda label: label.date()):
        yield day, {label: volumes[label] for label in labels}


AV_2019 = [
    f"bars_1min/av_2019_02/{name}_1min.csv"
    for name in ("AAPL", "AMZN", "BAC", "MSFT", "PPLT", "QQQ", "SPY", "TZA", "UGA", "VXXB")
]
AV_2020 = [
    f"bars_1min/av_2020_2021/intraday_1min_{name}.csv" for name in ("AAPL", "MSFT", "INTC", "WMT")
]
AV = "fixtures_alphavantage/"

# Alpha Vantage's own recordings, with the interval in minutes; then other sources that label by
# START, for its two forms: regular hours (the index, whose volume is always 0) and extended hours.
FILES: list[tuple[str, int, Side]] = [
    *((file, 1, "end") for file in (*AV_2019, *AV_2020)),
    *((f"bars_15min/av_2019/{name}_15min.csv", 15, "end") for name in ("AAPL", "MSFT", "SPY")),
    (AV + "TIME_SERIES_INTRADAY_1min_MSFT_2017.json", 1, "end"),
    (AV + "TIME_SERIES_INTRADAY_5min_IBM_2020.json", 5, "end"),
    (AV + "recorded_2026_05_demo_TIME_SERIES_INTRADAY_3dbdcdc7.csv", 5, "start"),
    ("bars_1min/mplfinance_index/SP500_NOV2019_IDay.csv", 1, "start"),
    ("bars_1min/lean/SPY_20131004_20131011.csv", 1, "start"),
    ("bars_1min/lean/AAPL_20140605_20140609_split7for1.csv", 1, "start"),
    ("bars_1min/aapl_2024_01/AAPL_20240102_20240122.csv", 1, "start"),
    ("bars_1min/aapl_2025_09_26/AAPL_20250926_ib.csv", 1, "start"),
]


@pytest.mark.parametrize(("path", "minutes", "side"), FILES, ids=[row[0] for row in FILES])
def test_recorded_files(path: str, minutes: int, side: Side) -> None:
    assert label_side(rows(path), timedelta(minutes=minutes)) == side


@pytest.mark.parametrize("path", AV_2019 + AV_2020)
def test_each_recorded_day_tells_by_itself(path: str) -> None:
    """The date says END for all of them, so they are moved to 2026, where it would say START."""
    told = [
        label_side({_in_2026(label): volume for label, volume in volumes.items()})
        for _, volumes in by_day(rows(path))
    ]
    assert len(told) >= 5
    assert told.count("start") == UNTOLD.get(path, 0)


# Days that would be misread if they came alone: thin symbols without a trade in the first minute,
# premarkets without one in the last, and WMT on 2020-11-17, whose opening came two minutes late.
UNTOLD = {
    "bars_1min/av_2020_2021/intraday_1min_MSFT.csv": 1,
    "bars_1min/av_2020_2021/intraday_1min_WMT.csv": 4,
    "bars_1min/av_2019_02/PPLT_1min.csv": 2,
    "bars_1min/av_2019_02/UGA_1min.csv": 2,
}


def _in_2026(label: datetime) -> datetime:
    return label + timedelta(days=7 * 52 * (2026 - label.year))


@pytest.mark.parametrize("path", AV_2019)
def test_recorded_sessions_start_at_half_past_nine(path: str) -> None:
    volumes = rows(path)
    side = label_side(volumes)
    for _, labels in by_day(volumes):
        starts = [start_of(label, side) for label in labels]
        # 09:30 New York in winter; thin symbols begin later and never earlier.
        assert starts[0].hour * 60 + starts[0].minute >= 14 * 60 + 30
        assert starts[-1].hour * 60 + starts[-1].minute <= 20 * 60 + 59
        assert starts[-1] - starts[0] <= 389 * MINUTE
