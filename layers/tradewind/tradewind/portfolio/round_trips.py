"""Closed round trips: from flat to flat in one symbol, and what each earned. Average cost.

A loss beyond the protective stop is split in two. What the market jumped over is the *gap loss*: a
stop cannot sell at a price at which nothing was traded. The rest, below the worse of stop and gap,
is *slippage of the exit*, and that is what the system answers for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE, Bar
from tradewind.orders.model import Side
from tradewind.portfolio.executions import Execution, Purpose, holdings_at, with_conversions
from tradewind.portfolio.splits import Conversion, PositionSplit, times

# What a fill is assumed to cost beyond the price it is measured against, as a fraction of it: half
# the spread and the delay of a few seconds. Backtests fill by it, and reports judge stops by it.
DECLARED_SLIPPAGE = Decimal("0.0002")


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """``quantity`` shares bought and sold again; prices are averages (USD), times aware UTC. After
    a split shares and prices are those of the exit, so that a share bought at 645 and sold as seven
    at 93 was bought at 92.14.

    ``profit_loss`` is without the account's fees, which the broker tells by day. ``exit_reason`` is
    that of the execution that closed the position, ``stop_price`` the stop of the last sale that
    had one. ``gap_loss`` and ``exit_slippage`` (both USD, zero or more) are the parts of the result
    that lie beyond the stop: what was jumped over, and what was lost below the worse of the two;
    ``night_gap_loss`` is the part of the gap loss that a night brought.
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
    night_gap_loss: Decimal
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


@dataclass(slots=True)
class _OpenTrip:
    """``parts``: each execution, and how many shares of now one of its shares is. ``paid_out``:
    shares of now that a split left as fractions and the broker paid for."""

    held: Fraction = Fraction(0)
    parts: list[tuple[Execution, Fraction]] = field(default_factory=list)
    paid_out: Fraction = Fraction(0)

    def convert(self, conversion: Conversion) -> None:
        exact = self.held * conversion.factor
        self.held = exact * conversion.kept
        self.paid_out = self.paid_out * conversion.factor + exact - self.held
        self.parts = [(part, factor * conversion.factor) for part, factor in self.parts]


def round_trips(
    executions: Iterable[Execution],
    gaps: Mapping[str, Decimal],
    splits: Iterable[PositionSplit] = (),
    overnight: Collection[str] = (),
) -> list[RoundTrip]:
    """The closed round trips by exit time.

    ``executions`` have to start flat in every symbol. ``gaps``: execution_id -> the price that
    :func:`gap_price` answers, for the executions that have one; ``overnight``: those of them whose
    gap lay between two sessions. ``splits``: those that our books carried out. Raises
    InvalidInputError for a sale of more than is held.
    """
    open_trips: dict[str, _OpenTrip] = {}
    closed: list[RoundTrip] = []
    for event in with_conversions(executions, splits):
        if isinstance(event, Conversion):
            if event.symbol in open_trips:
                open_trips[event.symbol].convert(event)
            continue
        symbol = event.symbol
        trip = open_trips.setdefault(symbol, _OpenTrip())
        trip.held += Fraction(event.quantity) * (1 if event.side is Side.BUY else -1)
        if trip.held < 0:
            more = times(Decimal(1), -trip.held)
            raise InvalidInputError(
                f"execution {event.execution_id} sells {more} {symbol} more than are held"
            )
        trip.parts.append((event, Fraction(1)))
        if not trip.held:
            closed.append(_closed(open_trips.pop(symbol), gaps, overnight))
    return closed


def closed_out(
    executions: Sequence[Execution],
    prices: Mapping[str, Decimal],
    decided_at: datetime,
    splits: Iterable[PositionSplit] = (),
) -> list[Execution]:
    """The executions, and for each symbol they leave held a sale of all of it at ``prices`` (USD,
    by symbol), as if decided on in the bar that starts at ``decided_at``: what is open is valued,
    not sold. InvalidInputError for a held symbol without a price."""
    valued = list(executions)
    for symbol, holding in holdings_at(executions, decided_at + MINUTE, splits).items():
        if not holding.quantity:
            continue
        if symbol not in prices:
            raise InvalidInputError(f"no price of {symbol}, of which {holding.quantity} are held")
        valued.append(
            Execution(
                execution_id=f"valued-{symbol}",
                order_id=f"valued-{symbol}",
                symbol=symbol,
                strategy=holding.strategy,
                purpose=Purpose.EXIT,
                side=Side.SELL,
                quantity=holding.quantity,
                price=prices[symbol],
                at=decided_at + MINUTE,
                decided_at=decided_at,
                decision_price=prices[symbol],
                stop_price=None,
                reason="still_held",
            )
        )
    return valued


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


def _closed(trip: _OpenTrip, gaps: Mapping[str, Decimal], overnight: Collection[str]) -> RoundTrip:
    """In the units of the last sale. A fraction that was paid out left at what it had cost, so that
    the split earns nothing and loses nothing."""
    bought = [(one, factor) for one, factor in trip.parts if one.side is Side.BUY]
    sold = [(one, factor) for one, factor in trip.parts if one.side is Side.SELL]
    quantity = _shares(sold)
    proceeds = sum((one.notional for one, _ in sold), Decimal(0))
    spent = sum((one.notional for one, _ in bought), Decimal(0))
    cost = times(spent, Fraction(quantity) / (Fraction(quantity) + trip.paid_out))
    beyond = [(beyond_stop(one, gaps.get(one.execution_id)), factor) for one, factor in sold]
    stops = [
        (times(one.stop_price, 1 / factor), times(owed, 1 / factor))
        for (one, _), ((owed, _, _), factor) in zip(sold, beyond, strict=True)
        if one.stop_price is not None and owed is not None
    ]
    last_stop, owed = stops[-1] if stops else (None, None)
    (first, entry_factor), (last, _) = bought[0], sold[-1]
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
        gap_loss=sum((loss for (_, loss, _), _ in beyond), Decimal(0)),
        night_gap_loss=sum(
            (
                loss
                for (one, _), ((_, loss, _), _) in zip(sold, beyond, strict=True)
                if one.execution_id in overnight
            ),
            Decimal(0),
        ),
        exit_slippage=sum((loss for (_, _, loss), _ in beyond), Decimal(0)),
        entry_decided_at=first.decided_at,
        exit_decided_at=(last.at.replace(second=0, microsecond=0) if by_stop else last.decided_at),
        entry_decision_price=times(first.decision_price, 1 / entry_factor),
        exit_decision_price=(
            last.stop_price if by_stop and last.stop_price is not None else last.decision_price
        ),
    )


def _shares(parts: Sequence[tuple[Execution, Fraction]]) -> Decimal:
    """What the parts come to in shares of now: exact, whatever the factors."""
    return times(
        Decimal(1), sum((Fraction(one.quantity) * factor for one, factor in parts), Fraction(0))
    )
