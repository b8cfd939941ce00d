"""A position across a split: more shares, the same cost, once the broker shows the new units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Context, Decimal
from fractions import Fraction

from tradewind.portfolio.model import Holding

_DIGITS = Context(prec=28)


@dataclass(frozen=True, slots=True)
class PositionSplit:
    """A row of ``position_splits``: what a split (``new_rate`` shares for ``old_rate``) made of our
    books. ``seen_at`` (aware UTC) is when the broker first showed the new units, or the begin of
    the day ``effective`` where executions showed them before a snapshot did; splits of a symbol
    that were seen at once carry the same quantities and costs: before and after all of them."""

    symbol: str
    effective: date
    new_rate: Decimal
    old_rate: Decimal
    quantity_before: Decimal
    quantity_after: Decimal
    cost_before: Decimal
    cost_after: Decimal
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of a symbol's shares in our books at ``at`` (aware UTC): one share became
    ``factor``, of which the broker kept ``quantity_after`` in all and paid the rest out."""

    symbol: str
    at: datetime
    factor: Fraction
    quantity_before: Decimal
    quantity_after: Decimal

    @property
    def kept(self) -> Fraction:
        """The part of the shares that was not paid out; nearly always all of them."""
        return Fraction(self.quantity_after) / (Fraction(self.quantity_before) * self.factor)


def conversions(splits: Iterable[PositionSplit]) -> list[Conversion]:
    """By time; splits of a symbol that were seen at once are one."""
    found: dict[tuple[datetime, str], Conversion] = {}
    for split in splits:
        factor = Fraction(split.new_rate) / Fraction(split.old_rate)
        key = (split.seen_at, split.symbol)
        before = found.get(key)
        found[key] = Conversion(
            split.symbol,
            split.seen_at,
            factor if before is None else factor * before.factor,
            split.quantity_before,
            split.quantity_after,
        )
    return [found[key] for key in sorted(found)]


def carried_out(splits: Iterable[PositionSplit]) -> set[tuple[str, date]]:
    """(symbol, effective) of each."""
    return {(split.symbol, split.effective) for split in splits}


def times(amount: Decimal, factor: Fraction) -> Decimal:
    """Exact as far as 28 digits go."""
    return _DIGITS.divide(
        _DIGITS.multiply(amount, Decimal(factor.numerator)), Decimal(factor.denominator)
    )


def after_split(holding: Holding, factor: Fraction, brokers: Decimal) -> Holding | None:
    """The holding in the new units; None when the broker does not show it in them.

    ``factor``: shares that one share became; ``brokers``: the broker's quantity. The cost stays.
    Where the broker keeps whole shares only and pays the rest out, the rest's cost leaves the books
    as a realised loss: the payment comes as an activity of its own. A position of which no whole
    share is left is not converted.
    """
    exact = Fraction(holding.quantity) * factor
    if brokers <= 0 or holding.quantity <= 0:
        return None
    if Fraction(brokers) == exact:
        return replace(holding, quantity=brokers)
    if brokers != _floor(exact):
        return None
    paid_out = (exact - Fraction(brokers)) / exact
    lost = times(holding.cost, paid_out)
    return replace(
        holding,
        quantity=brokers,
        cost=holding.cost - lost,
        realised_pnl=holding.realised_pnl - lost,
    )


def priced_after_split(holding: Holding, factor: Fraction) -> Holding:
    """A holding whose shares are not converted yet, with its average price in the new units: what
    stops and exits are measured by between the split and the broker's word on it."""
    return replace(holding, cost=times(holding.cost, 1 / factor))


def _floor(exact: Fraction) -> Decimal:
    return Decimal(exact.numerator // exact.denominator)
