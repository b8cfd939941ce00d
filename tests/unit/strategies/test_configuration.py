"""``strategies.toml``: what it may say, and the one line that says what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal as D

import pytest
from tradewind.errors import InvalidInputError
from tradewind.strategies.configuration import (
    Assignment,
    assignments_of,
    entries_of,
    shipped_text,
    symbols_of,
)
from tradewind.strategies.lstm_trend import LstmTrend
from tradewind.strategies.sma_crossover import SmaCrossover

USUAL = {"sma_crossover": {"fast": 20, "slow": 50}}
SYMBOLS = ("AAPL", "MSFT")


def read(text: str, symbols: Sequence[str] = SYMBOLS) -> tuple[Assignment, ...]:
    return assignments_of(entries_of(text, symbols), USUAL)


def strategy(**changes: str) -> str:
    """One crossover on AAPL with half of the account, but for what the case changes; what it
    changes to nothing is left out."""
    lines = {"name": '"sma_crossover"', "symbols": '["AAPL"]', "capital": "0.5", **changes}
    body = "\n".join(f"{key} = {value}" for key, value in lines.items() if value)
    return f"[[strategy]]\n{body}\n"


THREE = """
[[strategy]]
name = "sma_crossover"
parameters = {fast = 10}
symbols = ["AAPL", "BRK.B"]
capital = 0.5

[[strategy]]
name = "lstm_trend"
parameters = {min_confidence = 0.60, minutes_without_prediction = 5}
symbols = ["NVDA"]
capital = 0.2

[[strategy]]
name = "ensemble_all"
symbols = ["AMD"]
capital = 0.3
parameters = {members = [
  {name = "sma_crossover"},
  {name = "lstm_trend", parameters = {min_confidence = 0.5, minutes_without_prediction = 3}},
]}
"""


def test_the_shipped_file_trades_every_symbol_with_the_deployments_crossover() -> None:
    assert read(shipped_text()) == (Assignment(SmaCrossover(20, 50), SYMBOLS, D(1)),)


def test_several_strategies_each_with_its_symbols_and_capital() -> None:
    one, two, three = read(THREE)
    # what the file leaves out is the deployment's
    assert one == Assignment(SmaCrossover(10, 50), ("AAPL", "BRK.B"), D("0.5"))
    assert two == Assignment(LstmTrend(D("0.6"), 5), ("NVDA",), D("0.2"))
    assert three.strategy.name == "ensemble_all(sma_crossover_20_50,lstm_trend_0.5_3)"
    assert (three.symbols, three.capital) == (("AMD",), D("0.3"))


def test_what_is_watched() -> None:
    """The deployment's symbols first, those without a strategy too (MSFT is not traded)."""
    entries = entries_of(THREE, SYMBOLS)
    assert symbols_of(entries, SYMBOLS) == ("AAPL", "MSFT", "BRK.B", "NVDA", "AMD")


def test_a_strategy_of_five_hundred_symbols() -> None:
    names = [f"{a}{b}" for a in "ABCDEFGHIJKLMNOPQRSTUVWXY" for b in "ABCDEFGHIJKLMNOPQRST"]
    (only,) = read(strategy(symbols=str(names).replace("'", '"')))
    assert only.symbols == tuple(names)
    assert len(names) == 500


MEMBERS = '{name = "sma_crossover"}, {name = "sma_crossover", parameters = {fast = 5}}'

REFUSED = [
    ("not TOML", "[[strategy", "strategies.toml is not TOML: "),
    ("nothing", "", "has no [[strategy]]: give one at least"),
    ("no list", "strategy = 1", "has no [[strategy]]"),
    ("a table", "[strategy]\nname = 'sma_crossover'", "has no [[strategy]]"),
    ("a list of something", "strategy = [1]", "strategy 1 is 1: give a table"),
    ("an unknown table", strategy() + "[[strategies]]\n", "'strategies' is unknown"),
    ("an unknown key", strategy(capitol="1"), "strategy 1: 'capitol' is unknown: there are name"),
    # -- name
    ("no name", strategy(name=""), "name is missing: give one of sma_crossover, lstm_trend"),
    ("an unknown name", strategy(name='"sma"'), "1: name is 'sma': give one of sma_crossover"),
    ("a name that is none", strategy(name="[]"), "name is []: give one of"),
    # -- symbols
    ("no symbols", strategy(symbols=""), "(sma_crossover): symbols is missing: give a list like"),
    ("one that is no list", strategy(symbols='"AAPL"'), "symbols is 'AAPL': give a list"),
    ("an empty list", strategy(symbols="[]"), "symbols is []: give a list"),
    ("lower case", strategy(symbols='["aapl"]'), "'aapl' is no symbol: give one to six capital"),
    ("a star in a list", strategy(symbols='["*"]'), "'*' is no symbol"),
    ("a number", strategy(symbols="[1]"), "1 is no symbol"),
    ("one twice", strategy(symbols='["AAPL", "AAPL"]'), "a symbol is named twice"),
    ("one in two strategies", strategy() + strategy(),
     "strategy 2 (sma_crossover): AAPL is also in strategies.toml, strategy 1 (sma_crossover):"),
    ("one also in all", strategy(symbols='"*"') + strategy(symbols='["MSFT"]'), "MSFT is also in"),
    # -- capital
    ("no capital", strategy(capital=""), "capital is missing: give the fraction of equity"),
    ("too much", strategy(capital="1.01"), "capital is 1.01: give the fraction of equity"),
    ("nothing", strategy(capital="0"), "capital is 0: "),
    ("less", strategy(capital="-0.5"), "capital is -0.5: "),
    ("a sentence", strategy(capital='"half"'), "capital is 'half': "),
    ("a yes", strategy(capital="true"), "capital is True: "),
    ("no number", strategy(capital="nan"), "capital is NaN: "),
    ("more than there is", strategy() + strategy(symbols='["MSFT"]', capital="0.51"),
     "the strategies' capital is 1.01 together: give at most 1"),
    # -- parameters
    ("no table", strategy(parameters="3"), "parameters is 3: give a table like"),
    ("an unknown one", strategy(parameters="{fats = 20}"),
     "(sma_crossover), parameters: 'fats' is unknown: there are fast, slow"),
    ("out of range", strategy(parameters="{slow = 401}"),
     "parameter slow of sma_crossover is 401: give a whole number from 3 to 400"),
    ("not whole", strategy(parameters="{fast = 20.0}"), "fast of sma_crossover is 20.0: give"),
    ("a text", strategy(parameters='{fast = "20"}'), "is '20': give a whole number from 2 to 399"),
    ("a yes", strategy(parameters="{fast = true}"), "fast of sma_crossover is True"),
    ("in the wrong order", strategy(parameters="{fast = 50}"),
     "(sma_crossover): SMA lengths fast=50, slow=50: need 2 <= fast < slow"),
    ("one missing", strategy(name='"lstm_trend"', parameters="{min_confidence = 0.6}"),
     "lstm_trend needs a parameter minutes_without_prediction, a whole number from 1 to 15"),
    ("percent", strategy(name='"lstm_trend"', parameters="{min_confidence = 60}"),
     "parameter min_confidence of lstm_trend is 60: give a number from 0.34 to 1"),
    ("not finite", strategy(name='"lstm_trend"', parameters="{min_confidence = nan}"), "is NaN: "),
    # -- members
    ("no members", strategy(name='"ensemble_all"'), "ensemble_all needs a parameter members,"),
    ("one member", strategy(name='"ensemble_all"', parameters='{members = [{name = "x"}]}'),
     "needs a parameter members, a list of two or more"),
    ("the same twice", strategy(name='"ensemble_all"', parameters=(
        '{members = [{name = "sma_crossover"}, {name = "sma_crossover", parameters = {fast = 20}}]}'
    )), "(ensemble_all): an ensemble needs two or more different members"),
    ("an ensemble in it", strategy(name='"ensemble_all"', parameters=(
        '{members = [{name = "sma_crossover"}, {name = "ensemble_all"}]}'
    )), "(ensemble_all), member 2: name is 'ensemble_all': give one of sma_crossover, lstm_trend"),
    ("a bad parameter", strategy(name='"ensemble_all"', parameters=(
        '{members = [{name = "sma_crossover", parameters = {fast = 1}}, {name = "lstm_trend"}]}'
    )), "member 1: parameter fast of sma_crossover is 1"),
    ("a member that is none", strategy(name='"ensemble_all"', parameters='{members = [1, 2]}'),
     "member 1 is 1: give a table with a name"),
    ("capital of its own", strategy(name='"ensemble_all"', parameters=(
        '{members = [{name = "lstm_trend", capital = 1}, {name = "sma_crossover"}]}'
    )), "member 1: 'capital' is unknown: there are name, parameters"),
    ("other parameters", strategy(name='"ensemble_all"', parameters=(
        '{members = [' + MEMBERS + '], fast = 3}'
    )), "(ensemble_all), parameters: 'fast' is unknown: there are members"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refused_in_one_line(text: str, line: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read(text)
    message = str(refused.value)
    assert line in message
    assert message.startswith("strategies.toml")
    assert "\n" not in message


def test_an_entry_without_parameters_needs_the_deployments() -> None:
    with pytest.raises(InvalidInputError, match="sma_crossover needs a parameter fast"):
        assignments_of(entries_of(strategy(), SYMBOLS), {})
