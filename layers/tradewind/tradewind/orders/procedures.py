"""What each kind of intent does at the broker, step by step.

Every procedure may be run again from its start after being cut off anywhere: it first asks what is
already there.
"""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

from tradewind.errors import (
    BrokerRejectedError,
    InvalidInputError,
    OutcomeUnknownError,
    RetryableError,
    ThrottledError,
)
from tradewind.orders.ids import is_ours, protect_id, tag_of
from tradewind.orders.model import (
    BrokerOrder,
    IntentOutcome,
    IntentStatus,
    OrderClass,
    OrderIntent,
    OrderRequest,
    OrderType,
    ReplaceRequest,
    Side,
    TimeInForce,
)
from tradewind.orders.ports import Broker
from tradewind.orders.protection import resting_stops
from tradewind.orders.submission import Pacing, carry_out, outcome, send_once, submitted

CANCEL_WAIT = 6.0  # seconds until a cancellation counts as stuck
CANCEL_POLL = 0.1


def enter(intent: OrderIntent, broker: Broker, pacing: Pacing) -> IntentOutcome:
    """Buy with a marketable limit; its protective stop rests behind it (OTO, GTC)."""
    return send_once(
        intent.intent_id,
        OrderRequest(
            client_order_id=intent.intent_id,
            symbol=intent.symbol,
            side=Side.BUY,
            quantity=intent.quantity,
            order_type=intent.order_type,
            time_in_force=intent.time_in_force,
            order_class=OrderClass.OTO,
            limit_price=intent.limit_price,
            stop_loss=_stop_of(intent),
        ),
        broker,
        pacing,
    )


def leave(intent: OrderIntent, broker: Broker, pacing: Pacing) -> IntentOutcome:
    """Cancel what protects, wait for the confirmation, sell what is left.

    A resting stop holds the shares, and an opposite order would be refused as a wash trade, so it
    has to go first. Protection is put back for what is held whenever the sale did not come about;
    when nobody can say whether it did, the next run looks and repairs.
    """
    there = broker.order_by_client_id(intent.intent_id)
    if there is not None:
        return submitted(intent.intent_id, there, "already_there", pacing.now())
    ours = [order for order in broker.open_orders(intent.symbol) if _is_ours(order, intent, broker)]
    working = [o for o in ours if o.side is Side.SELL and o.order_type != "stop"]
    if working:
        return outcome(
            intent.intent_id,
            IntentStatus.NOT_NEEDED,
            "exit_working",
            f"sell order {working[0].order_id} is already {working[0].status}",
            pacing.now(),
        )
    held = _held(intent.symbol, broker)
    for stop in resting_stops(ours, intent.symbol):
        cancelled = _cancel_and_wait(stop.order_id, broker, pacing)
        if cancelled is not None:
            # What it sold before it could be cancelled.
            held -= cancelled.filled_quantity - stop.filled_quantity
    unread = None
    try:
        held = _held(intent.symbol, broker)
    except (RetryableError, BrokerRejectedError) as error:
        unread = f"the position could not be read: {error}"
    left = min(held, intent.quantity)
    if left > 0 and unread is not None:
        return _put_back(intent, left, unread, broker, pacing)
    if left <= 0:
        return outcome(
            intent.intent_id,
            IntentStatus.NOT_NEEDED,
            "nothing_left",
            "the shares were sold before, by their stop or otherwise",
            pacing.now(),
        )
    sale = send_once(
        intent.intent_id,
        OrderRequest(
            client_order_id=intent.intent_id,
            symbol=intent.symbol,
            side=Side.SELL,
            quantity=left,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
        ),
        broker,
        pacing,
    )
    if sale.status is IntentStatus.REJECTED:
        return _put_back(intent, left, sale.reason, broker, pacing, IntentStatus.REJECTED)
    return sale


def protect(intent: OrderIntent, broker: Broker, pacing: Pacing) -> IntentOutcome:
    """Place a stop for shares that have none: never for more than is held and not covered yet."""
    there = broker.order_by_client_id(intent.intent_id)
    if there is not None:
        return submitted(intent.intent_id, there, "already_there", pacing.now())
    stops = resting_stops(broker.open_orders(intent.symbol), intent.symbol)
    covered = sum((stop.quantity - stop.filled_quantity for stop in stops), Decimal(0))
    naked = min(_held(intent.symbol, broker) - covered, intent.quantity)
    if naked <= 0:
        return outcome(
            intent.intent_id,
            IntentStatus.NOT_NEEDED,
            "nothing_naked",
            "no share is held that is not covered by a stop",
            pacing.now(),
        )
    return _protect(intent.intent_id, intent, naked, broker, pacing)


def reprice(intent: OrderIntent, broker: Broker, pacing: Pacing) -> IntentOutcome:
    """Move the resting stop up; the old one goes on working if the broker refuses."""
    there = broker.order_by_client_id(intent.intent_id)
    if there is not None:
        return submitted(intent.intent_id, there, "already_there", pacing.now())
    target, price = _target_of(intent, Side.SELL, broker), _stop_of(intent)
    return carry_out(
        intent.intent_id,
        intent.intent_id,
        lambda: broker.replace(target, ReplaceRequest(intent.intent_id, stop_price=price)),
        broker,
        pacing,
    )


def cancel_entry(intent: OrderIntent, broker: Broker, pacing: Pacing) -> IntentOutcome:
    """Cancel an entry that did not fill in time and give its filled part a stop of its own."""
    there = broker.order_by_client_id(intent.intent_id)
    if there is not None:
        return submitted(intent.intent_id, there, "already_there", pacing.now())
    entry = _cancel_and_wait(_target_of(intent, Side.BUY, broker), broker, pacing)
    if entry is None or entry.filled_quantity == 0:
        return outcome(
            intent.intent_id,
            IntentStatus.NOT_NEEDED,
            "cancelled_unfilled",
            "the entry was cancelled before anything was filled",
            pacing.now(),
        )
    if entry.filled_quantity == entry.quantity:
        return outcome(
            intent.intent_id,
            IntentStatus.NOT_NEEDED,
            "filled_first",
            "the entry filled before it could be cancelled; its own stop rests behind it",
            pacing.now(),
        )
    return protect(intent, broker, pacing)


def cancel_stop(intent: OrderIntent, broker: Broker, pacing: Pacing) -> IntentOutcome:
    """Cancel a stop that has no shares behind it: triggered, it would sell short."""
    if _held(intent.symbol, broker) > 0:
        return outcome(
            intent.intent_id,
            IntentStatus.NOT_NEEDED,
            "shares_held",
            "there are shares behind the stop after all",
            pacing.now(),
        )
    _cancel_and_wait(_target_of(intent, Side.SELL, broker), broker, pacing)
    return outcome(
        intent.intent_id,
        IntentStatus.NOT_NEEDED,
        "stop_cancelled",
        "the stop had no shares behind it and was cancelled",
        pacing.now(),
    )


def has_orders_of_ours(intent: OrderIntent, broker: Broker) -> bool:
    return any(_is_ours(order, intent, broker) for order in broker.open_orders(intent.symbol))


def _put_back(
    intent: OrderIntent,
    quantity: Decimal,
    why: str,
    broker: Broker,
    pacing: Pacing,
    status: IntentStatus = IntentStatus.UNKNOWN,
) -> IntentOutcome:
    """Protection again, after the stop was cancelled and nothing was sold."""
    back = _protect(protect_id(intent.intent_id), intent, quantity, broker, pacing)
    return outcome(
        intent.intent_id,
        status,
        "sale_failed",
        f"{why}; protection put back: {back.status} ({back.reason})",
        pacing.now(),
    )


def _protect(
    client_order_id: str, intent: OrderIntent, quantity: Decimal, broker: Broker, pacing: Pacing
) -> IntentOutcome:
    return send_once(
        intent.intent_id,
        OrderRequest(
            client_order_id=client_order_id,
            symbol=intent.symbol,
            side=Side.SELL,
            quantity=quantity,
            order_type=OrderType.STOP,
            time_in_force=TimeInForce.GTC,
            stop_price=_stop_of(intent),
        ),
        broker,
        pacing,
    )


def _cancel_and_wait(order_id: str, broker: Broker, pacing: Pacing) -> BrokerOrder | None:
    """The order in its final state; None when the broker does not know it.

    Raises OutcomeUnknownError when the cancellation is not confirmed in time: nothing may be sold
    while the old order may still work.
    """
    # Not cancelable any more, or no clear answer: its status, read below, decides.
    with suppress(BrokerRejectedError, OutcomeUnknownError, ThrottledError):
        broker.cancel(order_id)
    waited = 0.0
    while True:
        try:
            order = broker.order(order_id)
        except RetryableError:
            order = None
        else:
            if order is None or order.status.is_final:
                return order
        if waited >= CANCEL_WAIT:
            raise OutcomeUnknownError(
                f"cancellation of order {order_id} was not confirmed within {CANCEL_WAIT} s"
            )
        pacing.sleep(CANCEL_POLL)
        waited += CANCEL_POLL


def _held(symbol: str, broker: Broker) -> Decimal:
    for position in broker.positions():
        if position.symbol == symbol:
            return position.quantity
    return Decimal(0)


def _is_ours(order: BrokerOrder, intent: OrderIntent, broker: Broker) -> bool:
    """An id of the intent's deployment, or the leg of such an order (legs carry the broker's)."""
    tag = tag_of(intent.intent_id) or ""
    if is_ours(order.client_order_id, tag):
        return True
    parent = broker.parent_of(order)
    return parent is not None and is_ours(parent.client_order_id, tag)


def _stop_of(intent: OrderIntent) -> Decimal:
    if intent.stop_price is None:
        raise InvalidInputError(f"intent {intent.intent_id} ({intent.kind}) has no stop price")
    return intent.stop_price


def _target_of(intent: OrderIntent, side: Side, broker: Broker) -> str:
    """The order an intent is about, once the broker has said that it is ours and of its kind."""
    if intent.target_order_id is None:
        raise InvalidInputError(f"intent {intent.intent_id} ({intent.kind}) names no order")
    target = broker.order(intent.target_order_id)
    if (
        target is None
        or target.symbol != intent.symbol
        or target.side is not side
        or not _is_ours(target, intent, broker)
    ):
        raise BrokerRejectedError(
            f"order {intent.target_order_id} is not one of ours to {intent.kind} in {intent.symbol}"
        )
    return target.order_id
