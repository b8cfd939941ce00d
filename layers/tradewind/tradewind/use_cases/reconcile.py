"""Put right what a run left undone: is it needed, and which intents does it take?

Nothing is decided here that a strategy would have to be asked for, and nothing is entered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE, Bar, from_iso, to_iso
from tradewind.market.corporate_actions import CorporateAction, actions_due
from tradewind.market.cycle import Cycle, reconciliation_name
from tradewind.market.session import Session
from tradewind.market.session_table import SessionTable
from tradewind.orders.model import BrokerOrder, BrokerPosition, IntentKind, OrderIntent, Side
from tradewind.portfolio.model import Holding
from tradewind.portfolio.splits import carried_out
from tradewind.risk.assessment import Assessment, Position, assess_positions
from tradewind.risk.book import Book
from tradewind.risk.limits import RiskLimits
from tradewind.use_cases.assess_risk import PREPARATION, orders_at_work
from tradewind.use_cases.ports import Clock
from tradewind.use_cases.session_units import SessionUnits, in_session_units
from tradewind.use_cases.tell import tell
from tradewind.use_cases.unit_of_work import Database, Stores

# The cycle runs each minute; one that is late by so much is not coming.
CYCLE_TOO_OLD = timedelta(minutes=2)
# How far the minute asked for may be from now: repeated deliveries come late, clocks differ.
LATEST = timedelta(minutes=10)
EARLIEST = timedelta(minutes=1)


class Why(StrEnum):
    """What asks for a reconciliation."""

    BEFORE_OPEN = "before_open"
    CHECK = "check"
    FAILED_RUN = "failed_run"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Plan:
    """Whether anything is to be done, and why (or why not); ``cycle`` is None when not."""

    needed: bool
    reason: str
    cycle: Cycle | None

    def as_payload(self) -> dict[str, Any]:
        return {
            "needed": self.needed,
            "reason": self.reason,
            "cycle": self.cycle.as_payload() if self.cycle is not None else None,
        }


def plan_reconciliation(
    event: Mapping[str, Any],
    *,
    deployment: str,
    account: str,
    mode: str,
    sessions: SessionTable,
    database: Database,
    clock: Clock,
) -> Plan:
    """The first step of every reconciliation, whoever started it: of the event only the reason and
    the minute are read, and the minute must be the present one. A minute of another time would let
    a forged event close positions as at a session's end.

    Raises InvalidInputError for an event that names neither.
    """
    why, minute = _asked(event)
    late = clock.now() - minute
    if not -EARLIEST <= late <= LATEST:
        return _not_needed(f"minute {to_iso(minute)} is not the present one")
    bar_time = minute - MINUTE
    session = sessions.session_on(bar_time.date())
    if session is None:
        return _not_needed(f"no session on {bar_time.date()}")
    name = reconciliation_name(account, bar_time)
    cycle = Cycle(deployment, account, mode, name, bar_time, session)
    if why is Why.BEFORE_OPEN:
        if minute < session.open:
            return Plan(True, f"before the open of {session.date}", cycle)
        return _not_needed(f"the session of {session.date} has opened")
    if not session.contains(bar_time):
        return _not_needed(f"outside the session of {session.date}")
    with database.transaction() as stores:
        newest = stores.cycles.newest_decided(account)
        if newest is not None and newest > bar_time:
            return _not_needed(f"minute {to_iso(newest + MINUTE)} was decided since")
        if why is Why.FAILED_RUN:
            return Plan(True, "a run of the trading cycle failed", cycle)
        if why is Why.HINT:
            return Plan(True, "the broker hinted at a change", cycle)
        found = _left_undone(stores, account, minute, session)
    return Plan(True, found, cycle) if found else _not_needed("the last run is recent and whole")


def _asked(event: Mapping[str, Any]) -> tuple[Why, datetime]:
    try:
        why = Why(event["why"])
        minute = from_iso(event["scheduled_time"]).replace(second=0, microsecond=0)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInputError(
            f"not a call for reconciliation: {error!r}; it needs why ({', '.join(Why)}) and "
            "scheduled_time"
        ) from error
    return why, minute


def _not_needed(reason: str) -> Plan:
    return Plan(False, reason, None)


def _left_undone(stores: Stores, account: str, minute: datetime, session: Session) -> str | None:
    """What the cycle left, or None. The run of this very minute is still under way."""
    finished = stores.cycles.newest_finished(account)
    since = max(finished + MINUTE, session.open) if finished is not None else session.open
    if minute - since > CYCLE_TOO_OLD:
        last = to_iso(finished + MINUTE) if finished is not None else "none"
        return f"no run has ended for {(minute - since) // MINUTE} minutes (the last one: {last})"
    open_intents = [
        intent
        for intent in stores.intents.without_outcome(account)
        if intent.bar_time + MINUTE < minute
    ]
    if open_intents:
        return f"intents of earlier runs without outcome: {len(open_intents)}"
    return None


def assess_protection(
    cycle: Cycle,
    *,
    deployment: str,
    account: str,
    mode: str,
    limits: RiskLimits,
    sessions: SessionTable,
    database: Database,
) -> tuple[OrderIntent, ...]:
    """The intents that put positions and orders right, committed and in the order they are to be
    sent; to be called once the broker's state has been recorded.

    One transaction under the account's lock. The trading cycle's minutes are left as they are, so
    that the run of this minute still decides. Called again in the same minute it hands out the
    same intents, or none where they have had their effect.
    """
    if not cycle.reconciles or (cycle.deployment, cycle.account, cycle.mode) != (
        deployment,
        account,
        mode,
    ):
        raise InvalidInputError(f"{cycle.execution} is not a reconciliation of this deployment")
    if cycle.run_at > cycle.session.close:
        raise InvalidInputError(f"{cycle.execution}: the session has closed")
    with database.transaction() as stores:
        stores.cycles.lock_account(account)
        assessment = _assess(stores, cycle, limits, sessions)
        stores.intents.add(assessment.intents)
        tell(stores, account, assessment.alerts)
    return assessment.intents


def _assess(stores: Stores, cycle: Cycle, limits: RiskLimits, sessions: SessionTable) -> Assessment:
    account = cycle.account
    holdings = {
        holding.symbol: holding for holding in stores.holdings.all(account) if holding.quantity > 0
    }
    open_known = stores.orders.open_known(account)
    open_orders = [known.order for known in open_known]
    snapshot = stores.accounts.latest(account)
    intent_of = orders_at_work(
        open_known, stores.orders.intent_of(account), snapshot[0] if snapshot else None
    )
    ours = [order for order in open_orders if order.order_id in intent_of]
    intents = {
        intent.intent_id: intent
        for intent in stores.intents.find([intent_of[order.order_id] for order in ours])
    }
    fresh = {
        order.symbol
        for order in ours
        if order.side is Side.BUY and _is_of(intents.get(intent_of[order.order_id]), cycle)
    }
    symbols = sorted({*holdings, *(order.symbol for order in ours)} - fresh)
    factors = stores.factors.table(symbols)
    done = carried_out(stores.position_splits.of(account, sorted(holdings)))
    units = in_session_units(stores, cycle, holdings, factors, sessions, done)
    due = actions_due(
        stores.corporate_actions.of(symbols),
        sessions.previous(cycle.session.date).date,
        sessions.following(cycle.session.date).date,
        cycle.run_at,
    )
    book = _book(stores, cycle, symbols, units, due, open_orders, intent_of)
    newest = {
        symbol: bars[-1]
        for symbol, bars in stores.bars.recent(symbols, cycle.bar_time, 1).items()
        if bars
    }
    positions = []
    for symbol in symbols:
        bar = newest.get(symbol)
        if bar is not None:
            (bar,) = factors.adjusted([bar], cycle.run_at)
        orders = [order for order in ours if order.symbol == symbol]
        price = _price(
            cycle, bar, book.positions.get(symbol), book.holdings.get(symbol), orders, limits
        )
        strategy = _strategy(
            holdings.get(symbol), [intents.get(intent_of[o.order_id]) for o in orders]
        )
        if price is not None and strategy is not None:
            positions.append(Position(symbol, strategy, price))
    unsent = {
        intent.symbol: intent
        for intent in book.unresolved
        if _is_of(intent, cycle) and intent.kind is not IntentKind.ENTRY
    }
    return assess_positions(cycle, positions, book, limits, unsent)


def _is_of(intent: OrderIntent | None, cycle: Cycle) -> bool:
    """Whether an intent is of the cycle's very minute: its run is still taking care of it."""
    return intent is not None and intent.bar_time >= cycle.bar_time


def _book(
    stores: Stores,
    cycle: Cycle,
    symbols: Sequence[str],
    units: SessionUnits,
    action_due: Mapping[str, CorporateAction],
    open_orders: Sequence[BrokerOrder],
    intent_of: Mapping[str, str],
) -> Book:
    account = cycle.account
    snapshot = stores.accounts.latest(account)
    return Book(
        account=snapshot[1] if snapshot else None,
        broker_as_of=snapshot[0] if snapshot else None,
        holdings=units.holdings,
        positions={p.symbol: p for p in stores.holdings.broker_positions(account)},
        open_orders=open_orders,
        orders_of_ours=intent_of,
        unresolved=stores.intents.without_outcome(account),
        highs=units.highs,
        daily={},
        revisions=stores.intents.last_revisions(account, symbols),
        missing={},
        failed_protection=stores.intents.failed_protections(
            account, cycle.session.open - PREPARATION
        ),
        split_since=units.split_since,
        split_due=units.split_due,
        action_due=action_due,
    )


def _price(
    cycle: Cycle,
    bar: Bar | None,
    position: BrokerPosition | None,
    holding: Holding | None,
    orders: Sequence[BrokerOrder],
    limits: RiskLimits,
) -> Decimal | None:
    """The best word on what a share is worth: the newest close; the broker's price where the bars
    have stopped; what was paid; what is asked for. None for a foreign position alone."""
    fresh = bar is not None and cycle.bar_time - bar.start <= limits.max_data_age
    if bar is not None and (fresh or cycle.run_at < cycle.session.open):
        return bar.close
    if position is not None and position.current_price > 0:
        return position.current_price
    if bar is not None:
        return bar.close
    if holding is not None:
        return holding.avg_price
    for order in orders:
        price = order.limit_price or order.stop_price
        if price is not None:
            return price
    return None


def _strategy(holding: Holding | None, intents: Sequence[OrderIntent | None]) -> str | None:
    """Whose the symbol is: the holding's strategy, or that of the order's intent."""
    if holding is not None:
        return holding.strategy
    return next((intent.strategy for intent in intents if intent is not None), None)
