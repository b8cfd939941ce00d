"""What the regulators take of a sale. Purchases cost nothing."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, Decimal

# SEC section 31 fee: 27.80 USD per million sold (SEC fee rate advisory for 2024, in force from
# 22 May 2024 to 13 May 2025). FINRA trading activity fee: a share sold, and at most so much a
# trade (FINRA By-Laws, Schedule A, section 1, as of 2024).
SEC_FEE_PER_DOLLAR = Decimal("0.0000278")
TAF_PER_SHARE = Decimal("0.000166")
LARGEST_TAF = Decimal("8.30")

CENT = Decimal("0.01")


def sale_fees(notional: Decimal, shares: Iterable[Decimal]) -> Decimal:
    """USD for sales that are settled together: the SEC's fee on ``notional`` (USD, all of them),
    and the TAF on the ``shares`` of each order, each fee rounded up to the cent as the broker
    does."""
    taf = sum((min(LARGEST_TAF, quantity * TAF_PER_SHARE) for quantity in shares), Decimal(0))
    return up_to_the_cent(notional * SEC_FEE_PER_DOLLAR) + up_to_the_cent(taf)


def up_to_the_cent(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_CEILING)
