"""Whether decisions look into the future: each is made again by what knows no more than its minute.

A strategy, or a function that makes signals, is given the whole history once and then only the
history that ends with a minute. What it decides on that minute has to be the same; the first minute
at which it is not is shown with both decisions. Look-ahead found this way is proven; none found in
a sample of the minutes is no proof, in all of them it is one for these bars.

The sample is drawn with a declared seed, half of it from the minutes in which something was
decided: a leak that only makes entries shows nowhere else. Where it finds a difference, all minutes
before are looked at too, so that the one that is shown is the first.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tradewind.backtest.arrays import BarArrays
from tradewind.errors import InvalidInputError
from tradewind.market.bar import Bar, to_iso
from tradewind.prediction.model import Prediction
from tradewind.strategies.decision import Action
from tradewind.strategies.protocol import MarketView, Strategy, Wish

SAMPLE = 400
SEED = 1

# From the bars that are known, oldest first; what is made of them may keep whatever it computed.
MakeStrategy = Callable[[Sequence[Bar]], Strategy]
# The newest prediction for a minute (aware UTC) by a model that knows these bars.
Predict = Callable[[Sequence[Bar], datetime], Prediction | None]


class EnterAndLeave(Protocol):
    """Signals [n]: whether a flat strategy wants in, and a long one out, at the close of a bar."""

    @property
    def enter(self) -> NDArray[np.bool_]: ...

    @property
    def leave(self) -> NDArray[np.bool_]: ...


# For the bars given.
MakeSignals = Callable[[BarArrays], EnterAndLeave]


class Cause(StrEnum):
    """FUTURE: what comes after the minute changed its decision. MEMORY: not that, but what was
    decided before; live trading forgets between minutes."""

    FUTURE = "future"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Difference:
    """A minute (start of its bar, aware UTC) that is decided in two ways.

    ``whole`` is what was decided with all bars at hand, ``known`` with those up to ``until`` alone
    (aware UTC; the minute itself, or a later one where a signal was changed afterwards).
    """

    symbol: str
    minute: datetime
    until: datetime
    whole: str
    known: str
    cause: Cause

    @property
    def sentence(self) -> str:
        other = {
            Cause.FUTURE: f"with the bars up to {to_iso(self.until)} alone",
            Cause.MEMORY: "without having decided the minutes before",
        }[self.cause]
        return (
            f"{self.symbol} {to_iso(self.minute)} was decided {self.whole!r} with the whole "
            f"history, and {self.known!r} {other}"
        )


@dataclass(frozen=True, slots=True)
class LookAhead:
    """``examined`` of ``minutes`` were decided again; ``seed`` drew them, None where it was all.
    ``difference`` is the first one, None where there was none."""

    minutes: int
    examined: int
    seed: int | None
    difference: Difference | None


def no_prediction(_known: Sequence[Bar], _minute: datetime) -> None:
    """As backtests have it."""
    return


def look_ahead_of_strategy(
    bars: Sequence[Bar],
    make: MakeStrategy,
    *,
    predict: Predict = no_prediction,
    sample: int | None = SAMPLE,
    seed: int = SEED,
) -> LookAhead:
    """Decide the minutes of one symbol's ``bars`` (oldest first) again, flat and long.

    ``make`` gets the bars that are known and returns the strategy; one that learns nothing from
    them ignores them. ``sample``: how many minutes, None for all of them.
    """
    _check(len(bars), sample)
    forwards = make(bars)
    whole = [
        _decided(partial(_wishes, forwards, bars, bars, predict, number))
        for number in range(len(bars))
    ]

    def differs(number: int) -> Difference | None:
        known = bars[: number + 1]
        alone = _decided(lambda: _wishes(make(known), known, known, predict, number))
        if alone == whole[number]:
            return None
        again = _decided(lambda: _wishes(make(bars), bars, bars, predict, number))
        minute = bars[number].start
        return Difference(
            bars[number].symbol,
            minute,
            minute,
            *_told(whole[number], alone),
            Cause.MEMORY if again == alone else Cause.FUTURE,
        )

    return _search(len(bars), _turns(whole), differs, sample, seed)


def look_ahead_of_signals(
    arrays: BarArrays,
    make: MakeSignals,
    *,
    sample: int | None = SAMPLE,
    seed: int = SEED,
) -> LookAhead:
    """Make the signals of truncated histories again: each has to be the whole one's beginning, its
    last minute as well as those before, which a later bar must not change."""
    _check(len(arrays), sample)
    whole = _columns(make(arrays), len(arrays))

    def differs(number: int) -> Difference | None:
        count = number + 1
        alone = _decided(lambda: _columns(make(arrays.part(0, count)), count))
        if isinstance(alone, str):
            return difference(number, number, alone)
        changed = np.flatnonzero((alone != whole[:, :count]).any(axis=0))
        if not len(changed):
            return None
        return difference(int(changed[0]), number, _said(alone[:, changed[0]]))

    def difference(minute: int, until: int, known: str) -> Difference:
        return Difference(
            arrays.symbol,
            _moment(arrays, minute),
            _moment(arrays, until),
            _said(whole[:, minute]),
            known,
            Cause.FUTURE,
        )

    acting = [int(number) for number in np.flatnonzero(whole.any(axis=0))]
    return _search(len(arrays), acting, differs, sample, seed)


def _search(
    count: int,
    acting: Sequence[int],
    differs: Callable[[int], Difference | None],
    sample: int | None,
    seed: int,
) -> LookAhead:
    everything = sample is None or sample >= count
    drawn = range(count) if sample is None else _drawn(count, acting, sample, seed)
    declared = None if everything else seed
    for examined, number in enumerate(drawn, 1):
        found = differs(number)
        if found is not None:
            seen = set(drawn[:examined])
            earlier = (differs(before) for before in range(number) if before not in seen)
            first = next((one for one in earlier if one is not None), found)
            return LookAhead(count, examined, declared, first)
    return LookAhead(count, len(drawn), declared, None)


def _drawn(count: int, acting: Sequence[int], sample: int, seed: int) -> Sequence[int]:
    if sample >= count:
        return range(count)
    draw = random.Random(seed)  # noqa: S311 - a sample that can be drawn again, no secret
    chosen = set(draw.sample(acting, min(sample // 2, len(acting))))
    others = [number for number in range(count) if number not in chosen]
    return sorted(chosen.union(draw.sample(others, sample - len(chosen))))


Wishes = tuple[Wish, Wish]
Decided = TypeVar("Decided")


def _wishes(
    strategy: Strategy,
    known: Sequence[Bar],
    for_model: Sequence[Bar],
    predict: Predict,
    number: int,
) -> Wishes:
    """What it wants at the end of a bar: while flat, and while long."""
    end = number + 1
    minute = known[number].start
    shown = known[max(0, end - strategy.bars_needed) : end]
    prediction = predict(for_model, minute)
    symbol = known[number].symbol
    flat, long = (
        strategy.decide(MarketView(symbol, minute, shown, prediction, holding))
        for holding in (False, True)
    )
    return flat, long


def _turns(wishes: Sequence[Wishes | str]) -> list[int]:
    """The minutes that would enter, and those in which the wish to leave begins."""
    turns, leaving = [], False
    for number, wish in enumerate(wishes):
        flat, long = (None, None) if isinstance(wish, str) else (one.action for one in wish)
        left, leaving = leaving, long is Action.EXIT
        if flat is Action.ENTER or (leaving and not left):
            turns.append(number)
    return turns


def _told(whole: Wishes | str, alone: Wishes | str) -> tuple[str, str]:
    """The first of both wishes that is another, or how deciding failed."""
    if isinstance(whole, str) or isinstance(alone, str):
        one, other = (w if isinstance(w, str) else _wish(w[0]) for w in (whole, alone))
        return one, other
    changed, to = next(pair for pair in zip(whole, alone, strict=True) if pair[0] != pair[1])
    return _wish(changed), _wish(to)


def _wish(wish: Wish) -> str:
    return f"{wish.action}: {wish.reason}"


def _decided(decide: Callable[[], Decided]) -> Decided | str:
    """What looks for a bar that is not there yet fails on it: that is an answer too."""
    try:
        return decide()
    except LookupError as error:
        return f"{type(error).__name__}: {error}"


def _columns(signals: EnterAndLeave, count: int) -> NDArray[np.bool_]:
    """[2, n]."""
    lengths = len(signals.enter), len(signals.leave)
    if lengths != (count, count):
        raise InvalidInputError(
            f"signals for {lengths[0]} and {lengths[1]} bars where {count} were given"
        )
    return np.stack((signals.enter, signals.leave))


def _said(signal: NDArray[np.bool_]) -> str:
    words = [word for word, said in zip(("enter", "leave"), signal, strict=True) if said]
    return " and ".join(words) or "nothing"


def _moment(arrays: BarArrays, number: int) -> datetime:
    return datetime.fromtimestamp(int(arrays.start[number]), UTC)


def _check(count: int, sample: int | None) -> None:
    if not count:
        raise InvalidInputError("no bars: there is nothing to decide")
    if sample is not None and sample < 1:
        raise InvalidInputError(f"a sample of {sample} minutes: give 1 or more, or none for all")
