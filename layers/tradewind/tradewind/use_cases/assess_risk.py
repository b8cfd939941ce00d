"""Decide one minute: strategies wish, risk assesses, everything is committed at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tradewind.market.bar import Bar
from tradewind.market.cycle import Cycle
from tradewind.market.session_table import SessionTable
from tradewind.orders.model import OrderIntent
from tradewind.orders.resolution import unseen
from tradewind.portfolio.differences import QuantityDifference
from tradewind.portfolio.model import Holding
from tradewind.prediction.model import Prediction
from tradewind.risk.allocation import NO_ALLOTMENTS, Allotment
from tradewind.risk.assessment import StrategyWish, assess
from tradewind.risk.book import Book
from tradewind.risk.limits import RiskLimits
from tradewind.strategies.decision import Action
from tradewind.strategies.protocol import MarketView, Strategy, Wish
from tradewind.tradelog.rules import message_of_alert
from tradewind.use_cases.unit_of_work import Database, Stores

# A last good prediction older than this is refused.
PREDICTION_AGE_LIMIT = timedelta(minutes=15)
# How long before the open this session's protective intents begin; what was refused in an earlier
# session says nothing about this one.
PREPARATION = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Assessed:
    """``status``: ``decided``, or ``superseded`` when this minute or a later one was decided
    before. The intents are committed and in the order they are to be sent."""

    status: str
    decisions: int
    intents: tuple[OrderIntent, ...]


def assess_risk(
    cycle: Cycle,
    predictions: Sequence[Prediction],
    *,
    strategies: Mapping[str, Strategy],
    limits: RiskLimits,
    sessions: SessionTable,
    database: Database,
    allotments: Mapping[str, Allotment] = NO_ALLOTMENTS,
) -> Assessed:
    """One transaction under the account's lock. ``strategies`` is by symbol: a symbol belongs to
    one strategy; so are ``allotments``, their parts of the account. A minute not newer than the
    last decided one decides nothing; the intents it committed when it was decided are handed out
    again if they have no outcome, because the run that committed them may have died before it sent
    them."""
    with database.transaction() as stores:
        stores.cycles.lock_account(cycle.account)
        newest = stores.cycles.newest_decided(cycle.account)
        if newest is not None and newest >= cycle.bar_time:
            return _already_decided(stores, cycle, newest)
        stores.predictions.save(predictions)
        holdings = {
            holding.symbol: holding
            for holding in stores.holdings.all(cycle.account)
            if holding.quantity > 0
        }
        seen = _bars_seen(stores, cycle, strategies, holdings)
        known = _predictions(stores, cycle, predictions, strategies)
        wishes = _wishes(cycle.bar_time, strategies, known, holdings, seen)
        book = replace(
            _book(stores, cycle, wishes, holdings, seen, sessions, limits), allotments=allotments
        )
        assessment = assess(cycle, wishes, book, limits)
        stores.decisions.save(assessment.decisions)
        stores.intents.add(assessment.intents)
        stores.outbox.add([message_of_alert(alert) for alert in assessment.alerts])
        stores.cycles.decided(cycle.account, cycle.bar_time, cycle.session.date, cycle.execution)
    return Assessed("decided", len(assessment.decisions), assessment.intents)


def _already_decided(stores: Stores, cycle: Cycle, newest: datetime) -> Assessed:
    if newest > cycle.bar_time:
        return Assessed("superseded", 0, ())
    unsent = tuple(
        intent
        for intent in stores.intents.without_outcome(cycle.account)
        if intent.bar_time == cycle.bar_time
    )
    return Assessed("decided" if unsent else "superseded", 0, unsent)


def _bars_seen(
    stores: Stores,
    cycle: Cycle,
    strategies: Mapping[str, Strategy],
    holdings: Mapping[str, Holding],
) -> dict[str, list[Bar]]:
    """The newest bars of every symbol that has a strategy or is held, as many as its strategy looks
    at, whatever others need, split-adjusted by what is known to this run."""
    symbols = sorted({*strategies, *holdings})
    needed = max((strategy.bars_needed for strategy in strategies.values()), default=1)
    factors = stores.factors.table(symbols)
    own = {symbol: strategy.bars_needed for symbol, strategy in strategies.items()}
    return {
        symbol: factors.adjusted(bars[-own.get(symbol, 1) :], cycle.run_at)
        for symbol, bars in stores.bars.recent(symbols, cycle.bar_time, needed).items()
    }


def _predictions(
    stores: Stores,
    cycle: Cycle,
    made: Sequence[Prediction],
    strategies: Mapping[str, Strategy],
) -> Mapping[str, Prediction]:
    """This run's predictions; where a symbol that needs one has none (inference failed, or its bar
    is missing), its last good one, marked stale, up to the age limit: no prediction is better than
    an old one."""
    known = {prediction.symbol: prediction for prediction in made}
    without = sorted(
        symbol
        for symbol, strategy in strategies.items()
        if strategy.needs_prediction and symbol not in known
    )
    if without:
        since = cycle.bar_time - PREDICTION_AGE_LIMIT
        for last in stores.predictions.last_good(without, since, cycle.bar_time):
            known[last.symbol] = replace(last, stale=True)
    return known


def _wishes(
    minute: datetime,
    strategies: Mapping[str, Strategy],
    predictions: Mapping[str, Prediction],
    holdings: Mapping[str, Holding],
    seen: Mapping[str, Sequence[Bar]],
) -> list[StrategyWish]:
    """One wish for every symbol with a bar, by symbol. Without any bar nothing can be decided about
    a symbol, and its stop rests at the broker."""
    wishes = []
    for symbol, bars in sorted(seen.items()):
        strategy = strategies.get(symbol)
        if strategy is None:
            held = holdings[symbol]
            wish = Wish(Action.HOLD, "no_strategy", "no strategy trades this symbol any more")
            wishes.append(_wish_of(symbol, held.strategy, wish, bars[-1]))
            continue
        view = MarketView(
            symbol=symbol,
            minute=minute,
            bars=bars,
            prediction=predictions.get(symbol),
            holding=symbol in holdings,
        )
        wishes.append(_wish_of(symbol, strategy.name, strategy.decide(view), bars[-1]))
    return wishes


def _wish_of(symbol: str, strategy: str, wish: Wish, newest: Bar) -> StrategyWish:
    return StrategyWish(symbol, strategy, wish.action, wish.reason_code, wish.reason, newest)


def _book(
    stores: Stores,
    cycle: Cycle,
    wishes: Sequence[StrategyWish],
    holdings: Mapping[str, Holding],
    seen: Mapping[str, Sequence[Bar]],
    sessions: SessionTable,
    limits: RiskLimits,
) -> Book:
    opened = {
        symbol: holding.opened_at.replace(second=0, microsecond=0)
        for symbol, holding in holdings.items()
        if holding.opened_at is not None
    }
    snapshot = stores.accounts.latest(cycle.account)
    entering = [wish.symbol for wish in wishes if wish.action is Action.ENTER]
    return Book(
        account=snapshot[1] if snapshot else None,
        broker_as_of=snapshot[0] if snapshot else None,
        holdings=holdings,
        positions={p.symbol: p for p in stores.holdings.broker_positions(cycle.account)},
        open_orders=stores.orders.open(cycle.account),
        orders_of_ours=orders_at_work(stores, cycle.account, snapshot[0] if snapshot else None),
        unresolved=stores.intents.without_outcome(cycle.account),
        highs=stores.bars.highs_since(opened, cycle.bar_time) if opened else {},
        daily=stores.bars.daily(entering, cycle.session.date, limits.daily_atr_sessions + 1)
        if entering
        else {},
        revisions=stores.intents.last_revisions(cycle.account, [wish.symbol for wish in wishes]),
        missing=_missing(stores, cycle, entering, seen, sessions),
        differences=_unexplained(stores, cycle.account, snapshot[0]) if snapshot else (),
        strangers=stores.orders.strangers(cycle.account),
        failed_protection=stores.intents.failed_protections(
            cycle.account, cycle.session.open - PREPARATION
        ),
    )


def orders_at_work(stores: Stores, account: str, as_of: datetime | None) -> dict[str, str]:
    """order_id -> intent_id of the orders that are ours, without the open ones that the broker does
    not show any more: they protect nothing, and what is due must not wait for them. ``as_of``: when
    the newest snapshot was read."""
    gone = unseen(stores.orders.open_known(account), as_of) if as_of is not None else set()
    return {
        order_id: intent_id
        for order_id, intent_id in stores.orders.intent_of(account).items()
        if order_id not in gone
    }


def _unexplained(stores: Stores, account: str, as_of: datetime) -> list[QuantityDifference]:
    """Quantities that the newest snapshot, read at ``as_of``, showed to differ unexplained."""
    return [one for one in stores.holdings.differences(account) if one.is_unexplained(as_of)]


def _missing(
    stores: Stores,
    cycle: Cycle,
    symbols: Sequence[str],
    seen: Mapping[str, Sequence[Bar]],
    sessions: SessionTable,
) -> dict[str, list[datetime]]:
    """The holes among the bars that entries are decided on."""
    if not symbols:
        return {}
    since = {symbol: seen[symbol][0].start for symbol in symbols}
    between = sessions.between(min(since.values()).date(), cycle.session.date)
    return stores.gaps.missing(since, between, cycle.run_at)
