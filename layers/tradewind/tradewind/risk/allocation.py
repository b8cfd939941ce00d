"""How much of the account each strategy may use.

A strategy with a fraction of the equity is sized as if that fraction were an account of its own, of
which only its own symbols take up room; on top of that the whole account's caps hold. So what a
strategy does on its part of the account is what it does, and was tested to do, on a small account.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from tradewind.errors import InvalidInputError
from tradewind.orders.model import BrokerOrder, BrokerPosition, OrderIntent, Side
from tradewind.risk.limits import RiskLimits
from tradewind.risk.live_ramp import WHOLE_SIZE, SizeStep
from tradewind.risk.sizing import Size, entry_size


@dataclass(frozen=True, slots=True)
class Allotment:
    """``fraction`` of the account's equity, above 0 and at most 1, for ``symbols`` together."""

    symbols: frozenset[str]
    fraction: Decimal

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise InvalidInputError(f"an allotment of {self.fraction}: need above 0, at most 1")


# Every symbol is bounded by the account's caps alone: one strategy, the whole account.
NO_ALLOTMENTS: Mapping[str, Allotment] = MappingProxyType({})


def exposure_by_symbol(
    positions: Sequence[BrokerPosition],
    open_orders: Sequence[BrokerOrder],
    unresolved: Sequence[OrderIntent],
) -> dict[str, Decimal]:
    """USD held, being bought at the broker, and committed but without outcome; symbols with none
    are absent."""
    exposure: defaultdict[str, Decimal] = defaultdict(Decimal)
    for position in positions:
        exposure[position.symbol] += position.quantity * position.current_price
    for order in open_orders:
        if order.side is Side.BUY and order.limit_price is not None:
            exposure[order.symbol] += (order.quantity - order.filled_quantity) * order.limit_price
    at_broker = {order.client_order_id for order in open_orders}
    for intent in unresolved:
        if (
            intent.side is Side.BUY
            and intent.limit_price is not None
            and intent.intent_id not in at_broker
        ):
            exposure[intent.symbol] += intent.quantity * intent.limit_price
    return dict(exposure)


class Funds:
    """What is left to spend in this run; shrinks with each entry.

    ``exposure`` is by symbol (USD), foreign positions included; ``allotments`` are by symbol: a
    symbol without one is bounded by the account's caps alone. While live trading has only reached
    a ``step`` of its size, that part of the equity is all that the symbols ``traded`` here have
    together, and every strategy's part shrinks with it.
    """

    def __init__(
        self,
        equity: Decimal,
        buying_power: Decimal,
        exposure: Mapping[str, Decimal],
        allotments: Mapping[str, Allotment],
        step: SizeStep = WHOLE_SIZE,
        traded: Collection[str] = (),
    ) -> None:
        self._equity = equity
        self._buying_power = buying_power
        self._spent, self._entries = Decimal(0), 0
        self._exposure = sum(exposure.values(), Decimal(0))
        self._allotments = allotments
        self._step = step
        self._of_ours = sum((exposure.get(s, Decimal(0)) for s in set(traded)), Decimal(0))
        self._in_use = {
            allotment: sum((exposure.get(s, Decimal(0)) for s in allotment.symbols), Decimal(0))
            for allotment in set(allotments.values())
        }

    def size(
        self,
        symbol: str,
        *,
        limit_price: Decimal,
        stop_price: Decimal,
        atr: Decimal | None,
        limits: RiskLimits,
    ) -> Size:
        """Shares to buy at no more than ``limit_price`` (USD), see :func:`entry_size`: the smallest
        of what the account has left, what live trading has reached of it, and what the symbol's
        strategy has left."""

        def sized(equity: Decimal, exposure: Decimal) -> Size:
            return entry_size(
                equity=equity,
                exposure=exposure,
                buying_power=self._buying_power,
                limit_price=limit_price,
                stop_price=stop_price,
                atr=atr,
                limits=limits,
            )

        step = self._step
        ramping = f", {step.reason}" if step.fraction < 1 else ""
        parts = [(self._equity, self._exposure, "")]
        if ramping:
            parts.append((self._equity * step.fraction, self._of_ours, ramping))
        allotment = self._allotments.get(symbol)
        if allotment is not None:
            own = self._equity * allotment.fraction * step.fraction
            told = f" of the strategy's {allotment.fraction} of equity{ramping}"
            parts.append((own, self._in_use[allotment], told))
        sizes = [(sized(equity, exposure), told) for equity, exposure, told in parts]
        smallest, told = min(sizes, key=lambda one: one[0].quantity)
        return Size(smallest.quantity, smallest.limited_by + told)

    @property
    def buying_power(self) -> Decimal:
        """What is left to spend (USD)."""
        return self._buying_power

    @property
    def spent(self) -> Decimal:
        """What this run's entries take (USD)."""
        return self._spent

    @property
    def entries(self) -> int:
        """How many entries this run has decided."""
        return self._entries

    def spend(self, symbol: str, usd: Decimal) -> None:
        """Take an entry's money out of what is left."""
        self._spent += usd
        self._entries += 1
        self._exposure += usd
        self._of_ours += usd
        self._buying_power -= usd
        allotment = self._allotments.get(symbol)
        if allotment is not None:
            self._in_use[allotment] += usd
