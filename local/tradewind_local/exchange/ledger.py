"""Cash, positions and what a fill does to them: average cost, to the last digit."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

from tradewind_local.exchange.model import ZERO, Account, Fill, Position
from tradewind_local.exchange.wire import QUOTIENT

ONE = Decimal(1)


class Ledger:
    """What the account owns. Always true, exactly: cash + cost of the shares held = opening cash
    + realised profit + activities."""

    def __init__(self, account: Account, positions: dict[str, Position]) -> None:
        self.account = account
        self._positions = positions

    def position(self, symbol: str) -> Position:
        """The symbol's position, flat ones included."""
        return self._positions.setdefault(symbol, Position(symbol))

    def held(self) -> list[Position]:
        """Positions with shares, by symbol."""
        return [position for _, position in sorted(self._positions.items()) if position.qty != ZERO]

    @property
    def realized(self) -> Decimal:
        return sum((position.realized for position in self._positions.values()), ZERO)

    def pay(self, amount: Decimal) -> None:
        """Money comes (or goes, below zero) without a trade; whoever calls records the activity."""
        self.account.cash += amount

    def split(self, symbol: str, new_rate: Decimal, old_rate: Decimal) -> tuple[Decimal, Decimal]:
        """``new_rate`` shares for ``old_rate``: the change of the whole shares held, and the
        fraction that nobody holds any more. The fraction's cost leaves as a realised loss; what
        is paid for it is an activity."""
        position = self.position(symbol)
        before = position.qty
        after = before * new_rate / old_rate
        whole = after.quantize(ONE, rounding=ROUND_DOWN)
        fraction = (after - whole).quantize(QUOTIENT)
        if fraction:
            cost = position.cost
            if whole:
                cost = (position.cost * (after - whole) / after).quantize(QUOTIENT)
            position.cost -= cost
            position.realized -= cost
        position.qty = whole
        if whole == ZERO:
            position.opened_on = None
        return whole - before, fraction

    def book(self, fill: Fill) -> Position:
        """Carry an execution into cash and position. Nothing is ever sold that is not there."""
        position = self.position(fill.symbol)
        value = fill.qty * fill.price
        if fill.side == "buy":
            if position.qty == ZERO:
                position.opened_on = fill.at.date()
            position.qty += fill.qty
            position.cost += value
            self.account.cash -= value
            return position
        if fill.qty > position.qty:
            raise AssertionError(f"{fill.symbol}: {fill.qty} sold of {position.qty}")
        # The last share takes the rest of the cost along, so nothing is lost to rounding.
        cost = (
            position.cost
            if fill.qty == position.qty
            else (position.cost * fill.qty / position.qty).quantize(QUOTIENT)
        )
        position.qty -= fill.qty
        position.cost -= cost
        position.realized += value - cost
        if position.qty == ZERO:
            position.opened_on = None
        self.account.cash += value
        return position
