"""A day of trading by hand: executions, bars and records with what the test says changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from typing import Any

from tradewind.market.bar import Bar
from tradewind.market.session import Session
from tradewind.orders.model import BrokerActivity, Side
from tradewind.portfolio.executions import Execution, Purpose
from tradewind.portfolio.statement import CashFlow, EquityReading
from tradewind.reports.divergence import Reference, Remark
from tradewind.reports.ports import CycleCounts, Period, SessionRecords

DAY = date(2020, 11, 12)
OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
CLOSE = datetime(2020, 11, 12, 21, 0, tzinfo=UTC)
PREVIOUS_CLOSE = datetime(2020, 11, 11, 21, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SESSION = Session(DAY, OPEN, CLOSE)
PERIOD = Period(SESSION, PREVIOUS_CLOSE)
NO_BACKTEST = Reference(None, None, not_compared=(Remark("the session", "nobody decided <it>"),))


def at(minute: float) -> datetime:
    """So many minutes after the open."""
    return OPEN + minute * MINUTE


def bought(
    quantity: int | str, price: str, minute: float = 1, symbol: str = "AAPL", **changes: Any
) -> Execution:
    """Filled for an entry that was decided on at the price itself, unless told otherwise."""
    one = Execution(
        execution_id=f"{symbol}-b-{minute}",
        order_id=f"{symbol}-entry-{minute}",
        symbol=symbol,
        strategy="sma_crossover",
        purpose=Purpose.ENTRY,
        side=Side.BUY,
        quantity=D(quantity),
        price=D(price),
        at=at(minute),
        decided_at=at(minute - 1),
        decision_price=D(price),
        stop_price=None,
        reason="entry",
    )
    return replace(one, **changes)


def sold(
    quantity: int | str, price: str, minute: float = 2, symbol: str = "AAPL", **changes: Any
) -> Execution:
    one = bought(quantity, price, minute, symbol)
    return replace(
        one,
        **{
            "execution_id": f"{symbol}-s-{minute}",
            "order_id": f"{symbol}-exit-{minute}",
            "purpose": Purpose.EXIT,
            "side": Side.SELL,
            "reason": "crossed_down",
            **changes,
        },
    )


def stopped(
    quantity: int | str, price: str, stop: str, minute: float = 2, symbol: str = "AAPL"
) -> Execution:
    return sold(
        quantity, price, minute, symbol, purpose=Purpose.STOP, stop_price=D(stop), reason="stop"
    )


def a_bar(minute: int, opened: str, low: str, symbol: str = "AAPL", close: str = "") -> Bar:
    """The high is the open, the close the low."""
    return Bar(symbol, at(minute), D(opened), D(opened), D(low), D(close or low), 100, "iex")


def a_reading(minute: float, equity: str, last_equity: str = "100000") -> EquityReading:
    return EquityReading(at(minute), D(equity), D(last_equity))


def a_flow(kind: str, amount: str, minute: float = 0) -> CashFlow:
    activity = BrokerActivity(f"{kind}-{minute}", kind, D(amount), DAY, None, kind)
    return CashFlow(activity, at(minute))


def records(executions: Sequence[Execution] = (), **changes: Any) -> SessionRecords:
    nothing = SessionRecords(
        cycles=CycleCounts(390, 390),
        executions=executions,
        realised_ever=D(0),
        refusals=(),
        readings=(),
        closed_days=(),
        flows=(),
        foreign=(),
        alerts=(),
        bars={},
        close_before={},
        last_price={},
    )
    return replace(nothing, **changes)
