"""Intents as risk commits them: one identity, one order of sending."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from tradewind.market.cycle import Cycle
from tradewind.orders.ids import intent_id
from tradewind.orders.model import (
    IntentKind,
    OrderClass,
    OrderIntent,
    OrderType,
    Side,
    TimeInForce,
)
from tradewind.risk.holding import Care

# Exits first: they free buying power and never wait behind an entry.
_SENDING_ORDER = (
    IntentKind.EXIT,
    IntentKind.CANCEL_ENTRY,
    IntentKind.CANCEL_STOP,
    IntentKind.RENEW_STOP,
    IntentKind.PROTECT,
    IntentKind.REPRICE,
    IntentKind.ENTRY,
)


def in_sending_order(intents: Iterable[OrderIntent]) -> tuple[OrderIntent, ...]:
    return tuple(sorted(intents, key=lambda i: (_SENDING_ORDER.index(i.kind), i.symbol)))


def entry_intent(
    cycle: Cycle,
    strategy: str,
    symbol: str,
    *,
    quantity: Decimal,
    limit_price: Decimal,
    stop_price: Decimal,
    decision_price: Decimal,
    expires_at: datetime,
    reason: str,
) -> OrderIntent:
    """A marketable limit with its stop behind it (OTO)."""
    return OrderIntent(
        intent_id=_id(cycle, strategy, symbol, IntentKind.ENTRY, 0),
        account=cycle.account,
        strategy=strategy,
        mode=cycle.mode,
        session=cycle.session.date,
        bar_time=cycle.bar_time,
        symbol=symbol,
        kind=IntentKind.ENTRY,
        side=Side.BUY,
        quantity=quantity,
        order_type=OrderType.LIMIT,
        # An OTO's time in force is its legs' too: the stop must outlive the day.
        time_in_force=TimeInForce.GTC,
        order_class=OrderClass.OTO,
        limit_price=limit_price,
        stop_price=stop_price,
        decision_price=decision_price,
        revision=0,
        target_order_id=None,
        expires_at=expires_at,
        reason=reason,
    )


def care_intent(
    cycle: Cycle, strategy: str, symbol: str, care: Care, price: Decimal, last_revision: int
) -> OrderIntent | None:
    """What a symbol's care asks to be sent; None when it only asks to wait. ``last_revision`` is
    the highest that the symbol's intents have used: a cancelled order's id stays taken."""
    if care.kind is None:
        return None
    selling = care.kind is IntentKind.EXIT
    revision = last_revision + 1
    return OrderIntent(
        intent_id=_id(cycle, strategy, symbol, care.kind, revision),
        account=cycle.account,
        strategy=strategy,
        mode=cycle.mode,
        session=cycle.session.date,
        bar_time=cycle.bar_time,
        symbol=symbol,
        kind=care.kind,
        side=Side.SELL,
        quantity=care.quantity,
        order_type=OrderType.MARKET if selling else OrderType.STOP,
        time_in_force=TimeInForce.DAY if selling else _stops_time_in_force(care.quantity),
        order_class=OrderClass.SIMPLE,
        limit_price=None,
        stop_price=care.stop_price,
        decision_price=price,
        revision=revision,
        target_order_id=care.target,
        expires_at=None,
        reason=f"{care.code}: {care.reason}" if selling else care.reason,
    )


def _stops_time_in_force(quantity: Decimal) -> TimeInForce:
    """A stop outlives the day; the broker takes parts of shares for the day only, so that such a
    stop is put again before each session."""
    return TimeInForce.GTC if quantity == quantity.to_integral_value() else TimeInForce.DAY


def _id(cycle: Cycle, strategy: str, symbol: str, kind: IntentKind, revision: int) -> str:
    return intent_id(
        deployment=cycle.deployment,
        account=cycle.account,
        strategy=strategy,
        mode=cycle.mode,
        session=cycle.session.date,
        bar_time=cycle.bar_time,
        symbol=symbol,
        side=Side.BUY if kind is IntentKind.ENTRY else Side.SELL,
        kind=kind,
        revision=revision,
    )
