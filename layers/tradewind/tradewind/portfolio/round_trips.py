"""Closed round trips: from flat to flat in one symbol, and what each earned. Average cost.

A loss beyond the protective stop is split in two. What the market jumped over is the *gap loss*: a
stop cannot sell at a price at which nothing was traded. The rest, below the worse of stop and gap,
is *slippage of the exit*, and that is what the system answers for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE, Bar
from tradewind.orders.model import Side
from tradewind.portfolio.executions import Execution, Purpose, in_time_order


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """``quantity`` shares bought and sold again; prices are averages (USD), times aware UTC.

    ``profit_loss`` is without the account's fees, which the broker tells by day. ``exit_reason`` is
    that of the execution that closed the position, ``stop_price`` the stop of the last sale that
    had one. ``gap_loss`` and ``exit_slippage`` (both USD, zero or more) are the parts of the result
    that lie beyond the stop: what was jumped over, and what was lost below the worse of the two.
    ``worst_price_owed`` is that worse one, of the same sale as ``stop_price``. A stop was decided
    on, so to speak, at its price in the minute in which it sold.
    """

    symbol: str
    strategy: str
    quantity: Decimal
    entry_at: datetime
    exit_at: datetime
    entry_price: Decimal
    exit_price: Decimal
    profit_loss: Decimal
    exit_reason: str
    stop_price: Decimal | None
    worst_price_owed: Decimal | None
    gap_loss: Decimal
    exit_slippage: Decimal
    entry_decided_at: datetime
    exit_decided_at: datetime
    entry_decision_price: Decimal
    exit_decision_price: Decimal

    @property
    def cost(self) -> Decimal:
        return self.quantity * self.entry_price


def gap_price(stop_price: Decimal, at: datetime, bars: Mapping[datetime, Bar]) -> Decimal | None:
    """The first price beyond the stop, if the market jumped over it; None if it traded through.

    ``bars``: the symbol's, by start. The stop was reached in the execution's minute, or in the one
    before when that already traded at the stop or below: an execution may be told a little later.
    The market jumped when that minute opened below the stop.
    """
    minute = at.replace(second=0, microsecond=0)
    for start in (minute - MINUTE, minute):
        bar = bars.get(start)
        if bar is not None and bar.low <= stop_price:
            return bar.open if bar.open < stop_price else None
    return None


def round_trips(executions: Iterable[Execution], gaps: Mapping[str, Decimal]) -> list[RoundTrip]:
    """The closed round trips by exit time.

    ``executions`` have to start flat in every symbol. ``gaps``: execution_id -> the price that
    :func:`gap_price` answers, for the executions that have one. Raises InvalidInputError for a sale
    of more than is held.
    """
    open_trips: dict[str, list[Execution]] = {}
    held: dict[str, Decimal] = {}
    closed: list[RoundTrip] = []
    for execution in in_time_order(executions):
        symbol = execution.symbol
        change = execution.quantity if execution.side is Side.BUY else -execution.quantity
        left = held[symbol] = held.get(symbol, Decimal(0)) + change
        if left < 0:
            raise InvalidInputError(
                f"execution {execution.execution_id} sells {-left} {symbol} more than are held"
            )
        open_trips.setdefault(symbol, []).append(execution)
        if not left:
            closed.append(_closed(open_trips.pop(symbol), gaps))
    return closed


def beyond_stop(
    execution: Execution, gap: Decimal | None
) -> tuple[Decimal | None, Decimal, Decimal]:
    """The worst price that is owed (None: no stop was known), the gap loss, and the slippage below
    that price; USD."""
    stop = execution.stop_price
    if stop is None:
        return None, Decimal(0), Decimal(0)
    owed = stop if gap is None else min(stop, gap)
    none = Decimal(0)
    gap_loss = max(none, stop - max(execution.price, owed)) * execution.quantity
    slippage = max(none, owed - execution.price) * execution.quantity
    return owed, gap_loss, slippage


def _closed(executions: Sequence[Execution], gaps: Mapping[str, Decimal]) -> RoundTrip:
    bought = [one for one in executions if one.side is Side.BUY]
    sold = [one for one in executions if one.side is Side.SELL]
    quantity = sum((one.quantity for one in bought), Decimal(0))
    cost = sum((one.notional for one in bought), Decimal(0))
    proceeds = sum((one.notional for one in sold), Decimal(0))
    beyond = [beyond_stop(one, gaps.get(one.execution_id)) for one in sold]
    stops = [(one.stop_price, owed) for one, (owed, _, _) in zip(sold, beyond, strict=True) if owed]
    last_stop, owed = stops[-1] if stops else (None, None)
    first, last = bought[0], sold[-1]
    by_stop = last.purpose is Purpose.STOP
    return RoundTrip(
        symbol=first.symbol,
        strategy=first.strategy,
        quantity=quantity,
        entry_at=first.at,
        exit_at=last.at,
        entry_price=cost / quantity,
        exit_price=proceeds / quantity,
        profit_loss=proceeds - cost,
        exit_reason=last.reason,
        stop_price=last_stop,
        worst_price_owed=owed,
        gap_loss=sum((loss for _, loss, _ in beyond), Decimal(0)),
        exit_slippage=sum((loss for _, _, loss in beyond), Decimal(0)),
        entry_decided_at=first.decided_at,
        exit_decided_at=(last.at.replace(second=0, microsecond=0) if by_stop else last.decided_at),
        entry_decision_price=first.decision_price,
        exit_decision_price=(
            last.stop_price if by_stop and last.stop_price is not None else last.decision_price
        ),
    )
