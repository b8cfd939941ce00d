"""The page of a backtest: it stands alone, holds what it should, and stays small."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs
from tradewind.backtest.arrays import BarArrays, arrays_of
from tradewind.backtest.breakdown import cost_sensitivity
from tradewind.backtest.engine import backtest
from tradewind.backtest.finding import Finding
from tradewind.backtest.metrics import summarise
from tradewind.backtest.outcome import Outcome
from tradewind.backtest.settings import BacktestSettings, FillConvention
from tradewind.market.session_table import default_table
from tradewind.strategies.sma_crossover import SmaCrossover
from tradewind_local import backtest_report
from tradewind_local.backtest_commands.assumptions import assumptions_of
from tradewind_local.backtest_report.backtest_page import BacktestReport, backtest_html
from tradewind_local.exchange.simulated_market import simulated_bars

SETTINGS = BacktestSettings.of(FillConvention.NEXT_OPEN)
CROSSOVER = SmaCrossover(5, 20)
MEGABYTE = 1_000_000
SCRIPT = Path(backtest_report.__file__).parent / "page.js"


class Read(HTMLParser):
    """The tags of a page with their attributes, and the text of each script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self._script: dict[str, str | None] | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._script = dict(attrs) if tag == "script" else None

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self.scripts.append((self._script, data))
            self._script = None


def simulated(symbols: Sequence[str], first: date, last: date) -> list[BarArrays]:
    calendar = default_table()
    sessions = list(calendar.between(first, last))
    return [arrays_of(one, simulated_bars([one], sessions, 5), calendar) for one in symbols]


def report_of(bars: Sequence[BarArrays], findings: Sequence[Finding] = ()) -> BacktestReport:
    def run(settings: BacktestSettings) -> Outcome:
        return backtest(bars, CROSSOVER, settings)

    outcome = run(SETTINGS)
    return BacktestReport(
        outcome,
        bars,
        summarise(outcome),
        cost_sensitivity(run, SETTINGS),
        findings,
        assumptions_of(SETTINGS),
        ["SIM: some bars"],
        ["SIMULATED bars: a simulated profit says nothing about a market"],
    )


@pytest.fixture(scope="module")
def report() -> BacktestReport:
    bars = simulated(["SIM", "SAM"], date(2020, 11, 16), date(2020, 12, 31))
    return report_of(bars, [Finding("too_few_trades", "warning", "too few <b>trades</b>")])


@pytest.fixture(scope="module")
def page(report: BacktestReport) -> str:
    return backtest_html(report)


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    read = Read(page)
    assert [tag for tag, _ in read.tags if tag in ("link", "img", "iframe", "base")] == []
    assert all("src" not in attributes for _, attributes in read.tags)
    addresses = [attributes["href"] for tag, attributes in read.tags if tag == "a"]
    assert addresses
    assert all(address is not None and address.startswith("#") for address in addresses)
    (policy,) = [
        attributes["content"]
        for tag, attributes in read.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy
    assert page.count(get_plotlyjs()) == 1
    assert "://" not in page.replace(get_plotlyjs(), "")


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_the_script_is_one() -> None:
    done = subprocess.run(["node", "--check", SCRIPT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_link_leads_to_a_section_and_every_plot_has_a_figure(page: str) -> None:
    read = Read(page)
    ids = {attributes.get("id") for _, attributes in read.tags}
    assert all(
        attributes["href"][1:] in ids  # type: ignore[index]
        for tag, attributes in read.tags
        if tag == "a"
    )
    plots = [a["id"] for tag, a in read.tags if tag == "div" and a.get("class") == "plot"]
    assert {"equity", "drawdown", "price-0", "price-1", "rolling", "hours", "weekdays", "mae",
            "mfe", "costs"} == set(plots)  # fmt: skip
    figures = {
        attributes["id"]: json.loads(text)
        for attributes, text in read.scripts
        if attributes.get("type") == "application/json"
    }
    for plot in plots:
        # The library judges what the browser will draw.
        go.Figure(figures[f"figure-{plot}"])
    assert set(figures) == {*(f"figure-{plot}" for plot in plots), "clock", "bars-0", "bars-1"}


def test_what_people_ask_for_is_there(page: str, report: BacktestReport) -> None:
    text = re.sub(r"<[^>]+>", " ", page.partition("<main>")[2].partition("</main>")[0])
    for words in (
        "Total return", "Sharpe ratio", "Max drawdown", "buy and hold", "Monthly returns",
        "Cost sensitivity", "Fill convention next_open_no_entry_bar_stop", "SIM: some bars",
    ):  # fmt: skip
        assert words in text
    assert "SIMULATED bars" in page
    assert "prefers-color-scheme: dark" in page
    assert page.count("data-trade=") == len(report.outcome.trades)


def test_all_trades_are_on_their_symbols_price(page: str, report: BacktestReport) -> None:
    scripts = {attributes.get("id"): text for attributes, text in Read(page).scripts}
    numbers = [json.loads(scripts[f"bars-{symbol}"])["trades"]["number"] for symbol in (0, 1)]
    assert sorted(numbers[0] + numbers[1]) == list(range(len(report.outcome.trades)))
    for symbol, own in enumerate(numbers):
        assert (report.outcome.trades.symbol[own] == symbol).all()


def test_text_from_outside_is_text(page: str, report: BacktestReport) -> None:
    assert "too few &lt;b&gt;trades&lt;/b&gt;" in page
    evil = "</script><script>alert(1)</script>"
    bars = [replace(report.bars[0], symbol=evil)]
    made = backtest_html(report_of(bars))
    assert evil not in made


def test_the_same_content_gives_the_same_page(page: str, report: BacktestReport) -> None:
    assert backtest_html(report) == page


def test_a_report_without_trades(report: BacktestReport) -> None:
    bars = simulated(["SIM"], date(2020, 11, 16), date(2020, 11, 16))
    none = replace(CROSSOVER, fast=399, slow=400)
    outcome = backtest(bars, none, SETTINGS)
    assert not len(outcome.trades)
    made = backtest_html(replace(report, outcome=outcome, bars=bars, metrics=summarise(outcome)))
    assert "There was no trade." in made
    assert "nan" not in re.sub(r"<script.*?</script>", "", made, flags=re.DOTALL).lower()


def test_sixty_thousand_bars_stay_below_eight_megabytes() -> None:
    calendar = default_table()
    sessions = list(calendar.between(date(2020, 1, 2), date(2020, 8, 31)))
    lengths = np.array([one.minutes for one in sessions], np.int64)
    number = np.repeat(np.arange(len(sessions)), lengths)
    minute = np.arange(len(number)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    opens = np.array([int(one.open.timestamp()) for one in sessions], np.int64)
    # As many crosses as a noisy market has.
    walk = np.random.default_rng(1).normal(0, 60_000, len(number)).cumsum() + 150_000_000
    close = walk.round().astype(np.int64)
    bars = BarArrays(
        "SIM", opens[number] + 60 * minute, close, close + 20_000, close - 20_000, close,
        np.full(len(number), 1000, np.int64), number.astype(np.int32), minute.astype(np.int32),
        lengths.astype(np.int32), tuple(one.date for one in sessions),
    )  # fmt: skip
    assert len(bars) > 60_000
    report = report_of([bars])
    assert len(report.outcome.trades) > 1000
    assert len(backtest_html(report).encode()) < 8 * MEGABYTE
