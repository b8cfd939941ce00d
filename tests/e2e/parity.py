"""What paper trading decided on the twin, beside a backtest of the very bars it saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pg8000.native
from tradewind.backtest.book import RulesInForce
from tradewind.backtest.run import BacktestResult, run
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session import Session
from tradewind.market.session_table import default_table
from tradewind.risk.limits import RiskLimits
from tradewind.risk.protections import Protection
from tradewind.strategies.protocol import Strategy
from tradewind_local.postgres_server import PostgresServer

# These sentences name the broker's orders, whose ids are each side's own, or tell the second and
# the profit of a fill.
TELLS_OF_FILLS = frozenset({"entry_not_filled", "exit_working", *Protection})
# A size follows from the equity, and the equity from the prices of earlier fills.
SIZE_TOLERANCE = Decimal("0.01")

_DECISIONS = """SELECT bar_time, symbol, action, reason_code, reason, quantity FROM decisions
WHERE bar_time >= :open AND bar_time < :close ORDER BY bar_time, symbol"""
_FILLS = """SELECT symbol, side, timestamp, fill_qty, fill_price FROM trades
WHERE timestamp >= :open AND timestamp < :close ORDER BY timestamp, execution_id"""
_BARS = """SELECT symbol, start, open, high, low, close, volume, feed FROM bars
WHERE in_session AND start < :close"""
_CASH = "SELECT cash FROM account_snapshots ORDER BY as_of LIMIT 1"


@dataclass(frozen=True, slots=True)
class Decided:
    action: str
    code: str
    reason: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Filled:
    symbol: str
    side: str
    minute: datetime
    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class Told:
    """One side of a session: its decisions by minute and symbol, and its fills in time order."""

    decisions: Mapping[tuple[datetime, str], Decided]
    fills: tuple[Filled, ...]


@dataclass(frozen=True, slots=True)
class PaperSession:
    session: Session
    told: Told
    bars: tuple[Bar, ...]
    cash: Decimal


@dataclass(frozen=True, slots=True)
class Difference:
    """``explained`` is the name of its cause; None is a fault."""

    minute: datetime
    symbol: str
    paper: str
    backtest: str
    explained: str | None


def paper_session(state: Path, session: Session) -> PaperSession:
    """What the database of a stopped twin holds of a session. One session only was traded on it."""
    with PostgresServer(state / "postgres") as server:
        connection = pg8000.native.Connection(
            server.user,
            host=server.host,
            port=server.port,
            database=server.database,
            password=server.password,
        )
        try:
            hours = {"open": session.open, "close": session.close}
            decisions = {
                (row[0], row[1]): Decided(*row[2:])
                for row in connection.run(_DECISIONS, **hours) or []
            }
            fills = tuple(
                Filled(row[0], row[1], _minute(row[2]), row[3], row[4])
                for row in connection.run(_FILLS, **hours) or []
            )
            bars = tuple(Bar(*row) for row in connection.run(_BARS, close=session.close) or [])
            ((cash,),) = connection.run(_CASH) or []
        finally:
            connection.close()
    return PaperSession(session, Told(decisions, fills), bars, cash)


def backtest_of(
    paper: PaperSession, strategies: Mapping[str, Strategy], limits: RiskLimits | None = None
) -> Told:
    """The same minutes of the same bars with the same money."""
    minutes = len({minute for minute, _ in paper.told.decisions})
    return _told(
        run(
            paper.bars,
            [paper.session],
            strategies,
            RulesInForce(limits or RiskLimits()),
            paper.cash,
            calendar=default_table(),
            minutes=minutes,
        )
    )


def differences(paper: Told, backtest: Told) -> list[Difference]:
    """Of decisions and of fills, by time. The exchange fills by its ticks, the backtest by its
    declared assumptions: where a symbol was bought or sold in different minutes, what follows in it
    has that cause."""
    parted = _parted(paper, backtest)
    first_fill = min((fill.minute for fill in (*paper.fills, *backtest.fills)), default=None)
    found = [
        Difference(minute, symbol, "", "", "the exchange's ticks filled in another minute")
        for symbol, minute in parted.items()
    ]
    for minute, symbol in sorted({*paper.decisions, *backtest.decisions}):
        one = paper.decisions.get((minute, symbol))
        other = backtest.decisions.get((minute, symbol))
        if one is None or other is None or _words(one) != _words(other):
            cause = None
            if symbol in parted and minute >= parted[symbol] - MINUTE:
                cause = "the exchange's ticks filled in another minute"
            found.append(Difference(minute, symbol, str(one), str(other), cause))
        elif one.quantity != other.quantity:
            near = abs(one.quantity - other.quantity) <= SIZE_TOLERANCE * one.quantity + 1
            after = first_fill is not None and minute >= first_fill
            cause = "another equity after fills at other prices" if near and after else None
            sizes = (str(one.quantity), str(other.quantity))
            found.append(Difference(minute, symbol, *sizes, cause))
    return sorted(found, key=lambda one: (one.minute, one.symbol))


def fill_prices(paper: Told, backtest: Told) -> list[tuple[Filled, Filled]]:
    """The fills of both sides that are the same sale or purchase, up to the first that is not."""
    parted = _parted(paper, backtest)
    theirs = {(one.symbol, one.side, one.minute): one for one in backtest.fills}
    return [
        (one, theirs[one.symbol, one.side, one.minute])
        for one in paper.fills
        if one.symbol not in parted or one.minute < parted[one.symbol]
    ]


def _parted(paper: Told, backtest: Told) -> dict[str, datetime]:
    """Symbol -> the first minute in which only one side bought or sold it."""
    sides = [
        {(one.symbol, one.side, one.minute) for one in told.fills} for told in (paper, backtest)
    ]
    first: dict[str, datetime] = {}
    for symbol, _, minute in sides[0] ^ sides[1]:
        first[symbol] = min(minute, first.get(symbol, minute))
    return first


def _words(decided: Decided) -> tuple[str, str, str]:
    reason = "" if decided.code in TELLS_OF_FILLS else decided.reason
    return decided.action, decided.code, reason


def _told(result: BacktestResult) -> Told:
    return Told(
        {
            (one.bar_time, one.symbol): Decided(
                str(one.action), one.reason_code, one.reason, one.quantity
            )
            for one in result.decisions
        },
        tuple(
            Filled(one.symbol, str(one.side), _minute(one.at), one.quantity, one.price)
            for one in result.fills
        ),
    )


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
