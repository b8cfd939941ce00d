"""Prices and money as whole millionths of a USD, exact: the arithmetic of the live kernel.

Restates :mod:`tradewind.orders.prices` and :mod:`tradewind.backtest.costs`, which compute in
decimals. ``rules`` is a row of RULES (:mod:`tradewind.backtest.live_rules`). Fractions are in
millionths, so that a price times a fraction is in 10^-12 USD.
"""

from __future__ import annotations

from typing import Final

from tradewind.backtest.compiled import within
from tradewind.backtest.live_fields import Row

MILLION: Final = 1_000_000
_CENT: Final = 10_000
_ONE_USD: Final = 10**12
_COARSE: Final = 10**10  # the cent: the tick of prices from one dollar up
_FINE: Final = 10**8  # the tick below
_CENT_OF_SEC_FEE: Final = 10**11


@within
def floor_to_tick(price: int) -> int:
    """10^-12 USD in, millionths out."""
    if price >= _ONE_USD:
        return price // _COARSE * 10_000
    return price // _FINE * 100


@within
def ceil_to_tick(price: int) -> int:
    """10^-12 USD in, millionths out."""
    if price >= _ONE_USD:
        return (price + (_COARSE - 1)) // _COARSE * 10_000
    return (price + (_FINE - 1)) // _FINE * 100


@within
def part(amount: int, millionths: int) -> int:
    """``amount`` (>= 0) times a fraction, rounded down; exact where the product is not."""
    return amount // MILLION * millionths + amount % MILLION * millionths // MILLION


@within
def ratio(a: int, b: int, c: int) -> int:
    """a x b / c rounded down, none negative, though a x b needs more than 64 bits.

    The quotient is guessed in double precision; what is left of it is small, and its low 64 bits
    are therefore all of it.
    """
    quotient = int(float(a) * float(b) / float(c))
    return quotient + (a * b - quotient * c) // c


@within
def worse_by(quantity: int, volume: int, rules: Row) -> int:
    """The fraction of its price by which a fill is worse."""
    if rules.volume_share == 0:
        return int(rules.slippage)
    share = MILLION
    if quantity < volume:
        share = (quantity * MILLION + volume - 1) // volume
    return int((rules.impact * share * share + (_ONE_USD - 1)) // _ONE_USD)


@within
def commission(notional: int, rules: Row) -> int:
    """Rounded up to the cent."""
    rest = notional % _COARSE * rules.commission
    cents = notional // _COARSE * rules.commission + (rest + (_COARSE - 1)) // _COARSE
    return int(cents * _CENT)


@within
def sale_fees(quantity: int, price: int, rules: Row) -> int:
    """The regulators'; each rounded up to the cent."""
    if rules.fee_factor == 0:
        return 0
    taf = quantity * rules.taf
    if taf > rules.largest_taf:
        taf = rules.largest_taf
    sec = (quantity * price * rules.sec_fee + (_CENT_OF_SEC_FEE - 1)) // _CENT_OF_SEC_FEE
    cents = sec + (taf + (_CENT - 1)) // _CENT
    return int((cents * rules.fee_factor + (MILLION - 1)) // MILLION * _CENT)
