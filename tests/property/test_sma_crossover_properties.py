"""What holds for the crossover on any prices, not only on the ones somebody thought of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from tradewind.market.bar import MINUTE, Bar
from tradewind.strategies.decision import Action
from tradewind.strategies.protocol import MarketView
from tradewind.strategies.sma_crossover import SmaCrossover

START = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)

# A handful of price levels a cent apart makes ties of the averages common, not rare.
CENTS = st.integers(min_value=10000, max_value=10006).map(lambda cents: Decimal(cents) / 100)
ANY_PRICE = st.decimals(min_value="0.0001", max_value="10000", places=4, allow_nan=False)
CLOSES = st.one_of(st.lists(CENTS, max_size=60), st.lists(ANY_PRICE, max_size=30))
LENGTHS = st.tuples(st.integers(2, 6), st.integers(1, 8)).map(lambda pair: (pair[0], sum(pair)))


def view(closes: Sequence[Decimal], holding: bool) -> MarketView:
    bars = [Bar("X", START + i * MINUTE, c, c, c, c, 1, "file") for i, c in enumerate(closes)]
    return MarketView("X", START + len(bars) * MINUTE, bars, None, holding)


def fraction_mean(closes: Sequence[Decimal], length: int) -> Fraction:
    return sum((Fraction(close) for close in closes[-length:]), Fraction(0)) / length


@given(CLOSES, LENGTHS, st.booleans())
def test_agrees_with_exact_fractions(
    closes: list[Decimal], lengths: tuple[int, int], holding: bool
) -> None:
    fast, slow = lengths
    wish = SmaCrossover(fast, slow).decide(view(closes, holding)).action

    def side(until: int) -> Fraction:
        known = closes[:until]
        return fraction_mean(known, fast) - fraction_mean(known, slow)

    newest = len(closes)
    if holding:
        leave = newest >= slow and side(newest) < 0
        assert wish is (Action.EXIT if leave else Action.HOLD)
    else:
        crossed = newest > slow and side(newest - 1) <= 0 < side(newest)
        assert wish is (Action.ENTER if crossed else Action.WAIT)


@given(CLOSES, LENGTHS, st.booleans(), st.decimals("0.001", "1000", places=3))
def test_the_unit_of_price_does_not_matter(
    closes: list[Decimal], lengths: tuple[int, int], holding: bool, factor: Decimal
) -> None:
    strategy = SmaCrossover(*lengths)
    assert strategy.decide(view([close * factor for close in closes], holding)) == strategy.decide(
        view(closes, holding)
    )


def trades_by_state(
    closes: Sequence[Decimal], strategy: SmaCrossover, lost: frozenset[int] = frozenset()
) -> list[tuple[int, Action]]:
    """The strategy as it runs: (bar, what it did), without deciding on the lost bars."""
    holding = False
    trades: list[tuple[int, Action]] = []
    for newest in range(len(closes)):
        if newest in lost:
            continue
        action = strategy.decide(view(closes[: newest + 1], holding)).action
        if action in (Action.ENTER, Action.EXIT):
            holding = action is Action.ENTER
            trades.append((newest, action))
    return trades


def trades_by_event(closes: Sequence[Decimal], fast: int, slow: int) -> list[tuple[int, Action]]:
    """The textbook crossover: both ways on the cross itself, the down-cross mirrored."""
    holding = False
    trades: list[tuple[int, Action]] = []
    for newest in range(slow, len(closes)):
        before, now = (
            fraction_mean(closes[: end + 1], fast) - fraction_mean(closes[: end + 1], slow)
            for end in (newest - 1, newest)
        )
        if not holding and before <= 0 < now:
            holding = True
            trades.append((newest, Action.ENTER))
        elif holding and before >= 0 > now:
            holding = False
            trades.append((newest, Action.EXIT))
    return trades


@given(CLOSES, LENGTHS)
def test_without_lost_minutes_state_exits_are_event_exits(
    closes: list[Decimal], lengths: tuple[int, int]
) -> None:
    assert trades_by_state(closes, SmaCrossover(*lengths)) == trades_by_event(closes, *lengths)


@given(CLOSES, LENGTHS, st.frozensets(st.integers(0, 59)))
def test_a_lost_minute_delays_an_exit_and_cannot_lose_it(
    closes: list[Decimal], lengths: tuple[int, int], lost: frozenset[int]
) -> None:
    """Whatever minutes are lost: at no decided minute is it long after deciding while fast is
    below slow."""
    fast, slow = lengths
    trades = dict(trades_by_state(closes, SmaCrossover(fast, slow), lost))
    holding = False
    for newest in range(len(closes)):
        if newest in trades:
            holding = trades[newest] is Action.ENTER
        if newest not in lost and newest + 1 >= slow:
            known = closes[: newest + 1]
            below = fraction_mean(known, fast) < fraction_mean(known, slow)
            assert not (holding and below)
