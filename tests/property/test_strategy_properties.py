"""What holds for every strategy, whatever the market, the model and the lost minutes are.

Each strategy has a textbook beside it, written in exact fractions and minutes: when it enters, in
which state it wants out, and the event with which that state begins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.market.bar import MINUTE, Bar
from tradewind.prediction.model import TRENDS, Prediction, Trend
from tradewind.strategies.decision import Action
from tradewind.strategies.ensemble import EnsembleAll
from tradewind.strategies.lstm_trend import LONGEST_WITHOUT_PREDICTION, LstmTrend
from tradewind.strategies.protocol import MarketView, Strategy, Wish
from tradewind.strategies.sma_crossover import SmaCrossover

START = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
FAST, SLOW, CONFIDENCE, LIMIT = 2, 4, Decimal("0.5"), 3
CROSSOVER, TREND = SmaCrossover(FAST, SLOW), LstmTrend(CONFIDENCE, LIMIT)
STRATEGIES: list[Strategy] = [CROSSOVER, TREND, EnsembleAll((CROSSOVER, TREND))]

# A handful of price levels a cent apart makes ties of the averages common, and crosses frequent.
CLOSE = st.integers(10000, 10006).map(lambda cents: Decimal(cents) / 100)
SAID = st.none() | st.tuples(
    st.sampled_from([*TRENDS, Trend.UP]), st.sampled_from([Decimal("0.4"), CONFIDENCE])
)
# Long enough for trades, and short ones; left alone, Hypothesis makes lists of five.
MINUTES = st.lists(st.tuples(CLOSE, SAID), min_size=25, max_size=50) | st.lists(
    st.tuples(CLOSE, SAID), max_size=5
)
# About every other minute.
LOST = st.lists(st.booleans(), min_size=50, max_size=50).map(
    lambda lost: frozenset(now for now, is_lost in enumerate(lost) if is_lost)
)


@dataclass(frozen=True)
class World:
    """A market minute by minute: its close, and what the model said (None: it failed)."""

    minutes: Sequence[tuple[Decimal, tuple[Trend, Decimal] | None]]

    def __len__(self) -> int:
        return len(self.minutes)

    def last_said(self, now: int) -> int | None:
        """The minute of the newest prediction that is handed to strategies."""
        oldest = max(now - LONGEST_WITHOUT_PREDICTION, 0)
        said = [m for m in range(oldest, now + 1) if self.minutes[m][1] is not None]
        return said[-1] if said else None

    def view(self, now: int, holding: bool) -> MarketView:
        bars = [
            Bar("X", START + m * MINUTE, close, close, close, close, 1, "file")
            for m, (close, _) in enumerate(self.minutes[: now + 1])
        ]
        return MarketView("X", START + now * MINUTE, bars, self._prediction(now), holding)

    def _prediction(self, now: int) -> Prediction | None:
        newest = self.last_said(now)
        said = None if newest is None else self.minutes[newest][1]
        if newest is None or said is None:
            return None
        at = START + newest * MINUTE
        return Prediction(UUID(int=newest), "X", *said, at, "m", "f", stale=newest != now)

    # -- the textbooks

    def side(self, now: int) -> Fraction | None:
        """Fast average minus slow average; None before there are enough bars."""
        if now + 1 < SLOW:
            return None
        closes = [Fraction(close) for close, _ in self.minutes[: now + 1]]
        return sum(closes[-FAST:], Fraction(0)) / FAST - sum(closes[-SLOW:], Fraction(0)) / SLOW

    def crossed_up(self, now: int) -> bool:
        before, after = self.side(now - 1), self.side(now)
        return before is not None and after is not None and before <= 0 < after

    def crossed_down(self, now: int) -> bool:
        before, after = self.side(now - 1), self.side(now)
        return before is not None and after is not None and before >= 0 > after

    def is_below(self, now: int) -> bool:
        side = self.side(now)
        return side is not None and side < 0

    def said_up(self, now: int) -> bool:
        said = self.minutes[now][1]
        return said is not None and said[0] is Trend.UP and said[1] >= CONFIDENCE

    def turned_down(self, now: int) -> bool:
        """This minute the model says down, or has been silent for exactly the limit."""
        said, newest = self.minutes[now][1], self.last_said(now)
        silent_for = None if newest is None else now - newest
        return (said is not None and said[0] is Trend.DOWN) or silent_for == LIMIT

    def is_down(self, now: int) -> bool:
        newest = self.last_said(now)
        if newest is None or now - newest >= LIMIT:
            return True
        said = self.minutes[newest][1]
        return said is not None and said[0] is Trend.DOWN


Holds = Callable[[World, int], bool]


@dataclass(frozen=True)
class Textbook:
    enters: Holds
    leaves_on: Holds  # the event
    is_out: Holds  # the state


TEXTBOOKS = [
    Textbook(World.crossed_up, World.crossed_down, World.is_below),
    Textbook(World.said_up, World.turned_down, World.is_down),
    Textbook(
        lambda world, now: world.crossed_up(now) and world.said_up(now),
        lambda world, now: world.crossed_down(now) or world.turned_down(now),
        lambda world, now: world.is_below(now) or world.is_down(now),
    ),
]
EACH = pytest.mark.parametrize(
    ("strategy", "textbook"),
    list(zip(STRATEGIES, TEXTBOOKS, strict=True)),
    ids=[strategy.name for strategy in STRATEGIES],
)
Trades = list[tuple[int, Action]]


def traded(strategy: Strategy, world: World, lost: frozenset[int] = frozenset()) -> Trades:
    """The strategy as it runs: (minute, what it did), without deciding the lost minutes."""
    holding, trades = False, []
    for now in range(len(world)):
        if now in lost:
            continue
        action = strategy.decide(world.view(now, holding)).action
        if action in (Action.ENTER, Action.EXIT):
            holding = action is Action.ENTER
            trades.append((now, action))
    return trades


def traded_by(enters: Holds, leaves: Holds, world: World, lost: frozenset[int]) -> Trades:
    holding, trades = False, []
    for now in range(len(world)):
        if now in lost or not (leaves if holding else enters)(world, now):
            continue
        holding = not holding
        trades.append((now, Action.ENTER if holding else Action.EXIT))
    return trades


@EACH
@given(minutes=MINUTES)
def test_without_lost_minutes_state_exits_are_event_exits(
    strategy: Strategy, textbook: Textbook, minutes: list[object]
) -> None:
    world = World(minutes)  # type: ignore[arg-type]
    assert traded(strategy, world) == traded_by(
        textbook.enters, textbook.leaves_on, world, frozenset()
    )


@EACH
@given(minutes=MINUTES, lost=LOST)
def test_with_lost_minutes_an_exit_comes_late_and_always(
    strategy: Strategy, textbook: Textbook, minutes: list[object], lost: frozenset[int]
) -> None:
    """Each position ends at the first decided minute in which its strategy's state says so: never
    before the minute it was due in, and never later than the next that is decided."""
    world = World(minutes)  # type: ignore[arg-type]
    trades = traded(strategy, world, lost)
    assert trades == traded_by(textbook.enters, textbook.is_out, world, lost)
    for entry, exit_ in zip(trades[::2], trades[1::2], strict=False):
        due = next(now for now in range(entry[0] + 1, len(world)) if textbook.is_out(world, now))
        assert due <= exit_[0]
        if exit_[0] != due:
            assert due in lost


@EACH
@given(minutes=MINUTES, later=MINUTES, known=st.integers(0, 50), holding=st.booleans())
def test_what_comes_later_changes_no_earlier_wish(
    strategy: Strategy,
    textbook: Textbook,
    minutes: list[object],
    later: list[object],
    known: int,
    holding: bool,
) -> None:
    """Nor does it matter in which order, or how often, the minutes are decided."""

    def wishes(world: World, order: Sequence[int]) -> dict[int, Wish]:
        return {now: strategy.decide(world.view(now, holding)) for now in order}

    one, other = World(minutes), World([*minutes[:known], *later])  # type: ignore[arg-type]
    shared = min(known, len(one))
    forwards, backwards = wishes(one, range(len(one))), wishes(other, range(len(other))[::-1])
    assert [forwards[now] for now in range(shared)] == [backwards[now] for now in range(shared)]


@EACH
@given(minutes=MINUTES, holding=st.booleans())
def test_a_wish_fits_what_is_held(
    strategy: Strategy, textbook: Textbook, minutes: list[object], holding: bool
) -> None:
    world = World(minutes)  # type: ignore[arg-type]
    possible = (Action.HOLD, Action.EXIT) if holding else (Action.ENTER, Action.WAIT)
    for now in range(len(world)):
        wish = strategy.decide(world.view(now, holding))
        assert wish.action in possible
        assert wish.reason_code
        assert wish.reason
