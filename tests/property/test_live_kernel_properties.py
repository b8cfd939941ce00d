"""The compiled pass restates the rules of live trading: on any bars, under any rules, it has to
trade what the reference trades with live trading's own code, to the tick and to the share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal as D

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from tradewind.backtest.outcome import ExitReason
from tradewind.backtest.settings import (
    BacktestSettings,
    Fixed,
    HalfSpread,
    VolumeShare,
)
from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session import Session
from tradewind.market.session_table import HEADER, SessionTable
from tradewind.risk.limits import RiskLimits
from tradewind.risk.protections import Protection, ProtectionSettings
from tradewind.strategies.decision import Action
from tradewind.strategies.protocol import MarketView, Wish

from tests.unit.backtest.live_beside_reference import (
    arrays_by_symbol,
    assert_agree,
    compiled,
    reference,
)

# A calendar of short sessions, so that many can be tried; no bars are of the first and the last.
CALENDAR = SessionTable(
    HEADER
    + b"2020-11-20,14:30,14:50\n"
    + b"2020-11-23,14:30,15:02\n"
    + b"2020-11-24,14:30,15:04\n"
    + b"2020-11-25,14:30,15:00\n"
    + b"2020-11-27,14:30,14:48\n"
    + b"2020-11-30,14:30,15:00\n"
    + b"2020-12-01,14:30,14:50\n"
)
SESSIONS = CALENDAR.between(CALENDAR.first_day, CALENDAR.last_day)[1:-1]
SYMBOLS = ("AAPL", "MSFT", "WMT")


# From one close to the next open, in thousandths; None: no bar.
MOVES = (
    (0, 0, 1, -1, 2, -2, 4, -4),
    (0, 1, -1, 3, -3, 7, -7, 15, -15, None),
    (0, 0, 0, 1, -1, 3, -5, 15, -15, 40, -60, 130, -120, None),
)


@dataclass(frozen=True)
class Told:
    """Wishes by the minute of the newest bar: an event to enter, a state to leave."""

    enter: frozenset[datetime]
    leave: frozenset[datetime]
    bars_needed: int
    name: str = "told"
    needs_prediction: bool = False

    def decide(self, view: MarketView) -> Wish:
        newest = view.bars[-1].start
        if view.holding:
            return Wish(Action.EXIT if newest in self.leave else Action.HOLD, "told", "so told")
        return Wish(Action.ENTER if newest in self.enter else Action.WAIT, "told", "so told")


def _session(draw: st.DrawFn, symbol: str, session: Session, price: int, unit: D) -> list[Bar]:
    """Bars of one session in whole units that jump, crash, recover and stay away."""
    reach = draw(st.sampled_from((0, 2, 6, 20)))
    moves = draw(
        st.lists(
            st.sampled_from(draw(st.sampled_from(MOVES))),
            min_size=session.minutes,
            max_size=session.minutes,
        )
    )
    if draw(st.integers(0, 3)) == 0:
        # A halt, or the rest of the day without a trade.
        first, length = draw(st.integers(0, session.minutes)), draw(st.sampled_from((4, 9, 40)))
        moves[first : first + length] = [None] * len(moves[first : first + length])
    random = draw(st.randoms(use_true_random=False))
    bars = []
    for minute, move in enumerate(moves):
        if move is None:
            continue
        opened = max(2, price + price * move // 1000)
        price = max(2, opened + opened * random.randint(-reach, reach) // 1000)
        high = max(opened, price) + max(opened, price) * random.randint(0, reach) // 1000
        low = max(1, min(opened, price) - min(opened, price) * random.randint(0, reach) // 1000)
        prices = [value * unit for value in (opened, high, low, price)]
        volume = random.choice((0, 40, 1000, 30_000))
        bars.append(Bar(symbol, session.open + minute * MINUTE, *prices, volume, "file"))
    return bars


@st.composite
def markets(draw: st.DrawFn) -> list[Bar]:
    bars: list[Bar] = []
    first = draw(st.integers(0, len(SESSIONS) - 1))
    traded = [
        session for session in SESSIONS[first : first + 3] if draw(st.integers(0, 5)) or first
    ]
    for symbol in SYMBOLS[: draw(st.integers(1, 3))]:
        # Below a dollar, cents, and adjusted prices with four decimals.
        price, unit = draw(
            st.sampled_from(((9_900, "0.0001"), (150, "0.01"), (10_000, "0.01"),
                             (1_135_040, "0.0001"), (90_017, "0.01")))
        )  # fmt: skip
        for session in traded:
            if draw(st.integers(0, 9)):
                bars += _session(draw, symbol, session, price, D(unit))
    for session in traded:
        # Now and then minutes that nobody has, and evenings.
        gone = draw(st.sampled_from((0, 0, 0, 2, 5, 6, 7, 8, 9, 10, 14)))
        first = draw(st.integers(-3, session.minutes))
        minutes = {session.open + (first + number) * MINUTE for number in range(gone)}
        bars = [bar for bar in bars if bar.start not in minutes]
    return bars


@st.composite
def strategies(draw: st.DrawFn) -> Told:
    """Wishes are frequent, and so are exits that last."""
    random = draw(st.randoms(use_true_random=False))
    keen, weary = draw(st.sampled_from((0.1, 0.3, 1.0))), draw(st.sampled_from((0.0, 0.05, 0.4)))
    minutes = [
        session.open + number * MINUTE for session in SESSIONS for number in range(session.minutes)
    ]
    return Told(
        frozenset(minute for minute in minutes if random.random() < keen),
        frozenset(minute for minute in minutes if random.random() < weary),
        draw(st.sampled_from((1, 2, 3, 6, 12))),
    )


def few(*values: object) -> st.SearchStrategy:  # type: ignore[type-arg]
    return st.sampled_from(values)


def minutes_of(*values: int) -> st.SearchStrategy[timedelta]:
    return st.sampled_from([timedelta(seconds=30 * value) for value in values])


LIMITS = st.builds(
    RiskLimits,
    # Two and four: a mean of so many true ranges ends within the digits that decimals have.
    daily_atr_sessions=few(1, 2),
    daily_atr_multiple=few(D("0.1"), D(2)),
    max_symbol_exposure=few(D("0.25"), D("0.6"), D(1)),
    max_exposure=few(D("0.5"), D(1)),
    min_notional=few(D(100), D("500.5")),
    max_notional=few(None, D(20_000)),
    max_capital_per_day=few(D(2_000_000), D(60_000)),
    max_entries_per_minute=few(10, 1),
    max_entries_per_day=few(200, 3),
    max_price_deviation=few(D("0.01"), D("0.003")),
    no_entry_after_open=minutes_of(0, 5, 10),
    no_entry_before_close=minutes_of(0, 3, 12),
    flat_before_close=minutes_of(0, 3, 8),
    hold_overnight=few(False, False, True),
)
PROTECTIONS = st.builds(
    ProtectionSettings,
    cooldown=few(1, 5, 30),
    stops_in_symbol=few(1, 2),
    stops_in_all=few(2, 3),
    stop_window=few(10, 40),
    stop_lock=few(5, 40),
    halving_drawdown=few(D("0.01"), D("0.001")),
    reduced_size=few(D("0.5"), D("0.333333")),
    locking_drawdown=few(None, None, D("0.02")),
    locking_sessions=few(1, 2),
    low_profit_trades=few(1, 2),
    low_profit=few(D("-0.01"), D("0.004")),
    low_profit_window=few(5, 60),
    low_profit_lock=few(5, 45),
    off=st.sets(st.sampled_from(list(Protection))).map(frozenset),
)
SLIPPAGE = few(
    Fixed(D("0.0002")), Fixed(), Fixed(D("0.05")), HalfSpread(D("0.0125")),
    VolumeShare(D("0.5")), VolumeShare(D("0.025"), D("0.9")),
)  # fmt: skip
SETTINGS = st.builds(
    BacktestSettings,
    cash=few(D(100_000), D("1234.56")),
    stop=few(D("0.015"), D("0.06")),
    trail=few(D("0.015"), D("0.004")),
    risk=few(D("0.02"), D(1)),
    commission=few(D(0), D("0.0005")),
    slippage=SLIPPAGE,
    regulatory_fees=st.booleans(),
    fee_factor=few(D(1), D("2.5")),
    daily_drawdown=few(None, D("0.01"), D("0.1")),
    protections=PROTECTIONS,
    limits=LIMITS,
)


@settings(max_examples=150)
@given(markets(), strategies(), SETTINGS)
def test_it_trades_what_the_reference_trades(
    bars: list[Bar], strategy: Told, rules: BacktestSettings
) -> None:
    if not bars:
        return
    arrays = arrays_by_symbol(bars, CALENDAR)
    wishes = {own.symbol: strategy for own in arrays}
    try:
        result = reference(arrays, wishes, rules, CALENDAR)
    except InvalidInputError as error:
        event(f"refused: {str(error)[-30:]}")
        with pytest.raises(InvalidInputError, match="looks like a split"):
            compiled(arrays, wishes, rules, CALENDAR)
        return
    outcome = compiled(arrays, wishes, rules, CALENDAR)
    assert_agree(outcome, result)
    for reason in ExitReason:
        if (outcome.trades.reason == reason).any():
            event(f"left by {reason.word}")
    event(f"round trips: {min(len(outcome.trades), 5)} or more")
