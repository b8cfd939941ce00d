"""Have every open entry of ours cancelled, see that it is gone, and protect what it bought.

Nothing but the broker is needed for it, and it may be run again from its start at any moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from tradewind.errors import (
    BrokerRejectedError,
    OutcomeUnknownError,
    RetryableError,
    ThrottledError,
)
from tradewind.orders.ids import protect_id, tag_of
from tradewind.orders.model import (
    BrokerOrder,
    IntentStatus,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from tradewind.orders.ports import Broker
from tradewind.orders.submission import Pacing, send_once
from tradewind.orders.symbol_orders import covered, held

# An entry whose submitter read the switch just before it was set may still be on its way: so long
# it is looked for, although none is open.
WATCH = timedelta(seconds=10)
GIVE_UP = timedelta(seconds=20)
POLL = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class CancelledEntries:
    """What became of the open entries, as far as the broker has said.

    ``cancelled`` are in a final state (also those that filled before they could be cancelled).
    ``not_confirmed`` may still fill. ``unprotected`` tells, a sentence each, of bought shares that
    were left without a stop, ``trouble`` why the broker could not be asked at last.
    """

    cancelled: tuple[BrokerOrder, ...]
    not_confirmed: tuple[BrokerOrder, ...]
    unprotected: tuple[str, ...]
    trouble: str | None

    @property
    def complete(self) -> bool:
        """Whether the broker has confirmed that no entry of ours is open."""
        return not self.not_confirmed and not self.unprotected and self.trouble is None


@dataclass
class _Sweep:
    """``open`` as last seen, by order id; ``stops``: the price of each entry's protective leg."""

    open: dict[str, BrokerOrder] = field(default_factory=dict)
    done: dict[str, BrokerOrder] = field(default_factory=dict)
    stops: dict[str, Decimal] = field(default_factory=dict)
    unprotected: dict[str, str] = field(default_factory=dict)


def cancel_entries(broker: Broker, clock: Pacing, tag: str | None) -> CancelledEntries:
    """``tag``: whose entries (``orders.ids.deployment_tag``); None for those of any Tradewind.

    Protective orders and foreign ones stay. A refusal of the broker to be asked at all (wrong keys)
    is told in ``trouble`` at once, an outage when it has lasted for GIVE_UP.
    """
    sweep = _Sweep()
    began, paused = clock.now(), timedelta(0)
    while True:
        trouble = None
        try:
            _look(sweep, broker, clock.now(), tag)
            _finish(sweep, broker, clock)
        except BrokerRejectedError as refused:
            trouble = str(refused)
            break
        except (RetryableError, OutcomeUnknownError) as away:
            trouble = str(away)
        # A replayed market's clock may stand still while we wait.
        waited = max(clock.now() - began, paused)
        if waited >= GIVE_UP or (trouble is None and not sweep.open and waited >= WATCH):
            break
        clock.sleep(POLL)
        paused += timedelta(seconds=POLL)
    return CancelledEntries(
        tuple(sweep.done.values()),
        tuple(sweep.open.values()),
        tuple(sweep.unprotected.values()),
        trouble,
    )


def _look(sweep: _Sweep, broker: Broker, now: datetime, tag: str | None) -> None:
    """Find open entries and ask for their cancellation, unless that is under way."""
    orders = [order for order in broker.orders(now) if not order.status.is_final]
    for entry in (order for order in orders if _is_entry(order, tag)):
        sweep.open[entry.order_id] = entry
        sweep.done.pop(entry.order_id, None)
        leg = _stop_leg(entry, orders)
        if leg is not None and leg.stop_price is not None:
            sweep.stops[entry.order_id] = leg.stop_price
        if entry.status is not OrderStatus.PENDING_CANCEL:
            # Not cancelable any more, or no clear answer: its status decides, read hereafter.
            with suppress(BrokerRejectedError, OutcomeUnknownError, ThrottledError):
                broker.cancel(entry.order_id)


def _finish(sweep: _Sweep, broker: Broker, clock: Pacing) -> None:
    """Take down what is in a final state, its bought shares protected."""
    for order_id, entry in list(sweep.open.items()):
        now = broker.order(order_id)
        if now is None or not now.status.is_final:
            continue
        left_naked = _protect(now, sweep.stops.get(order_id), broker, clock)
        if left_naked is not None:
            sweep.unprotected[order_id] = left_naked
        sweep.done[order_id] = now
        del sweep.open[entry.order_id]


def _protect(
    entry: BrokerOrder, stop_price: Decimal | None, broker: Broker, clock: Pacing
) -> str | None:
    """A stop for what a cancelled entry had bought; a sentence when there is none after all.

    The leg behind an entry is cancelled with it while the entry is not filled whole. It is counted
    what is held and what rests: the cycle's own repair may have been here first.
    """
    if entry.filled_quantity in (Decimal(0), entry.quantity):
        return None
    # The leg may be listed for a moment longer than its entry: HELD, it protects nothing.
    working = covered(broker.open_orders(entry.symbol))
    naked = min(held(entry.symbol, broker) - working, entry.filled_quantity)
    if naked <= 0:
        return None
    bought = f"{naked} {entry.symbol} of the cancelled entry {entry.order_id} have no stop"
    if stop_price is None:
        return f"{bought}: its leg was not seen, so its price is not known"
    stop = OrderRequest(
        client_order_id=protect_id(entry.client_order_id),
        symbol=entry.symbol,
        side=Side.SELL,
        quantity=naked,
        order_type=OrderType.STOP,
        time_in_force=TimeInForce.GTC,
        stop_price=stop_price,
    )
    answer = send_once(entry.client_order_id, stop, broker, clock)
    return None if answer.status is IntentStatus.SUBMITTED else f"{bought}: {answer.reason}"


def _is_entry(order: BrokerOrder, tag: str | None) -> bool:
    given_by = tag_of(order.client_order_id)
    ours = given_by is not None if tag is None else given_by == tag
    return ours and order.side is Side.BUY and order.parent_order_id is None


def _stop_leg(entry: BrokerOrder, orders: Sequence[BrokerOrder]) -> BrokerOrder | None:
    for order in orders:
        if order.parent_order_id == entry.order_id and order.order_type == "stop":
            return order
    return None
