"""Which minute a label of Alpha Vantage means, and when that is in UTC.

Until 2023 a bar carried the END of its minute (a session ran from 09:31 to 16:00), since then its
START (09:30 to 15:59). The change came with the one of July 2023 that merged the extended history
into TIME_SERIES_INTRADAY: bodies up to March 2023 end at 20:00, later ones at 19:59, and old months
asked for today are labelled in today's way. So the style belongs to the body, not to the bar's
date, and the body is asked first:

* without extended hours, a day that has 09:30 is labelled by START, a day that runs from 09:31 to
  the closing minute by END;
* with extended hours, 04:00 exists by START only and 20:00 by END only, and the opening auction
  makes the first regular minute at least three times as busy as the one before.

Each day of the body has one vote for each of these marks. A body that says nothing (a few rows in
the middle of a day) or is undecided is judged by the date of its newest label.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE

NEW_YORK = ZoneInfo("America/New_York")
Side = Literal["start", "end"]

# Newest labels before this date mean the END of a minute where nothing else tells.
SWITCHED = date(2023, 7, 10)

_OPEN = time(9, 30)
_CLOSES = (time(16, 0), time(13, 0))
_EXTENDED_FROM = time(4, 0)
_EXTENDED_UNTIL = time(20, 0)
# The opening minute against the one before it.
_BUSIER = 3


def label_side(volumes: Mapping[datetime, int], interval: timedelta = MINUTE) -> Side:
    """Whether these labels (New York wall clock, naive, with their volumes) are START or END.

    ``interval`` is the bars' length.
    """
    days: dict[date, dict[time, int]] = {}
    for label, volume in volumes.items():
        days.setdefault(label.date(), {})[label.time()] = volume
    latest_close = _shifted(_CLOSES[0], interval)
    extended = any(
        moment < _OPEN or moment > latest_close for day in days.values() for moment in day
    )
    votes = [
        vote
        for day in days.values()
        for vote in (_extended_votes(day, interval) if extended else _regular_votes(day, interval))
    ]
    starts, ends = votes.count("start"), votes.count("end")
    if starts != ends:
        return "start" if starts > ends else "end"
    return "end" if max(days) < SWITCHED else "start"


def _regular_votes(day: Mapping[time, int], interval: timedelta) -> list[Side]:
    if _OPEN in day:
        return ["start"]
    if _shifted(_OPEN, interval) in day and any(close in day for close in _CLOSES):
        return ["end"]
    return []


def _extended_votes(day: Mapping[time, int], interval: timedelta) -> list[Side]:
    votes: list[Side] = []
    if _EXTENDED_FROM in day:
        votes.append("start")
    if _EXTENDED_UNTIL in day:
        votes.append("end")
    before, at_open, after = (day.get(_shifted(_OPEN, interval * steps)) for steps in (-1, 0, 1))
    if at_open is None or after is None:
        return votes
    if after >= _BUSIER * max(at_open, 1):
        votes.append("end")
    elif at_open >= _BUSIER * max(before or 0, 1):
        votes.append("start")
    return votes


def _shifted(moment: time, by: timedelta) -> time:
    return (datetime.combine(date.min + timedelta(days=1), moment) + by).time()


def start_of(label: datetime, side: Side, interval: timedelta = MINUTE) -> datetime:
    """The first instant of a label's bar, aware UTC. ``label`` is New York wall clock, naive.

    InvalidInputError for a time that does not exist or exists twice, in the nights when the clocks
    change: no session runs then, so such a label is wrong whatever it means.
    """
    if label.tzinfo is not None:
        raise InvalidInputError(f"{label} has an offset where New York's wall clock is meant")
    local = label.replace(tzinfo=NEW_YORK)
    if local.utcoffset() != local.replace(fold=1).utcoffset():
        raise InvalidInputError(f"{label} exists twice or not at all in New York")
    start = local.astimezone(UTC)
    return start - interval if side == "end" else start
