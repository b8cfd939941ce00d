"""The figures against other people's: quantstats, empyrical, ffn and LEAN.

Returns stand for sessions of one minute here, so that drawdowns of minutes are those of days.
"""

from __future__ import annotations

import csv
import json
import math
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tradewind.backtest.metrics import Metrics, daily_returns, summarise
from tradewind.backtest.outcome import ExitReason, Outcome

from tests.unit.backtest.outcomes import Trip, outcome_of

ROOT = Path(__file__).parents[3]
DATA = ROOT.parent / "shared" / "data"
GOLDEN = DATA / "golden"
PEERS = ROOT / ".venv-peers" / "bin" / "python"
needs_golden = pytest.mark.skipif(not GOLDEN.exists(), reason="needs the golden tables")


def of_returns(returns: list[float], cash: float = 100.0) -> Outcome:
    ends = cash * np.cumprod(1 + np.array(returns))
    return outcome_of([[end] for end in ends], cash=cash)


def assert_same(found: float | None, expected: object, rel: float = 1e-8) -> None:
    """What is infinite or not a number elsewhere is undefined here."""
    if isinstance(expected, float) and math.isfinite(expected):
        assert found == pytest.approx(expected, rel=rel)
    else:
        assert found is None


def of_closes(closes: list[float]) -> Outcome:
    return outcome_of([[close] for close in closes[1:]], cash=closes[0])


# -- quantstats ------------------------------------------------------------------------------

# quantstats 0.0.86 with pandas 3.1.1 and numpy 2.4.6, on the closes of ffn_test_data.csv:
#   closes = pd.Series([...], pd.bdate_range("2004-03-10", periods=2517))
#   daily = closes.pct_change().dropna()
#   qs.sharpe(daily), qs.sortino(daily), qs.volatility(daily), qs.max_drawdown(daily), and the
#   days of the deepest row of qs.drawdown_details(qs.to_drawdown_series(daily))
QUANTSTATS = {
    "AAPL": (1.1746232565319052, 1.783661579345659, 0.36905988342214996, 0.6086673672621723, 638),
    "MSFT": (0.2826440660276984, 0.4115588420181669, 0.27220106223068186, 0.5912034538586073, 2116),
    "C": (-0.07603495741664908, -0.11315731455403745, 0.6096853354036125, 0.9819180996277255, 2534),
}


@needs_golden
@pytest.mark.parametrize("symbol", QUANTSTATS)
def test_quantstats_recorded(symbol: str) -> None:
    sharpe, sortino, volatility, drawdown, days = QUANTSTATS[symbol]
    found = summarise(of_closes(ffn_closes(symbol)))
    assert found.sharpe == pytest.approx(sharpe, rel=1e-10)
    assert found.sortino == pytest.approx(sortino, rel=1e-10)
    assert found.volatility == pytest.approx(volatility, rel=1e-10)
    assert found.max_drawdown == pytest.approx(drawdown, rel=1e-10)
    # The sessions of the file follow each other on weekdays there and here. What has not come
    # back ends with the file.
    assert found.max_drawdown_days == days


# As above, on series in which something is special:
#   daily = pd.Series(returns, pd.bdate_range("2020-11-09", periods=len(returns)))
QUANTSTATS_SMALL: list[tuple[list[float], float, float]] = [
    ([0.01, -0.02, 0.03, -0.01, 0.02], 4.593220484431883, 9.524704719832526),
    ([0.0, 0.0, 0.0, -0.001, 0.0], -7.0992957397195395, -7.0992957397195395),
    ([0.01, 0.02, 0.005], 24.24871130596428, math.nan),
    ([-0.5, 1.0], 3.7416573867739418, 11.224972160321824),
]


@pytest.mark.parametrize(("returns", "sharpe", "sortino"), QUANTSTATS_SMALL)
def test_quantstats_on_small_series(returns: list[float], sharpe: float, sortino: float) -> None:
    found = summarise(of_returns(returns))
    assert_same(found.sharpe, sharpe, rel=1e-10)
    assert_same(found.sortino, sortino, rel=1e-10)


LIVE = """
import json, sys
import pandas as pd, quantstats.stats as qs
daily = pd.Series(json.load(sys.stdin))
daily.index = pd.bdate_range("2020-11-09", periods=len(daily))
print(json.dumps([float(of(daily)) for of in (qs.sharpe, qs.sortino, qs.volatility)]))
"""


@pytest.mark.peers
@pytest.mark.skipif(not PEERS.exists(), reason="needs .venv-peers (make bench)")
@pytest.mark.parametrize("seed", range(3))
def test_quantstats_itself(seed: int) -> None:
    returns = np.random.default_rng(seed).standard_t(3, 400) * 0.01
    outcome = of_returns([max(value, -0.5) for value in returns], cash=100_000)
    run = subprocess.run(
        [PEERS, "-c", LIVE],
        input=json.dumps(daily_returns(outcome).tolist()),
        capture_output=True,
        text=True,
        check=True,
    )
    found = summarise(outcome)
    assert [found.sharpe, found.sortino, found.volatility] == pytest.approx(
        json.loads(run.stdout.splitlines()[-1]), rel=1e-10
    )


# -- empyrical -------------------------------------------------------------------------------


def empyrical() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (GOLDEN / "risk_metrics" / "empyrical_vectors.json").read_text()
    )
    return found


def of_vector(vectors: dict[str, Any], name: str) -> Metrics:
    """A day that is not there is left out, as empyrical's own means and deviations do."""
    percent = json.loads(name) if name.startswith("[") else vectors["series"][name]
    return summarise(of_returns([value / 100 for value in percent if value is not None]))


@needs_golden
def test_empyrical() -> None:
    vectors = empyrical()
    for name, expected in vectors["max_drawdown"]:
        assert of_vector(vectors, name).max_drawdown == pytest.approx(-expected, abs=1e-12)
    for name, expected in vectors["sharpe_ratio_rf0"]:
        assert_same(of_vector(vectors, name).sharpe, expected)
    for name, _, period, expected in vectors["sortino"]:
        if period == "daily":
            assert_same(of_vector(vectors, name).sortino, expected)
    for name, period, expected in vectors["annual_volatility"]:
        if period == "daily":
            assert of_vector(vectors, name).volatility == pytest.approx(expected, rel=1e-8)
    # empyrical counts the day without a return in a year's days: the same days with a 0 in it.
    whole = of_vector(vectors, "weekly_returns")
    for kind in ("annual_return", "calmar", "cagr"):
        for name, period, expected in vectors[kind]:
            if period == "daily":
                found = whole if name == "mixed_returns" else of_vector(vectors, name)
                figure = "calmar" if kind == "calmar" else "annual_return"
                assert getattr(found, figure) == pytest.approx(expected, rel=1e-8)


@needs_golden
def test_empyrical_by_week_and_month() -> None:
    """Only the year's length differs: sqrt(52 / 252) of a daily deviation, and so on."""
    vectors = empyrical()
    for periods, period in ((52, "weekly"), (12, "monthly")):
        found = of_vector(vectors, f"{period}_returns")
        scale = math.sqrt(periods / 252)
        assert found.volatility is not None
        assert found.sortino is not None
        assert found.annual_return is not None
        (volatility,) = (row[2] for row in vectors["annual_volatility"] if row[1] == period)
        (sortino,) = (row[3] for row in vectors["sortino"] if row[2] == period)
        (annual,) = (row[2] for row in vectors["annual_return"] if row[1] == period)
        assert found.volatility * scale == pytest.approx(volatility, rel=1e-8)
        assert found.sortino * scale == pytest.approx(sortino, rel=1e-8)
        assert (1 + found.annual_return) ** (periods / 252) - 1 == pytest.approx(annual, rel=1e-8)


# -- ffn -------------------------------------------------------------------------------------


def ffn_closes(symbol: str) -> list[float]:
    with (GOLDEN / "risk_metrics" / "ffn_test_data.csv").open() as file:
        return [float(row[symbol]) for row in csv.DictReader(file)]


@needs_golden
@pytest.mark.parametrize("symbol", ["AAPL", "MSFT", "C"])
def test_ffn(symbol: str) -> None:
    expected = json.loads((GOLDEN / "risk_metrics" / "ffn_expected.json").read_text())
    closes = ffn_closes(symbol)
    first_ten = summarise(of_closes(closes[:10]))
    assert -first_ten.max_drawdown == pytest.approx(
        expected["max_drawdown_first10"][symbol], abs=5e-4
    )
    rebased = expected["rebase100_at_row9"][symbol]
    assert 100 * (1 + first_ten.total_return) == pytest.approx(rebased, abs=5e-4)
    returns = daily_returns(of_closes(closes))
    assert returns[0] == pytest.approx(expected["first_return"][symbol], abs=5e-4)
    # Defined otherwise: ffn's CAGR is on calendar years, ours on 252 sessions.
    assert summarise(of_closes(closes)).annual_return == pytest.approx(
        expected["cagr"][symbol], abs=1.5e-3
    )


# -- LEAN ------------------------------------------------------------------------------------


def lean_spy() -> tuple[Outcome, dict[str, Any]]:
    """BasicTemplateAlgorithm: 688 SPY bought in the first minute of 2013-10-07 and kept."""
    worked = json.loads((GOLDEN / "lean_statistics" / "buy_and_hold_worked.json").read_text())
    factor, shares, fee = worked["price_factor"], worked["shares"], worked["fee_usd"]
    paid = 167.45 * factor
    days: dict[date, list[float]] = {}
    with (DATA / "bars_1min" / "lean" / "SPY_20131004_20131011.csv").open() as file:
        for row in csv.DictReader(file):
            day, clock = date.fromisoformat(row["timestamp"][:10]), row["timestamp"][11:16]
            if day >= date(2013, 10, 7) and "09:30" <= clock < "16:00":
                days.setdefault(day, []).append(float(row["close"]) * factor)
    equity = [[100_000 - shares * paid - fee + shares * close for close in closes]
              for closes in days.values()]  # fmt: skip
    minutes = sum(map(len, equity))
    gained = equity[-1][-1] - 100_000
    trips = [
        Trip(0, minutes - 1, pnl=gained, price=paid, quantity=shares, fees=fee,
             reason=ExitReason.END),
    ]  # fmt: skip
    (expected,) = (
        row["expected"]
        for row in json.loads((GOLDEN / "lean_statistics" / "expected_statistics.json").read_text())
        if row["algorithm"] == "BasicTemplateAlgorithm"
    )
    return outcome_of(equity, trips, cash=100_000, dates=list(days)), expected


def percent(text: str) -> float:
    return float(text.rstrip("%")) / 100


@needs_golden
def test_lean_where_it_means_the_same() -> None:
    outcome, expected = lean_spy()
    found = summarise(outcome)
    assert found.final_equity == pytest.approx(float(expected["End Equity"]), abs=0.005)
    assert found.total_return == pytest.approx(percent(expected["Net Profit"]), abs=5e-6)
    assert found.fees == float(expected["Total Fees"].lstrip("$"))
    # LEAN rounds the drawdown to 0.1 %, of its samples within the day.
    assert found.max_drawdown == pytest.approx(percent(expected["Drawdown"]), abs=5e-4)
    assert found.turnover == pytest.approx(percent(expected["Portfolio Turnover"]), abs=5e-5)
    # LEAN leaves the first day's return out.
    first_end = float(outcome.equity[389])
    later = [outcome.equity[outcome.session == day].tolist() for day in range(1, 5)]
    without_first = summarise(outcome_of(later, cash=first_end))
    assert without_first.volatility == pytest.approx(
        float(expected["Annual Standard Deviation"]), abs=5e-4
    )


@needs_golden
def test_lean_where_it_means_something_else() -> None:
    """Each difference by its name, so that nobody takes one for a fault."""
    outcome, expected = lean_spy()
    found = summarise(outcome)
    # Compounding Annual Return: years of 365 days, some 4.5 days here; ours of 252 sessions.
    growth = 1 + found.total_return
    days = 365 * math.log(growth) / math.log(1 + percent(expected["Compounding Annual Return"]))
    assert 4 < days < 5
    assert found.annual_return == pytest.approx(growth ** (252 / 5) - 1)
    # Sharpe Ratio: the mean's compounded year less the US Treasury's rate, over volatility, without
    # the first day; ours is the mean over the deviation, all days.
    later = daily_returns(outcome)[1:]
    volatility = float(np.std(later, ddof=1)) * math.sqrt(252)
    rate = (1 + float(later.mean())) ** 252 - 1 - float(expected["Sharpe Ratio"]) * volatility
    assert 0 < rate < 0.01
    # Win Rate: of trades that were closed; ours counts one still open at its mark.
    assert (percent(expected["Win Rate"]), found.win_rate, found.open_trades) == (0, 1, 1)
    # Expectancy and Sortino Ratio are 0 where LEAN has nothing to divide by; ours are told or None.
    assert (expected["Expectancy"], expected["Sortino Ratio"]) == ("0", "0")
    assert found.expectancy == pytest.approx(found.final_equity - 100_000)
