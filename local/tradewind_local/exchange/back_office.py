"""What changes an account without a trade: fees, dividends, interest, journals, splits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from tradewind.portfolio import regulatory_fees

from tradewind_local.exchange import refusals
from tradewind_local.exchange.ids import Ids
from tradewind_local.exchange.ledger import Ledger
from tradewind_local.exchange.model import ZERO, Activity, Fill, Touched
from tradewind_local.exchange.order_rules import CENT
from tradewind_local.exchange.wire import decimal_text

# The broker's words for activities that are no trades (its list of activity types).
KINDS = frozenset(
    {
        *("CFEE", "CGD", "CSD", "CSW", "DIV", "DIVCGL", "DIVCGS", "DIVFEE", "DIVFT", "DIVNRA"),
        *("DIVROC", "DIVTW", "DIVTXEX", "FEE", "INT", "INTNRA", "INTTW", "JNL", "JNLC", "JNLS"),
        *("MISC", "PTC", "PTR", "SPIN", "SPLIT"),
    }
)


def sale_fees(sales: Iterable[Fill]) -> Decimal:
    """The regulatory fees of one session's sales in USD."""
    notional, shares = ZERO, dict[str, Decimal]()
    for fill in sales:
        notional += fill.qty * fill.price
        shares[fill.order_id] = shares.get(fill.order_id, ZERO) + fill.qty
    return regulatory_fees.sale_fees(notional, shares.values())


class BackOffice:
    """Books activities, numbered in the order they come."""

    def __init__(
        self, ledger: Ledger, activities: list[Activity], touched: Touched, ids: Ids
    ) -> None:
        """``activities``: every one so far; new ones are added."""
        self._ledger = ledger
        self._activities = activities
        self._touched = touched
        self._ids = ids

    def post(
        self,
        kind: str,
        amount: Decimal,
        at: datetime,
        symbol: str | None = None,
        description: str = "",
        qty: Decimal | None = None,
    ) -> Activity:
        """Refusal (422) when the broker has no such kind of activity."""
        if kind not in KINDS:
            raise refusals.unprocessable(f"invalid activity type: {kind}")
        number = len(self._activities) + 1
        activity = Activity(
            number, self._ids.activity(number, at), kind, amount, at, symbol, description, qty
        )
        self._activities.append(activity)
        self._touched.activities.append(activity)
        self._ledger.pay(amount)
        return activity

    def split(
        self, symbol: str, new_rate: Decimal, old_rate: Decimal, price: Decimal, at: datetime
    ) -> None:
        """``price`` is the last one before the split (USD): a fraction is paid out at what it
        makes of the new shares."""
        if self._ledger.position(symbol).qty == ZERO:
            return
        change, fraction = self._ledger.split(symbol, new_rate, old_rate)
        self._touched.positions[symbol] = self._ledger.position(symbol)
        rates = f"{decimal_text(new_rate)} for {decimal_text(old_rate)}"
        self.post("SPLIT", ZERO, at, symbol, f"Split {rates}", change)
        paid = (fraction * price * old_rate / new_rate).quantize(CENT, rounding=ROUND_HALF_UP)
        if paid:
            self.post("JNLC", paid, at, symbol, f"Cash in lieu of {decimal_text(fraction)} shares")

    def charge_fees(self, sales: Iterable[Fill], at: datetime) -> None:
        """One activity for a session's sales, if there were any."""
        fees = sale_fees(sales)
        if fees:
            self.post("FEE", -fees, at, description="Regulatory fees (SEC, TAF) on sales")
