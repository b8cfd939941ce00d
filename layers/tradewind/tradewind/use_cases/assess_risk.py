"""Decide one minute: strategies wish, risk assesses, everything is committed at once.

However many the symbols, a minute costs at most ten statements: the lock, one that reads all but
bars, split factors, bars (twice where a symbol is new), and where something is held or to be
entered highs, daily ranges (likewise) and holes; one that writes everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tradewind.alerts.rules import alert_of_lock
from tradewind.errors import ControlUnavailableError, InvalidInputError
from tradewind.market.adjustment import FactorTable
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.bar_series import starts_of
from tradewind.market.corporate_actions import actions_due
from tradewind.market.cycle import Cycle
from tradewind.market.session import Session
from tradewind.market.session_table import SessionTable
from tradewind.orders.control import SwitchState, TradingControl
from tradewind.orders.life import KnownOrder
from tradewind.orders.model import OrderIntent
from tradewind.orders.resolution import unseen
from tradewind.portfolio.model import Holding
from tradewind.portfolio.splits import carried_out
from tradewind.prediction.model import Prediction
from tradewind.risk.allocation import NO_ALLOTMENTS, Allotment
from tradewind.risk.assessment import StrategyWish, assess
from tradewind.risk.book import Book
from tradewind.risk.closed_trips import closed_trips
from tradewind.risk.data_checks import LIQUID_MINUTES
from tradewind.risk.equity import change_since_close
from tradewind.risk.limits import RiskLimits
from tradewind.risk.locks import Lock
from tradewind.risk.protections import (
    EquityChange,
    Protected,
    ProtectionSettings,
    protect,
    sessions_around,
)
from tradewind.risk.restrictions import Restriction
from tradewind.strategies.decision import Action
from tradewind.strategies.protocol import MarketView, Strategy, Wish
from tradewind.tradelog.rules import message_of_alert
from tradewind.use_cases.entry_permission import entry_permission, ramp_sessions
from tradewind.use_cases.session_units import daily_in_session_units, in_session_units
from tradewind.use_cases.standing import Outcome, Standing, StandingQuestion
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


@dataclass(frozen=True, slots=True)
class RiskRules:
    """What risk is told by whoever deploys."""

    limits: RiskLimits = field(default_factory=RiskLimits)
    protections: ProtectionSettings = field(default_factory=ProtectionSettings)
    restrictions: Sequence[Restriction] = ()


def assess_risk(
    cycle: Cycle,
    predictions: Sequence[Prediction],
    *,
    strategies: Mapping[str, Strategy],
    rules: RiskRules,
    sessions: SessionTable,
    database: Database,
    control: TradingControl,
    allotments: Mapping[str, Allotment] = NO_ALLOTMENTS,
) -> Assessed:
    """One transaction under the account's lock. ``strategies`` is by symbol: a symbol belongs to
    one strategy; so are ``allotments``, their parts of the account. A minute not newer than the
    last decided one decides nothing; the intents it committed when it was decided are handed out
    again if they have no outcome, because the run that committed them may have died before it sent
    them."""
    switch = _switch(control, cycle.account)
    around = sessions_around(cycle.session, rules.protections, sessions)
    question = _question(cycle, predictions, strategies, around, sessions)
    with database.transaction() as stores:
        stores.cycles.lock_account(cycle.account)
        standing = stores.runs.standing(cycle, question)
        if standing.newest_decided is not None and standing.newest_decided >= cycle.bar_time:
            return _already_decided(standing, cycle)
        holdings = {one.symbol: one for one in standing.holdings if one.quantity > 0}
        factors = stores.factors.table(sorted({*strategies, *holdings}))
        seen = _bars_seen(stores, cycle, strategies, holdings, factors)
        known = {one.symbol: one for one in predictions} | {
            one.symbol: replace(one, stale=True) for one in standing.predictions
        }
        wishes = _wishes(cycle.bar_time, strategies, known, holdings, seen)
        protected = _protected(cycle, standing, holdings, around, rules.protections)
        book = replace(
            _book(
                stores,
                cycle,
                wishes,
                standing,
                holdings,
                seen,
                sessions,
                strategies,
                rules,
                factors,
            ),
            allotments=allotments,
            switch=switch,
            protected=protected,
        )
        assessment = assess(cycle, wishes, book, rules.limits)
        begun = _begun(protected, standing, cycle.account)
        alerts = [*assessment.alerts, *(alert_of_lock(cycle.account, lock) for lock in begun)]
        outcome = Outcome(
            predictions=predictions,
            decisions=assessment.decisions,
            intents=assessment.intents,
            messages=[message_of_alert(replace(one, account=cycle.account)) for one in alerts],
            locks=begun,
        )
        stores.runs.leave(cycle, outcome)
    return Assessed("decided", len(assessment.decisions), assessment.intents)


def _switch(control: TradingControl, account: str) -> SwitchState | None:
    """None when it cannot be read, or says what it never says."""
    try:
        return control.switch(account).state
    except (ControlUnavailableError, InvalidInputError):
        return None


def _question(
    cycle: Cycle,
    predictions: Sequence[Prediction],
    strategies: Mapping[str, Strategy],
    around: Sequence[Session],
    sessions: SessionTable,
) -> StandingQuestion:
    return StandingQuestion(
        symbols=sorted(strategies),
        session_since=cycle.session.open - PREPARATION,
        trades_since=around[0].open,
        # Where a symbol that needs one has none (inference failed, or its bar is missing), its last
        # good one counts, marked stale, up to the age limit: none is better than an old one.
        predicted=sorted(
            symbol
            for symbol, strategy in strategies.items()
            if strategy.needs_prediction and symbol not in {one.symbol for one in predictions}
        ),
        predicted_since=cycle.bar_time - PREDICTION_AGE_LIMIT,
        ramp=ramp_sessions(cycle.session.date, sessions) if cycle.mode == "live" else (),
    )


def _already_decided(standing: Standing, cycle: Cycle) -> Assessed:
    if standing.newest_decided != cycle.bar_time:
        return Assessed("superseded", 0, ())
    unsent = tuple(one for one in standing.unresolved if one.bar_time == cycle.bar_time)
    return Assessed("decided" if unsent else "superseded", 0, unsent)


def _bars_seen(
    stores: Stores,
    cycle: Cycle,
    strategies: Mapping[str, Strategy],
    holdings: Mapping[str, Holding],
    factors: FactorTable,
) -> dict[str, Sequence[Bar]]:
    """The newest bars of every symbol that has a strategy or is held, split-adjusted by what is
    known to this run: as many as any strategy looks at, and as tell a halt from a thin symbol."""
    symbols = sorted({*strategies, *holdings})
    needed = max([LIQUID_MINUTES, *(one.bars_needed for one in strategies.values())])
    return {
        symbol: factors.adjusted(bars, cycle.run_at)
        for symbol, bars in stores.bars.recent(symbols, cycle.bar_time, needed).items()
    }


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
            bars=bars[-strategy.bars_needed :],
            prediction=predictions.get(symbol),
            holding=symbol in holdings,
        )
        wishes.append(
            replace(
                _wish_of(symbol, strategy.name, strategy.decide(view), bars[-1]),
                needs_prediction=strategy.needs_prediction,
                prediction=view.prediction,
            )
        )
    return wishes


def _wish_of(symbol: str, strategy: str, wish: Wish, newest: Bar) -> StrategyWish:
    return StrategyWish(symbol, strategy, wish.action, wish.reason_code, wish.reason, newest)


def _protected(
    cycle: Cycle,
    standing: Standing,
    holdings: Mapping[str, Holding],
    around: Sequence[Session],
    settings: ProtectionSettings,
) -> Protected:
    account, mark = standing.account, standing.equity
    change = EquityChange(
        since_close=change_since_close(account.equity, account.last_equity, standing.transfers)
        if account is not None
        else None,
        from_peak=mark.from_peak if mark is not None else None,
        peak_at=mark.peak_at if mark is not None else None,
    )
    held = {symbol: holding.quantity for symbol, holding in holdings.items()}
    trips = closed_trips(standing.trades, held, standing.splits)
    return protect(cycle.run_at, trips, change, around, settings, standing.locks)


def _begun(protected: Protected, standing: Standing, account: str) -> list[Lock]:
    """The locks that were not there before."""
    known = {lock.lock_id(account) for lock in standing.locks}
    return [lock for lock in protected.locks if lock.lock_id(account) not in known]


def _book(
    stores: Stores,
    cycle: Cycle,
    wishes: Sequence[StrategyWish],
    standing: Standing,
    holdings: Mapping[str, Holding],
    seen: Mapping[str, Sequence[Bar]],
    sessions: SessionTable,
    strategies: Mapping[str, Strategy],
    rules: RiskRules,
    factors: FactorTable,
) -> Book:
    done = carried_out(standing.splits)
    units = in_session_units(stores, cycle, holdings, factors, sessions, done)
    entering = [wish.symbol for wish in wishes if wish.action is Action.ENTER]
    entering = [symbol for symbol in entering if symbol not in holdings]
    as_of, configuration = standing.broker_as_of, standing.configuration
    count = rules.limits.daily_atr_sessions + 1
    looked_at = {symbol: seen[symbol][-strategies[symbol].bars_needed :] for symbol in entering}
    return Book(
        account=standing.account,
        broker_as_of=as_of,
        holdings=units.holdings,
        positions={position.symbol: position for position in standing.positions},
        open_orders=[known.order for known in standing.open_orders],
        orders_of_ours=orders_at_work(standing.open_orders, standing.orders_of_ours, as_of),
        unresolved=standing.unresolved,
        highs=units.highs,
        daily=daily_in_session_units(
            stores.bars.daily(entering, cycle.session.date, count) if entering else {},
            factors,
            cycle.session.date,
            cycle.run_at,
        ),
        revisions=standing.revisions,
        missing=_missing(stores, cycle, looked_at, sessions),
        differences=[one for one in standing.differences if as_of and one.is_unexplained(as_of)],
        strangers=standing.strangers,
        failed_protection=standing.failed_protection,
        bar_starts={symbol: starts_of(seen[symbol]) for symbol in entering},
        recent_minutes=_recent_minutes(cycle, sessions) if entering else (),
        decided=standing.decided,
        restrictions=rules.restrictions,
        entries_today=standing.entries_today,
        capital_today=standing.capital_today,
        untradable=configuration.untradable if configuration is not None else (),
        configuration_faults=configuration.faults() if configuration is not None else (),
        split_since=units.split_since,
        split_due=units.split_due,
        action_due=actions_due(
            standing.actions,
            sessions.previous(cycle.session.date).date,
            sessions.following(cycle.session.date).date,
            cycle.run_at,
        ),
        permission=entry_permission(cycle, standing),
    )


def orders_at_work(
    open_orders: Sequence[KnownOrder], intent_of: Mapping[str, str], as_of: datetime | None
) -> dict[str, str]:
    """order_id -> intent_id of the orders that are ours, without the open ones that the broker does
    not show any more: they protect nothing, and what is due must not wait for them. ``as_of``: when
    the newest snapshot was read."""
    gone = unseen(open_orders, as_of) if as_of is not None else set()
    return {order_id: intent for order_id, intent in intent_of.items() if order_id not in gone}


def _missing(
    stores: Stores,
    cycle: Cycle,
    looked_at: Mapping[str, Sequence[Bar]],
    sessions: SessionTable,
) -> dict[str, list[datetime]]:
    """The holes among the bars that entries are decided on."""
    if not looked_at:
        return {}
    since = {symbol: bars[0].start for symbol, bars in looked_at.items()}
    between = sessions.between(min(since.values()).date(), cycle.session.date)
    return stores.gaps.missing(since, between, cycle.run_at)


def _recent_minutes(cycle: Cycle, sessions: SessionTable) -> list[datetime]:
    """The regular minutes of the session before and of this one, up to the decided minute."""
    before = sessions.previous(cycle.session.date)
    minutes = [before.open + number * MINUTE for number in range(before.minutes)]
    count = (cycle.bar_time - cycle.session.open) // MINUTE + 1
    return minutes + [cycle.session.open + number * MINUTE for number in range(count)]
