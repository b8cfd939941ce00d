"""Does the order fit beside what is open, and into what is allowed? Money to the cent, USD."""

from __future__ import annotations

from decimal import Decimal

from tradewind.orders.model import IntentKind, OrderIntent
from tradewind.portfolio.model import Holding
from tradewind.risk.entry_request import EntryRequest, Refusal, SizedEntry

_SELLING = (IntentKind.EXIT, IntentKind.PROTECT, IntentKind.REPRICE, IntentKind.RENEW_STOP)


def no_open_order(request: EntryRequest) -> Refusal | None:
    for order in request.open_orders:
        if order.symbol == request.symbol:
            return Refusal("open_order", f"order {order.client_order_id} is still {order.status}")
    return None


def no_unresolved_intent(request: EntryRequest) -> Refusal | None:
    for intent in request.unresolved:
        if intent.symbol == request.symbol:
            return Refusal("unresolved_intent", f"intent {intent.intent_id} has no outcome yet")
    return None


def no_foreign_position(request: EntryRequest) -> Refusal | None:
    """Long only, and only where everything that is held is ours to sell."""
    if request.foreign is None:
        return None
    held = "held short" if request.foreign.quantity < 0 else "held"
    return Refusal(
        "foreign_position",
        f"{abs(request.foreign.quantity)} shares are {held} that this system did not trade",
    )


def price_collar(entry: SizedEntry) -> Refusal | None:
    band = entry.limits.max_price_deviation * entry.last_price
    if abs(entry.limit_price - entry.last_price) <= band:
        return None
    return Refusal(
        "price_collar",
        f"the limit {entry.limit_price} is more than {entry.limits.max_price_deviation * 100:f} % "
        f"from the last price {entry.last_price}",
    )


def enough_notional(entry: SizedEntry) -> Refusal | None:
    if entry.notional >= entry.limits.min_notional:
        return None
    return Refusal(
        "below_minimum_notional",
        f"{entry.notional:.2f} USD is less than {entry.limits.min_notional} an order is worth",
    )


def not_too_much_notional(entry: SizedEntry) -> Refusal | None:
    most = entry.limits.max_notional
    if most is None or entry.notional <= most:
        return None
    return Refusal(
        "above_maximum_notional", f"{entry.notional:.2f} USD is more than {most} allowed an order"
    )


def capital_of_the_day(entry: SizedEntry) -> Refusal | None:
    most = entry.limits.max_capital_per_day
    spent = entry.capital_today + entry.capital_in_run
    if spent + entry.notional <= most:
        return None
    return Refusal(
        "capital_per_day",
        f"{entry.notional:.2f} USD beside {spent:.2f} of this session is more than {most} "
        "allowed a session",
    )


def entries_of_the_minute(entry: SizedEntry) -> Refusal | None:
    most = entry.limits.max_entries_per_minute
    if entry.entries_in_run < most:
        return None
    return Refusal("entries_per_minute", f"this minute has its {most} entries")


def entries_of_the_day(entry: SizedEntry) -> Refusal | None:
    most = entry.limits.max_entries_per_day
    if entry.entries_today + entry.entries_in_run < most:
        return None
    return Refusal("entries_per_day", f"this session has its {most} entries")


def enough_buying_power(entry: SizedEntry) -> Refusal | None:
    if entry.notional <= entry.buying_power:
        return None
    return Refusal(
        "buying_power",
        f"{entry.notional:.2f} USD is more than the {entry.buying_power:.2f} left to spend",
    )


def short_sale(intent: OrderIntent, holding: Holding | None) -> Refusal | None:
    """Long only: what sells, now or when its stop is reached, never sells more than we hold."""
    held = holding.quantity if holding is not None else Decimal(0)
    # Of shares that we hold, a cancelled stop leaves a smaller one behind; of none, nothing.
    reduces = intent.kind is IntentKind.CANCEL_STOP and held > 0
    if intent.kind not in _SELLING and not reduces:
        return None
    if intent.quantity <= held:
        return None
    return Refusal(
        "not_enough_shares", f"{intent.quantity} {intent.symbol} to sell, {held} are held"
    )
