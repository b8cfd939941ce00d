"""What may be asked of a backtest, how it is named, and how a sweep is cut into chunks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.backtest.request import MOST_TRIALS, TRIALS_A_CHUNK, BacktestRequest
from tradewind.errors import InvalidInputError

RUN: dict[str, Any] = {
    "symbols": ["AAPL"],
    "from": "2020-11-02",
    "to": "2020-11-12",
    "strategy": "sma_crossover",
    "parameters": {"fast": 20, "slow": 50},
}
SWEEP: dict[str, Any] = {
    **{key: value for key, value in RUN.items() if key != "parameters"},
    "sweep": {"fast": [5, 10], "slow": {"from": 20, "to": 60, "step": 20}},
}


def asked(content: dict[str, Any]) -> BacktestRequest:
    return BacktestRequest.parse(json.dumps(content))


# Two ways of asking the same.
SAME: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (RUN, {**RUN, "fill": "live_parity", "cash": 100000, "stop": 0.015, "daily_drawdown": None}),
    (RUN, {**RUN, "stop": "0.0150", "slippage": 2e-4}),
    ({**RUN, "symbols": ["AAPL", "MSFT"]}, {**RUN, "symbols": ["MSFT", "AAPL"]}),
    (SWEEP, {**SWEEP, "sweep": {"fast": [10, 5], "slow": [60, 40, 20]}}),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_question_has_the_same_id(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert asked(one).id_with("bars") == asked(other).id_with("bars")


DIFFERENT: list[dict[str, Any]] = [
    {**RUN, "symbols": ["MSFT"]},
    {**RUN, "to": "2020-11-13"},
    {**RUN, "parameters": {"fast": 20, "slow": 51}},
    {**RUN, "fill": "vectorbt"},
    {**RUN, "stop": 0.016},
    {**RUN, "daily_drawdown": 0.1},
    SWEEP,
]


@pytest.mark.parametrize("other", DIFFERENT)
def test_another_question_has_another_id(other: dict[str, Any]) -> None:
    assert asked(RUN).id_with("bars") != asked(other).id_with("bars")
    assert asked(RUN).id_with("bars") != asked(RUN).id_with("other bars")


# What is wrong -> what the one line has to name.
REFUSED: list[tuple[Any, str]] = [
    ("{", "not JSON"),
    ('{"stop": NaN}', "not JSON: NaN"),
    ("[" * 100_000, "not JSON"),
    ([], "not an object"),
    ({}, "from is None"),
    ({**RUN, "stopp": 1}, "'stopp' is unknown"),
    ({**RUN, "symbols": []}, "1 to 20 symbols"),
    ({**RUN, "symbols": "AAPL"}, "1 to 20 symbols"),
    ({**RUN, "symbols": ["aapl"]}, "'aapl' is no symbol"),
    ({**RUN, "symbols": [None]}, "None is no symbol"),
    ({**RUN, "symbols": ["AAPL", "AAPL"]}, "named twice"),
    ({**RUN, "from": "12.11.2020"}, "from is '12.11.2020'"),
    ({**RUN, "to": 20201112}, "to is 20201112"),
    ({**RUN, "to": "2020-11-01"}, "days in order"),
    ({**RUN, "from": "1990-01-01"}, "at most 3660"),
    (
        {**RUN, "symbols": ["A", "B", "C"], "from": "2011-01-03"},
        "3 symbols over .* give at most 10,000 in all",
    ),
    ({**RUN, "strategy": "hope"}, "'hope'"),
    ({**RUN, "strategy": None}, "strategy is None"),
    ({**RUN, "parameters": {"fast": 50, "slow": 20}}, "fast=50"),
    ({**RUN, "parameters": {"fast": 1e9, "slow": 20}}, "whole number"),
    ({**RUN, "parameters": [20, 50]}, "parameters is"),
    ({**RUN, "parameters": None}, "either parameters"),
    ({**RUN, "sweep": SWEEP["sweep"]}, "either parameters"),
    (
        {
            **RUN,
            "strategy": "lstm_trend",
            "parameters": {"min_confidence": 0.6, "minutes_without_prediction": 5},
        },
        "needs predictions",
    ),
    ({**RUN, "fill": "hopeful"}, "fill is 'hopeful'"),
    ({**RUN, "stop": 0}, "stop is 0"),
    ({**RUN, "stop": "much"}, "stop is 'much'"),
    ({**RUN, "stop": True}, "stop is True"),
    ({**RUN, "cash": "Infinity"}, "cash is Infinity"),
    ({**RUN, "slippage": -1}, "slippage is -1"),
    ({**SWEEP, "strategy": "ensemble_all"}, "sma_crossover alone"),
    ({**SWEEP, "sweep": {"fast": [5]}}, "give fast and slow"),
    ({**SWEEP, "sweep": {"fast": [5, 5], "slow": [20]}}, "fast is"),
    ({**SWEEP, "sweep": {"fast": [1], "slow": [20]}}, "from 2 to 400"),
    ({**SWEEP, "sweep": {"fast": [5], "slow": {"from": 2, "to": 1e12}}}, "from 2 to 400"),
    ({**SWEEP, "sweep": {"fast": [5], "slow": {"from": 9, "to": 3}}}, "slow is"),
    ({**SWEEP, "sweep": {"fast": [50], "slow": [20]}}, "has 0 trials"),
    (
        {**SWEEP, "sweep": {"fast": {"from": 2, "to": 400}, "slow": {"from": 2, "to": 400}}},
        f"give 1 to {MOST_TRIALS:,}",
    ),
]


@pytest.mark.parametrize(("content", "told"), REFUSED)
def test_what_cannot_be_is_refused_in_one_line(content: Any, told: str) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(InvalidInputError, match=told) as refused:
        BacktestRequest.parse(text)
    assert len(str(refused.value).splitlines()) == 1


def test_a_run_is_one_chunk_of_all_symbols() -> None:
    request = asked({**RUN, "symbols": ["MSFT", "AAPL"]})
    assert [(chunk.symbols, chunk.fast) for chunk in request.chunks()] == [(("AAPL", "MSFT"), ())]
    assert request.trials == 1


lengths = st.lists(st.integers(2, 400), min_size=1, max_size=60, unique=True)


@given(fast=lengths, slow=lengths, symbols=st.sampled_from([["AAPL"], ["AAPL", "MSFT"]]))
def test_the_chunks_of_a_sweep_are_all_of_it_once_and_in_order(
    fast: list[int], slow: list[int], symbols: list[str]
) -> None:
    pairs = [(f, s) for f in sorted(fast) for s in sorted(slow) if f < s]
    content = {**SWEEP, "symbols": symbols, "sweep": {"fast": fast, "slow": slow}}
    if not pairs:
        with pytest.raises(InvalidInputError, match="has 0 trials"):
            asked(content)
        return
    request = asked(content)
    assert BacktestRequest.from_payload(json.loads(json.dumps(request.as_payload()))) == request
    for symbol in symbols:
        chunks = [chunk for chunk in request.chunks() if chunk.symbols == (symbol,)]
        cut = [(f, s) for chunk in chunks for f in chunk.fast for s in request.slow if f < s]
        assert cut == pairs
        for chunk in chunks:
            few = request.pairs(chunk.fast) <= TRIALS_A_CHUNK or len(chunk.fast) == 1
            assert few, chunk
    assert request.trials == len(pairs) * len(symbols)
