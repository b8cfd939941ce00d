"""What a symbol gets for what is held and open in it, whatever its strategy wishes.

Order of business: an entry that did not fill in the run it was made for is cancelled before
anything else is asked; an exit comes before protection; a stop without shares behind it goes, and
one for more shares than are held gives way to a smaller one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from tradewind.market.adjustment import new_york_date
from tradewind.market.bar import to_iso
from tradewind.market.cycle import Cycle
from tradewind.orders.model import BrokerOrder, IntentKind, OrderStatus, Side
from tradewind.orders.prices import initial_stop
from tradewind.orders.protection import (
    Need,
    ProtectionNeed,
    covering_stops,
    protection_need,
    resting_stops,
)
from tradewind.portfolio.model import Holding
from tradewind.risk.book import Book
from tradewind.risk.limits import RiskLimits

# So many refusals in a row, and the shares are better sold than left without a stop.
REFUSALS_UNTIL_EXIT = 2
PROTECTION_REFUSED = "protection_refused"
# A cancellation that is not confirmed for so long is not waited for to protect what was bought.
STUCK_AFTER = timedelta(minutes=2)
ENTRY_STUCK = "entry_stuck"
TOO_MUCH_COVERED = "too_much_covered"


@dataclass(frozen=True, slots=True)
class Care:
    """One thing to be done about a symbol. ``kind`` is None when the thing is to wait for what is
    already under way; ``target`` names the broker's order that is cancelled or replaced, or that
    hangs."""

    code: str
    reason: str
    kind: IntentKind | None = None
    quantity: Decimal = Decimal(0)
    stop_price: Decimal | None = None
    target: str | None = None


def due_care(
    cycle: Cycle,
    symbol: str,
    price: Decimal,
    book: Book,
    limits: RiskLimits,
    wished_exit: tuple[str, str] | None,
) -> Care | None:
    """The most urgent thing; None when nothing is due. ``price`` is the newest close (USD),
    ``wished_exit`` the code and sentence with which a strategy wants out."""
    late_entry = _open_entry(symbol, book)
    if late_entry is not None:
        return _care_for_late_entry(cycle, late_entry, price, book)
    holding = book.held(symbol)
    if holding is not None:
        return _care_for_holding(cycle, holding, price, book, limits, wished_exit)
    stray = resting_stops(book.ours(symbol), symbol)
    return _cancel_stray_stop(stray[0]) if stray else None


def _open_entry(symbol: str, book: Book) -> BrokerOrder | None:
    for order in book.ours(symbol):
        if order.side is Side.BUY:
            return order
    return None


def _care_for_late_entry(cycle: Cycle, order: BrokerOrder, price: Decimal, book: Book) -> Care:
    """It is cancelled. Where the broker does not confirm that, what it bought must not stay naked:
    its stop is tried beside it, which the broker may refuse."""
    cancel = _cancel_entry(order, price)
    holding = book.held(order.symbol)
    hangs = order.status is OrderStatus.PENDING_CANCEL
    if holding is None or not hangs or cycle.run_at - order.updated_at <= STUCK_AFTER:
        return cancel
    need = _need(cycle, holding, price, book)
    if need.need not in (Need.PLACE, Need.SELL):
        return cancel
    stuck = replace(
        cancel,
        code=ENTRY_STUCK,
        reason=f"entry {order.client_order_id} ({order.filled_quantity} of {order.quantity} "
        f"filled) hangs in its cancellation since {to_iso(order.updated_at)}; {need.reason}",
    )
    if need.need is Need.SELL:
        # Nothing may be sold while it may still buy: all that is left is to ask again.
        return stuck
    return replace(
        stuck, kind=IntentKind.PROTECT, quantity=need.quantity, stop_price=need.stop_price
    )


def _cancel_entry(order: BrokerOrder, price: Decimal) -> Care:
    return Care(
        "entry_not_filled",
        f"entry {order.client_order_id} did not fill in its run ({order.filled_quantity} of "
        f"{order.quantity}): it is cancelled and its filled part protected",
        IntentKind.CANCEL_ENTRY,
        order.quantity,
        initial_stop(order.limit_price or price),
        order.order_id,
    )


def _cancel_stray_stop(stop: BrokerOrder) -> Care:
    """A stop without shares behind it: after an exit whose sale was thought to have failed."""
    return Care(
        "stray_stop",
        f"stop {stop.order_id} has no shares behind it: triggered, it would sell short",
        IntentKind.CANCEL_STOP,
        stop.quantity,
        stop.stop_price,
        stop.order_id,
    )


def _care_for_holding(
    cycle: Cycle,
    holding: Holding,
    price: Decimal,
    book: Book,
    limits: RiskLimits,
    wished_exit: tuple[str, str] | None,
) -> Care | None:
    symbol = holding.symbol
    ours = book.ours(symbol)
    for order in ours:
        if order.side is Side.SELL and order.order_type != "stop":
            reason = f"exit {order.client_order_id} is still {order.status}"
            return Care("exit_working", reason)
    need = _need(cycle, holding, price, book)
    outdated = _stops_in_old_units(cycle, ours, symbol, book)
    why_out = _why_exit(cycle, symbol, need, book, limits, wished_exit)
    trading = cycle.session.open <= cycle.run_at < cycle.session.close
    if why_out is not None and trading:
        stops = resting_stops(ours, symbol)
        target = stops[0].order_id if stops else None
        return Care(*why_out, IntentKind.EXIT, holding.quantity, need.stop_price, target)
    if outdated:
        return _renew_stop(outdated[0], holding.quantity, need, price, book.split_since[symbol])
    if need.need is Need.SELL:
        # Nothing is sold while nothing is traded, and no stop is taken above the price.
        return Care("waits_for_the_open", need.reason)
    if need.need is Need.NOTHING:
        return None
    if need.need is Need.REDUCE:
        return Care(
            TOO_MUCH_COVERED,
            need.reason,
            IntentKind.CANCEL_STOP,
            need.quantity,
            need.stop_price,
            need.order.order_id if need.order else None,
        )
    raising = need.need is Need.RAISE
    return Care(
        "stop_below_trail" if raising else "naked",
        need.reason,
        IntentKind.REPRICE if raising else IntentKind.PROTECT,
        need.quantity,
        need.stop_price,
        need.order.order_id if need.order else None,
    )


def _need(cycle: Cycle, holding: Holding, price: Decimal, book: Book) -> ProtectionNeed:
    """A stop in old units protects nothing: it is neither counted nor reduced, but renewed."""
    ours = book.ours(holding.symbol)
    outdated = _stops_in_old_units(cycle, ours, holding.symbol, book)
    position = book.positions.get(holding.symbol)
    return protection_need(
        symbol=holding.symbol,
        quantity=holding.quantity,
        at_broker=position.quantity if position is not None and position.quantity > 0 else None,
        avg_entry_price=holding.avg_price,
        highest_high=book.highs.get(holding.symbol),
        last_close=price,
        open_orders=[order for order in ours if order not in outdated],
        as_of=cycle.run_at,
    )


def _stops_in_old_units(
    cycle: Cycle, ours: Sequence[BrokerOrder], symbol: str, book: Book
) -> list[BrokerOrder]:
    """Without those that hang in their cancellation: they count as none, and are not waited for."""
    since = book.split_since.get(symbol)
    if since is None:
        return []
    return [
        order
        for order in covering_stops(ours, symbol, cycle.run_at)
        if new_york_date(order.submitted_at) < since
    ]


def _renew_stop(
    stop: BrokerOrder, quantity: Decimal, need: ProtectionNeed, price: Decimal, since: date
) -> Care:
    """The broker takes no stop above the price, and the old one must not stay: where the price lies
    below the trail already, a stop just below it holds until the open, when the shares are sold."""
    target = min(need.stop_price, initial_stop(price))
    return Care(
        "stop_in_old_units",
        f"stop {stop.order_id} for {stop.quantity} at {stop.stop_price} is from before the split "
        f"of {since}, which the broker does not adjust stops for; it is put again at {target}",
        IntentKind.RENEW_STOP,
        quantity,
        target,
        stop.order_id,
    )


def _why_exit(
    cycle: Cycle,
    symbol: str,
    need: ProtectionNeed,
    book: Book,
    limits: RiskLimits,
    wished_exit: tuple[str, str] | None,
) -> tuple[str, str] | None:
    flat_from = cycle.session.close - limits.flat_before_close
    split, action = book.split_due.get(symbol), book.action_due.get(symbol)
    if cycle.run_at >= flat_from:
        if not limits.hold_overnight:
            return "session_end", f"positions are closed from {to_iso(flat_from)} on"
        if split is not None:
            return "split_due", (
                f"a split takes effect on {split}, and stops stay in the old units: the position "
                f"is closed from {to_iso(flat_from)} on"
            )
        if action is not None:
            return "action_due", f"{action}: the position is closed from {to_iso(flat_from)} on"
    if wished_exit is not None:
        return wished_exit
    if need.need is Need.SELL:
        return "trailing_stop_passed", need.reason
    refused = book.failed_protection.get(symbol, 0)
    if need.need is Need.PLACE and refused >= REFUSALS_UNTIL_EXIT:
        return PROTECTION_REFUSED, f"{need.reason}, and a stop was refused {refused} times in a row"
    return None
