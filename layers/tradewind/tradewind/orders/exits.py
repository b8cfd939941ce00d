"""Leaving a position: cancel what protects, confirm, sell what is left, or protect again.

A resting stop holds the shares, and an opposite order would be refused as a wash trade, so it has
to go first; for a moment the shares are naked. Two rules hold whatever breaks: nothing is sold
while the old order may still sell (never twice), and whatever surely was not sold is protected
again before this ends (never naked). When nobody can say whether the sale arrived, nothing more is
sent, and the next run looks and repairs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from tradewind.errors import BrokerRejectedError, OutcomeUnknownError, RetryableError
from tradewind.orders.cancelling import cancel_and_wait
from tradewind.orders.ids import protect_id
from tradewind.orders.model import (
    BrokerOrder,
    IntentOutcome,
    IntentStatus,
    OrderIntent,
    OrderRequest,
    OrderType,
    Side,
    TimeInForce,
)
from tradewind.orders.ports import Broker
from tradewind.orders.procedures import earlier_order, place_stop, stop_of
from tradewind.orders.submission import (
    PROVEN_UNSENT,
    NotSentError,
    Pacing,
    outcome,
    send_once,
    submitted,
)
from tradewind.orders.symbol_orders import (
    covered,
    held,
    is_protective,
    open_orders_of_ours,
)


@dataclass(slots=True)
class _Freed:
    """What the cancelled orders leave: ``naked`` shares that they covered and did not sell,
    ``sold`` shares that they sold after they were listed; ``stop_price`` is the lowest that was
    at work."""

    naked: Decimal = Decimal(0)
    sold: Decimal = Decimal(0)
    stop_price: Decimal | None = None


def leave(
    intent: OrderIntent, broker: Broker, pacing: Pacing, *, first: bool = False
) -> IntentOutcome:
    """Sell a position, up to the intent's quantity, at the market."""
    there = None if first else earlier_order(intent, broker, pacing)
    if there is not None:
        return _after_an_earlier_sale(intent, there, broker, pacing)
    ours = open_orders_of_ours(intent, broker)
    sales = [order for order in ours if order.side is Side.SELL and not is_protective(order)]
    if sales:
        return outcome(
            intent.intent_id,
            IntentStatus.NOT_NEEDED,
            "exit_working",
            f"sell order {sales[0].order_id} is already {sales[0].status}",
            pacing.now(),
        )
    freed = _Freed()
    try:
        # The entry first: what it goes on buying would have to be sold after the sale.
        for order in sorted(ours, key=lambda order: order.side is not Side.BUY):
            _cancel(order, freed, broker, pacing)
        # What the stop sold meanwhile may not have reached the position yet.
        left = max(intent.quantity - freed.sold, Decimal(0))
        there_is = held(intent.symbol, broker) if left > 0 or freed.naked > 0 else Decimal(0)
    except (OutcomeUnknownError, RetryableError, BrokerRejectedError, NotSentError) as error:
        if freed.naked <= 0:
            raise
        naked = min(freed.naked, intent.quantity)
        return _put_back(
            _as_it_rested(intent, freed), naked, str(error), IntentStatus.UNKNOWN, broker, pacing
        )
    left = max(min(left, there_is), Decimal(0))
    # The cancelled stops may have covered more than the books knew of and the intent sells.
    rest = max(min(freed.naked, there_is) - left, Decimal(0))
    intent = _as_it_rested(intent, freed)
    if left > 0:
        return _sell(intent, left, rest, broker, pacing)
    nothing_left = outcome(
        intent.intent_id,
        IntentStatus.NOT_NEEDED,
        "nothing_left",
        "the shares were sold before, by their stop or otherwise",
        pacing.now(),
    )
    return _protect_rest(intent, rest, nothing_left, broker, pacing)


def _as_it_rested(intent: OrderIntent, freed: _Freed) -> OrderIntent:
    """With the price that the cancelled stop had, where the intent's is higher: the price of the
    market may lie between the two, and no stop is taken above it."""
    if freed.stop_price is None:
        return intent
    return replace(intent, stop_price=min(stop_of(intent), freed.stop_price))


def _cancel(order: BrokerOrder, freed: _Freed, broker: Broker, pacing: Pacing) -> None:
    final = cancel_and_wait(order.order_id, broker, pacing)
    if final is None:
        return
    if order.side is Side.BUY:
        # Its leg, if it has one, is cancelled with it.
        freed.naked += final.filled_quantity
        return
    sold = final.filled_quantity - order.filled_quantity
    freed.sold += sold
    if covered([order]) > 0:
        freed.naked += final.quantity - final.filled_quantity
        prices = (order.stop_price, freed.stop_price)
        freed.stop_price = min((price for price in prices if price is not None), default=None)
    else:
        freed.naked -= sold


def _sell(
    intent: OrderIntent, quantity: Decimal, rest: Decimal, broker: Broker, pacing: Pacing
) -> IntentOutcome:
    sale = send_once(
        intent.intent_id,
        OrderRequest(
            client_order_id=intent.intent_id,
            symbol=intent.symbol,
            side=Side.SELL,
            quantity=quantity,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
        ),
        broker,
        pacing,
    )
    if sale.status is IntentStatus.REJECTED or sale.reason_code in PROVEN_UNSENT:
        return _put_back(intent, quantity + rest, sale.reason, sale.status, broker, pacing)
    # Whatever became of the sale, it does not sell these.
    return _protect_rest(intent, rest, sale, broker, pacing)


def _protect_rest(
    intent: OrderIntent, rest: Decimal, done: IntentOutcome, broker: Broker, pacing: Pacing
) -> IntentOutcome:
    """Shares that a cancelled stop covered and that are not to be sold get their stop back."""
    if rest <= 0:
        return done
    said = _stop_again(intent, rest, broker, pacing)
    return replace(done, reason=f"{done.reason}; {rest} shares stay: {said}")


def _after_an_earlier_sale(
    intent: OrderIntent, sale: BrokerOrder, broker: Broker, pacing: Pacing
) -> IntentOutcome:
    """The sale that an earlier attempt sent. One that ended without selling everything left shares
    that nothing protects."""
    said = submitted(intent.intent_id, sale, "already_there", pacing.now())
    unsold = sale.quantity - sale.filled_quantity
    if not sale.status.is_final or unsold <= 0:
        return said
    naked = held(intent.symbol, broker) - covered(broker.open_orders(intent.symbol))
    left = min(naked, unsold)
    if left <= 0:
        return said
    return _put_back(intent, left, said.reason, said.status, broker, pacing, sale)


def _put_back(
    intent: OrderIntent,
    quantity: Decimal,
    why: str,
    status: IntentStatus,
    broker: Broker,
    pacing: Pacing,
    sale: BrokerOrder | None = None,
) -> IntentOutcome:
    """Protection again, for what was surely not sold."""
    said = _stop_again(intent, quantity, broker, pacing)
    return outcome(intent.intent_id, status, "sale_failed", f"{why}; {said}", pacing.now(), sale)


def _stop_again(intent: OrderIntent, quantity: Decimal, broker: Broker, pacing: Pacing) -> str:
    """What became of it, in words: the next run looks and repairs."""
    try:
        back = place_stop(protect_id(intent.intent_id), intent, quantity, broker, pacing)
    except (OutcomeUnknownError, RetryableError, NotSentError) as error:
        return f"protection not put back: {error}"
    return f"protection put back: {back.status} ({back.reason})"
