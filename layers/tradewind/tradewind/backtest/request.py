"""What somebody asks a backtest to be, checked before anything is read or started.

Equal questions are one question: every value that is left out is filled in and every number is
written in one way, so that the request's hash is that of its meaning. With the hash of the bars it
makes the backtest's id.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, TypeGuard

from tradewind.backtest.settings import BacktestSettings, FillConvention, Fixed
from tradewind.errors import InvalidInputError
from tradewind.strategies.protocol import Strategy
from tradewind.strategies.registry import strategy_of
from tradewind.strategies.sma_crossover import LONGEST_AVERAGE

MOST_SYMBOLS = 20
MOST_DAYS = 3660
# Days times symbols: some 2.7 million bars, which are hashed while somebody waits.
MOST_SYMBOL_DAYS = 10_000
# Pairs of lengths times symbols: 40 chunks of a sweep.
MOST_TRIALS = 20_000
# A chunk's trials: seconds of work over years of minutes, and a row of answers small to keep.
TRIALS_A_CHUNK = 500

_SYMBOL = re.compile(r"[A-Z][A-Z.]{0,5}")
_KEYS = ("symbols", "from", "to", "strategy", "parameters", "sweep")
_FRACTIONS = ("cash", "stop", "trail", "risk", "commission", "slippage", "daily_drawdown")
_SWEPT = "sma_crossover"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a backtest that one call works out: a run as a whole (``fast`` empty), or a sweep's
    pairs of one symbol for some of its fast lengths."""

    symbols: tuple[str, ...]
    fast: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """One run of a strategy over the symbols as one portfolio, or, with ``fast`` and ``slow``, a
    sweep of all their pairs over each symbol by itself. ``first`` and ``last`` are New York dates,
    both included."""

    symbols: tuple[str, ...]
    first: date
    last: date
    strategy: str
    parameters: Mapping[str, object]
    fast: tuple[int, ...]
    slow: tuple[int, ...]
    settings: BacktestSettings

    @classmethod
    def parse(cls, text: str) -> BacktestRequest:
        """From JSON. InvalidInputError, in one line, for whatever is wrong with it."""
        try:
            content = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise InvalidInputError(f"the request is not JSON: {error}") from error
        if not isinstance(content, dict):
            raise InvalidInputError('the request is not an object: give {"symbols": ..., ...}')
        return cls.from_payload(content)

    @classmethod
    def from_payload(cls, content: Mapping[str, Any]) -> BacktestRequest:
        """As :meth:`parse`; numbers are int, Decimal or text."""
        known = (*_KEYS, "fill", *_FRACTIONS)
        for key in content:
            if key not in known:
                raise InvalidInputError(f"{key!r} is unknown: there are {', '.join(known)}")
        first, last = _day(content, "from"), _day(content, "to")
        if not 0 <= (last - first).days < MOST_DAYS:
            raise InvalidInputError(
                f"from {first} to {last}: give days in order, at most {MOST_DAYS} of them"
            )
        strategy = content.get("strategy")
        if not isinstance(strategy, str):
            raise InvalidInputError(f"strategy is {strategy!r}: give its name, like {_SWEPT}")
        symbols, settings = _symbols(content.get("symbols")), _settings(content)
        if (asked := ((last - first).days + 1) * len(symbols)) > MOST_SYMBOL_DAYS:
            raise InvalidInputError(
                f"{len(symbols)} symbols over {(last - first).days + 1:,} days are {asked:,} days: "
                f"give at most {MOST_SYMBOL_DAYS:,} in all"
            )
        parameters, sweep = content.get("parameters"), content.get("sweep")
        if (parameters is None) == (sweep is None):
            raise InvalidInputError(
                'give either parameters, like {"fast": 20, "slow": 50}, or sweep, like '
                '{"fast": [10, 20], "slow": {"from": 30, "to": 90, "step": 10}}'
            )
        if sweep is None:
            request = cls(symbols, first, last, strategy, parameters, (), (), settings)  # type: ignore[arg-type]
            request.strategy_asked_for()
            return request
        if strategy != _SWEPT:
            raise InvalidInputError(f"strategy is {strategy}: {_SWEPT} alone can be swept")
        fast, slow = _grid(sweep)
        request = cls(symbols, first, last, strategy, {}, fast, slow, settings)
        if not 0 < request.trials <= MOST_TRIALS:
            raise InvalidInputError(
                f"the sweep has {request.trials:,} trials (pairs with fast below slow, times "
                f"symbols): give 1 to {MOST_TRIALS:,}"
            )
        return request

    @property
    def is_sweep(self) -> bool:
        return bool(self.fast)

    @property
    def trials(self) -> int:
        """How many variants are tried: a run is one."""
        return self.pairs(self.fast) * len(self.symbols) if self.is_sweep else 1

    def pairs(self, fast: Sequence[int]) -> int:
        """Pairs of these fast lengths with the slow ones above them."""
        return sum(slow > length for length in fast for slow in self.slow)

    def strategy_asked_for(self) -> Strategy:
        """A run's strategy. InvalidInputError for one that cannot be had from bars alone."""
        if not isinstance(self.parameters, Mapping):
            raise InvalidInputError(
                f'parameters is {self.parameters!r}: give an object like {{"fast": 20, "slow": 50}}'
            )
        made = strategy_of(self.strategy, self.parameters, usual={}, where="strategy")
        if made.needs_prediction:
            raise InvalidInputError(
                f"strategy {self.strategy} needs predictions, and a backtest has bars alone"
            )
        return made

    def chunks(self) -> tuple[Chunk, ...]:
        """In the order of the results: a sweep's by symbol, then by fast length."""
        if not self.is_sweep:
            return (Chunk(self.symbols),)
        parts: list[tuple[int, ...]] = []
        waiting: list[int] = []
        for length in self.fast:
            if waiting and self.pairs([*waiting, length]) > TRIALS_A_CHUNK:
                parts.append(tuple(waiting))
                waiting = []
            if self.pairs([length]):
                waiting.append(length)
        parts.append(tuple(waiting))
        return tuple(Chunk((symbol,), part) for symbol in self.symbols for part in parts if part)

    def as_payload(self) -> dict[str, Any]:
        """JSON that :meth:`from_payload` reads back, with every value spelled out."""
        settings, slippage = self.settings, self.settings.slippage
        assert isinstance(slippage, Fixed)  # noqa: S101 - the only one that can be asked for
        drawdown = settings.daily_drawdown
        return {
            "symbols": list(self.symbols),
            "from": self.first.isoformat(),
            "to": self.last.isoformat(),
            "strategy": self.strategy,
            **(
                {"sweep": {"fast": list(self.fast), "slow": list(self.slow)}}
                if self.is_sweep
                else {"parameters": dict(self.parameters)}
            ),
            "fill": settings.fill.value,
            "cash": _plain(settings.cash),
            "stop": _plain(settings.stop),
            "trail": _plain(settings.trail),
            "risk": _plain(settings.risk),
            "commission": _plain(settings.commission),
            "slippage": _plain(slippage.fraction),
            "daily_drawdown": None if drawdown is None else _plain(drawdown),
        }

    def id_with(self, data: str) -> str:
        """The backtest's id: 32 hexadecimal digits of a hash over the request and ``data``, the
        hash of the bars."""
        meant = json.dumps(self.as_payload(), sort_keys=True, default=str)
        return hashlib.sha256(f"{meant}\n{data}".encode()).hexdigest()[:32]


def _symbols(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_SYMBOLS:
        raise InvalidInputError(
            f'symbols: give a list of 1 to {MOST_SYMBOLS} symbols like ["AAPL", "MSFT"]'
        )
    for symbol in value:
        if not isinstance(symbol, str) or not _SYMBOL.fullmatch(symbol):
            raise InvalidInputError(
                f"symbols: {symbol!r} is no symbol: give one to six capital letters or dots"
            )
    if len(set(value)) != len(value):
        raise InvalidInputError("symbols: one is named twice: name each once")
    # One portfolio of the same symbols is one question, however they are listed.
    return tuple(sorted(value))


def _day(content: Mapping[str, Any], key: str) -> date:
    try:
        return date.fromisoformat(content[key])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{key} is {content.get(key)!r}: give a day like 2020-11-12"
        ) from error


def _settings(content: Mapping[str, Any]) -> BacktestSettings:
    fills = [fill.value for fill in FillConvention]
    fill = content.get("fill", FillConvention.LIVE_PARITY.value)
    if fill not in fills:
        raise InvalidInputError(f"fill is {fill!r}: give one of {', '.join(fills)}")
    given: dict[str, object] = {
        key: _number(key, content[key])
        for key in _FRACTIONS
        if key in content and not (key == "daily_drawdown" and content[key] is None)
    }
    if "slippage" in given:
        given["slippage"] = Fixed(given["slippage"])  # type: ignore[arg-type]
    return BacktestSettings.of(FillConvention(fill), **given)


def _number(key: str, value: object) -> Decimal:
    try:
        if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
            raise ValueError(value)
        return Decimal(value)
    except (ArithmeticError, ValueError) as error:
        raise InvalidInputError(f"{key} is {value!r}: give a number") from error


def _grid(value: object) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if not isinstance(value, Mapping) or set(value) != {"fast", "slow"}:
        raise InvalidInputError(
            'sweep: give fast and slow, each a list of lengths or {"from": 5, "to": 50, "step": 5}'
        )
    return _lengths("fast", value["fast"]), _lengths("slow", value["slow"])


def _lengths(name: str, value: object) -> tuple[int, ...]:
    """A list of lengths, or an even row of them, ascending and each once."""
    given: Sequence[object] = ()
    if isinstance(value, list):
        given = value
    elif isinstance(value, Mapping) and set(value) <= {"from", "to", "step"}:
        first, last, step = value.get("from"), value.get("to"), value.get("step", 1)
        if _is_length(first) and _is_length(last) and (step == 1 or _is_length(step)):
            given = range(first, last + 1, int(step))
    lengths = sorted({one for one in given if _is_length(one)})
    if not lengths or len(lengths) != len(given):
        raise InvalidInputError(
            f"sweep: {name} is {value!r}: give different whole numbers from 2 to {LONGEST_AVERAGE}"
        )
    return tuple(lengths)


def _is_length(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 2 <= value <= LONGEST_AVERAGE


def _refuse_constant(word: str) -> object:
    raise ValueError(f"{word} is no number")


def _plain(value: Decimal) -> str:
    """One way of writing each number: 0.0150 and 15E-3 are 0.015."""
    return format(value.normalize(), "f")
