"""What a run of a backtest knows when it decides: the mirror of what ``assess_risk`` reads from the
store of record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from tradewind.backtest.broker import SimulatedBroker
from tradewind.backtest.market import Market
from tradewind.market.bar import Bar
from tradewind.market.cycle import Cycle
from tradewind.risk.assessment import Position, StrategyWish
from tradewind.risk.book import Book
from tradewind.risk.limits import RiskLimits
from tradewind.strategies.decision import Action
from tradewind.strategies.protocol import MarketView, Strategy


def bars_seen(
    market: Market, strategies: Mapping[str, Strategy], until: datetime
) -> dict[str, list[Bar]]:
    """Each symbol's newest bars, as many as the strategies look at; symbols without any are
    absent."""
    needed = max((strategy.bars_needed for strategy in strategies.values()), default=1)
    seen = {symbol: market.newest(symbol, until, needed) for symbol in sorted(strategies)}
    return {symbol: bars for symbol, bars in seen.items() if bars}


def wishes_of(
    strategies: Mapping[str, Strategy],
    seen: Mapping[str, Sequence[Bar]],
    broker: SimulatedBroker,
) -> list[StrategyWish]:
    """One wish for every symbol with a bar, by symbol."""
    holdings = broker.holdings
    wishes = []
    for symbol, bars in seen.items():
        strategy = strategies[symbol]
        wish = strategy.decide(
            MarketView(symbol=symbol, bars=bars, prediction=None, holding=symbol in holdings)
        )
        wishes.append(
            StrategyWish(
                symbol, strategy.name, wish.action, wish.reason_code, wish.reason, bars[-1]
            )
        )
    return wishes


def book_of(
    cycle: Cycle,
    broker: SimulatedBroker,
    market: Market,
    limits: RiskLimits,
    wishes: Sequence[StrategyWish],
    seen: Mapping[str, Sequence[Bar]],
) -> Book:
    """The broker is read right when the run begins; every intent has its outcome by then."""
    holdings = broker.holdings
    entering = [wish.symbol for wish in wishes if wish.action is Action.ENTER]
    highs = {
        symbol: market.highest_high(
            symbol, holding.opened_at.replace(second=0, microsecond=0), cycle.bar_time
        )
        for symbol, holding in holdings.items()
        if holding.opened_at is not None
    }
    count = limits.daily_atr_sessions + 1
    return Book(
        account=broker.account(),
        broker_as_of=cycle.run_at,
        holdings=holdings,
        positions=broker.positions(),
        open_orders=broker.open_orders(),
        orders_of_ours=broker.orders_of_ours,
        unresolved=(),
        highs={symbol: high for symbol, high in highs.items() if high is not None},
        daily={symbol: market.daily(symbol, cycle.session.date, count) for symbol in entering},
        revisions=broker.revisions,
        missing={
            symbol: market.missing(symbol, seen[symbol][0].start, cycle.run_at)
            for symbol in entering
        },
    )


def positions_of(broker: SimulatedBroker, market: Market, until: datetime) -> list[Position]:
    """What has to be looked after before a session opens: what is held and what is open."""
    owners = {symbol: one.strategy for symbol, one in broker.holdings.items()}
    for order in broker.open_orders():
        owners.setdefault(order.symbol, broker.strategy_of(order))
    newest = {symbol: market.newest(symbol, until, 1) for symbol in sorted(owners)}
    return [
        Position(symbol, owners[symbol], bars[-1].close) for symbol, bars in newest.items() if bars
    ]
