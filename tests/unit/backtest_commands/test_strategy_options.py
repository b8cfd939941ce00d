"""The strategy and the grids that the options name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.errors import InvalidInputError
from tradewind.strategies.sma_crossover import LONGEST_AVERAGE, SmaCrossover
from tradewind_local.backtest_commands.grid import grid_of
from tradewind_local.backtest_commands.strategy_options import strategy_of


def test_the_crossover() -> None:
    assert strategy_of("sma_crossover", 2, 400) == SmaCrossover(2, 400)


STRATEGIES = [
    # (name, fast, slow, what the line says)
    ("sma_crossover", 50, 20, "--fast 50 has to be less than --slow 20"),
    ("sma_crossover", 20, 20, "--fast 20 has to be less than --slow 20"),
    ("sma_crossover", 1, 20, "--fast 1: give a number of bars from 2 to 400"),
    ("sma_crossover", 20, 401, "--slow 401: give a number of bars from 2 to 400"),
    ("sma_crossover", -3, 20, "--fast -3"),
    ("lstm_trend", 20, 50, "--strategy lstm_trend needs predictions"),
    ("moon", 20, 50, "--strategy 'moon' is unknown; give sma_crossover"),
]


@pytest.mark.parametrize(("name", "fast", "slow", "said"), STRATEGIES)
def test_what_cannot_be_traded_is_refused(name: str, fast: int, slow: int, said: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        strategy_of(name, fast, slow)
    assert said in str(refused.value)


GRIDS = [
    # (typed, values)
    ("5:20:5", [5, 10, 15, 20]),
    ("5:19:5", [5, 10, 15]),
    ("5:8", [5, 6, 7, 8]),
    ("13,5,8", [5, 8, 13]),
    ("5:20:5,30, 10", [5, 10, 15, 20, 30]),
    ("7", [7]),
]


@pytest.mark.parametrize(("typed", "values"), GRIDS)
def test_a_grid(typed: str, values: list[int]) -> None:
    assert grid_of("--fast", typed) == values


WRONG_GRIDS = [
    # (typed, what the line says)
    ("", "--fast '' is not like 5:60:5 (first:last:step) or 5,8,13"),
    ("5,,8", "is not like"),
    ("5:60:5:1", "is not like"),
    ("5.5", "is not like"),
    ("-5:60", "is not like"),
    ("60:5:5", "60 is more than 5"),
    ("5:60:0", "a step is 1 or more"),
    ("1:9", "--fast 1: give a number of bars from 2 to 400"),
    ("5:999999999", "--fast 999999999: give a number of bars from 2 to 400"),
]


@pytest.mark.parametrize(("typed", "said"), WRONG_GRIDS)
def test_what_is_no_grid_is_refused(typed: str, said: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        grid_of("--fast", typed)
    assert said in str(refused.value)


@given(st.sets(st.integers(2, LONGEST_AVERAGE), min_size=1))
def test_a_list_is_what_it_lists(values: set[int]) -> None:
    assert grid_of("--slow", ",".join(map(str, values))) == sorted(values)
