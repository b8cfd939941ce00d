"""``tradewind sweep`` as people type it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.backtest.conftest import HEADER, Desk

BarsFile = Callable[[str], Path]
GRID = ["--fast", "5:20:5", "--slow", "20,40,60"]
PAIRS = 11  # 4 x 3 less 20/20
PEERS = ["--fill", "next_open_no_entry_bar_stop"]


@pytest.fixture
def aapl(bars_file: BarsFile) -> str:
    return f"AAPL={bars_file('AAPL')}"


@pytest.mark.parametrize("fill", ["live_parity", "next_open_no_entry_bar_stop", "vectorbt"])
def test_a_variant_is_what_a_backtest_of_it_is(desk: Desk, aapl: str, fill: str) -> None:
    swept = desk.results("sweep", "--bars", aapl, *GRID, "--fill", fill)
    assert len(swept["variants"]) == swept["trials"] == PAIRS
    for variant in swept["variants"][::5]:
        alone = desk.results(
            "backtest", "--bars", aapl, "--fast", str(variant["fast"]), "--slow",
            str(variant["slow"]), "--fill", fill,
        )["metrics"]  # fmt: skip
        for name in ("total_return", "sharpe", "sortino", "max_drawdown", "profit_factor"):
            assert variant[name] == pytest.approx(alone[name], rel=1e-9), name
        assert variant["trades"] == alone["trades"]


def test_the_best_is_judged_before_all_trials(desk: Desk, aapl: str) -> None:
    swept = desk.results("sweep", "--bars", aapl, *GRID, *PEERS)
    best = max(swept["variants"], key=lambda one: one["sharpe"])
    assert (swept["best"]["fast"], swept["best"]["slow"]) == (best["fast"], best["slow"])
    verdict = swept["verdict"]
    pattern = rf"The best of {PAIRS}, {best['fast']}/{best['slow']}, is a fluke with a probability "
    assert re.match(pattern + r"of (less than |more than )?[\d.]+ %", verdict["sentence"])
    assert verdict["deflation"]["trials"] == PAIRS
    assert 0 <= verdict["overfitting"]["probability"] <= 1
    steps = verdict["walk_forward"]["steps"]
    assert len(steps) > 1
    for step in steps:
        assert step["in_sample"][1] < step["out_of_sample"][0]
    more = desk.results("sweep", "--bars", aapl, *GRID, *PEERS, "--trials", "5000")
    assert more["trials"] == 5000
    assert more["verdict"]["deflation"]["sharpe_by_luck"] > verdict["deflation"]["sharpe_by_luck"]


def test_terminal_and_page(desk: Desk, aapl: str) -> None:
    page = desk.folder / "sweep.html"
    done = desk.types("sweep", "--bars", aapl, *GRID, *PEERS, "--top", "4", "--report", str(page))
    assert (done.exit_code, done.stderr) == (0, "")
    for words in ("deflated", "is a fluke with a probability of", "Walk forward: chosen anew",
                  "Probability of backtest overfitting", f"{PAIRS} backtests"):  # fmt: skip
        assert words in done.stdout
    made = page.read_text()
    assert 'id="map-sharpe"' in made
    assert "is a fluke with a probability of" in made
    assert made.count('id="forward"') == 1


def test_too_few_sessions_are_said(desk: Desk, bars_file: BarsFile) -> None:
    lines = bars_file("AAPL").read_text().splitlines(keepends=True)
    short = desk.folder / "short.csv"
    short.write_text("".join(lines[: 1 + 3 * 390]))
    swept = desk.results("sweep", "--bars", f"AAPL={short}", *GRID, *PEERS)
    assert swept["verdict"]["overfitting"] is None
    assert swept["verdict"]["walk_forward"] is None
    said = " ".join(swept["verdict"]["details"])
    assert "No probability of overfitting" in said
    assert "No walk forward" in said


def test_one_pair_is_no_sweep_but_no_error(desk: Desk, aapl: str) -> None:
    swept = desk.results("sweep", "--bars", aapl, "--fast", "20", "--slow", "50", *PEERS)
    assert swept["trials"] == 1
    assert swept["verdict"]["sentence"].startswith("The best of 1, 20/50,")


def test_a_market_that_stands_still(desk: Desk) -> None:
    path = desk.folder / "still.csv"
    path.write_text(
        HEADER
        + "".join(
            f"2020-11-{day:02d} {9 + minute // 60:02d}:{minute % 60:02d}:00,10,10,10,10,5\n"
            for day in (9, 10, 11, 12, 13)
            for minute in range(30, 420)
        )
    )
    swept = desk.results("sweep", "--bars", f"AAPL={path}", *GRID)
    assert "cannot be told from luck" in swept["verdict"]["sentence"]
    assert all(one["trades"] == 0 for one in swept["variants"])


WRONG = [
    # (options, what the one line says)
    (["--fast", "1:9"], "--fast 1: give a number of bars from 2 to 400"),
    (["--fast", "x"], "--fast 'x' is not like 5:60:5"),
    (["--fast", "100", "--slow", "50"], "no pair to try"),
    (["--fast", "2:300", "--slow", "2:400"], "pairs are too many for one sweep"),
    (["--trials", "3"], "--trials 3: this sweep alone tries"),
    (["--simulate", "SIM"], "give either --bars SYMBOL=FILE or --simulate SYMBOL"),
    (["--bars", "MSFT=m.csv"], "a sweep tries the bars of one symbol"),
    (["--stop", "0"], "--stop is 0"),
    (["--report", "/nowhere/at.html"], "there is no folder /nowhere"),
]


@pytest.mark.parametrize(("options", "said"), WRONG)
def test_wrong_options_are_one_line(desk: Desk, aapl: str, options: list[str], said: str) -> None:
    done = desk.types("sweep", "--bars", aapl, *options)
    assert done.exit_code == 2
    assert done.stderr.startswith("tradewind sweep: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
