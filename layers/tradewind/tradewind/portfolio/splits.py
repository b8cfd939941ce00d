"""A position across a split: more shares, the same cost, once the broker shows the new units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Context, Decimal
from fractions import Fraction

from tradewind.portfolio.model import Holding

_DIGITS = Context(prec=28)


@dataclass(frozen=True, slots=True)
class PositionSplit:
    """A row of ``position_splits``: what a split (``new_rate`` shares for ``old_rate``) made of our
    books. ``seen_at`` (aware UTC) is when the broker first showed the new units; splits of a symbol
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
    lost = _DIGITS.divide(
        _DIGITS.multiply(holding.cost, Decimal(paid_out.numerator)), Decimal(paid_out.denominator)
    )
    return replace(
        holding,
        quantity=brokers,
        cost=holding.cost - lost,
        realised_pnl=holding.realised_pnl - lost,
    )


def priced_after_split(holding: Holding, factor: Fraction) -> Holding:
    """A holding whose shares are not converted yet, with its average price in the new units: what
    stops and exits are measured by between the split and the broker's word on it."""
    cost = _DIGITS.divide(
        _DIGITS.multiply(holding.cost, Decimal(factor.denominator)), Decimal(factor.numerator)
    )
    return replace(holding, cost=cost)


def _floor(exact: Fraction) -> Decimal:
    return Decimal(exact.numerator // exact.denominator)
