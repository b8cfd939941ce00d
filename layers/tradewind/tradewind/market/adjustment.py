"""Splits: bars are stored as traded, and adjusted on reading, as known at the decision.

A factor says by how much one share became more: 7 for a 7:1 split, 0.02 for a reverse split 1:50,
1.05 for a stock dividend of 5 %. Prices before the first session at the new price are divided by
it, volumes multiplied. A factor counts from the moment it became known, so that a decision replayed
later sees what it saw; when a (symbol, session) was told of twice, the later knowledge counts. A
factor of 1 records that somebody looked: that jump was the market, no split.

Nothing here guesses: a jump that looks like a split is *suspected*, which holds bars back until a
factor answers it (see :mod:`tradewind.market.validation`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

from tradewind.errors import InvalidInputError
from tradewind.market.bar import Bar
from tradewind.market.bar_series import BarSeries

# Every minute of 04:00-20:00 New York, summer and winter, is on its New York date at UTC-5.
_NEW_YORK_DATE = timedelta(hours=5)

# One rounding, the same on every machine; 16 digits keep a price's cents at any split.
_DIGITS = Context(prec=16, rounding=ROUND_HALF_EVEN)
_EXACT = Context(prec=200)

# Besides whole numbers. 4:3 and 5:4 are left out: as falls of 25 and 20 % they are mostly real.
_BROKEN_RATIOS = (Fraction(3, 2), Fraction(5, 2))
# How far the market may have moved over the night of a split.
_SPLIT_TOLERANCE = Fraction(5, 100)


@dataclass(frozen=True, slots=True)
class SplitFactor:
    """``new_rate`` shares for ``old_rate`` held, from ``effective`` on: the New York date of the
    first session (its early hours included) at the new price. ``known_at``: when it was learnt."""

    symbol: str
    effective: date
    new_rate: Decimal
    old_rate: Decimal
    known_at: datetime

    def __post_init__(self) -> None:
        rates = (self.new_rate, self.old_rate)
        if not all(rate.is_finite() and rate > 0 for rate in rates):
            raise InvalidInputError(
                f"split of {self.symbol} on {self.effective}: {self.new_rate} for "
                f"{self.old_rate} shares; both must be positive numbers"
            )
        if self.known_at.tzinfo is None:
            raise InvalidInputError(
                f"split of {self.symbol} on {self.effective}: known_at has no time zone"
            )

    @property
    def factor(self) -> Fraction:
        return Fraction(self.new_rate) / Fraction(self.old_rate)


@dataclass(frozen=True, slots=True)
class KnownClose:
    """A close that later bars are measured by, and the start of its bar."""

    start: datetime
    close: Decimal


@dataclass(frozen=True, slots=True)
class SuspectedSplit:
    """A jump into a session that has the size of a split nobody told of.

    ``before`` is the last close at the old price, ``after`` the first close at the new one;
    ``ratio`` the split it looks like (7 for 7:1, 1/50 for a reverse one). It stays open until a
    factor for (symbol, effective) is known, be it 1.
    """

    symbol: str
    effective: date
    ratio: Fraction
    before: KnownClose
    after: Decimal
    seen_at: datetime


class FactorTable:
    """All known factors and suspicions of some symbols; asked for a moment's knowledge."""

    def __init__(
        self, factors: Iterable[SplitFactor], suspected: Iterable[SuspectedSplit] = ()
    ) -> None:
        self._factors: dict[str, list[SplitFactor]] = {}
        for factor in sorted(factors, key=lambda f: (f.effective, f.known_at)):
            self._factors.setdefault(factor.symbol, []).append(factor)
        self._suspected: dict[str, list[SuspectedSplit]] = {}
        for suspicion in suspected:
            self._suspected.setdefault(suspicion.symbol, []).append(suspicion)

    def between(self, symbol: str, after: date, until: date, known_by: datetime) -> Fraction:
        """How many shares one share of session ``after`` is in session ``until``: the product of
        the factors effective in between (``until`` included); 1 when there are none."""
        product = Fraction(1)
        for effective, factor in self._known(symbol, known_by).items():
            if after < effective <= until:
                product *= factor
        return product

    def steps(
        self, symbol: str, after: date, until: date, known_by: datetime
    ) -> list[tuple[date, Fraction]]:
        """The splits with after < effective <= until that were known then, oldest first."""
        return [
            (effective, factor)
            for effective, factor in self._known(symbol, known_by).items()
            if factor != 1 and after < effective <= until
        ]

    def due(
        self, symbols: Iterable[str], today: date, following: date, known_by: datetime
    ) -> dict[str, date]:
        """Of each symbol that has one, the split that takes effect with the ``following`` session,
        as it was known then."""
        return {
            symbol: found[0][0]
            for symbol in symbols
            if (found := self.steps(symbol, today, following, known_by))
        }

    def learnt(
        self, symbol: str, after: date, until: date, since: datetime, known_by: datetime
    ) -> datetime | None:
        """When the newest factor with after < effective <= until was learnt, if that was in
        ``since`` < time <= ``known_by``: before that, its bars were seen otherwise."""
        return max(
            (
                factor.known_at
                for factor in self._factors.get(symbol, ())
                if after < factor.effective <= until and since < factor.known_at <= known_by
            ),
            default=None,
        )

    def is_suspected(self, symbol: str, after: date, until: date, known_by: datetime) -> bool:
        """Whether a jump between the two sessions (``until`` included) was suspected to be a split
        and no factor has answered it yet."""
        return any(
            after < suspicion.effective <= until and not self._answered(suspicion, known_by)
            for suspicion in self._suspected.get(symbol, ())
        )

    def is_no_split(self, symbol: str, after: date, until: date, known_by: datetime) -> bool:
        """Whether somebody recorded (a factor of 1) that a jump in between is the market's."""
        return any(
            factor == 1 and after < effective <= until
            for effective, factor in self._known(symbol, known_by).items()
        )

    def adjusted(self, bars: Sequence[Bar], decision: datetime) -> Sequence[Bar]:
        """The bars at the price level of the decision's session, by what was known then.

        ``bars`` may be of several symbols and in any order, which is kept. Prices keep 16 digits,
        half-even; volumes become whole shares, half-even. Order of OHLC and the sign stay.
        """
        if isinstance(bars, BarSeries) and bars.symbol not in self._factors:
            return bars  # its bars need not be made
        until = new_york_date(decision)
        steps: dict[str, Mapping[date, Fraction]] = {}
        adjusted = []
        for bar in bars:
            if bar.symbol not in self._factors:
                adjusted.append(bar)
                continue
            known = steps.get(bar.symbol)
            if known is None:
                known = steps[bar.symbol] = self._known(bar.symbol, decision)
            day = new_york_date(bar.start)
            factor = Fraction(1)
            for effective, step in known.items():
                if day < effective <= until:
                    factor *= step
            adjusted.append(bar if factor == 1 else _divided(bar, factor))
        return adjusted

    def _answered(self, suspicion: SuspectedSplit, known_by: datetime) -> bool:
        """A session that was missed may put the jump a day after the split's own date."""
        before = new_york_date(suspicion.before.start)
        known = self._known(suspicion.symbol, known_by)
        return any(before < effective <= suspicion.effective for effective in known)

    def _known(self, symbol: str, known_by: datetime) -> Mapping[date, Fraction]:
        """By session; the factors are in the order they became known, so the last one counts."""
        return {
            factor.effective: factor.factor
            for factor in self._factors.get(symbol, ())
            if factor.known_at <= known_by
        }


def new_york_date(start: datetime) -> date:
    """The New York date of a bar between 04:00 and 20:00 New York; ``start`` is aware UTC."""
    return (start - _NEW_YORK_DATE).date()


def begin_of(day: date) -> datetime:
    """The instant (aware UTC) from which on times are of a New York date; see
    :func:`new_york_date`."""
    return datetime.combine(day, time(tzinfo=UTC)) + _NEW_YORK_DATE


def split_like(before: Decimal, after: Decimal) -> Fraction | None:
    """The split that takes ``before`` to about ``after``: 7 for 7:1, 1/50 for a reverse 1:50.

    Whole numbers from 2, 3:2 and 5:2, both ways, with 5 % of room for the market. None when the
    move looks like none of them.
    """
    ratio = Fraction(before) / Fraction(after)
    if ratio < 1:
        reverse = split_like(after, before)
        return None if reverse is None else 1 / reverse
    candidates = (Fraction(round(ratio)), *_BROKEN_RATIOS)
    nearest = min(candidates, key=lambda candidate: abs(ratio / candidate - 1))
    if nearest < 1 or nearest == 1 or abs(ratio / nearest - 1) > _SPLIT_TOLERANCE:
        return None
    return nearest


def _divided(bar: Bar, factor: Fraction) -> Bar:
    return replace(
        bar,
        open=divided(bar.open, factor),
        high=divided(bar.high, factor),
        low=divided(bar.low, factor),
        close=divided(bar.close, factor),
        volume=round(bar.volume * factor),
    )


def divided(price: Decimal, factor: Fraction) -> Decimal:
    """A price at the level after a split: exact to 16 digits, rounded once."""
    shares = _EXACT.multiply(price, Decimal(factor.denominator))
    return _DIGITS.divide(shares, Decimal(factor.numerator))
