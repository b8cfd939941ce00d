"""The compiled pass of ``live_parity`` beside the plain reference, on the same bars and rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from unittest.mock import patch

from tradewind.backtest.arrays import BarArrays, arrays_of
from tradewind.backtest.book import RulesInForce
from tradewind.backtest.costs import Costs
from tradewind.backtest.live import run_live
from tradewind.backtest.live_rules import in_force
from tradewind.backtest.outcome import ExitReason, Outcome
from tradewind.backtest.run import BacktestResult, run
from tradewind.backtest.settings import BacktestSettings
from tradewind.backtest.signals import bars_of, signals_of
from tradewind.market.bar import Bar
from tradewind.market.session_table import SessionTable
from tradewind.orders import prices
from tradewind.orders.model import Side
from tradewind.strategies.protocol import Strategy

# The reference's codes; whatever else makes it leave is the strategy's own word.
REASONS = {
    "session_end": ExitReason.FLAT,
    "stop": ExitReason.STOP,
    "trailing_stop_passed": ExitReason.STOP,
}


@dataclass(frozen=True, order=True)
class Trip:
    """Times in seconds since 1970 UTC of the bars of its fills, money in USD."""

    exit_time: int
    symbol: str
    entry_time: int
    entry_price: float
    exit_price: float
    quantity: int
    reason: str
    fees: float
    gap_loss: float


def reference(
    bars: Sequence[BarArrays],
    strategies: Mapping[str, Strategy],
    settings: BacktestSettings,
    calendar: SessionTable,
) -> BacktestResult:
    """Live trading's stop and trail are constants; here they are the settings'."""
    dates = sorted({day for own in bars for day in own.session_dates})
    sessions = [calendar.session_on(day) for day in dates]
    with (
        patch.object(prices, "STOP_LOSS", settings.stop),
        patch.object(prices, "TRAIL", settings.trail),
    ):
        return run(
            [bar for own in bars for bar in bars_of(own)],
            [session for session in sessions if session is not None],
            strategies,
            RulesInForce(*in_force(settings)),
            settings.cash,
            calendar=calendar,
            costs=Costs.of(settings),
        )


def compiled(
    bars: Sequence[BarArrays],
    strategies: Mapping[str, Strategy],
    settings: BacktestSettings,
    calendar: SessionTable,
) -> Outcome:
    signals = [signals_of(own, strategies[own.symbol]) for own in bars]
    return run_live(bars, signals, settings, calendar)


def arrays_by_symbol(bars: Iterable[Bar], calendar: SessionTable) -> list[BarArrays]:
    by_symbol: dict[str, list[Bar]] = {}
    for bar in bars:
        by_symbol.setdefault(bar.symbol, []).append(bar)
    return [arrays_of(symbol, own, calendar) for symbol, own in by_symbol.items()]


def trips_of_reference(result: BacktestResult) -> list[Trip]:
    paid: dict[str, float] = {}
    trips = []
    fees = {}
    for execution in sorted(result.executions, key=lambda one: (one.at, one.execution_id)):
        bought = execution.side is Side.BUY
        own = paid.get(execution.symbol, 0.0) if not bought else 0.0
        paid[execution.symbol] = own + float(result.paid[execution.execution_id])
        if not bought:
            fees[execution.symbol, execution.at] = paid[execution.symbol]
    for trip in result.round_trips:
        trips.append(
            Trip(
                _minute(trip.exit_at),
                trip.symbol,
                _minute(trip.entry_at),
                float(trip.entry_price),
                float(trip.exit_price),
                int(trip.quantity),
                REASONS.get(trip.exit_reason, ExitReason.SIGNAL).word,
                round(fees[trip.symbol, trip.exit_at], 6),
                float(trip.gap_loss),
            )
        )
    return sorted(trips)


def trips_of_outcome(outcome: Outcome) -> list[Trip]:
    """Without what is still open."""
    trades = outcome.trades
    return sorted(
        Trip(
            int(trades.exit_time[number]),
            outcome.symbols[trades.symbol[number]],
            int(trades.entry_time[number]),
            float(trades.entry_price[number]),
            float(trades.exit_price[number]),
            int(trades.quantity[number]),
            ExitReason(trades.reason[number]).word,
            float(trades.fees[number]),
            float(trades.gap_loss[number]),
        )
        for number in range(len(trades))
        if trades.reason[number] != ExitReason.END
    )


def equity_of_reference(result: BacktestResult, times: Iterable[int]) -> list[float]:
    """At the end of the minutes that begin at ``times``."""
    by_end = {int(point.at.timestamp()): float(point.equity) for point in result.equity}
    return [by_end[time + 60] for time in times]


def assert_agree(outcome: Outcome, result: BacktestResult) -> None:
    """Round trips, what is still held, and the equity of every minute."""
    assert trips_of_outcome(outcome) == trips_of_reference(result)
    bought: dict[str, int] = {}
    for fill in result.fills:
        sign = 1 if fill.side is Side.BUY else -1
        bought[fill.symbol] = bought.get(fill.symbol, 0) + sign * int(fill.quantity)
    left = outcome.trades.reason == ExitReason.END
    assert {symbol: held for symbol, held in bought.items() if held} == {
        outcome.symbols[symbol]: int(held)
        for symbol, held in zip(
            outcome.trades.symbol[left], outcome.trades.quantity[left], strict=True
        )
    }
    assert outcome.equity.tolist() == equity_of_reference(result, outcome.time.tolist())


def assert_same(
    bars: Sequence[BarArrays],
    strategies: Mapping[str, Strategy],
    settings: BacktestSettings,
    calendar: SessionTable,
) -> Outcome:
    outcome = compiled(bars, strategies, settings, calendar)
    assert_agree(outcome, reference(bars, strategies, settings, calendar))
    return outcome


def _minute(moment: datetime) -> int:
    return int(moment.replace(second=0, microsecond=0).timestamp())
