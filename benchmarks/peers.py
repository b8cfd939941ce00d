"""backtesting.py and vectorbt on the crossover, by the rules of Tradewind's conventions.

Runs in ``.venv-peers`` and imports nothing of Tradewind: bars and parameters come in, round trips
and times go out, as JSON. The rules (docs/backtesting.md):

- averages compared as exact integers; bought at the open after an up-cross, floor(equity x min(1,
  risk / stop) / open) whole shares; sold at the open after a down-cross;
- backtesting.py: stop = (1 - trail) x max(entry, all highs since), from the bar after the entry on;
  it is told the next open, because it sizes an order when it is placed;
- vectorbt: its own trailing stop, from the entry's price.

    .venv-peers/bin/python -m benchmarks.peers backtesting.py bars.npz --stop 0.015 ...
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np

SCALE = 1_000_000
Bars = dict[str, np.ndarray]


def crosses(close: np.ndarray, fast: int, slow: int) -> tuple[np.ndarray, np.ndarray]:
    """Up- and down-crosses of the averages of integer closes; the first can be at bar ``slow``."""
    sums = np.concatenate(([0], np.cumsum(close)))
    side = np.zeros(len(close), np.int64)
    side[slow - 1 :] = (sums[slow:] - sums[slow - fast : -fast]) * slow - (
        sums[slow:] - sums[:-slow]
    ) * fast
    before, now = side[slow - 1 : -1], side[slow:]
    up, down = np.zeros(len(close), bool), np.zeros(len(close), bool)
    up[slow:] = (before <= 0) & (now > 0)
    down[slow:] = (before >= 0) & (now < 0)
    return up, down


# -- backtesting.py -------------------------------------------------------------------------------


def backtesting_py(bars: Bars, given: argparse.Namespace) -> Callable[[], list[dict]]:
    import pandas as pd
    from backtesting import Backtest, Strategy

    frame = pd.DataFrame(
        {name.capitalize(): bars[name] / SCALE for name in ("open", "high", "low", "close")}
    )
    frame["NextOpen"] = np.append(frame["Open"].to_numpy()[1:], np.nan)
    frame.index = pd.to_datetime(bars["start"], unit="s")
    fraction = min(1.0, given.risk / given.stop)

    class Crossover(Strategy):
        def init(self) -> None:
            up, down = crosses(bars["close"], given.fast, given.slow)
            self.up = self.I(lambda: up, name="up")
            self.down = self.I(lambda: down, name="down")
            self.peak = 0.0
            self.sold_on_signal: set[int] = set()

        def next(self) -> None:
            bar = len(self.data) - 1
            if not self.trades:
                self.peak = 0.0
                opens = self.data.NextOpen[-1]
                if self.up[-1] and not math.isnan(opens):
                    size = math.floor(self.equity * fraction / opens)
                    if size > 0:
                        self.buy(size=size)
                return
            trade = self.trades[0]
            self.peak = max(self.peak, trade.entry_price, self.data.High[-1])
            trade.sl = max((1 - given.stop) * trade.entry_price, (1 - given.trail) * self.peak)
            if self.down[-1]:
                trade.close()
                self.sold_on_signal.add(bar + 1)

    def run() -> list[dict]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stats = Backtest(frame, Crossover, cash=given.cash).run()
        strategy = stats["_strategy"]
        closed = [
            trip(one.EntryBar, one.EntryPrice, one.ExitBar, one.ExitPrice, one.Size,
                 "signal" if one.ExitBar in strategy.sold_on_signal else "stop")
            for one in stats["_trades"].itertuples()
        ]  # fmt: skip
        last = len(frame) - 1
        still = [
            trip(one.entry_bar, one.entry_price, last, frame["Close"].iloc[-1], one.size, "end")
            for one in strategy.trades
        ]
        return closed + still

    return run


# -- vectorbt ---------------------------------------------------------------------------------


def vectorbt(bars: Bars, given: argparse.Namespace) -> Callable[[], list[dict]]:
    import pandas as pd
    import vectorbt as vbt

    if given.stop != given.trail:
        sys.exit("vectorbt knows one stop: give the same --stop and --trail")
    index = pd.to_datetime(bars["start"], unit="s")
    prices = {
        name: pd.Series(bars[name] / SCALE, index) for name in ("open", "high", "low", "close")
    }
    fraction = min(1.0, given.risk / given.stop)

    def run() -> list[dict]:
        up, down = crosses(bars["close"], given.fast, given.slow)
        portfolio = vbt.Portfolio.from_signals(
            prices["close"],
            entries=np.append(False, up[:-1]),
            exits=np.append(False, down[:-1]),
            price=prices["open"],
            open=prices["open"],
            high=prices["high"],
            low=prices["low"],
            sl_stop=given.trail,
            sl_trail=True,
            stop_entry_price="fillprice",
            size=np.inf if fraction == 1.0 else fraction,
            size_type="amount" if fraction == 1.0 else "percent",
            size_granularity=1,
            init_cash=given.cash,
        )
        # The equity curve, which backtesting.py's run makes too.
        portfolio.value()
        # It does not tell why it sold.
        return [
            trip(one.entry_idx, one.entry_price, one.exit_idx, one.exit_price, one.size, None)
            for one in portfolio.trades.records.itertuples()
        ]

    return run


def trip(
    entry_bar: int, entry: float, exit_bar: int, price: float, size: float, reason: str | None
) -> dict:
    return {
        "entry_bar": int(entry_bar),
        "entry_price": float(entry),
        "exit_bar": int(exit_bar),
        "exit_price": float(price),
        "quantity": float(size),
        "exit_reason": reason,
    }


PEERS = {"backtesting.py": backtesting_py, "vectorbt": vectorbt}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("bars", help="npz with start (s), open, high, low, close (millionths)")
    parser.add_argument("--fast", type=int, default=20)
    parser.add_argument("--slow", type=int, default=50)
    for name, usual in (("stop", 0.015), ("trail", 0.015), ("risk", 0.02), ("cash", 100_000)):
        parser.add_argument(f"--{name}", type=float, default=usual)
    parser.add_argument("--runs", type=int, default=0, help="timed runs after the first")
    given = parser.parse_args()
    with np.load(given.bars) as stored:
        bars = dict(stored)
    run = PEERS[given.peer](bars, given)
    times = []
    for _ in range(given.runs + 1):
        began = time.perf_counter()
        trips = run()
        times.append((time.perf_counter() - began) * 1000)
    json.dump(
        {
            "first_ms": times[0],
            "warm_ms": sorted(times[1:]),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "trades": trips,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
