"""Days nobody wishes for, run through the reference backtest and told by the daily report.

No trade loses more than its stop or the gap over it, a tick and the declared slippage, and the
report says so for each of them, in JSON and on the page.

``tests/e2e/test_worst_days.py`` has them on the whole chain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest
from tradewind.backtest.run import BacktestResult
from tradewind.market.bar import Bar
from tradewind.market.csv_bars import read_bars
from tradewind.market.session import Session
from tradewind.orders.prices import tick_size
from tradewind.reports.daily import DailyReport, daily_report
from tradewind.reports.html import report_html
from tradewind.reports.ports import Period
from tradewind.risk.limits import RiskLimits

from tests.unit.backtest.invented import (
    CALENDAR,
    FULL_DAY,
    NEXT_DAY,
    AlwaysLong,
    Candle,
    at,
    backtest,
    day,
    session_of,
    told,
)
from tests.unit.reports.trading_day import NO_BACKTEST, records

RECORDED = Path(__file__).parents[4] / "shared" / "data" / "bars_1min" / "av_2020_2021"
DECLARED = D("0.0002")

BELOW, LOWER, LOW = (
    ("88", "89", "87", "88"),
    ("90", "90", "90", "90"),
    ("95", "95.50", "94", "95"),
)
NOTHING: dict[int, Candle] = dict.fromkeys(range(60, 75))
FROM_THEN_ON = range(75, 390)
OVERNIGHT = RiskLimits(hold_overnight=True)


def two_days(second: dict[int, Candle], otherwise: Candle) -> list[Bar]:
    return day({}) + day(second, session=NEXT_DAY, otherwise=otherwise)


# Bought at 100.02 on the bar of minute 30, with a stop 1.5 % below: 98.51. What happens from minute
# 60 on -> the stop, where the market jumped over it (None: it traded through), and what was got.
INVENTED: list[tuple[str, list[Bar], tuple[str, str | None, str]]] = [
    ("a gap down of 12 %", day(dict.fromkeys(range(60, 390), BELOW)), ("98.51", "88", "87.98")),
    ("a gap down that recovers at once", day({60: ("88", "101", "87", "100")}),
     ("98.51", "88", "87.98")),
    ("a halt, and a tenth lower at the resumption",
     day({**NOTHING, **dict.fromkeys(FROM_THEN_ON, LOWER)}), ("98.51", "90", "89.98")),
    ("a flash crash within a minute, and its recovery", day({60: ("100", "100", "70", "100")}),
     ("98.51", None, "98.49")),
    ("a flash crash from one minute to the next", day({60: ("70", "100", "60", "100")}),
     ("98.51", "70", "69.98")),
    ("a slide through the stop", day({60: ("99", "99", "98.40", "98.60")}),
     ("98.51", None, "98.49")),
    ("all quotes stale, and lower when they come back",
     [bar for symbol in ("AAPL", "MSFT")
      for bar in day({**NOTHING, **dict.fromkeys(FROM_THEN_ON, LOW)}, symbol)],
     ("98.51", "95", "94.98")),
]  # fmt: skip


def reported(result: BacktestResult, bars: Iterable[Bar], session: Session) -> DailyReport:
    """The report of a session of which these are the records."""
    by_symbol: dict[str, list[Bar]] = {}
    for bar in bars:
        if session.open <= bar.start < session.close:
            by_symbol.setdefault(bar.symbol, []).append(bar)
    last = {symbol: own[-1].close for symbol, own in by_symbol.items()}
    told_of = records(result.executions, bars=by_symbol, last_price=last, close_before=last)
    period = Period(session, CALENDAR.previous(session.date).close)
    return daily_report("paper", period, told_of, NO_BACKTEST)


def rows_of_page(report: DailyReport) -> list[list[str]]:
    """The table of stops and gaps: symbol, exit, stop, gap, exit price, loss, at most, gap loss,
    what of it was overnight, within."""
    section = re.search(r'<section aria-labelledby="stops-and-gaps">.*?</section>',
                        report_html(report), re.DOTALL)  # fmt: skip
    assert section is not None
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", section.group(0), re.DOTALL)
    return [re.findall(r">([^<]*)</t[hd]>", row) for row in rows]


def assert_bounded(report: DailyReport, bars: Sequence[Bar]) -> list[dict[str, Any]]:
    """By what the bars say, not by what the report says: then the report has to say the same."""
    opens = {(bar.symbol, bar.start): bar.open for bar in bars}
    payload = report.as_payload()["trades"]
    page = rows_of_page(report)
    assert len(payload) == len(page) == len(report.trades) > 0
    for judged, told_of, row in zip(report.trades, payload, page, strict=True):
        trip = judged.trip
        if trip.exit_reason == "stop":
            assert trip.stop_price is not None
            opened = opens[trip.symbol, trip.exit_at.replace(second=0)]
            owed = min(trip.stop_price, opened)
            lowest = owed - tick_size(owed) - owed * DECLARED
            assert trip.exit_price >= lowest
            assert judged.loss <= trip.quantity * (trip.entry_price - lowest)
            assert told_of["most_loss"] is not None
            assert D(told_of["loss"]) <= D(told_of["most_loss"])
            assert told_of["gap_price"] == (
                f"{opened.normalize():f}" if opened < trip.stop_price else None
            )
            assert told_of["within"] is True
        assert row[9].startswith("yes: ") or told_of["within"] is None
        assert row[5] == f"{D(told_of['loss']):,.2f}"
    return payload


@pytest.mark.parametrize(
    ("bars", "expected"), [row[1:] for row in INVENTED], ids=[row[0] for row in INVENTED]
)
def test_an_invented_day(bars: list[Bar], expected: tuple[str, str | None, str]) -> None:
    result = backtest(bars, told([30]))
    report = reported(result, bars, FULL_DAY)
    for one in assert_bounded(report, bars):
        assert (one["stop_price"], one["gap_price"], one["exit_price"]) == expected
    for row in rows_of_page(report):
        stop, gap, price = expected
        assert row[2:5] == [stop, "none" if gap is None else f"{D(gap):.2f}", price]


def test_a_gap_over_the_night_is_told_as_one() -> None:
    bars = two_days({}, BELOW)
    result = backtest(bars, told([30]), FULL_DAY, NEXT_DAY, limits=OVERNIGHT)
    (one,) = assert_bounded(reported(result, bars, NEXT_DAY), bars)
    assert (one["stop_price"], one["gap_price"], one["exit_price"]) == ("98.51", "88", "87.98")
    assert D(one["gap_loss"]) == D(one["night_gap_loss"]) == D("10.51") * D(one["quantity"])


def test_nothing_is_entered_on_stale_quotes() -> None:
    """Both symbols stand still from 10:30 to 10:45, on a bar that says "enter"."""
    bars = [bar for symbol in ("AAPL", "MSFT") for bar in day(NOTHING, symbol)]
    result = backtest(bars, told(range(59, 80)))
    refused = {one.reason_code for one in result.refusals if at(60) <= one.bar_time < at(75)}
    assert "stale_bar" in refused
    assert refused <= {"entry_not_filled", "stale_bar", "stale_data", "halted", "hole"}
    assert not [one for one in result.fills if at(61) <= one.at < at(75)]


@pytest.mark.parametrize("share", ["0.25", "1"])
def test_the_worst_recorded_day(share: str) -> None:
    """INTC fell by 6.3 % on 2020-12-18, most of it within minutes before the close."""
    path = RECORDED / "intraday_1min_INTC.csv"
    if not path.exists():
        pytest.skip("../shared/data/bars_1min/av_2020_2021 is not there")
    session = session_of("2020-12-18")
    bars = [bar for bar in read_bars(path, "INTC", "end") if bar.start < session.close]
    limits = RiskLimits(max_symbol_exposure=D(share), risk_per_trade=D(1))
    result = backtest(bars, AlwaysLong(), session, limits=limits)
    stopped = [one for one in assert_bounded(reported(result, bars, session), bars)
               if one["exit_reason"] == "stop"]  # fmt: skip
    assert len(stopped) >= 3
