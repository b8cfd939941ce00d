"""The daily report: a session's records in, one typed report out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

from tradewind.alerts.model import Alert
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session import Session
from tradewind.orders.prices import tick_size
from tradewind.portfolio.executions import Execution, Purpose, holdings_at, with_conversions
from tradewind.portfolio.model import Holding
from tradewind.portfolio.round_trips import (
    DECLARED_SLIPPAGE,
    RoundTrip,
    closed_out,
    gap_price,
    round_trips,
)
from tradewind.portfolio.splits import times
from tradewind.portfolio.statement import (
    CashFlow,
    DailyStatement,
    EquityPoint,
    daily_statement,
    equity_curve,
    readings_of_day,
    unrealised,
)
from tradewind.reports.divergence import ComparedTrade, Divergence, Reference, divergence
from tradewind.reports.payload import plain
from tradewind.reports.ports import (
    CycleCounts,
    ForeignPosition,
    Period,
    RefusalCount,
    SessionRecords,
)
from tradewind.reports.shortfall import (
    DeclaredSlippage,
    OrderShortfall,
    ShortfallSummary,
    declared_slippage,
    order_shortfalls,
    summaries,
)

_BASIS_POINTS = Decimal(10_000)
_SHARE = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class JudgedTrade:
    """A round trip, and whether its exit was at most a tick and the declared slippage (``allowed``,
    USD) below the worse of stop and gap; ``within`` None when no stop was known."""

    trip: RoundTrip
    allowed: Decimal | None
    within: bool | None

    @property
    def gap_price(self) -> Decimal | None:
        """Where the market opened beyond the stop; None when it did not jump over it."""
        stop, owed = self.trip.stop_price, self.trip.worst_price_owed
        return owed if stop is not None and owed is not None and owed < stop else None

    @property
    def loss(self) -> Decimal:
        """USD before fees; zero for a profit."""
        return max(-self.trip.profit_loss, Decimal(0))

    @property
    def most(self) -> Decimal | None:
        """The most that it may lose by its stop, or by the gap over it (USD)."""
        owed = self.trip.worst_price_owed
        if owed is None or self.allowed is None:
            return None
        below_entry = self.trip.quantity * (self.trip.entry_price - owed)
        return max(below_entry + self.allowed, Decimal(0))


@dataclass(frozen=True, slots=True)
class PositionLeft:
    """Shares of ours that are held after the session; USD, ``unrealised`` at ``price``."""

    symbol: str
    strategy: str
    quantity: Decimal
    average_price: Decimal
    price: Decimal
    unrealised: Decimal
    opened_at: datetime | None


@dataclass(frozen=True, slots=True)
class DailyReport:
    """One session of one account. ``trades`` are the closed round trips, worst first. ``simulated``
    says that prices came from a simulated market: profits then say nothing."""

    account: str
    session: Session
    until: datetime
    simulated: bool
    cycles: CycleCounts
    statement: DailyStatement | None
    curve: Sequence[EquityPoint]
    trades: Sequence[JudgedTrade]
    executions: Sequence[Execution]
    shortfalls: Sequence[OrderShortfall]
    shortfall_summaries: Sequence[ShortfallSummary]
    slippage: DeclaredSlippage
    refusals: Sequence[RefusalCount]
    positions_left: Sequence[PositionLeft]
    foreign: Sequence[ForeignPosition]
    alerts: Sequence[Alert]
    reference: Reference
    divergence: Divergence | None
    bars: Mapping[str, Sequence[Bar]]

    @property
    def profit_loss(self) -> Decimal:
        """Of the closed round trips, fees apart; USD."""
        return sum((one.trip.profit_loss for one in self.trades), Decimal(0))

    @property
    def divergence_basis_points(self) -> Decimal | None:
        """Live's profit less the backtest's, of the equity at the previous close; None when there
        was nothing to compare, or no equity to relate it to."""
        if self.divergence is None or self.statement is None or self.statement.equity_before <= 0:
            return None
        return self.divergence.total / self.statement.equity_before * _BASIS_POINTS

    @property
    def compared_share(self) -> Decimal:
        """The part of the session that was compared, from 0 to 1: of the value bought and sold, or
        of the symbols decided on where nothing was traded (a backtest may have)."""
        if self.divergence is None:
            return Decimal(0)
        compared = self.reference.symbols
        traded = sum((one.notional for one in self.executions), Decimal(0))
        if traded:
            part = sum((x.notional for x in self.executions if x.symbol in compared), Decimal(0))
            return (part / traded).quantize(_SHARE, ROUND_DOWN)
        decided = len(compared | self.reference.left_out)
        return (Decimal(len(compared)) / max(decided, 1)).quantize(_SHARE, ROUND_DOWN)

    @property
    def gap_loss(self) -> Decimal:
        """What the market jumped over beyond the stops of the closed round trips; USD."""
        return sum((one.trip.gap_loss for one in self.trades), Decimal(0))

    @property
    def night_gap_loss(self) -> Decimal:
        """The part of it that lay between two sessions; USD."""
        return sum((one.trip.night_gap_loss for one in self.trades), Decimal(0))

    @property
    def worst_drawdown(self) -> Decimal | None:
        """The lowest daily drawdown of the session, a fraction."""
        return min((point.daily for point in self.curve), default=None)

    def as_payload(self) -> dict[str, Any]:
        """JSON: amounts and prices as strings, times ISO 8601. Bars and single executions, which
        are on record elsewhere, are left out."""
        return {
            "account": self.account,
            "session": plain(self.session),
            "until": plain(self.until),
            "simulated": self.simulated,
            "cycles": plain(self.cycles),
            "statement": plain(self.statement),
            "profit_loss": plain(self.profit_loss),
            "gap_loss": plain(self.gap_loss),
            "night_gap_loss": plain(self.night_gap_loss),
            "worst_drawdown": plain(self.worst_drawdown),
            "equity_curve": plain(self.curve),
            "trades": [
                {
                    **plain(one.trip),
                    "allowed_slippage": plain(one.allowed),
                    "gap_price": plain(one.gap_price),
                    "loss": plain(one.loss),
                    "most_loss": plain(one.most),
                    "within": one.within,
                }
                for one in self.trades
            ],
            "implementation_shortfall": plain(self.shortfalls),
            "shortfall_summaries": [
                {**plain(one), "is_enough": one.is_enough} for one in self.shortfall_summaries
            ],
            "slippage": plain(self.slippage),
            "refusals": plain(self.refusals),
            "positions_left": plain(self.positions_left),
            "foreign_positions": plain(self.foreign),
            "alerts": [alert.as_payload() for alert in self.alerts],
            "divergence": self._divergence_payload(),
        }

    def _divergence_payload(self) -> dict[str, Any]:
        one, reference = self.divergence, self.reference
        return {
            "compared": one is not None,
            "symbols": sorted(reference.symbols),
            "share": plain(self.compared_share),
            "decisions": reference.decisions,
            "decisions_alike": reference.alike,
            "not_compared": plain(reference.not_compared),
            "unlike": plain(reference.unlike),
            "basis_points": plain(self.divergence_basis_points),
            **(
                {}
                if one is None
                else {
                    "signal": plain(one.signal),
                    "fill": plain(one.fill),
                    "cost": plain(one.cost),
                    "timing": plain(one.timing),
                    "total": plain(one.total),
                    "matched": one.matched,
                    "only_live": one.only_live,
                    "only_backtest": one.only_backtest,
                    "trades": [
                        {**plain(trade), "total": plain(trade.total)} for trade in one.trades
                    ],
                }
            ),
        }


def daily_report(
    account: str, period: Period, records: SessionRecords, reference: Reference
) -> DailyReport:
    """``reference``: the backtest of the same session, as far as there could be one. Raises
    InvalidInputError for records that contradict each other: a sale of more than was held."""
    gaps = _gaps(records)
    overnight = _overnight(records, period, gaps)
    trips = round_trips(records.executions, gaps, records.splits, overnight)
    before = holdings_at(records.executions, period.since, records.splits)
    after = holdings_at(records.executions, period.until, records.splits)
    priced_before = _own_prices(records, period.since) | dict(records.close_before)
    priced_now = _own_prices(records, period.until) | dict(records.last_price)
    readings = readings_of_day(records.readings, period.session.close)
    curve = equity_curve(records.closed_days, readings, records.flows)
    of_session = [one for one in records.executions if one.at > period.since]
    shortfalls = order_shortfalls(of_session)
    told = summaries(shortfalls)
    return DailyReport(
        account=account,
        session=period.session,
        until=period.until,
        simulated=any(bar.feed == "simulated" for bars in records.bars.values() for bar in bars),
        cycles=records.cycles,
        statement=daily_statement(
            period.session.date,
            readings,
            records.flows,
            realised=_realised(after) - _realised(before),
            realised_ever=records.realised_ever,
            unrealised_before=unrealised(before.values(), priced_before),
            unrealised_now=unrealised(after.values(), priced_now),
            curve=curve,
        ),
        curve=curve,
        trades=[
            judged(trip)
            for trip in sorted(trips, key=lambda trip: (trip.profit_loss, trip.exit_at))
        ],
        executions=of_session,
        shortfalls=shortfalls,
        shortfall_summaries=told,
        slippage=declared_slippage(shortfalls),
        refusals=sorted(records.refusals, key=lambda one: (-one.count, one.by, one.code, one.what)),
        positions_left=_positions_left(after, priced_now),
        foreign=records.foreign,
        alerts=records.alerts,
        reference=reference,
        divergence=_divergence(period, records, priced_now, reference),
        bars=records.bars,
    )


def judged(trip: RoundTrip) -> JudgedTrade:
    """Whether the exit kept what a stop promises."""
    owed = trip.worst_price_owed
    if owed is None:
        return JudgedTrade(trip, None, None)
    allowed = trip.quantity * (tick_size(owed) + owed * DECLARED_SLIPPAGE)
    return JudgedTrade(trip, allowed, trip.exit_slippage <= allowed)


def _divergence(
    period: Period,
    records: SessionRecords,
    prices: Mapping[str, Decimal],
    reference: Reference,
) -> Divergence | None:
    if reference.trades is None:
        return None
    of_period = [one for one in records.executions if one.at <= period.session.close]
    valued = closed_out(of_period, prices, period.session.last_bar, records.splits)
    ours = compared(round_trips(valued, {}, records.splits), _fees(records.flows))
    return divergence([one for one in ours if one.symbol in reference.symbols], reference.trades)


def compared(trips: Sequence[RoundTrip], fees: Decimal) -> list[ComparedTrade]:
    """Round trips of ours for the comparison with a backtest. ``fees`` (USD, zero or more) are
    spread by the value sold: the broker tells them by day and not by trade."""
    sold = sum((trip.quantity * trip.exit_price for trip in trips), Decimal(0))
    return [
        ComparedTrade(
            symbol=trip.symbol,
            quantity=trip.quantity,
            entry_decided_at=trip.entry_decided_at,
            exit_decided_at=trip.exit_decided_at,
            entry_decision_price=trip.entry_decision_price,
            exit_decision_price=trip.exit_decision_price,
            entry_price=trip.entry_price,
            exit_price=trip.exit_price,
            cost=fees * trip.quantity * trip.exit_price / sold,
            by_stop=trip.exit_reason == Purpose.STOP,
        )
        for trip in trips
    ]


def _gaps(records: SessionRecords) -> dict[str, Decimal]:
    by_start = {symbol: {bar.start: bar for bar in bars} for symbol, bars in records.bars.items()}
    gaps = {}
    for execution in records.executions:
        if execution.stop_price is not None:
            gap = gap_price(execution.stop_price, execution.at, by_start.get(execution.symbol, {}))
            if gap is not None:
                gaps[execution.execution_id] = gap
    return gaps


def _overnight(records: SessionRecords, period: Period, gaps: Mapping[str, Decimal]) -> set[str]:
    """The gaps that a night brought to what was held through it: those into the first bar."""
    held = holdings_at(records.executions, period.since, records.splits)
    first = {symbol: bars[0] for symbol, bars in records.bars.items() if bars}
    return {
        one.execution_id
        for one in records.executions
        if one.execution_id in gaps
        and one.symbol in held
        and held[one.symbol].quantity
        and one.at < first[one.symbol].start + 2 * MINUTE
        and gaps[one.execution_id] == first[one.symbol].open
    }


def _fees(flows: Sequence[CashFlow]) -> Decimal:
    """What the session's fees cost; USD, above zero for money paid."""
    return -sum((flow.amount for flow in flows if flow.is_fee), Decimal(0))


def _own_prices(records: SessionRecords, moment: datetime) -> dict[str, Decimal]:
    """Each symbol's price in our newest execution: what is left where no bar is."""
    prices: dict[str, Decimal] = {}
    for event in with_conversions(records.executions, records.splits):
        if event.at > moment:
            break
        if isinstance(event, Execution):
            prices[event.symbol] = event.price
        elif event.symbol in prices:
            prices[event.symbol] = times(prices[event.symbol], 1 / event.factor)
    return prices


def _realised(holdings: Mapping[str, Holding]) -> Decimal:
    return sum((holding.realised_pnl for holding in holdings.values()), Decimal(0))


def _positions_left(
    holdings: Mapping[str, Holding], prices: Mapping[str, Decimal]
) -> list[PositionLeft]:
    return [
        PositionLeft(
            symbol,
            holding.strategy,
            holding.quantity,
            holding.avg_price,
            prices[symbol],
            unrealised([holding], prices),
            holding.opened_at,
        )
        for symbol, holding in sorted(holdings.items())
        if holding.quantity
    ]
