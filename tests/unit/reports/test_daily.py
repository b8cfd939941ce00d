"""A whole day by hand: what the report says of it, as JSON and as a page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal as D
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from tradewind.alerts.model import Alert
from tradewind.market.bar import Bar
from tradewind.portfolio.executions import Execution
from tradewind.portfolio.round_trips import closed_out, round_trips
from tradewind.reports.daily import DailyReport, compared, daily_report, judged
from tradewind.reports.divergence import Reference, Remark
from tradewind.reports.html import report_html
from tradewind.reports.payload import decimal_text, plain
from tradewind.reports.ports import ForeignPosition, RefusalCount

from tests.unit.reports.trading_day import (
    NO_BACKTEST,
    PERIOD,
    SESSION,
    a_bar,
    a_flow,
    a_reading,
    at,
    bought,
    records,
    sold,
    stopped,
)

# MSFT was bought the day before (10 at 200, 205 at the close) and sold at 203; AAPL was bought
# and fell through its stop into a gap; IBM was bought and is kept.
EXECUTIONS = (
    bought(10, "200", -1440, "MSFT"),
    bought(100, "100.02", 10.1, "AAPL", decision_price=D("100.00")),
    sold(10, "203.00", 11.1, "MSFT", decision_price=D("203.00")),
    bought(5, "130.00", 12.1, "IBM"),
    stopped(100, "87.99", "98.50", 30.2, "AAPL"),
)
BARS = {
    "AAPL": [a_bar(9, "100", "99.50"), a_bar(29, "99.20", "99"), a_bar(30, "88", "87")],
    "MSFT": [a_bar(10, "203", "202.90")],
    "IBM": [a_bar(12, "130", "129"), a_bar(389, "131", "130.50")],
}


def the_day() -> DailyReport:
    day = records(
        EXECUTIONS,
        realised_ever=D("-1172.00"),
        refusals=(
            RefusalCount("risk", "enter", "hole", 2, "minutes missing <2>"),
            RefusalCount("blocked", "entry", "trading_switch", 7, "the switch is REDUCING"),
        ),
        readings=(a_reading(1, "100050", "100050"), a_reading(395, "98829.45", "100050")),
        flows=(a_flow("FEE", "-0.05", 394),),
        foreign=(ForeignPosition("TSLA", D(3), D("410.5"), at(395)),),
        alerts=(
            Alert("position_opened", 1, "bought 100 AAPL", at(10.1), "x-1"),
            Alert("stop_filled", 5, "its stop sold 100 AAPL & more", at(30.2), "x-2"),
        ),
        bars=BARS,
        close_before={"MSFT": D("205")},
        last_price={"MSFT": D("202.90"), "AAPL": D("87"), "IBM": D("130.50")},
    )
    return daily_report("paper", PERIOD, day, NO_BACKTEST)


def test_the_statement_is_explained_to_the_cent() -> None:
    # AAPL (87.99 - 100.02) x 100 = -1203.00; MSFT 30.00 realised, of which 50.00 was unrealised
    # before; IBM 2.50 unrealised; fees 0.05
    statement = the_day().statement
    assert statement is not None
    assert statement.realised == D("-1173.00")
    assert statement.unrealised_change == D("-47.50")
    assert statement.fees_and_other == D("-0.05")
    assert statement.unexplained == D("0.00")
    assert statement.equity_now == D("98829.45")


def test_trades_come_worst_first_and_are_judged_by_stop_and_gap() -> None:
    worst, other = the_day().trades
    assert (worst.trip.symbol, worst.trip.profit_loss) == ("AAPL", D("-1203.00"))
    # down to 88.00 the market jumped: (98.50 - 88.00) x 100; the last cent is the exit's
    assert (worst.trip.gap_loss, worst.trip.exit_slippage) == (D("1050.00"), D("1.00"))
    # a tick and 0.02 % of 88.00, for 100 shares
    assert (worst.gap_price, worst.allowed, worst.within) == (D("88"), D("2.7600"), True)
    # from 100.02 down to the gap, and what is allowed below it
    assert (worst.loss, worst.most) == (D("1203.00"), D("1204.7600"))
    assert (other.trip.symbol, other.trip.profit_loss, other.within) == ("MSFT", D("30.00"), None)
    assert (other.loss, other.most) == (D(0), None)


OPENED_LOWER = (a_bar(0, "88", "87.50"), a_bar(1, "87.60", "87.50"))
NIGHTS = [
    # (when it was bought, the session's bars, when the stop sold; gap loss, of it overnight)
    ("held through the night", -1440, OPENED_LOWER, 0.1, "1050.00", "1050.00"),
    ("told a minute later", -1440, OPENED_LOWER, 1.1, "1050.00", "1050.00"),
    ("the first trade came late", -1440, (a_bar(9, "88", "87.50"),), 9.2, "1050.00", "1050.00"),
    ("the night was harmless", -1440, (a_bar(0, "99", "99"), *BARS["AAPL"]), 30.2, "1050.00", "0"),
    ("bought in the session", 0.1, (a_bar(1, "88", "87.50"),), 1.1, "1050.00", "0"),
]


@pytest.mark.parametrize(
    ("bought_at", "bars", "sold_at", "gap", "overnight"),
    [row[1:] for row in NIGHTS],
    ids=[row[0] for row in NIGHTS],
)
def test_what_a_night_took_is_told_apart(
    bought_at: float, bars: tuple[Bar, ...], sold_at: float, gap: str, overnight: str
) -> None:
    traded = [bought(100, "100", bought_at), stopped(100, "88.00", "98.50", sold_at)]
    report = daily_report("paper", PERIOD, records(traded, bars={"AAPL": bars}), NO_BACKTEST)
    assert (report.gap_loss, report.night_gap_loss) == (D(gap), D(overnight))
    told = report.as_payload()
    assert D(told["trades"][0]["night_gap_loss"]) == D(told["night_gap_loss"]) == D(overnight)
    assert f"by holding overnight: {D(overnight):,.2f} USD" in report_html(report)


def test_an_exit_beyond_what_is_allowed_is_said_so() -> None:
    (trip,) = round_trips([bought(100, "100"), stopped(100, "98.43", "98.50")], {})
    # allowed are 0.01 + 0.0197 a share
    assert judged(trip).within is False
    assert judged(trip).allowed == D("2.97")
    assert (judged(trip).loss, judged(trip).most) == (D("157"), D("152.97"))


def test_positions_left_are_valued_at_the_last_price() -> None:
    (left,) = the_day().positions_left
    assert (left.symbol, left.quantity, left.unrealised) == ("IBM", D(5), D("2.50"))


def test_what_was_traded_before_is_in_no_shortfall() -> None:
    report = the_day()
    assert [one.order_id for one in report.shortfalls] == [
        "AAPL-entry-10.1",
        "MSFT-exit-11.1",
        "IBM-entry-12.1",
        "AAPL-exit-30.2",
    ]
    assert [one.code for one in report.refusals] == ["trading_switch", "hole"]


def test_fees_are_spread_by_the_value_sold() -> None:
    trips = round_trips(
        [bought(1, "5", 1, "A"), sold(1, "10", 2, "A"), bought(3, "5", 3), sold(3, "10", 4)], {}
    )
    assert [one.cost for one in compared(trips, D("0.40"))] == [D("0.10"), D("0.30")]


def test_a_backtest_of_the_session_is_compared() -> None:
    assert the_day().divergence is None
    payload = the_day().as_payload()["divergence"]
    assert (payload["compared"], payload["basis_points"]) == (False, None)
    assert payload["not_compared"] == [{"what": "the session", "why": "nobody decided <it>"}]
    executions = [bought(10, "100", 1), sold(10, "101", 2)]
    other = [bought(1, "100", 1, "MSFT"), sold(1, "50", 2, "MSFT")]
    reference = Reference(
        "paper",
        compared(round_trips(executions, {}), D(0)),
        frozenset({"AAPL"}),
        (Remark("MSFT", "it needs predictions"),),
        (Remark("3 minutes", "were never decided"),),
        decisions=780,
        alike=777,
    )
    day = records(
        [*executions, *other],
        last_price={"AAPL": D(101), "MSFT": D(50)},
        flows=(a_flow("FEE", "-0.0106", 3),),
        readings=(a_reading(1, "10000", "10000"), a_reading(395, "9960", "10000")),
    )
    report = daily_report("paper", PERIOD, day, reference)
    assert report.divergence is not None
    # fees by value sold: 1010 of 1060; MSFT's loss is in neither side
    assert (report.divergence.cost, report.divergence.total) == (D("-0.0101"), D("-0.0101"))
    assert report.divergence_basis_points == D("-0.0101")
    payload = report.as_payload()["divergence"]
    assert payload["trades"][0]["live"]["exit_price"] == "101"
    assert (payload["total"], payload["matched"], payload["decisions_alike"]) == ("-0.0101", 1, 777)
    said = words(report)
    for wanted in (
        "-0.01 basis points of the equity",
        "trades of both 1",
        "10 from 100.00 to 101.00: +9.99",
        "MSFT it needs predictions",
        "3 minutes were never decided",
        "Of 780 decisions in them 777 had",
    ):
        assert wanted in said, wanted


SHARES = [
    # (executions, symbols compared, symbols left out, the part that was compared)
    ("all that was traded", [bought(10, "100")], {"AAPL"}, {"MSFT"}, "1"),
    ("by value, bought or sold", [bought(10, "100"), sold(10, "100"),
                                  bought(20, "50", symbol="MSFT")], {"AAPL"}, {"MSFT"}, "0.6666"),
    ("nothing of what was traded", [bought(1, "9", symbol="MSFT")], {"AAPL"}, {"MSFT"}, "0"),
    ("nothing was traded: by symbols", [], {"AAPL"}, {"MSFT", "KO", "IBM"}, "0.25"),
    ("no symbol was decided on", [], set(), set(), "0"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("executions", "symbols", "left_out", "share"),
    [row[1:] for row in SHARES],
    ids=[str(row[0]) for row in SHARES],
)
def test_how_much_of_the_session_was_compared(
    executions: list[Execution], symbols: set[str], left_out: set[str], share: str
) -> None:
    reference = Reference("paper", [], frozenset(symbols), left_out=frozenset(left_out))
    prices = {"AAPL": D(100), "MSFT": D(50)}
    report = daily_report("paper", PERIOD, records(executions, last_price=prices), reference)
    assert report.compared_share == D(share)
    assert D(report.as_payload()["divergence"]["share"]) == D(share)
    assert f"{D(share) * 100:.0f} % of the session" in words(report)
    without = daily_report("paper", PERIOD, records(executions, last_price=prices), NO_BACKTEST)
    assert without.compared_share == 0


def test_what_is_open_is_valued_on_both_sides() -> None:
    """Live bought 10 at 100.00, the backtest 9 at 100.10; the last price is 102."""
    ours, theirs = bought(10, "100", 1), bought(9, "100.10", 1, decision_price=D(100))
    last = {"AAPL": D(102)}
    valued = closed_out([theirs], last, SESSION.last_bar)
    reference = Reference(
        "paper", compared(round_trips(valued, {}), D(0)), frozenset({"AAPL"}), decisions=1, alike=1
    )
    report = daily_report("paper", PERIOD, records([ours], last_price=last), reference)
    assert report.divergence is not None
    assert report.divergence.total == D("20") - 9 * D("1.90")
    assert report.trades == []  # it was not sold


def test_the_payload_is_json_without_a_lost_digit() -> None:
    payload = json.loads(json.dumps(the_day().as_payload(), allow_nan=False))
    assert payload["session"]["date"] == "2020-11-12"
    assert payload["statement"]["realised"] == "-1173"
    assert payload["trades"][0]["exit_price"] == "87.99"
    worst = payload["trades"][0]
    assert [worst[name] for name in ("stop_price", "gap_price", "loss", "most_loss", "within")] == [
        "98.5", "88", "1203", "1204.76", True,
    ]  # fmt: skip
    assert payload["shortfall_summaries"][0]["is_enough"] is False
    assert payload["alerts"][1]["type"] == "stop_filled"


TEXTS = [("120.50", "120.5"), ("100", "100"), ("-0.0000000000001", "0"), ("1E+3", "1000"),
         ("33.33333333333333333", "33.3333333333")]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), TEXTS)
def test_decimals_as_text(value: str, text: str) -> None:
    assert decimal_text(D(value)) == text


def test_what_has_no_json_form_is_an_error() -> None:
    with pytest.raises(TypeError, match="no JSON form"):
        plain(object())


class Page(HTMLParser):
    """Collects what a browser would load, and what is said."""

    LOADING = frozenset({"src", "href", "srcset", "data", "action", "poster", "xlink:href"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [f"{tag} {name}={value}" for name, value in attrs if name in self.LOADING]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def words(report: DailyReport) -> str:
    return " ".join(" ".join(Page(report_html(report)).words).split())


def test_the_page_stands_alone() -> None:
    text = report_html(the_day())
    page = Page(text)
    assert page.loads == []
    assert not {"script", "link", "iframe", "img", "object", "embed", "base"} & set(page.tags)
    assert "@import" not in text
    assert "url(" not in text
    # the one address is the name of the SVG language, which nobody loads
    assert set(re.findall(r"https?://[^\s\"'<>)]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert text == report_html(the_day())


def test_the_page_says_what_there_is_to_say() -> None:
    said = words(the_day())
    for wanted in (
        "session of 2020-11-12",
        "-1,173.00",
        # stop, gap, exit, loss, at most, gap loss
        "98.50 88.00 87.99 1,203.00 1,204.76 1,050.00 0.00 yes: 1.00 USD below stop or gap",
        "trading_switch",
        "minutes missing <2>",
        "its stop sold 100 AAPL & more",
        "TSLA",
        "Nothing was compared.",
        "nobody decided <it>",
        "(n = 3). Fewer than 30 orders",
        "2020-11-12 09:40:06",  # New York's time of the first fill
    ):
        assert wanted in said, wanted
    assert "bought 100 AAPL" not in said  # information is counted, not listed
    assert "SIMULATED" not in said


def test_a_simulated_market_is_labelled() -> None:
    bars = {"AAPL": [replace(a_bar(1, "10", "9"), feed="simulated")]}
    report = daily_report("paper", PERIOD, records(bars=bars), NO_BACKTEST)
    assert report.simulated
    assert "SIMULATED market" in report_html(report)


def test_the_page_can_be_read_by_ear() -> None:
    """Language, one main heading, named regions, tables with captions and headed rows, pictures
    with names."""
    text = report_html(the_day())
    assert '<html lang="en">' in text
    tags = Page(text).tags
    assert tags.count("h1") == tags.count("main") == 1
    assert tags.count("caption") == tags.count("table") > 5
    assert len(re.findall(r'<svg role="img" aria-label="[^"]+"', text)) == text.count("<svg") == 5
    assert "<td" not in "".join(re.findall(r"<tr>(<..)", text))
    for image in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ElementTree.fromstring(image)  # noqa: S314


def test_a_day_without_anything_is_a_report_too() -> None:
    text = report_html(daily_report("paper", PERIOD, records(), NO_BACKTEST))
    for wanted in ("The broker was not read", "No position was closed", "Nothing was refused"):
        assert wanted in text


def test_only_the_twelve_symbols_that_matter_most_are_drawn() -> None:
    symbols = [f"S{n:02}" for n in range(15)]
    executions = [
        one
        for n, symbol in enumerate(symbols)
        for one in (bought(1, "100", 1, symbol), sold(1, str(100 + n), 2, symbol))
    ]
    bars = {symbol: [a_bar(1, "100", "100", symbol)] for symbol in symbols}
    text = report_html(daily_report("paper", PERIOD, records(executions, bars=bars), NO_BACKTEST))
    assert "3 more were traded" in text
    assert "S14: price" in text
    assert "S02: price" not in text
