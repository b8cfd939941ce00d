"""What each kind of intent but an exit does at the broker, step by step; exits are in ``exits``.

Every procedure may be run again from its start after being cut off anywhere: it first asks what is
already there. ``first`` says that the claim of the intent proves there was no earlier attempt, and
saves that question.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal

from tradewind.errors import (
    BrokerRejectedError,
    BrokerUnavailableError,
    InvalidInputError,
    RetryableError,
)
from tradewind.orders.cancelling import cancel_and_wait
from tradewind.orders.ids import protect_id
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
from tradewind.orders.order_rules import fault_of_replacement, is_whole
from tradewind.orders.ports import Broker
from tradewind.orders.protection import IN_TRANSIT
from tradewind.orders.submission import (
    FIRST_PAUSE,
    LONGEST_TRY,
    Pacing,
    carry_out,
    look_up,
    outcome,
    send_once,
    submitted,
)
from tradewind.orders.symbol_orders import GoneError, covered, held, rival_order, target_of

# How long the fill of an entry without a stop leg is waited for, to protect it at once.
FILL_WAIT = 4.0  # seconds
FIRST_LOOK = 0.1  # doubles


def enter(
    intent: OrderIntent, broker: Broker, pacing: Pacing, *, first: bool = False
) -> IntentOutcome:
    """Buy; by default with a marketable limit whose protective stop rests behind it (OTO, GTC).

    An entry without legs (a fraction of a share takes no others) is protected right after its fill;
    should that not come in time, the next run cancels the entry and protects what it filled.
    """
    there = None if first else earlier_order(intent, broker, pacing)
    if there is not None:
        entered = submitted(intent.intent_id, there, "already_there", pacing.now())
    else:
        rival = rival_order(intent, broker)
        if rival is not None:
            return outcome(
                intent.intent_id,
                IntentStatus.BLOCKED,
                "second_deployment",
                f"another deployment has order {rival.order_id} ({rival.client_order_id}) open in "
                f"{intent.symbol} on this account",
                pacing.now(),
            )
        entered = send_once(
            intent.intent_id, _entry_request(intent), broker, pacing, intent.expires_at
        )
    if intent.order_class is OrderClass.SIMPLE and entered.status is IntentStatus.SUBMITTED:
        return _protect_fill(intent, entered, broker, pacing)
    return entered


def protect(
    intent: OrderIntent, broker: Broker, pacing: Pacing, *, first: bool = False
) -> IntentOutcome:
    """Place a stop for shares that have none: never for more than is held and not covered yet."""
    there = None if first else earlier_order(intent, broker, pacing)
    if there is not None:
        return submitted(intent.intent_id, there, "already_there", pacing.now())
    naked = min(_naked(intent, broker), intent.quantity)
    return _protect_naked(intent, naked, broker, pacing)


def reprice(
    intent: OrderIntent, broker: Broker, pacing: Pacing, *, first: bool = False
) -> IntentOutcome:
    """Move the resting stop up; the old one goes on working if the broker refuses."""
    there = None if first else earlier_order(intent, broker, pacing)
    if there is not None:
        return submitted(intent.intent_id, there, "already_there", pacing.now())
    target = target_of(intent, Side.SELL, broker)
    change = ReplaceRequest(intent.intent_id, stop_price=stop_of(intent))
    fault = fault_of_replacement(change)
    if target.stop_price is not None and stop_of(intent) <= target.stop_price:
        fault = f"the stop rests at {target.stop_price} and is never moved down"
    if fault is not None:
        return outcome(
            intent.intent_id, IntentStatus.REJECTED, "invalid_order", fault, pacing.now()
        )
    return carry_out(
        intent.intent_id,
        intent.intent_id,
        lambda: broker.replace(target.order_id, change),
        broker,
        pacing,
    )


def cancel_entry(
    intent: OrderIntent, broker: Broker, pacing: Pacing, *, first: bool = False
) -> IntentOutcome:
    """Cancel an entry that did not fill in time and give its filled part a stop of its own."""
    there = None if first else earlier_order(intent, broker, pacing)
    if there is not None:
        return submitted(intent.intent_id, there, "already_there", pacing.now())
    try:
        target = target_of(intent, Side.BUY, broker)
    except GoneError:
        # It buys nothing any more; as long as our record has it open, this intent is all that the
        # symbol gets, so that what it bought is protected here.
        return _protect_naked(intent, min(_naked(intent, broker), intent.quantity), broker, pacing)
    entry = cancel_and_wait(target.order_id, broker, pacing)
    if entry is None or entry.filled_quantity == 0:
        return _not_needed(
            intent,
            "cancelled_unfilled",
            "the entry was cancelled before anything was filled",
            pacing,
        )
    if entry.filled_quantity == entry.quantity and entry.order_class != OrderClass.SIMPLE:
        return _not_needed(
            intent,
            "filled_first",
            "the entry filled before it could be cancelled; its own stop rests behind it",
            pacing,
        )
    naked = min(_naked(intent, broker), entry.filled_quantity)
    return _protect_naked(intent, naked, broker, pacing)


def cancel_stop(
    intent: OrderIntent, broker: Broker, pacing: Pacing, *, first: bool = False
) -> IntentOutcome:
    """Cancel a stop that has no shares behind it: triggered, it would sell short. One for more
    shares than are held (after a reverse split) gives way to one for what is held."""
    there = None if first else earlier_order(intent, broker, pacing)
    if there is not None:
        return submitted(intent.intent_id, there, "already_there", pacing.now())
    target = target_of(intent, Side.SELL, broker)
    shares = held(intent.symbol, broker)
    if shares > 0:
        return _cover_only(intent, target, shares, broker, pacing)
    cancel_and_wait(target.order_id, broker, pacing)
    return _not_needed(
        intent,
        "stop_cancelled",
        "the stop had no shares behind it and was cancelled",
        pacing,
    )


def renew_stop(
    intent: OrderIntent, broker: Broker, pacing: Pacing, *, first: bool = False
) -> IntentOutcome:
    """Put a stop in the units of before a split into the new ones. The broker leaves it as it was,
    so that it would sell at the open, or never; and it is moved neither down nor in quantity."""
    there = None if first else earlier_order(intent, broker, pacing)
    if there is not None:
        return submitted(intent.intent_id, there, "already_there", pacing.now())
    try:
        target = target_of(intent, Side.SELL, broker)
    except GoneError:
        # It protects nothing any more, and sells nothing.
        return _protect_naked(intent, min(_naked(intent, broker), intent.quantity), broker, pacing)
    shares = held(intent.symbol, broker)
    working = broker.open_orders(intent.symbol)
    return _in_its_place(intent, target, shares, working, broker, pacing)


def _cover_only(
    intent: OrderIntent, target: BrokerOrder, shares: Decimal, broker: Broker, pacing: Pacing
) -> IntentOutcome:
    """One of the stops that together cover more than the ``shares`` held gives way to one for what
    the others leave."""
    working = broker.open_orders(intent.symbol)
    if not target.status.is_final:
        if any(order.status in IN_TRANSIT for order in working if order.side is Side.SELL):
            return _not_needed(
                intent, "stop_in_transit", "a stop is being changed: the next run looks", pacing
            )
        if covered(working) <= shares:
            return _not_needed(
                intent, "shares_held", "there are shares behind the stop after all", pacing
            )
    return _in_its_place(intent, target, shares, working, broker, pacing)


def _in_its_place(
    intent: OrderIntent,
    target: BrokerOrder,
    shares: Decimal,
    working: Sequence[BrokerOrder],
    broker: Broker,
    pacing: Pacing,
) -> IntentOutcome:
    """Cancel a stop and place the intent's for what no other stop covers of the ``shares`` held.
    They are naked for the seconds between; nothing is placed before the cancellation is confirmed,
    and never for more than is held after it. ``shares`` and the orders at work were read after the
    ``target``, so that what it sold in between is counted twice rather than not at all."""
    if not target.status.is_final:
        final = cancel_and_wait(target.order_id, broker, pacing)
        # What it sold meanwhile may not have reached the position yet.
        shares -= final.filled_quantity - target.filled_quantity if final is not None else 0
        working = [order for order in working if order.order_id != target.order_id]
        with suppress(RetryableError, BrokerRejectedError):
            # Without an answer, what was read before has to do: naked is worse.
            shares = min(shares, held(intent.symbol, broker))
            working = broker.open_orders(intent.symbol)
    naked = min(shares - covered(working), intent.quantity)
    return _protect_naked(intent, naked, broker, pacing)


def earlier_order(intent: OrderIntent, broker: Broker, pacing: Pacing) -> BrokerOrder | None:
    """The order that an earlier attempt of the intent made; None when the broker knows of none.

    Asks for some seconds: what an attempt that was cut off left naked waits for this answer. Raises
    BrokerUnavailableError when none comes: then nothing may be sent.
    """
    started, pause = pacing.now(), FIRST_PAUSE
    while True:
        there, answered = look_up(intent.intent_id, broker, pacing)
        if there is not None or answered:
            return there
        if (pacing.now() - started).total_seconds() >= LONGEST_TRY:
            raise BrokerUnavailableError(
                f"the broker could not be asked for order {intent.intent_id} of an earlier attempt"
            )
        pacing.sleep(pause)
        pause *= 2


def place_stop(
    client_order_id: str, intent: OrderIntent, quantity: Decimal, broker: Broker, pacing: Pacing
) -> IntentOutcome:
    """A protective stop of its own. A fraction of a share takes DAY orders only; the rest is GTC,
    so that protection outlives the session."""
    return send_once(
        intent.intent_id,
        OrderRequest(
            client_order_id=client_order_id,
            symbol=intent.symbol,
            side=Side.SELL,
            quantity=quantity,
            order_type=OrderType.STOP,
            time_in_force=TimeInForce.GTC if is_whole(quantity) else TimeInForce.DAY,
            stop_price=stop_of(intent),
        ),
        broker,
        pacing,
    )


def stop_of(intent: OrderIntent) -> Decimal:
    if intent.stop_price is None:
        raise InvalidInputError(f"intent {intent.intent_id} ({intent.kind}) has no stop price")
    return intent.stop_price


def _entry_request(intent: OrderIntent) -> OrderRequest:
    return OrderRequest(
        client_order_id=intent.intent_id,
        symbol=intent.symbol,
        side=Side.BUY,
        quantity=intent.quantity,
        order_type=intent.order_type,
        time_in_force=intent.time_in_force,
        order_class=intent.order_class,
        limit_price=intent.limit_price,
        stop_loss=None if intent.order_class is OrderClass.SIMPLE else stop_of(intent),
    )


def _protect_fill(
    intent: OrderIntent, entered: IntentOutcome, broker: Broker, pacing: Pacing
) -> IntentOutcome:
    """A stop behind an entry that carries none, as soon as it has filled."""
    waited, pause = 0.0, FIRST_LOOK
    while True:
        try:
            entry = broker.order(entered.broker_order_id or "")
        except (RetryableError, BrokerRejectedError):
            entry = None
        if entry is not None and entry.status.is_final:
            break
        if waited >= FILL_WAIT:
            return outcome(
                intent.intent_id,
                IntentStatus.SUBMITTED,
                "not_filled_yet",
                f"{entered.reason}; it did not fill within {FILL_WAIT} s, the next run sees to it",
                pacing.now(),
                entry,
            )
        pacing.sleep(pause)
        waited, pause = waited + pause, pause * 2
    if entry.filled_quantity == 0:
        return submitted(intent.intent_id, entry, entered.reason_code, pacing.now())
    naked = entry.filled_quantity
    if entered.reason_code == "already_there":  # since when? another run may have sold them
        naked = min(naked, _naked(intent, broker))
        if naked <= 0:
            return entered
    stop = place_stop(protect_id(intent.intent_id), intent, naked, broker, pacing)
    protected = stop.status is IntentStatus.SUBMITTED
    return outcome(
        intent.intent_id,
        IntentStatus.SUBMITTED,
        entered.reason_code if protected else "entered_unprotected",
        f"{entered.reason}; its stop: {stop.status} ({stop.reason})",
        pacing.now(),
        entry,
    )


def _naked(intent: OrderIntent, broker: Broker) -> Decimal:
    """Shares held that no working stop covers, whosever stop it is."""
    return held(intent.symbol, broker) - covered(broker.open_orders(intent.symbol))


def _protect_naked(
    intent: OrderIntent, naked: Decimal, broker: Broker, pacing: Pacing
) -> IntentOutcome:
    if naked <= 0:
        return _not_needed(
            intent, "nothing_naked", "no share is held that is not covered by a stop", pacing
        )
    return place_stop(intent.intent_id, intent, naked, broker, pacing)


def _not_needed(intent: OrderIntent, code: str, reason: str, pacing: Pacing) -> IntentOutcome:
    return outcome(intent.intent_id, IntentStatus.NOT_NEEDED, code, reason, pacing.now())
