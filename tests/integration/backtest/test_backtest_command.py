"""``tradewind backtest`` as people type it."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.backtest.conftest import HEADER, Desk

BarsFile = Callable[[str], Path]

FILLS = ["live_parity", "next_open_no_entry_bar_stop", "vectorbt"]
ROOT = Path(__file__).resolve().parents[3]
RECORDED = ROOT.parent / "shared/data/bars_1min/av_2020_2021/intraday_1min_AAPL.csv"


@pytest.fixture
def aapl(bars_file: BarsFile) -> str:
    return f"AAPL={bars_file('AAPL')}"


# -- what it gives --------------------------------------------------------------------------------


@pytest.mark.parametrize("fill", FILLS)
def test_trades_and_figures_belong_together(desk: Desk, aapl: str, fill: str) -> None:
    written = desk.results("backtest", "--bars", aapl, "--fill", fill)
    trades, metrics = written["trades"], written["metrics"]
    assert metrics["trades"] == len(trades) > 10
    profit = metrics["final_equity"] - 100_000
    assert profit == pytest.approx(sum(one["pnl"] for one in trades), abs=0.01)
    for one in trades:
        assert one["entry_time"] <= one["exit_time"]
        gross = (one["exit_price"] - one["entry_price"]) * one["quantity"]
        assert one["pnl"] == pytest.approx(gross - one["fees"], abs=0.01)
        assert one["symbol"] == "AAPL"
        assert one["exit_reason"] in {"signal", "stop", "flat", "end", "drawdown"}
    assert written["engine_ms"] > 0
    assert written["settings"]["fill"] == fill
    assert [case["factor"] for case in written["cost_sensitivity"]] == [0, 1, 2, 3]
    assert len(written["data"][0]["fingerprint"]) == 64
    held = metrics["buy_and_hold"]
    assert set(held) <= set(metrics)
    assert metrics["cash"]["total_return"] == 0
    assert all(finding["sentence"] for finding in written["findings"])


def test_cost_is_paid_on_each_side(desk: Desk, aapl: str) -> None:
    peers = ["backtest", "--bars", aapl, "--fill", "vectorbt"]
    free = desk.results(*peers)
    charged = desk.results(*peers, "--commission", "0.001")
    assert len(free["trades"]) == len(charged["trades"])
    first = charged["trades"][0]
    paid = 0.001 * first["quantity"] * (first["entry_price"] + first["exit_price"])
    assert first["fees"] == pytest.approx(paid, rel=1e-9)
    assert charged["metrics"]["final_equity"] < free["metrics"]["final_equity"]
    slipped = desk.results(*peers, "--slippage", "0.001")
    raw = free["trades"][0]["entry_price"]
    assert slipped["trades"][0]["entry_price"] == pytest.approx(raw * 1.001, rel=1e-9)


def test_a_tighter_stop_stops_more_often(desk: Desk, aapl: str) -> None:
    def stopped(*options: str) -> int:
        written = desk.results("backtest", "--bars", aapl, *options)
        return sum(one["exit_reason"] == "stop" for one in written["trades"])

    assert stopped("--stop", "0.002", "--trail", "0.002") > stopped() + 5


def test_rows_newest_first_are_the_same_bars(desk: Desk, aapl: str, bars_file: BarsFile) -> None:
    lines = bars_file("AAPL").read_text().splitlines(keepends=True)
    turned = desk.folder / "turned.csv"
    turned.write_text("".join([lines[0], *reversed(lines[1:])]))
    one, other = (desk.results("backtest", "--bars", named) for named in (aapl, f"AAPL={turned}"))
    assert one["data"][0]["fingerprint"] == other["data"][0]["fingerprint"]
    assert one["trades"] == other["trades"]


def test_a_label_moves_every_bar_by_a_minute(desk: Desk, bars_file: BarsFile) -> None:
    lines = bars_file("AAPL").read_text().splitlines()
    ends = desk.folder / "ends.csv"
    moved = [lines[0]]
    for line in lines[1:]:
        hour, minute = int(line[11:13]), int(line[14:16]) + 1
        hour, minute = (hour + 1, 0) if minute == 60 else (hour, minute)
        moved.append(f"{line[:11]}{hour:02d}:{minute:02d}{line[16:]}")
    ends.write_text("\n".join(moved) + "\n")
    starts = desk.results("backtest", "--bars", f"AAPL={bars_file('AAPL')}")
    ended = desk.results("backtest", "--bars", f"AAPL={ends}", "--label", "end")
    assert starts["data"][0]["fingerprint"] == ended["data"][0]["fingerprint"]


def test_several_symbols_share_an_account(desk: Desk, bars_file: BarsFile) -> None:
    named = [f"--bars={symbol}={bars_file(symbol)}" for symbol in ("AAPL", "MSFT")]
    written = desk.results("backtest", *named)
    assert {one["symbol"] for one in written["trades"]} == {"AAPL", "MSFT"}
    assert written["metrics"]["cash"]["final_equity"] == 100_000


def test_a_simulated_market_says_so_everywhere(desk: Desk) -> None:
    page = desk.folder / "report.html"
    out = desk.folder / "out.json"
    done = desk.types(
        "backtest", "--simulate", "SIM", "--sessions", "10", "--seed", "7",
        "--report", str(page), "--json", str(out),
    )  # fmt: skip
    assert (done.exit_code, done.stderr) == (0, "")
    assert "SIMULATED" in done.stdout
    assert "SIMULATED" in page.read_text()
    assert json.loads(out.read_text())["simulated"] is True


def test_the_terminal_shows_figures_costs_findings_and_the_convention(
    desk: Desk, aapl: str
) -> None:
    said = desk.types("backtest", "--bars", aapl, "--fill", "vectorbt").stdout
    for words in (
        "AAPL: sma_crossover_20_50", "buy and hold", "Sharpe ratio", "Max drawdown", "Win rate",
        "at so many times the cost", "3 x", "Fills after vectorbt: ", "as in vectorbt", "warning: ",
    ):  # fmt: skip
        assert words in said


def test_trials_of_before_are_counted(desk: Desk, aapl: str) -> None:
    def codes(*options: str) -> set[str]:
        written = desk.results("backtest", "--bars", aapl, *options)
        return {finding["code"] for finding in written["findings"]}

    assert codes("--trials", "1000") - codes()


# -- what it refuses ------------------------------------------------------------------------------

GOOD = "".join(f"2020-11-12 09:{minute:02d}:00,10,10,10,10,5\n" for minute in range(30, 60))


def broken(row: str) -> str:
    return HEADER + GOOD.replace("2020-11-12 09:45:00,10,10,10,10,5", row)


FILES = [
    # (content, what the one line says)
    ("", "the file has no header, or is empty"),
    (HEADER, "has a header and no rows"),
    (HEADER + GOOD.partition("\n")[0], "one row"),
    (HEADER + GOOD, "30 bars of regular hours are too few: 51 are needed"),
    ("a,b\n1,2\n", "no column timestamp, open, high, low, close, volume"),
    (broken("2020-11-12 09:45:00,nan,10,10,10,5"), "row 17: price 'nan' is not a number"),
    (broken("2020-11-12 09:45:00,10,inf,10,10,5"), "row 17: price 'inf' is not a number"),
    (broken("2020-11-12 09:45:00,10,10,0,10,5"), "row 17"),
    (broken("2020-11-12 09:45:00,-10,10,-10,10,5"), "row 17"),
    (broken("2020-11-12 09:45:00,10,9,10,10,5"), "row 17"),
    (broken("2020-11-12 09:45:00,10,10,10,10"), "row 17"),
    (broken("2020-11-12 09:31:00,10,10,10,10,5"), "row 17: out of order"),
    (broken("2020-11-12 09:44:00,10,10,10,10,5"), "row 17: gives the minute of the row before"),
    (HEADER + GOOD.replace("2020-11-12 09", "2020-11-12 05"), "no bars in regular hours"),
]


@pytest.mark.parametrize(("content", "said"), FILES)
def test_a_file_that_cannot_be_traded_is_one_line(desk: Desk, content: str, said: str) -> None:
    path, out = desk.folder / "bars.csv", desk.folder / "out.json"
    path.write_text(content)
    refused(desk, ["--bars", f"AAPL={path}", "--json", str(out)], said)
    assert not out.exists()


OPTIONS = [
    # (options, with AAPL for the good file; what the one line says)
    ([], "give either --bars SYMBOL=FILE or --simulate SYMBOL"),
    (["--bars", "AAPL", "--simulate", "SIM"], "give either --bars SYMBOL=FILE or --simulate"),
    (["--bars", "nothing"], "'nothing' is not like AAPL=aapl.csv"),
    (["--bars", "AAPL=absent.csv"], "absent.csv: cannot be read: No such file"),
    (["--bars", "AAPL", "--bars", "AAPL=other.csv"], "--bars names AAPL twice"),
    (["--simulate", "SIM", "--simulate", "SIM"], "--simulate names SIM twice"),
    (["--bars", "AAPL", "--timezone", "Mars/Base"], "--timezone 'Mars/Base'"),
    (["--bars", "AAPL", "--strategy", "moon"], "--strategy 'moon' is unknown"),
    (["--bars", "AAPL", "--fast", "50", "--slow", "20"], "--fast 50 has to be less than --slow"),
    (["--bars", "AAPL", "--fast", "0"], "--fast 0: give a number of bars from 2 to 400"),
    (["--bars", "AAPL", "--fast", "many"], "'many' is not a valid integer"),
    (["--bars", "AAPL", "--stop", "0"], "--stop is 0"),
    (["--bars", "AAPL", "--stop", "1"], "--stop is 1"),
    (["--bars", "AAPL", "--trail", "nan"], "--trail is nan"),
    (["--bars", "AAPL", "--risk", "2"], "--risk is 2"),
    (["--bars", "AAPL", "--cash", "0"], "--cash is 0"),
    (["--bars", "AAPL", "--commission", "-1"], "--commission is -1"),
    (["--bars", "AAPL", "--slippage", "1"], "--slippage is 1"),
    (["--bars", "AAPL", "--fill", "wishful"], "'wishful' is not one of"),
    (["--bars", "AAPL", "--json", "/nowhere/out.json"], "--json /nowhere/out.json: there is no"),
    (["--bars", "AAPL", "--report", "/nowhere/at.html"], "--report /nowhere/at.html: there is no"),
    (["--bars", "AAPL", "--json", "same", "--report", "same"], "--json and --report both name"),
    (["--bars", "AAPL", "--session", "all"], "--session all: live_parity trades regular hours"),
    (["--bars", "AAPL", "--sessions", "0"], "0 is not in the range"),
]


@pytest.mark.parametrize(("options", "said"), OPTIONS)
def test_wrong_options_are_one_line(
    desk: Desk, aapl: str, options: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk.folder)
    refused(desk, [aapl if option == "AAPL" else option for option in options], said)
    assert list(desk.folder.iterdir()) == []


def test_results_are_not_written_over_the_bars(desk: Desk) -> None:
    path = desk.folder / "bars.csv"
    path.write_text(HEADER + GOOD)
    refused(desk, ["--bars", f"AAPL={path}", "--json", str(path)], "over the bars of AAPL")
    assert path.read_text() == HEADER + GOOD


def refused(desk: Desk, options: list[str], said: str) -> None:
    done = desk.types("backtest", *options)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("tradewind backtest: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


# -- what it costs --------------------------------------------------------------------------------


def test_without_a_report_no_heavy_library_is_loaded(desk: Desk, aapl: str) -> None:
    program = (
        "import sys; from tradewind_local.cli import main\n"
        f"main(['backtest', '--bars', {aapl!r}], standalone_mode=False)\n"
        "heavy = {'pandas', 'plotly', 'boto3', 'pg8000', 'requests', 'scipy', 'talib'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert done.stderr == ""
    assert "LOADED []" in done.stdout


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded bars are not here")
@pytest.mark.parametrize(
    ("session", "trades"),
    # As backtesting.py and backtrader trade them.
    [("regular", 214), ("all", 518)],
)
def test_recorded_bars(desk: Desk, session: str, trades: int) -> None:
    written = desk.results(
        "backtest", "--bars", f"AAPL={RECORDED}", "--label", "end", "--session", session,
        "--fill", "next_open_no_entry_bar_stop",
    )  # fmt: skip
    assert sum(one["exit_reason"] != "end" for one in written["trades"]) == trades
    assert math.isfinite(written["metrics"]["sharpe"])
    assert "prices_off_the_tick_grid" in {one["code"] for one in written["findings"]}
