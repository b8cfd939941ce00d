"""Which happenings become alerts, and how severe they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from tradewind.alerts.model import CRITICAL, ERROR, INFO, NOTICE, WARNING, Alert
from tradewind.errors import InvalidInputError
from tradewind.market.adjustment import SuspectedSplit
from tradewind.market.availability import PROMISE, Availability
from tradewind.market.bar import to_iso
from tradewind.market.bar_months import month_text
from tradewind.market.session import Session
from tradewind.market.verdict import HeldBar, Reason, RejectedBar
from tradewind.orders.comparison import OrderComparison
from tradewind.orders.configuration import AccountConfiguration
from tradewind.orders.control import SwitchChange, SwitchState
from tradewind.orders.life import KnownOrder
from tradewind.orders.model import (
    BrokerFill,
    BrokerOrder,
    IntentOutcome,
    IntentStatus,
    OrderIntent,
)
from tradewind.portfolio.cash import CashDifference
from tradewind.portfolio.differences import QuantityDifference
from tradewind.portfolio.model import Holding, Trade
from tradewind.portfolio.splits import PositionSplit
from tradewind.risk.locks import Lock
from tradewind.risk.protections import Protection

# Loss of a sale, as a fraction of what the shares cost -> severity. The owner's stop is 1.5 %.
LOSS_SEVERITIES = (
    (Decimal("0.05"), CRITICAL),
    (Decimal("0.03"), ERROR),
    (Decimal("0.015"), WARNING),
    (Decimal("0.005"), NOTICE),
)

_WENT_WRONG = (IntentStatus.REJECTED, IntentStatus.BLOCKED, IntentStatus.UNKNOWN)
# An order was taken, and shares are left without their stop, or held that should have been sold.
_HALF_DONE = ("entered_unprotected", "sale_failed")


def loss_severity(realised: Decimal, cost: Decimal) -> int:
    """1 for a profit or a small loss, up to 5; both amounts in USD."""
    if realised >= 0 or cost <= 0:
        return INFO
    loss = -realised / cost
    for fraction, severity in LOSS_SEVERITIES:
        if loss >= fraction:
            return severity
    return INFO


def alert_of_sale(trade: Trade, before: Holding, *, by_stop: bool) -> Alert:
    """A fill: information for a purchase, by its loss for a sale. ``before`` is what was held."""
    if trade.realised_pnl is None:
        return Alert(
            "position_opened",
            INFO,
            f"bought {trade.fill_qty} {trade.symbol} at {trade.fill_price}",
            trade.timestamp,
            trade.execution_id,
        )
    cost = before.avg_price * trade.fill_qty
    percent = trade.realised_pnl / cost * 100 if cost else Decimal(0)
    how = "its stop sold" if by_stop else "sold"
    return Alert(
        "stop_filled" if by_stop else "position_closed",
        loss_severity(trade.realised_pnl, cost),
        f"{how} {trade.fill_qty} {trade.symbol} at {trade.fill_price}: "
        f"{trade.realised_pnl:+.2f} USD ({percent:+.2f} %)",
        trade.timestamp,
        trade.execution_id,
    )


def alert_of_outcome(outcome: IntentOutcome, intent: OrderIntent | None) -> Alert | None:
    """Only what went wrong: refusals, unknown outcomes, and orders that arrived while a position
    was left without what it needs; None for everything else."""
    if intent is None:
        return Alert(
            "unknown_intent",
            CRITICAL,
            f"an outcome was reported for {outcome.intent_id}, which was never committed",
            outcome.at,
            outcome.intent_id,
        )
    wrong = outcome.status in _WENT_WRONG and outcome.reason_code != "shadow_mode"
    half_done = outcome.reason_code in _HALF_DONE
    if not (wrong or half_done):
        return None
    severity = WARNING if intent.expires_at is not None and not half_done else ERROR
    return Alert(
        f"order_{outcome.status}" if wrong else outcome.reason_code,
        severity,
        f"{intent.kind} of {intent.quantity} {intent.symbol} was {outcome.status}: "
        f"{outcome.reason_code} - {outcome.reason}",
        outcome.at,
        outcome.intent_id,
    )


def alert_of_difference(account: str, difference: QuantityDifference, as_of: datetime) -> Alert:
    """Our books and the broker's quantity differ with no order at work: told once, and again when
    one of the two figures changes."""
    since = to_iso(difference.since)
    return Alert(
        "position_difference",
        CRITICAL,
        f"{difference}, since {since} with no order at work; entries stop until they agree",
        as_of,
        f"{account}|{difference.symbol}|{since}|{difference.ours.normalize():f}|"
        f"{difference.brokers.normalize():f}",
    )


def alert_of_cash_difference(account: str, difference: CashDifference, as_of: datetime) -> Alert:
    """Cash that no execution and no activity explains: told once, and again when it changes."""
    since = to_iso(difference.since)
    surplus = difference.brokers - difference.expected
    return Alert(
        "cash_difference",
        ERROR,
        f"{difference} ({surplus:+.2f}), since {since}",
        as_of,
        f"{account}|{since}|{surplus:.2f}",
    )


def alert_of_second_deployment(
    account: str, orders: Sequence[BrokerOrder], as_of: datetime
) -> Alert:
    """Another Tradewind trades on the same account; once a day. ``orders``: its orders, any."""
    first = min(orders, key=lambda order: (order.submitted_at, order.order_id))
    return Alert(
        "second_deployment",
        CRITICAL,
        f"another deployment sends orders to account {account}: {len(orders)} of them, the first "
        f"{first.side} {first.quantity} {first.symbol} ({first.client_order_id}, {first.status}) "
        f"of {to_iso(first.submitted_at)}; entries stop as long as the broker lists them",
        as_of,
        f"{account}|{as_of.date()}",
    )


def alert_of_synthetic_fill(order: BrokerOrder, fill: BrokerFill) -> Alert:
    """An execution that the broker never told was concluded from its order."""
    return Alert(
        "fill_concluded",
        WARNING,
        f"{fill.side} {fill.quantity} {fill.symbol} at {fill.price}: the broker says that order "
        f"{order.client_order_id} is filled up to {order.filled_quantity} at "
        f"{order.filled_avg_price} and has not told the execution",
        fill.at,
        fill.execution_id,
    )


def alert_of_foreign_sale(trade: Trade) -> Alert:
    """Shares of ours were sold by an order of somebody else; our books follow the broker."""
    return Alert(
        "position_closed_elsewhere",
        ERROR,
        f"{trade.fill_qty} {trade.symbol} of ours were sold at {trade.fill_price} by order "
        f"{trade.order_id}, which is not ours ({trade.realised_pnl or 0:+.2f} USD)",
        trade.timestamp,
        trade.execution_id,
    )


def alert_of_late_arrival(outcome: IntentOutcome, intent: OrderIntent) -> Alert:
    """An order that was judged unsent is at the broker after all."""
    return Alert(
        "order_arrived_after_all",
        ERROR,
        f"{intent.kind} of {intent.quantity} {intent.symbol} was thought not to have been sent; "
        f"the broker has it as {outcome.broker_order_id}: {outcome.reason}",
        outcome.at,
        outcome.intent_id,
    )


def alert_of_vanished_order(account: str, known: KnownOrder, as_of: datetime) -> Alert:
    """``known``: as it was on record. An order that was open is nowhere to be found."""
    order, since = known.order, to_iso(known.as_of)
    return Alert(
        "order_vanished",
        ERROR,
        f"{order.side} {order.quantity} {order.symbol} ({order.client_order_id}, last told as "
        f"{order.status}, {order.filled_quantity} filled): the broker does not know order "
        f"{order.order_id} and has not shown it since {since}; it counts as over, unless the "
        "broker says otherwise",
        as_of,
        f"{account}|{order.order_id}|{since}",
    )


def alert_of_returned_order(account: str, order: BrokerOrder, as_of: datetime) -> Alert:
    """An order that was judged to have vanished is at the broker after all."""
    return Alert(
        "order_returned",
        ERROR,
        f"{order.side} {order.quantity} {order.symbol} ({order.client_order_id}) was thought to "
        f"have vanished; the broker has order {order.order_id} as {order.status}, "
        f"{order.filled_quantity} filled",
        as_of,
        f"{account}|{order.order_id}|{to_iso(as_of)}",
    )


def alert_of_switch_change(change: SwitchChange) -> Alert:
    """Somebody or something changed what may be traded. ``change`` is one that happened."""
    if change.at is None:
        raise InvalidInputError(f"the switch of {change.account} was never changed")
    lowered = change.state.severity > change.previous.severity
    return Alert(
        "trading_switch_changed",
        (ERROR if change.state is SwitchState.HALTED else WARNING) if lowered else NOTICE,
        f"{change.account}: {change.previous} -> {change.state} by {change.who}: {change.why}",
        change.at,
        f"{change.account}|{change.number}",
    )


def alert_of_lock(account: str, lock: Lock) -> Alert:
    """Entries stand still from now on; told once a lock."""
    if lock.symbol is None:
        severity = ERROR
    else:
        severity = INFO if lock.code == Protection.COOLDOWN else WARNING
    return Alert(
        "entries_locked",
        severity,
        f"{account}: {lock.symbol or 'all symbols'}: {lock.reason} "
        f"({lock.code}, until {to_iso(lock.until)})",
        lock.since,
        str(lock.lock_id(account)),
    )


def alert_of_configuration(
    account: str, configuration: AccountConfiguration, session: date, at: datetime
) -> Alert | None:
    """The brokerage account is not set up as wanted; once a session. None when it is."""
    faults = list(configuration.faults())
    if configuration.untradable:
        faults.append("not traded by the broker: " + ", ".join(configuration.untradable))
    if not faults:
        return None
    return Alert(
        "account_configuration",
        CRITICAL if configuration.faults() else WARNING,
        f"{account}: {'; '.join(faults)}",
        at,
        f"{account}|{session}",
    )


def alert_of_order_comparison(account: str, comparison: OrderComparison, as_of: datetime) -> Alert:
    """The orders at the broker are not those that were committed; told again when they change."""
    parts = []
    if comparison.uncommitted:
        parts.append(f"no intent is on record for {', '.join(comparison.uncommitted)}")
    if comparison.unlisted:
        parts.append(f"the broker shows no order of {', '.join(comparison.unlisted)}")
    return Alert(
        "orders_differ",
        CRITICAL,
        f"{account}: {comparison.orders} orders of ours at the broker, {comparison.intents} "
        f"intents that it took: {'; '.join(parts)}",
        as_of,
        "|".join((account, *comparison.uncommitted, "-", *comparison.unlisted)),
    )


def alert_of_rejected_bar(rejected: RejectedBar) -> Alert:
    """A bar that cannot be true; told once, however often it is read again."""
    bar = rejected.bar
    return Alert(
        "bar_rejected",
        WARNING,
        f"{bar.symbol} {to_iso(bar.start)} from {bar.feed}: {rejected.reason} "
        f"(open {bar.open}, high {bar.high}, low {bar.low}, close {bar.close}, "
        f"volume {bar.volume})",
        bar.start,
        f"{bar.symbol}|{to_iso(bar.start)}|{rejected.code}",
    )


def alerts_of_held_bars(held: Sequence[HeldBar]) -> list[Alert]:
    """One alert per jump, however many bars wait behind it and however often they are read again.
    What looks like a split has its own alert."""
    jumps: dict[tuple[str, datetime], list[HeldBar]] = {}
    for item in held:
        if item.code is Reason.JUMP:
            jumps.setdefault((item.bar.symbol, item.reference.start), []).append(item)
    return [
        Alert(
            "bars_held_back",
            WARNING,
            f"{symbol} {to_iso(items[0].bar.start)}: {items[0].reason}; "
            f"bars held back so far: {len(items)}",
            items[0].bar.start,
            f"{symbol}|{to_iso(reference)}",
        )
        for (symbol, reference), items in jumps.items()
    ]


def alert_of_suspected_split(suspected: SuspectedSplit) -> Alert:
    """The symbol stands still until somebody, or the provider's corporate actions, answers."""
    ratio = suspected.ratio
    return Alert(
        "suspected_split",
        ERROR,
        f"{suspected.symbol} went from {suspected.before.close} to {suspected.after} into "
        f"{suspected.effective}, which looks like a split {ratio.numerator}:{ratio.denominator} "
        "that no corporate action tells of; its bars are held back until a factor is recorded "
        "(1 if there was no split)",
        suspected.seen_at,
        f"{suspected.symbol}|{suspected.effective}",
    )


def alert_of_availability(session: Session, rolling: Availability) -> Alert | None:
    """After a session: the figure over the sessions up to it, when it is below the promise."""
    if rolling.promise_kept:
        return None
    return Alert(
        "availability_below_promise",
        ERROR,
        f"{float(rolling.figure):.4%} of the expected minutes are there (promised: "
        f"{float(PROMISE):.1%}); missing: {rolling.missing} of {rolling.expected}",
        session.close,
        session.date.isoformat(),
    )


def alert_of_split(account: str, split: PositionSplit, as_of: datetime) -> Alert:
    """Our books followed the broker into the units of after a split."""
    return Alert(
        "position_split",
        NOTICE,
        f"{split.symbol}: {split.quantity_before:f} shares became {split.quantity_after:f} by the "
        f"split of {split.effective}; their cost is {split.cost_after:.2f} USD "
        f"(before: {split.cost_before:.2f})",
        as_of,
        f"{account}|{split.symbol}|{split.effective}",
    )


def alert_of_unbookable(fill: BrokerFill, why: str) -> Alert:
    """A fill of ours that our books cannot hold, e.g. a sale of more than they have."""
    return Alert("fill_not_booked", CRITICAL, why, fill.at, fill.execution_id)


def alert_of_stray_bars(month: date, rows: int, at: datetime) -> Alert:
    """Bars were stored before their month had a partition; they have been moved into it now."""
    return Alert(
        "bars_without_month",
        WARNING,
        f"{rows} bars of {month_text(month)} lay in the default partition and were moved into "
        "their month: history was stored, or the nightly maintenance has not run for long",
        at,
        f"{month_text(month)}|{to_iso(at)}",
    )


def alert_of_calendar(session: Session, broker_close: datetime) -> Alert:
    """The broker's clock and our session table disagree: one of them trades at the wrong time."""
    return Alert(
        "calendar_differs",
        CRITICAL,
        f"the session of {session.date} closes at {to_iso(session.close)} by our table and at "
        f"{to_iso(broker_close)} by the broker's clock",
        session.open,
        session.date.isoformat(),
    )
