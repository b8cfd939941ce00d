"""What this deployment never sends, whatever its input says; core functions cannot write these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

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
from tradewind.orders.ports import Broker
from tradewind.settings import HardLimits

# Nothing enters later than this after the start of its run's minute.
LATEST_ENTRY = timedelta(seconds=45)
# By how much two clocks may differ.
CLOCK_SKEW = timedelta(seconds=5)

_NEEDS_STOP = (IntentKind.ENTRY, IntentKind.EXIT, IntentKind.PROTECT, IntentKind.REPRICE,
               IntentKind.CANCEL_ENTRY, IntentKind.RENEW_STOP)  # fmt: skip
_NEEDS_TARGET = (IntentKind.REPRICE, IntentKind.CANCEL_ENTRY, IntentKind.CANCEL_STOP,
                 IntentKind.RENEW_STOP)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Submitter:
    """What this deployment may trade, and how much of it. ``paper`` takes a live account's entries
    while its circuit breaker is open."""

    deployment: str
    account: str
    mode: str
    symbols: Sequence[str]
    limits: HardLimits
    paper: Broker | None = None


def hard_refusal(
    cycle: Cycle, intent: OrderIntent, submitter: Submitter, now: datetime
) -> tuple[str, str] | None:
    """A code and a sentence when the intent is not one this deployment may send."""
    if cycle.deployment != submitter.deployment:
        return "wrong_deployment", "the run is not one of this deployment's"
    if {cycle.account, intent.account} != {submitter.account}:
        return "wrong_account", f"this deployment trades account {submitter.account}"
    if {cycle.mode, intent.mode} != {submitter.mode}:
        return "wrong_mode", f"this deployment runs in mode {submitter.mode}"
    if submitter.mode == "shadow":
        return "shadow_mode", "shadow mode decides and records, and sends nothing"
    # The day's limits are counted by session, whose date is the minute's (New York's sessions lie
    # within one day of UTC): under another date they would be counted anew.
    if intent.bar_time != cycle.bar_time or not (
        intent.session == cycle.session.date == cycle.bar_time.date()
    ):
        return "wrong_minute", "the intent is not of this run's minute"
    expected = intent_id(
        deployment=submitter.deployment,
        account=intent.account,
        strategy=intent.strategy,
        mode=intent.mode,
        session=intent.session,
        bar_time=intent.bar_time,
        symbol=intent.symbol,
        side=intent.side,
        kind=intent.kind,
        revision=intent.revision,
    )
    if intent.intent_id != expected:
        return "wrong_identity", "the intent's id is not the one its content has"
    if (intent.side is Side.BUY) is not (intent.kind is IntentKind.ENTRY):
        return "wrong_side", "only entries buy, and everything else sells: long only"
    if intent.kind in _NEEDS_STOP and intent.stop_price is None:
        return "incomplete_intent", f"an intent to {intent.kind} needs a stop price"
    if intent.kind in _NEEDS_TARGET and not intent.target_order_id:
        return "incomplete_intent", f"an intent to {intent.kind} names the order it is about"
    if intent.kind is IntentKind.ENTRY:
        return _entry_refusal(cycle, intent, submitter, now)
    return None


def _entry_refusal(
    cycle: Cycle, intent: OrderIntent, submitter: Submitter, now: datetime
) -> tuple[str, str] | None:
    if cycle.reconciles:
        return "entry_not_allowed", "a reconciliation enters nothing"
    if intent.symbol not in submitter.symbols:
        allowed = len(submitter.symbols)
        return "symbol_not_allowed", f"{intent.symbol} is none of the {allowed} configured symbols"
    if intent.expires_at is None or intent.limit_price is None or intent.stop_price is None:
        return "incomplete_entry", "an entry needs an expiry, a limit price and a stop price"
    if intent.expires_at > cycle.run_at + LATEST_ENTRY or now < cycle.run_at - CLOCK_SKEW:
        return "wrong_minute", f"an entry leaves within {LATEST_ENTRY.seconds} s of its minute"
    # The limit of capital rests on the limit price; other legs or times in force have no place in
    # an intent's one stop price.
    if (
        intent.order_type is not OrderType.LIMIT
        or intent.order_class not in (OrderClass.OTO, OrderClass.SIMPLE)
        or intent.time_in_force not in (TimeInForce.DAY, TimeInForce.GTC)
    ):
        return "entry_not_allowed", (
            "an entry is a day or gtc limit order, simple or with one stop leg, not "
            f"{intent.order_class} {intent.order_type} {intent.time_in_force}"
        )
    if intent.stop_price >= intent.limit_price:
        return "stop_above_limit", "an entry's stop lies below its limit"
    notional = intent.quantity * intent.limit_price
    most = submitter.limits.max_notional_per_order
    if notional > most:
        return "order_notional", f"{notional} USD is above the limit of {most} an order"
    return None
