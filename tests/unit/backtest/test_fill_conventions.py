"""The fills of the peers' conventions, candle by candle: the readable specification.

Each case is a table of candles (open, high, low, close) with what the strategy wants at the
candle's close ("in", "out"), and the round trips that come of it. Costs are zero, the stop trails
by 10 %, and 1,000 USD buy whole shares, unless a case says otherwise. Both conventions agree except
where a case names one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal as D

import numpy as np
import pytest
from tradewind.backtest.arrays import PRICE_SCALE, BarArrays
from tradewind.backtest.crossing_kernel import run_crossing
from tradewind.backtest.outcome import ExitReason, Trades
from tradewind.backtest.settings import (
    BacktestSettings,
    FillConvention,
    Fixed,
    HalfSpread,
    VolumeShare,
)
from tradewind.backtest.signals import Signals

NEXT_OPEN = FillConvention.NEXT_OPEN
VECTORBT = FillConvention.VECTORBT
BOTH = (NEXT_OPEN, VECTORBT)

SIGNAL, STOP, END = ExitReason.SIGNAL, ExitReason.STOP, ExitReason.END

# open, high, low, close, and what is wanted at the close
Row = tuple[float, float, float, float, str]
# bar and price of the entry, bar, price and reason of the exit, shares
Trip = tuple[int, float, int, float, ExitReason, int]


@dataclass(frozen=True)
class Case:
    rule: str
    candles: list[Row]
    trips: list[Trip]
    conventions: tuple[FillConvention, ...] = BOTH
    settings: dict[str, object] = field(default_factory=dict)
    volume: int = 1000
    sessions: tuple[int, ...] = ()  # bars of each session; all in one unless given


CASES = [
    Case(
        "a wish at the close is bought at the next open, not at the close that it was seen at",
        [(100, 100, 100, 100, "in"),
         (102, 102, 102, 102, ""),
         (102, 102, 102, 102, "")],
        [(1, 102, 2, 102, END, 9)],
    ),
    Case(
        "a wish at the last close buys nothing",
        [(100, 100, 100, 100, ""),
         (100, 100, 100, 100, "in")],
        [],
    ),
    Case(
        "a wish at the last close but one is bought at the last open and marked at its close",
        [(100, 100, 100, 100, "in"),
         (100, 104, 100, 103, "")],
        [(1, 100, 1, 103, END, 10)],
    ),
    Case(
        "wishes to enter while long are ignored",
        [(100, 100, 100, 100, "in"),
         (100, 100, 100, 100, "in"),
         (101, 101, 101, 101, "in"),
         (101, 101, 101, 101, "out"),
         (102, 102, 102, 102, "")],
        [(1, 100, 4, 102, SIGNAL, 10)],
    ),
    Case(
        "wishes to leave while flat are ignored",
        [(100, 100, 100, 100, "out"),
         (100, 100, 100, 100, "in"),
         (100, 100, 100, 100, "")],
        [(2, 100, 2, 100, END, 10)],
    ),
    Case(
        "whole shares: the fraction of a share that is left stays cash",
        [(300, 300, 300, 300, "in"),
         (300, 300, 300, 300, "out"),
         (310, 310, 310, 310, "")],
        [(1, 300, 2, 310, SIGNAL, 3)],
    ),
    Case(
        "a share that costs more than there is buys nothing, and the next wish is tried again",
        [(1001, 1001, 1001, 1001, "in"),
         (1001, 1001, 1001, 1001, ""),
         (1000, 1000, 1000, 1000, "in"),
         (1000, 1000, 1000, 1000, "")],
        [(3, 1000, 3, 1000, END, 1)],
    ),
    Case(
        "size: risk / stop of equity where that is less than all of it",
        [(100, 100, 100, 100, "in"),
         (100, 100, 100, 100, "")],
        [(1, 100, 1, 100, END, 2)],
        settings={"risk": D("0.02")},
    ),
    Case(
        "size follows equity: 10 shares earn 100 USD, then 1,100 USD buy 9 at 120",
        [(100, 100, 100, 100, "in"),
         (100, 110, 100, 110, "out"),
         (110, 110, 110, 110, "in"),
         (120, 120, 120, 120, "")],
        [(1, 100, 2, 110, SIGNAL, 10),
         (3, 120, 3, 120, END, 9)],
    ),
    Case(
        "no stop on the entry's own bar, however deep it falls",
        [(100, 100, 100, 100, "in"),
         (100, 100, 50, 95, ""),
         (95, 95, 95, 95, "")],
        [(1, 100, 2, 95, END, 10)],
    ),
    Case(
        "a low at the stop sells at the stop: 10 % below the entry",
        [(100, 100, 100, 100, "in"),
         (100, 100, 100, 100, ""),
         (95, 95, 90, 94, "")],
        [(1, 100, 2, 90, STOP, 10)],
    ),
    Case(
        "a low above the stop sells nothing",
        [(100, 100, 100, 100, "in"),
         (100, 100, 100, 100, ""),
         (95, 95, 90.01, 94, "")],
        [(1, 100, 2, 94, END, 10)],
    ),
    Case(
        "a gap through the stop fills at the worse open",
        [(100, 100, 100, 100, "in"),
         (100, 100, 100, 100, ""),
         (85, 99, 84, 98, "")],
        [(1, 100, 2, 85, STOP, 10)],
    ),
    Case(
        "the stop trails the highest high, from the bar after that high on",
        [(100, 100, 100, 100, "in"),
         (100, 100, 100, 100, ""),
         (100, 120, 100, 119, ""),  # falls no lower than 100 after its own high of 120
         (119, 119, 108, 110, "")],
        [(1, 100, 3, 108, STOP, 10)],
    ),
    Case(
        "the stop never falls, though the highs do",
        [(100, 100, 100, 100, "in"),
         (100, 100, 100, 100, ""),
         (100, 120, 110, 112, ""),
         (112, 112, 110, 110, ""),
         (110, 110, 107, 107, "")],
        [(1, 100, 4, 108, STOP, 10)],
    ),
    Case(
        "next_open: the entry bar's high raises the stop",
        [(100, 100, 100, 100, "in"),
         (100, 110, 100, 100, ""),
         (100, 100, 98, 98, "")],
        [(1, 100, 2, 99, STOP, 10)],
        conventions=(NEXT_OPEN,),
    ),
    Case(
        "vectorbt: the entry bar's high is left out",
        [(100, 100, 100, 100, "in"),
         (100, 110, 100, 100, ""),
         (100, 100, 98, 98, "")],
        [(1, 100, 2, 98, END, 10)],
        conventions=(VECTORBT,),
    ),
    Case(
        "a fixed stop that is nearer than the trailing one holds",
        [(100, 100, 100, 100, "in"),
         (100, 100, 100, 100, ""),
         (100, 100, 94, 95, "")],
        [(1, 100, 2, 95, STOP, 4)],
        settings={"stop": D("0.05"), "risk": D("0.02")},
    ),
    Case(
        "next_open: a wish to leave sells at the next open, before any stop on that bar",
        [(100, 100, 100, 100, "in"),
         (100, 100, 100, 100, "out"),
         (95, 95, 80, 85, "")],
        [(1, 100, 2, 95, SIGNAL, 10)],
        conventions=(NEXT_OPEN,),
    ),
    Case(
        "vectorbt: on that bar the stop comes first",
        [(100, 100, 100, 100, "in"),
         (100, 100, 100, 100, "out"),
         (95, 95, 80, 85, "")],
        [(1, 100, 2, 90, STOP, 10)],
        conventions=(VECTORBT,),
    ),
    Case(
        "a wish to leave and a gap on the same bar: both sell at the open",
        [(100, 100, 100, 100, "in"),
         (100, 100, 100, 100, "out"),
         (85, 85, 80, 85, "")],
        [(1, 100, 2, 85, SIGNAL, 10)],
        conventions=(NEXT_OPEN,),
    ),
    Case(
        "a wish to leave at the entry bar's close sells at the open after it",
        [(100, 100, 100, 100, "in"),
         (100, 100, 100, 99, "out"),
         (98, 98, 98, 98, "")],
        [(1, 100, 2, 98, SIGNAL, 10)],
    ),
    Case(
        "a wish in at the close of the bar that sold is bought at the next open",
        [(100, 100, 100, 100, "in"),
         (100, 100, 100, 100, ""),
         (95, 95, 90, 94, "in"),
         (90, 90, 90, 90, "")],
        [(1, 100, 2, 90, STOP, 10),
         (3, 90, 3, 90, END, 10)],
    ),
    Case(
        "a wish in on the bar before the stop, still long, is not remembered",
        [(100, 100, 100, 100, "in"),
         (100, 100, 100, 100, "in"),
         (95, 95, 90, 94, ""),
         (94, 94, 94, 94, "")],
        [(1, 100, 2, 90, STOP, 10)],
    ),
    Case(
        "positions are held over night, and the morning's gap goes through the stop",
        [(100, 100, 100, 100, "in"),
         (100, 100, 100, 100, ""),
         (80, 82, 80, 81, "")],
        [(1, 100, 2, 80, STOP, 10)],
        sessions=(2, 1),
    ),
    Case(
        "the daily drawdown stops entries until the next session",
        [(100, 100, 100, 100, "in"),
         (100, 100, 89, 89, "out"),
         (89, 89, 89, 89, "in"),  # 11 % down since the session began: not taken
         (89, 89, 89, 89, ""),
         (89, 89, 89, 89, "in"),
         (89, 89, 89, 89, "")],
        [(1, 100, 2, 89, SIGNAL, 10),
         (5, 89, 5, 89, END, 10)],
        conventions=(NEXT_OPEN,),
        settings={"daily_drawdown": D("0.10")},
        sessions=(4, 2),
    ),
    Case(
        "the daily drawdown counts from the last session's end, also when it recovered since",
        [(100, 100, 100, 100, "in"),
         (100, 100, 100, 100, ""),
         (100, 100, 91, 91, ""),  # 9 % down from 100: not yet
         (91, 91, 91, 91, "out"),
         (91, 91, 91, 91, "in"),
         (91, 91, 91, 91, "")],
        [(1, 100, 4, 91, SIGNAL, 10),
         (5, 91, 5, 91, END, 10)],
        settings={"daily_drawdown": D("0.10")},
        sessions=(2, 4),
    ),
    Case(
        "slippage by a fraction makes both sides worse; all of it is paid by the 1,000 USD",
        [(100, 100, 100, 100, "in"),
         (100, 100, 100, 100, "out"),
         (110, 110, 110, 110, "")],
        [(1, 101, 2, 108.9, SIGNAL, 9)],
        settings={"slippage": Fixed(D("0.01"))},
    ),
    Case(
        "slippage by half a spread in USD a share, at a stop too",
        [(100, 100, 100, 100, "in"),
         (100, 100, 100, 100, ""),
         (95, 95, 85, 90, "")],
        [(1, 101, 2, 89.9, STOP, 9)],  # the stop is 10 % below the 101 paid: 90.9
        settings={"slippage": HalfSpread(D(1))},
    ),
    Case(
        "an entry takes its part of the bar's volume at most; impact is by the part's square",
        [(10, 10, 10, 10, "in"),
         (10, 10, 10, 10, "out"),
         (10, 10, 10, 10, "")],
        [(1, 10.1, 2, 9.9, SIGNAL, 25)],  # 10 % of 250 shares; 1 x 0.1^2 of 10 USD is 0.10
        settings={"slippage": VolumeShare(D("0.1"), D(1))},
        volume=250,
    ),
    Case(
        "nothing is bought in a minute without volume",
        [(10, 10, 10, 10, "in"),
         (10, 10, 10, 10, "")],
        [],
        settings={"slippage": VolumeShare(D("0.1"), D(1))},
        volume=0,
    ),
]  # fmt: skip


def bars_of(case: Case) -> BarArrays:
    prices = np.array([row[:4] for row in case.candles])
    columns = np.rint(prices * PRICE_SCALE).astype(np.int64)
    count = len(case.candles)
    lengths = case.sessions or (count,)
    minutes = np.concatenate([np.arange(length) for length in lengths])
    return BarArrays(
        "TEST",
        60 * np.arange(count),
        *(columns[:, number].copy() for number in range(4)),
        np.full(count, case.volume),
        np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
        minutes.astype(np.int32),
        np.full(len(lengths), 390, np.int32),
        tuple(date(2020, 11, 2 + number) for number in range(len(lengths))),
    )


def traded(case: Case, convention: FillConvention) -> tuple[np.ndarray, np.ndarray, Trades]:
    """Equity, invested and round trips."""
    bars = bars_of(case)
    wishes = Signals(
        np.array([row[4] == "in" for row in case.candles]),
        np.array([row[4] == "out" for row in case.candles]),
        bars_needed=1,
    )
    # By default all of the 1,000 USD are in the market: the risk is as large as the stop.
    settings = BacktestSettings.of(
        convention,
        **{"stop": D("0.10"), "trail": D("0.10"), "risk": D("0.10"), **case.settings},
    )
    equity, invested = np.empty((2, len(bars)))
    trades = run_crossing(bars, wishes, settings, 1000.0, equity, invested)
    return equity, invested, trades


@pytest.mark.parametrize(
    ("case", "convention"),
    [
        pytest.param(case, convention, id=f"{convention.value}: {case.rule}")
        for case in CASES
        for convention in case.conventions
    ],
)
def test_round_trips(case: Case, convention: FillConvention) -> None:
    equity, invested, trades = traded(case, convention)

    found = list(
        zip(
            trades.entry_bar.tolist(),
            trades.entry_price.round(6).tolist(),
            trades.exit_bar.tolist(),
            trades.exit_price.round(6).tolist(),
            trades.reason.tolist(),
            trades.quantity.tolist(),
            strict=True,
        )
    )
    assert found == case.trips
    # Without debt, and the round trips are all that the equity is made of.
    assert (equity - invested >= -1e-9).all()
    assert equity[-1] == pytest.approx(1000 + trades.pnl.sum())


def test_equity_is_at_the_closes_and_invested_what_is_in_the_market() -> None:
    case = Case(
        "",
        [(100, 100, 100, 100, "in"),
         (100, 103, 98, 102, "out"),
         (103, 103, 99, 99, ""),
         (99, 99, 99, 99, "")],
        [],
    )  # fmt: skip
    equity, invested, _ = traded(case, NEXT_OPEN)
    assert equity.tolist() == pytest.approx([1000, 1020, 1030, 1030])
    assert invested.tolist() == pytest.approx([0, 1020, 0, 0])


def test_commission_is_paid_on_both_sides_and_is_part_of_the_size() -> None:
    case = Case(
        "",
        [(100, 100, 100, 100, "in"),
         (100, 100, 100, 100, "out"),
         (110, 110, 110, 110, "")],
        [],
        settings={"commission": D("0.01")},
    )  # fmt: skip
    equity, _, trades = traded(case, NEXT_OPEN)
    # 1,000 USD buy 9 shares at 101 with commission; 9 are paid going in and 9.90 going out.
    assert trades.quantity.tolist() == [9]
    assert trades.fees.tolist() == pytest.approx([18.9])
    assert trades.pnl.tolist() == pytest.approx([9 * 10 - 18.9])
    assert equity[-1] == pytest.approx(1000 + 71.1)


def test_what_is_still_open_pays_for_no_sale() -> None:
    case = Case(
        "",
        [(100, 100, 100, 100, "in"), (100, 100, 100, 100, "")],
        [],
        settings={"commission": D("0.01")},
    )
    _, _, trades = traded(case, NEXT_OPEN)
    assert trades.fees.tolist() == pytest.approx([9])


# What a trade saw while it was held: of the bar that sells, what came before the sale.
@pytest.mark.parametrize(
    ("candles", "mae", "mfe"),
    [
        # the entry's bar counts whole: it was bought at the open
        ([(100, 104, 97, 100, "out"), (101, 150, 50, 101, "")], -0.03, 0.04),
        # a signal sells at the open: nothing of that bar but its open
        ([(100, 100, 100, 100, "out"), (106, 150, 50, 101, "")], 0.0, 0.06),
        # a stop: its open, and the stop; that the high came first nobody knows
        ([(100, 100, 100, 100, ""), (103, 150, 50, 101, "")], -0.10, 0.03),
        # a gap: the open that it sold at
        ([(100, 100, 100, 100, ""), (80, 150, 50, 101, "")], -0.20, 0.0),
        # still open: the whole last bar
        ([(100, 100, 100, 100, ""), (100, 120, 95, 101, "")], -0.05, 0.20),
    ],
)
def test_worst_and_best_price_while_held(candles: list[Row], mae: float, mfe: float) -> None:
    case = Case("", [(100, 100, 100, 100, "in"), *candles], [])
    _, _, trades = traded(case, NEXT_OPEN)
    assert trades.mae.tolist() == pytest.approx([mae])
    assert trades.mfe.tolist() == pytest.approx([mfe])


@pytest.mark.parametrize(
    ("last", "gap_loss"),
    [((95, 95, 85, 90, ""), 0.0), ((85, 85, 85, 85, ""), 10 * 5.0)],
)
def test_a_gap_loses_more_than_the_stop_says(last: Row, gap_loss: float) -> None:
    case = Case("", [(100, 100, 100, 100, "in"), (100, 100, 100, 100, ""), last], [])
    _, _, trades = traded(case, NEXT_OPEN)
    assert trades.gap_loss.tolist() == pytest.approx([gap_loss])
