"""Outcomes written by hand: sessions of equity, and trades as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
from tradewind.backtest.outcome import ExitReason, Outcome, Trades
from tradewind.backtest.settings import BacktestSettings

# A Monday. 14:30 UTC is 9:30 in New York from November to March.
FIRST_DAY = date(2020, 11, 9)
OPEN = timedelta(hours=14, minutes=30)


@dataclass(frozen=True, slots=True)
class Trip:
    """A round trip between two minutes of the outcome, numbered from its first."""

    entry: int
    exit: int
    pnl: float
    price: float = 100.0
    quantity: float = 10.0
    exit_price: float | None = None
    fees: float = 0.0
    reason: ExitReason = ExitReason.SIGNAL
    mae: float = 0.0
    mfe: float = 0.0
    gap_loss: float = 0.0


def outcome_of(
    equity: Sequence[Sequence[float]],
    trips: Sequence[Trip] = (),
    *,
    cash: float | str = 100,
    dates: Sequence[date] = (),
    invested: Sequence[float] | None = None,
    hold: Sequence[float] | None = None,
) -> Outcome:
    """``equity``: a list of minutes for each session. The sessions follow each other on weekdays,
    each from 9:30 New York. ``invested`` and ``hold`` are none and the cash, unless told."""
    days = list(dates) or weekdays(len(equity))
    values = np.array([value for session in equity for value in session], np.float64)
    number = [at for at, session in enumerate(equity) for _ in session]
    moments = [
        int((datetime(day.year, day.month, day.day, tzinfo=UTC) + OPEN).timestamp()) + 60 * minute
        for day, session in zip(days, equity, strict=True)
        for minute in range(len(session))
    ]
    time = np.array(moments, np.int64)
    return Outcome(
        symbols=("AAPL",),
        settings=BacktestSettings(cash=Decimal(str(cash))),
        strategy="by_hand",
        parameters={},
        time=time,
        session=np.array(number, np.int32),
        session_dates=tuple(days),
        equity=values,
        invested=np.zeros(len(values)) if invested is None else np.array(invested, np.float64),
        trades=trades_of(trips, time),
        buy_and_hold=np.full(len(values), float(cash)) if hold is None else np.array(hold, float),
        engine_ms=0.0,
    )


def weekdays(count: int) -> list[date]:
    days = (FIRST_DAY + timedelta(days=ahead) for ahead in range(count * 7 // 5 + 3))
    return [day for day in days if day.weekday() < 5][:count]


def trades_of(trips: Sequence[Trip], time: np.ndarray) -> Trades:
    def floats(values: list[float]) -> np.ndarray:
        return np.array(values, np.float64)

    entry = np.array([trip.entry for trip in trips], np.int64)
    leave = np.array([trip.exit for trip in trips], np.int64)
    sold = [
        trip.price + (trip.pnl + trip.fees) / trip.quantity
        if trip.exit_price is None
        else trip.exit_price
        for trip in trips
    ]
    return Trades(
        symbol=np.zeros(len(trips), np.int32),
        entry_bar=entry,
        exit_bar=leave,
        entry_time=time[entry],
        exit_time=time[leave],
        entry_price=floats([trip.price for trip in trips]),
        exit_price=floats(sold),
        quantity=floats([trip.quantity for trip in trips]),
        fees=floats([trip.fees for trip in trips]),
        pnl=floats([trip.pnl for trip in trips]),
        reason=np.array([trip.reason for trip in trips], np.int8),
        mae=floats([trip.mae for trip in trips]),
        mfe=floats([trip.mfe for trip in trips]),
        gap_loss=floats([trip.gap_loss for trip in trips]),
    )
