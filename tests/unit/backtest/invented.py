"""Invented days for the backtest: bars as short tables, and strategies that do as they are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal as D

from tradewind.backtest.book import RulesInForce
from tradewind.backtest.run import BacktestResult, run
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session import Session
from tradewind.market.session_table import default_table
from tradewind.orders.model import IntentKind
from tradewind.orders.prices import tick_size
from tradewind.portfolio.executions import Execution, Purpose
from tradewind.risk.limits import RiskLimits
from tradewind.risk.protections import ProtectionSettings
from tradewind.strategies.decision import Action
from tradewind.strategies.protocol import MarketView, Wish

CALENDAR = default_table()
SLIPPAGE = D("0.0002")
# Large enough that money is never what limits a case that is about something else.
CASH = D(100_000)

# open, high, low, close as they are written in a table; None: no bar
Candle = tuple[str, str, str, str] | None
STILL: Candle = ("100", "100", "100", "100")


def session_of(day: str) -> Session:
    session = CALENDAR.session_on(date.fromisoformat(day))
    assert session is not None
    return session


FULL_DAY = session_of("2020-11-12")
NEXT_DAY = session_of("2020-11-13")
HALF_DAY = session_of("2020-11-27")


def at(minute: int, session: Session = FULL_DAY) -> datetime:
    return session.open + minute * MINUTE


def candle(symbol: str, start: datetime, prices: Candle) -> Bar | None:
    if prices is None:
        return None
    opened, high, low, close = map(D, prices)
    return Bar(symbol, start, opened, high, low, close, 1000, "file")


def day(
    changes: Mapping[int, Candle],
    symbol: str = "AAPL",
    session: Session = FULL_DAY,
    otherwise: Candle = STILL,
) -> list[Bar]:
    """A whole session: every minute is ``otherwise``, but for ``changes`` by minute of it."""
    made = (
        candle(symbol, at(minute, session), changes.get(minute, otherwise))
        for minute in range(session.minutes)
    )
    return [bar for bar in made if bar is not None]


@dataclass(frozen=True)
class Told:
    """Enters and leaves after the minutes it is told, and otherwise keeps what it has."""

    enter: frozenset[datetime] = frozenset()
    leave: frozenset[datetime] = frozenset()
    name: str = "told"
    bars_needed: int = 5
    needs_prediction: bool = False

    def decide(self, view: MarketView) -> Wish:
        newest = view.bars[-1].start
        if view.holding:
            wanted = newest in self.leave
            return Wish(Action.EXIT if wanted else Action.HOLD, "told", "it was told so")
        wanted = newest in self.enter
        return Wish(Action.ENTER if wanted else Action.WAIT, "told", "it was told so")


@dataclass(frozen=True)
class AlwaysLong:
    """Wants in whenever it is out, and never out: stops and the session's end do all the rest."""

    name: str = "always_long"
    bars_needed: int = 5
    needs_prediction: bool = False

    def decide(self, view: MarketView) -> Wish:
        return Wish(Action.HOLD if view.holding else Action.ENTER, "always", "always long")


def told(enter: Iterable[int], leave: Iterable[int] = (), session: Session = FULL_DAY) -> Told:
    """By minutes of a session."""
    return Told(
        frozenset(at(minute, session) for minute in enter),
        frozenset(at(minute, session) for minute in leave),
    )


def backtest(
    bars: Iterable[Bar],
    strategy: Told | AlwaysLong,
    *sessions: Session,
    limits: RiskLimits | None = None,
    protections: ProtectionSettings | None = None,
    cash: D = CASH,
) -> BacktestResult:
    """Every symbol among the bars gets the same strategy."""
    known = list(bars)
    return run(
        known,
        sessions or (FULL_DAY,),
        {bar.symbol: strategy for bar in known},
        RulesInForce(limits or RiskLimits(), protections or ProtectionSettings()),
        cash,
        calendar=CALENDAR,
    )


def reasons(result: BacktestResult, symbol: str = "AAPL") -> dict[datetime, tuple[str, str]]:
    """bar_time -> (action, reason code)."""
    return {
        one.bar_time: (str(one.action), one.reason_code)
        for one in result.decisions
        if one.symbol == symbol
    }


def resting_stop(result: BacktestResult, sale: Execution) -> D:
    """The stop that lay at the broker when a stop sold, from the intents alone."""
    placed = (IntentKind.ENTRY, IntentKind.PROTECT, IntentKind.REPRICE)
    before = [
        intent.stop_price
        for intent in result.intents
        if intent.symbol == sale.symbol
        and intent.kind in placed
        and intent.bar_time + MINUTE <= sale.at
    ]
    assert before
    assert before[-1] is not None
    return before[-1]


def assert_losses_are_bounded(result: BacktestResult, bars: Iterable[Bar]) -> int:
    """No stop sells for less than the worse of stop and gap, less a tick and the declared slippage.
    Returns how many stops sold."""
    known = {(bar.symbol, bar.start): bar for bar in bars}
    count = 0
    for sale in result.executions:
        if sale.purpose is not Purpose.STOP:
            continue
        count += 1
        stop = resting_stop(result, sale)
        bar = known[sale.symbol, sale.at.replace(second=0)]
        assert sale.stop_price == stop
        assert bar.low <= stop, "a stop sold that was never reached"
        owed = min(stop, bar.open)
        assert owed * (1 - SLIPPAGE) - tick_size(owed) <= sale.price <= owed
    for trip in result.round_trips:
        if trip.exit_reason == "stop":
            assert trip.worst_price_owed is not None
            allowed = trip.worst_price_owed * SLIPPAGE + tick_size(trip.exit_price)
            assert trip.exit_slippage <= allowed * trip.quantity
    return count
