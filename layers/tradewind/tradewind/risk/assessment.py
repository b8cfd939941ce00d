"""From wishes to decisions and intents: what each symbol gets in one run, and why.

What is held and open comes first (:mod:`tradewind.risk.holding`); only a symbol that needs nothing
is asked for what its strategy wishes to enter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from uuid import UUID, uuid5

from tradewind.alerts.model import CRITICAL, Alert
from tradewind.market.bar import Bar, to_iso
from tradewind.market.cycle import Cycle
from tradewind.orders.model import IntentKind, OrderIntent
from tradewind.orders.prices import entry_limit, initial_stop
from tradewind.prediction.model import Prediction
from tradewind.risk.allocation import Funds, exposure_by_symbol
from tradewind.risk.book import Book
from tradewind.risk.checks import first_refusal, size_refusal
from tradewind.risk.entry_request import EntryRequest, Refusal, SizedEntry
from tradewind.risk.holding import (
    ENTRY_STUCK,
    PROTECTION_REFUSED,
    TOO_MUCH_COVERED,
    Care,
    due_care,
)
from tradewind.risk.intents import care_intent, entry_intent, in_sending_order
from tradewind.risk.limits import RiskLimits
from tradewind.risk.order_checks import short_sale
from tradewind.risk.protections import FULL_SIZE
from tradewind.risk.restrictions import restriction_of
from tradewind.risk.sizing import daily_atr
from tradewind.strategies.decision import Action, Decision

DECISION_NAMESPACE = UUID("7c1d2a44-91c0-5a53-a6a7-2b1f9f0e4d02")

_ACTION_OF_CARE = {
    IntentKind.EXIT: Action.EXIT,
    IntentKind.CANCEL_ENTRY: Action.WAIT,
    IntentKind.CANCEL_STOP: Action.WAIT,
    None: Action.HOLD,
}


@dataclass(frozen=True, slots=True)
class StrategyWish:
    """What a strategy wants for one symbol; ``bar`` is the newest bar it saw and ``prediction`` the
    newest prediction, which ``needs_prediction`` says that it cannot do without."""

    symbol: str
    strategy: str
    action: Action
    reason_code: str
    reason: str
    bar: Bar
    needs_prediction: bool = False
    prediction: Prediction | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """Intents in the order they are to be sent. ``alerts`` are what people must know of them."""

    decisions: tuple[Decision, ...]
    intents: tuple[OrderIntent, ...]
    alerts: tuple[Alert, ...] = ()


@dataclass(frozen=True, slots=True)
class Position:
    """A symbol to be looked after without a strategy's word: ``price`` is its newest one (USD),
    ``strategy`` the one that holds it."""

    symbol: str
    strategy: str
    price: Decimal


def assess(
    cycle: Cycle, wishes: Sequence[StrategyWish], book: Book, limits: RiskLimits
) -> Assessment:
    """Decisions for every wish, and the intents that follow."""
    funds = Funds(
        equity=book.account.equity if book.account else Decimal(0),
        buying_power=book.account.buying_power if book.account else Decimal(0),
        exposure=exposure_by_symbol(
            tuple(book.positions.values()), book.open_orders, book.unresolved
        ),
        allotments=book.allotments,
        step=book.permission.size,
        traded={*book.holdings, *(wish.symbol for wish in wishes)},
    )
    decisions: list[Decision] = []
    intents: list[OrderIntent] = []
    alerts: list[Alert] = []
    for wish in wishes:
        decision, intent = _assess_symbol(cycle, wish, book, limits, funds)
        decisions.append(decision)
        if intent is not None:
            intents.append(intent)
            alerts += _alerts_of(decision.reason_code, intent)
    return Assessment(tuple(decisions), in_sending_order(intents), tuple(alerts))


def assess_positions(
    cycle: Cycle,
    positions: Sequence[Position],
    book: Book,
    limits: RiskLimits,
    unsent: Mapping[str, OrderIntent],
) -> Assessment:
    """What each symbol needs when no strategy is asked and nothing may be entered.

    ``unsent`` are this minute's intents without outcome, by symbol: where one of them asks for the
    same, it is handed out again instead of a second one.
    """
    intents: list[OrderIntent] = []
    alerts: list[Alert] = []
    for position in positions:
        care = due_care(cycle, position.symbol, position.price, book, limits, None)
        if care is None or care.kind is IntentKind.REPRICE:
            # The trail is the strategies' run's business: it knows the newest high.
            continue
        earlier = unsent.get(position.symbol)
        if earlier is not None and earlier.kind is care.kind:
            intents.append(earlier)
            continue
        intent = care_intent(
            cycle,
            position.strategy,
            position.symbol,
            care,
            position.price,
            book.revisions.get(position.symbol, 0),
        )
        if intent is not None and _sale_refusal(intent, book) is None:
            intents.append(intent)
            alerts += _alerts_of(care.code, intent)
    return Assessment((), in_sending_order(intents), tuple(alerts))


def _assess_symbol(
    cycle: Cycle, wish: StrategyWish, book: Book, limits: RiskLimits, funds: Funds
) -> tuple[Decision, OrderIntent | None]:
    held = book.held(wish.symbol) is not None
    if cycle.run_at >= cycle.session.close:
        idle = Action.HOLD if held else Action.WAIT
        return _decision(
            cycle, wish, idle, "session_over", "the session closed: no order from the last bar"
        ), None
    wished_exit = book.permission.wanted_exit(wish.symbol)
    if wished_exit is None and wish.action is Action.EXIT:
        wished_exit = (wish.reason_code, wish.reason)
    care = due_care(cycle, wish.symbol, wish.bar.close, book, limits, wished_exit)
    if care is not None:
        intent = care_intent(
            cycle,
            wish.strategy,
            wish.symbol,
            care,
            wish.bar.close,
            book.revisions.get(wish.symbol, 0),
        )
        refusal = _sale_refusal(intent, book)
        if refusal is not None:
            idle = Action.HOLD if held else Action.WAIT
            return _decision(cycle, wish, idle, refusal.code, refusal.reason), None
        return _decision_of_care(cycle, wish, care), intent
    if held:
        return _decision(cycle, wish, Action.HOLD, wish.reason_code, wish.reason), None
    if wish.action is not Action.ENTER:
        return _decision(cycle, wish, Action.WAIT, wish.reason_code, wish.reason), None
    return _assess_entry(cycle, wish, book, limits, funds)


def _sale_refusal(intent: OrderIntent | None, book: Book) -> Refusal | None:
    return None if intent is None else short_sale(intent, book.held(intent.symbol))


def _decision_of_care(cycle: Cycle, wish: StrategyWish, care: Care) -> Decision:
    """Protection is put right beside the decision to hold, which stays the strategy's."""
    if care.code in (ENTRY_STUCK, TOO_MUCH_COVERED):
        return _decision(cycle, wish, Action.HOLD, care.code, care.reason)
    if care.kind in (IntentKind.PROTECT, IntentKind.REPRICE, IntentKind.RENEW_STOP):
        return _decision(cycle, wish, Action.HOLD, wish.reason_code, wish.reason)
    quantity = care.quantity if care.kind is IntentKind.EXIT else Decimal(0)
    action = _ACTION_OF_CARE[care.kind]
    return _decision(cycle, wish, action, care.code, care.reason, quantity)


def _assess_entry(
    cycle: Cycle, wish: StrategyWish, book: Book, limits: RiskLimits, funds: Funds
) -> tuple[Decision, OrderIntent | None]:
    refusal = first_refusal(
        EntryRequest(
            symbol=wish.symbol,
            bar_time=cycle.bar_time,
            newest_bar=wish.bar.start,
            missing=book.missing.get(wish.symbol, ()),
            session=cycle.session,
            account=book.account,
            broker_as_of=book.broker_as_of,
            open_orders=book.open_orders,
            unresolved=book.unresolved,
            foreign=book.positions.get(wish.symbol),
            limits=limits,
            mode=cycle.mode,
            differences=book.differences,
            strangers=book.strangers,
            switch=book.switch,
            locks=book.protected.locks,
            bar_starts=book.bar_starts.get(wish.symbol, ()),
            recent_minutes=book.recent_minutes,
            needs_prediction=wish.needs_prediction,
            prediction=wish.prediction,
            decided_before=(wish.strategy, wish.symbol) in book.decided,
            restriction=restriction_of(book.restrictions, wish.symbol, cycle.session.date),
            action_due=book.action_due.get(wish.symbol),
            tradable=wish.symbol not in book.untradable,
            configuration_faults=book.configuration_faults,
        )
    )
    if refusal is not None or book.account is None:
        code, reason = (refusal.code, refusal.reason) if refusal else ("no_account", "")
        return _decision(cycle, wish, Action.WAIT, code, reason), None
    not_allowed = book.permission.refusal(wish.symbol)
    if not_allowed is not None:
        return _decision(cycle, wish, Action.WAIT, *not_allowed), None
    price = entry_limit(wish.bar.close)
    stop = initial_stop(wish.bar.close)
    size = funds.size(
        wish.symbol,
        limit_price=price,
        stop_price=stop,
        atr=daily_atr(book.daily.get(wish.symbol, ()), limits.daily_atr_sessions),
        limits=limits,
    )
    quantity = (size.quantity * book.protected.size_factor).to_integral_value(ROUND_FLOOR)
    limited_by = size.limited_by
    if book.protected.size_factor != FULL_SIZE:
        limited_by = f"{limited_by}; {book.protected.size_reason}"
    if quantity == 0:
        return _decision(
            cycle,
            wish,
            Action.WAIT,
            "no_size",
            f"not one share is worth buying at {price}: limited by {limited_by}",
        ), None
    refusal = size_refusal(
        SizedEntry(
            symbol=wish.symbol,
            quantity=quantity,
            limit_price=price,
            last_price=wish.bar.close,
            buying_power=funds.buying_power,
            limits=limits,
            capital_today=book.capital_today,
            capital_in_run=funds.spent,
            entries_today=book.entries_today,
            entries_in_run=funds.entries,
        )
    )
    if refusal is not None:
        return _decision(cycle, wish, Action.WAIT, refusal.code, refusal.reason), None
    funds.spend(wish.symbol, quantity * price)
    intent = entry_intent(
        cycle,
        wish.strategy,
        wish.symbol,
        quantity=quantity,
        limit_price=price,
        stop_price=stop,
        decision_price=wish.bar.close,
        expires_at=cycle.run_at + limits.entry_lifetime,
        reason=f"{wish.reason_code}: {wish.reason}; size limited by {limited_by}",
    )
    decision = _decision(cycle, wish, Action.ENTER, wish.reason_code, wish.reason, quantity)
    return decision, intent


def _alerts_of(code: str, intent: OrderIntent) -> list[Alert]:
    """What people must know of an intent for its reason; of an entry that hangs they are told
    once, however many runs try."""
    if code == PROTECTION_REFUSED:
        return [_alert_of_refused_protection(intent)]
    if code == ENTRY_STUCK:
        return [
            Alert(
                ENTRY_STUCK,
                CRITICAL,
                f"{intent.symbol}: {intent.reason}",
                intent.bar_time,
                f"{intent.account}|{intent.target_order_id}",
            )
        ]
    return []


def _alert_of_refused_protection(intent: OrderIntent) -> Alert:
    return Alert(
        PROTECTION_REFUSED,
        CRITICAL,
        f"{intent.symbol}: {intent.quantity} shares are sold, because the broker takes no stop for "
        f"them ({intent.reason})",
        intent.bar_time,
        intent.intent_id,
    )


def _decision(
    cycle: Cycle,
    wish: StrategyWish,
    action: Action,
    code: str,
    reason: str,
    quantity: Decimal = Decimal(0),
) -> Decision:
    name = f"{cycle.account}|{wish.strategy}|{cycle.mode}|{wish.symbol}|{to_iso(cycle.bar_time)}"
    return Decision(
        decision_id=uuid5(DECISION_NAMESPACE, name),
        account=cycle.account,
        strategy=wish.strategy,
        mode=cycle.mode,
        symbol=wish.symbol,
        bar_time=cycle.bar_time,
        wanted=wish.action,
        action=action,
        reason_code=code,
        reason=reason,
        close=wish.bar.close,
        quantity=quantity,
    )
