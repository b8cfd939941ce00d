"""The crossover strategy, wish by wish, and on a recorded session."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session_table import default_table
from tradewind.strategies.decision import Action
from tradewind.strategies.protocol import MarketView, Strategy
from tradewind.strategies.sma_crossover import SmaCrossover, scaled

RECORDED = Path(__file__).parents[4] / "shared" / "data" / "bars_1min" / "av_2020_2021"
NEW_YORK = ZoneInfo("America/New_York")
START = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)


def view(closes: Sequence[str], holding: bool) -> MarketView:
    prices = [Decimal(close) for close in closes]
    bars = [Bar("AAPL", START + i * MINUTE, p, p, p, p, 100, "file") for i, p in enumerate(prices)]
    return MarketView("AAPL", START + len(bars) * MINUTE, bars, prediction=None, holding=holding)


# SMA 2 against SMA 3; the averages at the newest close and at the one before are in the remarks.
WISHES = [
    # -- flat
    # (10, 10) then (10.5, 10.33): from a tie to above is a cross
    ("10 10 10 11", False, Action.ENTER, "up_cross"),
    # (9.5, 9.67) then (10.5, 10.33): from below to above
    ("10 9 10 11", False, Action.ENTER, "up_cross"),
    # (10.5, 10.33) then (11.5, 11): above already on the bar before
    ("10 10 11 12", False, Action.WAIT, "no_new_cross"),
    # (9.5, 9.67) then (9.5, 9.5): a tie is not yet above
    ("10 9.5 9.5 9.5", False, Action.WAIT, "fast_not_above_slow"),
    # (10.5, 10.33) then (9.5, 10): fallen below
    ("10 10 11 8", False, Action.WAIT, "fast_not_above_slow"),
    # three bars give the averages now, but not the ones before
    ("10 10 11", False, Action.WAIT, "not_enough_bars"),
    ("", False, Action.WAIT, "not_enough_bars"),
    # -- long
    # above, and still rising
    ("10 10 11 12", True, Action.HOLD, "fast_not_below_slow"),
    # an up-cross while long changes nothing
    ("10 10 10 11", True, Action.HOLD, "fast_not_below_slow"),
    # a tie keeps the position
    ("10 11 10.5 10.5 10.5", True, Action.HOLD, "fast_not_below_slow"),
    # (10.5, 10.33) then (9.5, 10): crosses below now
    ("10 10 11 8", True, Action.EXIT, "fast_below_slow"),
    # (8.5, 9) then (7.5, 8): was below before; a minute was lost, the exit is not
    ("10 9 8 7", True, Action.EXIT, "fast_below_slow"),
    # the state needs one bar less than the event
    ("10 9 8", True, Action.EXIT, "fast_below_slow"),
    ("9 8", True, Action.HOLD, "not_enough_bars"),
]


@pytest.mark.parametrize(("closes", "holding", "action", "reason_code"), WISHES)
def test_wish(closes: str, holding: bool, action: Action, reason_code: str) -> None:
    strategy: Strategy = SmaCrossover(fast=2, slow=3)
    wish = strategy.decide(view(closes.split(), holding))
    assert (wish.action, wish.reason_code) == (action, reason_code)
    assert wish.reason


def test_it_tells_its_name_and_what_it_needs() -> None:
    strategy = SmaCrossover(fast=20, slow=50)
    assert strategy.name == "sma_crossover_20_50"
    assert strategy.bars_needed == 51


def test_more_history_than_needed_changes_nothing() -> None:
    closes = ["10", "9", "10", "11"]
    strategy = SmaCrossover(2, 3)
    assert strategy.decide(view(["99", "1", *closes], False)) == strategy.decide(
        view(closes, False)
    )


@pytest.mark.parametrize(
    ("fast", "slow"), [(1, 50), (0, 50), (-5, 50), (20, 20), (50, 20), (20, 401)]
)
def test_lengths_that_make_no_sense_are_refused(fast: int, slow: int) -> None:
    with pytest.raises(InvalidInputError, match=f"fast={fast}, slow={slow}: need 2 <= fast"):
        SmaCrossover(fast, slow)


@pytest.mark.parametrize(
    ("prices", "integers"),
    [
        ([], []),
        (["10", "11"], [10, 11]),
        (["10.5", "11", "10.25"], [1050, 1100, 1025]),
        # trailing zeros and exponents are the same numbers written otherwise
        (["10.50", "1E+1", "1.1e1"], [105, 100, 110]),
        # more digits than a float or the default decimal context would keep
        (["0.1234567890123456789012345678901", "1"], [1234567890123456789012345678901, 10**31]),
    ],
)
def test_scaling_is_exact(prices: list[str], integers: list[int]) -> None:
    assert scaled([Decimal(price) for price in prices]) == integers


def test_a_tie_that_floating_point_gets_wrong() -> None:
    """Closes of 0.1, 0.2, 0.3: their float mean is 0.20000000000000004, above the 0.2 of the
    newest two; exactly it is a tie, and a tie is not below."""
    assert (0.1 + 0.2 + 0.3) / 3 > (0.3 + 0.1) / 2
    wish = SmaCrossover(2, 3).decide(view(["0.2", "0.3", "0.1"], True))
    assert wish.reason_code == "fast_not_below_slow"


def recorded_regular_bars(symbol: str) -> list[Bar]:
    """The file labels a minute by its end, in New York time; newest first."""
    table = default_table()
    bars = []
    with (RECORDED / f"intraday_1min_{symbol}.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            label = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=NEW_YORK)
            start = (label - timedelta(minutes=1)).astimezone(UTC)
            if table.in_session(start):
                open_, high, low, close = (
                    Decimal(row[name]) for name in ("open", "high", "low", "close")
                )
                bars.append(Bar(symbol, start, open_, high, low, close, int(row["volume"]), "file"))
    return sorted(bars, key=lambda bar: bar.start)


@pytest.mark.skipif(not RECORDED.exists(), reason=f"needs the recorded bars {RECORDED.name}")
def test_entries_of_a_recorded_session() -> None:
    """AAPL on 2020-11-12 over regular hours, averages continued across nights: independent
    engines buy at the opens of 12:09, 14:07 and 15:01 New York, so the crosses are decided on
    the bars one minute before. No stop fires that day: the strategy's own exits are all there
    are. The averages use bars since 2020-10-26, so the walk starts early enough to know whether
    a position comes in from the day before (one does, and is sold at 11:16)."""
    bars = recorded_regular_bars("AAPL")
    strategy = SmaCrossover(20, 50)
    holding = False
    bought, sold = [], []
    for end in range(strategy.bars_needed, len(bars)):
        wish = strategy.decide(
            MarketView(
                "AAPL",
                bars[end - 1].start,
                bars[end - strategy.bars_needed : end],
                None,
                holding,
            )
        )
        executed = bars[end].start.astimezone(NEW_YORK)
        if wish.action is Action.ENTER:
            holding = True
            bought.append(executed)
        elif wish.action is Action.EXIT:
            holding = False
            sold.append(executed)

    day = date(2020, 11, 12)
    assert [f"{at:%H:%M}" for at in bought if at.date() == day] == ["12:09", "14:07", "15:01"]
    assert [f"{at:%H:%M}" for at in sold if at.date() == day] == [
        "11:16",
        "12:45",
        "14:22",
        "15:40",
    ]
