"""Executions into the store of record: each once, whatever the broker repeats, drops or reorders.

Executions of all orders of the account are kept as fills, because all of them move its cash; those
of our own orders are booked: holdings, trades, trade events and alerts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from tradewind.alerts.model import Alert
from tradewind.alerts.rules import (
    alert_of_foreign_sale,
    alert_of_sale,
    alert_of_synthetic_fill,
    alert_of_unbookable,
)
from tradewind.errors import InvalidInputError
from tradewind.market.adjustment import new_york_date
from tradewind.market.cycle import Cycle
from tradewind.orders.fill_coverage import bookable, stand_ins
from tradewind.orders.model import BrokerFill, BrokerOrder, BrokerState, OrderIntent, Side
from tradewind.portfolio.accounting import apply_fill, flat, trade_of
from tradewind.portfolio.model import Change, Holding
from tradewind.tradelog.rules import event_of_trade, message_of_event
from tradewind.use_cases.carry_out_splits import convert_before_booking
from tradewind.use_cases.record_paper_trades import record_paper_trades
from tradewind.use_cases.tell import tell
from tradewind.use_cases.unit_of_work import Stores

# An execution may be told a moment after its order's filled quantity. One that stays missing in two
# snapshots this far apart is concluded from the order.
STAND_IN_AFTER = timedelta(seconds=30)

_STOPS = ("stop", "stop_limit", "trailing_stop")


@dataclass(frozen=True, slots=True)
class FillNews:
    """The executions of a snapshot that have no trade yet, and their orders.

    ``told``: these executions; ``unknown``: the ids of those that are not even stored. ``orders``:
    theirs, and all others that may have news, as they stand after the snapshot, by order_id.
    ``grown``: those of which more is filled than was known. ``owners``: order_id -> intent_id of
    those that are ours. ``missing``: since when an order was noted to have executions missing.
    """

    told: Sequence[BrokerFill]
    unknown: Set[str]
    orders: Mapping[str, BrokerOrder]
    grown: Set[str]
    owners: Mapping[str, str]
    missing: Mapping[str, datetime]


@dataclass(frozen=True, slots=True)
class Booked:
    """``new``: fills written now, stand-ins included. ``unbooked``: shares that an order says are
    filled and no execution tells of yet, by order_id."""

    new: tuple[BrokerFill, ...]
    unbooked: Mapping[str, Decimal]


def book_fills(
    stores: Stores, cycle: Cycle, state: BrokerState, news: FillNews, *, newest: bool
) -> Booked:
    """``newest``: no newer snapshot than ``state`` was recorded; only then is it judged what is
    missing, and whether the position has been split. Executions in the units of after a split stay
    without a trade until it has, and are booked by a later snapshot that lists them."""
    account, as_of = cycle.account, state.as_of
    told: dict[str, list[BrokerFill]] = {}
    for fill in news.told:
        if fill.execution_id in news.unknown:
            told.setdefault(fill.order_id, []).append(fill)
    in_question = sorted({*told, *news.grown, *news.missing})
    known = stores.fills.of_orders(account, in_question)
    taken: list[BrokerFill] = []
    concluded: list[BrokerFill] = []
    still_missing: dict[str, datetime] = {}
    unbooked: dict[str, Decimal] = {}
    for order_id in in_question:
        order, booked = news.orders.get(order_id), known.get(order_id, [])
        new = bookable(order, booked, told.get(order_id, ()))
        taken += new
        booked = booked + new
        if order is None or order_id not in news.owners:
            continue
        since = news.missing.get(order_id)
        if newest:
            # What is told at last starts the waiting for the rest anew.
            since = as_of if since is None or new else since
            if as_of - since >= STAND_IN_AFTER:
                concluded += (gaps := stand_ins(order, booked, as_of))
                booked = booked + gaps
        left = order.filled_quantity - sum((fill.quantity for fill in booked), Decimal(0))
        if left > 0 and since is not None:
            still_missing[order_id], unbooked[order_id] = since, left
    if still_missing != news.missing:
        stores.orders.note_missing_fills(account, still_missing)
    written = stores.fills.add(account, [*taken, *concluded])
    turned_away = news.unknown - {fill.execution_id for fill in taken}
    _book(
        stores,
        cycle,
        state,
        [fill for fill in news.told if fill.execution_id not in turned_away] + concluded,
        news,
        unbooked,
        newest=newest,
    )
    tell(
        stores,
        cycle.account,
        [alert_of_synthetic_fill(news.orders[f.order_id], f) for f in concluded],
    )
    return Booked(tuple(written), unbooked)


def _book(
    stores: Stores,
    cycle: Cycle,
    state: BrokerState,
    fills: Sequence[BrokerFill],
    news: FillNews,
    unbooked: Mapping[str, Decimal],
    *,
    newest: bool,
) -> None:
    """Fills of ours that have no trade yet into holdings, trades, trade events and alerts.

    Not only the new ones: one may have come before its order was known. Foreign fills are kept as
    fills only: they are not ours to account for.
    """
    ours = {fill.execution_id: fill for fill in fills if fill.order_id in news.owners}
    if not ours:
        return
    intents = _intents_of(stores, {news.owners[fill.order_id] for fill in ours.values()})
    holdings = {holding.symbol: holding for holding in stores.holdings.all(cycle.account)}
    converted, waiting = convert_before_booking(
        stores,
        cycle,
        state,
        list(holdings.values()),
        list(ours.values()),
        _carried_out_unbooked(ours.values(), unbooked, news.orders),
        newest=newest,
    )
    holdings |= converted
    changes: list[Change] = []
    alerts: list[Alert] = []
    for fill in sorted(ours.values(), key=lambda fill: (fill.at, fill.execution_id)):
        if fill.symbol in waiting and new_york_date(fill.at) >= waiting[fill.symbol]:
            continue
        intent = intents[news.owners[fill.order_id]]
        before = holdings.get(fill.symbol) or flat(fill.symbol, intent.strategy)
        try:
            after, realised = apply_fill(before, fill)
        except InvalidInputError as error:
            # Told, and left unbooked: the broker's quantity goes on to be shown beside ours.
            alerts.append(alert_of_unbookable(fill, str(error)))
            continue
        holdings[fill.symbol] = after
        trade = trade_of(fill, intent.intent_id, realised)
        changes.append(Change(before, after, trade))
        order = news.orders.get(fill.order_id)
        by_stop = order is not None and order.order_type in _STOPS
        alerts.append(alert_of_sale(trade, before, by_stop=by_stop))
    _write(stores, cycle, changes, alerts)


def _carried_out_unbooked(
    fills: Iterable[BrokerFill], unbooked: Mapping[str, Decimal], orders: Mapping[str, BrokerOrder]
) -> dict[str, Decimal]:
    """Shares by symbol (sales below zero) that the broker has carried out and our books have not:
    executions without a trade, and what orders say beyond them."""
    shares: dict[str, Decimal] = {}
    carried_out = [(fill.symbol, fill.side, fill.quantity) for fill in fills]
    for order_id, left in unbooked.items():
        carried_out.append((orders[order_id].symbol, orders[order_id].side, left))
    for symbol, side, quantity in carried_out:
        signed = quantity if side is Side.BUY else -quantity
        shares[symbol] = shares.get(symbol, Decimal(0)) + signed
    return shares


def book_foreign_sales(stores: Stores, cycle: Cycle, symbols: Sequence[str]) -> set[str]:
    """Close the books of positions that somebody else has sold: a person, or the command that
    flattens the account. The symbols for which the sales that the broker told are all of what the
    books hold; of the others nothing is booked."""
    sales = stores.fills.foreign_sales(cycle.account, symbols)
    if not sales:
        return set()
    changes: list[Change] = []
    alerts: list[Alert] = []
    for holding in stores.holdings.all(cycle.account):
        sold = _last_sales(sales.get(holding.symbol, ()), holding)
        if not sold:
            continue
        before = holding
        for fill in sold:
            after, realised = apply_fill(before, fill)
            changes.append(Change(before, after, trade_of(fill, None, realised)))
            alerts.append(alert_of_foreign_sale(changes[-1].trade))
            before = after
    _write(stores, cycle, changes, alerts)
    return {change.trade.symbol for change in changes}


def _last_sales(newest_first: Sequence[BrokerFill], holding: Holding) -> list[BrokerFill]:
    """The last sales since the position was opened that come to all of it, oldest first; nothing
    when they do not. Of the first of them only what the others leave is of our shares."""
    taken: list[BrokerFill] = []
    left = holding.quantity
    for fill in newest_first:
        if left > 0 and holding.opened_at is not None and fill.at >= holding.opened_at:
            taken.append(replace(fill, quantity=min(left, fill.quantity)))
            left -= taken[-1].quantity
    return taken[::-1] if left == 0 else []


def _write(
    stores: Stores, cycle: Cycle, changes: Sequence[Change], alerts: Sequence[Alert]
) -> None:
    tell(stores, cycle.account, alerts)
    if not changes:
        return
    touched = {change.after.symbol: change.after for change in changes}
    trades = [change.trade for change in changes]
    stores.holdings.save(cycle.account, tuple(touched.values()), trades[-1].timestamp)
    stores.trades.add(cycle.account, trades)
    stores.outbox.add([message_of_event(event_of_trade(trade)) for trade in trades])
    if cycle.mode == "paper":
        record_paper_trades(stores, cycle.account, changes)


def _intents_of(stores: Stores, wanted: set[str]) -> dict[str, OrderIntent]:
    return {intent.intent_id: intent for intent in stores.intents.find(sorted(wanted))}
