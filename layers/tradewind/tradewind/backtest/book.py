"""What a run of a backtest knows when it decides: the mirror of what ``assess_risk`` reads from the
store of record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from tradewind.backtest.broker import SimulatedBroker
from tradewind.backtest.market import Market
from tradewind.market.adjustment import FactorTable, new_york_date
from tradewind.market.bar import Bar
from tradewind.market.corporate_actions import CorporateAction, actions_due
from tradewind.market.cycle import Cycle
from tradewind.orders.model import IntentKind, OrderIntent
from tradewind.risk.allocation import NO_ALLOTMENTS, Allotment
from tradewind.risk.assessment import Position, StrategyWish
from tradewind.risk.book import Book
from tradewind.risk.data_checks import LIQUID_MINUTES
from tradewind.risk.limits import RiskLimits
from tradewind.risk.protections import Protected, ProtectionSettings
from tradewind.risk.restrictions import Restriction
from tradewind.strategies.decision import Action
from tradewind.strategies.protocol import MarketView, Strategy


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """What risk is told before it decides anything; ``allotments`` are by symbol."""

    limits: RiskLimits = field(default_factory=RiskLimits)
    protections: ProtectionSettings = field(default_factory=ProtectionSettings)
    restrictions: Sequence[Restriction] = ()
    allotments: Mapping[str, Allotment] = field(default_factory=lambda: NO_ALLOTMENTS)


def bars_seen(
    market: Market, strategies: Mapping[str, Strategy], until: datetime
) -> dict[str, list[Bar]]:
    """Each symbol's newest bars, as many as any strategy looks at, and as tell a halt from a thin
    symbol; symbols without any are absent."""
    needed = max([LIQUID_MINUTES, *(one.bars_needed for one in strategies.values())])
    seen = {symbol: market.newest(symbol, until, needed) for symbol in sorted(strategies)}
    return {symbol: bars for symbol, bars in seen.items() if bars}


def wishes_of(
    minute: datetime,
    strategies: Mapping[str, Strategy],
    seen: Mapping[str, Sequence[Bar]],
    broker: SimulatedBroker,
) -> list[StrategyWish]:
    """One wish for every symbol with a bar, by symbol."""
    holdings = broker.holdings
    wishes = []
    for symbol, bars in seen.items():
        strategy = strategies[symbol]
        view = MarketView(
            symbol=symbol,
            minute=minute,
            bars=bars[-strategy.bars_needed :],
            prediction=None,
            holding=symbol in holdings,
        )
        wish = strategy.decide(view)
        wishes.append(
            StrategyWish(
                symbol,
                strategy.name,
                wish.action,
                wish.reason_code,
                wish.reason,
                bars[-1],
                needs_prediction=strategy.needs_prediction,
            )
        )
    return wishes


def book_of(
    cycle: Cycle,
    broker: SimulatedBroker,
    market: Market,
    rules: RulesInForce,
    protected: Protected,
    committed: Sequence[OrderIntent],
    strategies: Mapping[str, Strategy],
    seen: Mapping[str, Sequence[Bar]],
    entering: Sequence[str],
) -> Book:
    """The broker is read right when the run begins; every intent has its outcome by then.

    ``committed``: the session's intents so far; ``entering``: the symbols that a strategy wants in
    and that are not held.
    """
    holdings = broker.holdings
    highs = {
        symbol: market.highest_high(
            symbol, holding.opened_at.replace(second=0, microsecond=0), cycle.bar_time
        )
        for symbol, holding in holdings.items()
        if holding.opened_at is not None
    }
    count = rules.limits.daily_atr_sessions + 1
    entries = [intent for intent in committed if intent.kind is IntentKind.ENTRY]
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
            symbol: market.missing(
                symbol, seen[symbol][-strategies[symbol].bars_needed :][0].start, cycle.run_at
            )
            for symbol in entering
        },
        allotments=rules.allotments,
        protected=protected,
        bar_starts={symbol: [bar.start for bar in seen[symbol]] for symbol in entering},
        recent_minutes=market.recent_minutes(cycle.session, cycle.bar_time) if entering else (),
        restrictions=rules.restrictions,
        entries_today=len(entries),
        capital_today=sum(
            (one.quantity * one.limit_price for one in entries if one.limit_price is not None),
            Decimal(0),
        ),
    )


def over_splits(book: Book, cycle: Cycle, factors: FactorTable, market: Market) -> Book:
    """With the splits that were known in time. Bars, shares and stops of a backtest are at one
    level throughout; a split is a reason to close the evening before, or to put a stop again."""
    if not book.holdings:
        return book
    today, known_by = cycle.session.date, cycle.run_at
    opened = {
        symbol: new_york_date(held.opened_at)
        for symbol, held in book.holdings.items()
        if held.opened_at is not None
    }
    passed = {
        symbol: steps[-1][0]
        for symbol, day in opened.items()
        if (steps := factors.steps(symbol, day, today, known_by))
    }
    following = market.following(cycle.session)
    due = factors.due(book.holdings, today, following.date, known_by)
    return replace(book, split_since=passed, split_due=due) if passed or due else book


def before_actions(
    book: Book, cycle: Cycle, actions: Sequence[CorporateAction], market: Market
) -> Book:
    """With the other corporate actions that were known in time."""
    if not actions:
        return book
    around = market.previous(cycle.session).date, market.following(cycle.session).date
    return replace(book, action_due=actions_due(actions, *around, cycle.run_at))


def symbols_entering(wishes: Sequence[StrategyWish], broker: SimulatedBroker) -> list[str]:
    """The symbols that a strategy wants in and that are not held."""
    held = broker.holdings
    return [
        wish.symbol for wish in wishes if wish.action is Action.ENTER and wish.symbol not in held
    ]


def positions_of(broker: SimulatedBroker, market: Market, until: datetime) -> list[Position]:
    """What has to be looked after before a session opens: what is held and what is open."""
    owners = {symbol: one.strategy for symbol, one in broker.holdings.items()}
    for order in broker.open_orders():
        owners.setdefault(order.symbol, broker.strategy_of(order))
    newest = {symbol: market.newest(symbol, until, 1) for symbol in sorted(owners)}
    return [
        Position(symbol, owners[symbol], bars[-1].close) for symbol, bars in newest.items() if bars
    ]
