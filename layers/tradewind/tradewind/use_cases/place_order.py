"""Send one committed intent to the broker, or say why not.

This step holds the broker's keys and trusts no input: it checks every intent against limits that
the deciding side cannot write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tradewind.errors import (
    BrokerRejectedError,
    InvalidInputError,
    OutcomeUnknownError,
    RetryableError,
)
from tradewind.market.cycle import Cycle
from tradewind.orders import procedures
from tradewind.orders.ids import intent_id
from tradewind.orders.model import (
    IntentKind,
    IntentOutcome,
    IntentStatus,
    OrderIntent,
    Side,
)
from tradewind.orders.control import RequestPurpose, SwitchState, TradingControl
from tradewind.orders.ports import Broker
from tradewind.orders.submission import Pacing, outcome, submitted
from tradewind.settings import HardLimits

Procedure = Callable[[OrderIntent, Broker, Pacing], IntentOutcome]

PROCEDURES: dict[IntentKind, Procedure] = {
    IntentKind.ENTRY: procedures.enter,
    IntentKind.EXIT: procedures.leave,
    IntentKind.PROTECT: procedures.protect,
    IntentKind.REPRICE: procedures.reprice,
    IntentKind.CANCEL_ENTRY: procedures.cancel_entry,
    IntentKind.CANCEL_STOP: procedures.cancel_stop,
}


@dataclass(frozen=True, slots=True)
class Submitter:
    """What this deployment may trade, and how much of it."""

    deployment: str
    account: str
    mode: str
    symbols: Sequence[str]
    limits: HardLimits


def place_order(
    cycle: Cycle,
    intent: OrderIntent,
    *,
    submitter: Submitter,
    broker: Broker,
    control: TradingControl,
    clock: Pacing,
) -> IntentOutcome:
    """One intent's outcome. Never raises for what a broker may answer: UNKNOWN is an answer too."""
    blocked = _hard_refusal(cycle, intent, submitter)
    if blocked is not None:
        return outcome(intent.intent_id, IntentStatus.BLOCKED, *blocked, clock.now())
    try:
        if not _is_submitter(cycle, intent, control, clock):
            # Not BLOCKED: an earlier attempt of this intent may have sent it.
            return outcome(
                intent.intent_id,
                IntentStatus.UNKNOWN,
                "another_run_is_sending",
                "another run is sending orders of this account; the next snapshot will tell",
                clock.now(),
            )
        if intent.kind is IntentKind.ENTRY:
            return _place_entry(intent, submitter, broker, control, clock)
        if intent.kind is IntentKind.REPRICE and not _take(intent, submitter, control, clock):
            return outcome(
                intent.intent_id,
                IntentStatus.BLOCKED,
                "request_budget",
                "the request budget is used up; the stop stays where it is",
                clock.now(),
            )
        if intent.symbol not in submitter.symbols and not procedures.has_orders_of_ours(
            intent, broker
        ):
            return outcome(
                intent.intent_id,
                IntentStatus.BLOCKED,
                "symbol_not_ours",
                f"{intent.symbol} is not traded here, and no order of ours is open in it",
                clock.now(),
            )
        return PROCEDURES[intent.kind](intent, broker, clock)
    except (OutcomeUnknownError, RetryableError) as error:
        return outcome(
            intent.intent_id, IntentStatus.UNKNOWN, "no_clear_answer", str(error), clock.now()
        )
    except BrokerRejectedError as error:
        return outcome(intent.intent_id, IntentStatus.REJECTED, "rejected", str(error), clock.now())


def _is_submitter(
    cycle: Cycle, intent: OrderIntent, control: TradingControl, clock: Pacing
) -> bool:
    """One submitter at a time: two runs that overlap could sell the same shares. When that cannot
    be found out, an entry does not leave, while exits and protection do."""
    try:
        return control.lease(cycle.account, cycle.execution, clock.now()) is not None
    except RetryableError:
        if intent.kind is IntentKind.ENTRY:
            raise
        return True


def _hard_refusal(
    cycle: Cycle, intent: OrderIntent, submitter: Submitter
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
    if intent.bar_time != cycle.bar_time or intent.session != cycle.session.date:
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
    if intent.kind is IntentKind.ENTRY:
        return _entry_refusal(intent, submitter)
    return None


def _entry_refusal(intent: OrderIntent, submitter: Submitter) -> tuple[str, str] | None:
    if intent.symbol not in submitter.symbols:
        return "symbol_not_allowed", f"{intent.symbol} is none of {', '.join(submitter.symbols)}"
    if intent.expires_at is None or intent.limit_price is None or intent.stop_price is None:
        return "incomplete_entry", "an entry needs an expiry, a limit price and a stop price"
    if intent.stop_price >= intent.limit_price:
        return "stop_above_limit", "an entry's stop lies below its limit"
    notional = intent.quantity * intent.limit_price
    most = submitter.limits.max_notional_per_order
    if notional > most:
        return "order_notional", f"{notional} USD is above the limit of {most} an order"
    return None


def _place_entry(
    intent: OrderIntent,
    submitter: Submitter,
    broker: Broker,
    control: TradingControl,
    clock: Pacing,
) -> IntentOutcome:
    if not control.claim(intent.intent_id, None, clock.now()):
        # An earlier attempt may have sent it: never send again before the lookup says no.
        there = broker.order_by_client_id(intent.intent_id)
        if there is not None:
            return submitted(intent.intent_id, there, "already_there", clock.now())
    blocked = _entry_gate(intent, submitter, control, clock)
    if blocked is not None:
        return outcome(intent.intent_id, IntentStatus.BLOCKED, *blocked, clock.now())
    if intent.expires_at is not None and clock.now() >= intent.expires_at:
        return outcome(
            intent.intent_id,
            IntentStatus.EXPIRED_UNSENT,
            "expired",
            f"it had to leave before {intent.expires_at:%H:%M:%S} UTC",
            clock.now(),
        )
    return procedures.enter(intent, broker, clock)


def _entry_gate(
    intent: OrderIntent, submitter: Submitter, control: TradingControl, clock: Pacing
) -> tuple[str, str] | None:
    """Why a claimed entry may not leave. What cannot be read raises: no entry is worth a guess."""
    limits = submitter.limits
    try:
        switch = control.switch(submitter.account).state
    except InvalidInputError as error:
        return "switch", str(error)
    if switch is not SwitchState.ACTIVE:
        return "switch", f"the trading switch is {switch}"
    if not control.count_entry(
        submitter.account,
        intent.session.isoformat(),
        intent.intent_id,
        intent.quantity * (intent.limit_price or 0),
        limits.max_orders_per_day,
        limits.max_notional_per_day,
    ):
        return "daily_limit", "the day's limit of orders or capital is used up"
    if not _take(intent, submitter, control, clock):
        return "request_budget", "the request budget for entries is used up"
    return None


def _take(
    intent: OrderIntent, submitter: Submitter, control: TradingControl, clock: Pacing
) -> bool:
    limits = submitter.limits
    return control.take_request(
        intent.account,
        RequestPurpose.ENTRY,
        clock.now(),
        limits.request_budget,
        limits.request_reserve,
    )
