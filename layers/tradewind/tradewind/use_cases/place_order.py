"""Send one committed intent to the broker, or say why not.

This step holds the broker's keys and trusts no input: it checks every intent against limits that
the deciding side cannot write. An entry leaves only when everything says so; an exit or a
protective order leaves unless something forbids it.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Protocol

from tradewind.errors import (
    BrokerRejectedError,
    ControlUnavailableError,
    InvalidInputError,
    OutcomeUnknownError,
    RetryableError,
)
from tradewind.market.cycle import Cycle
from tradewind.orders import breaker, exits, procedures
from tradewind.orders.control import RequestPurpose, SwitchState, TradingControl
from tradewind.orders.model import IntentKind, IntentOutcome, IntentStatus, OrderIntent
from tradewind.orders.ports import Broker
from tradewind.orders.rate_limits import TellsLimits
from tradewind.orders.resolution import LISTING_REACH
from tradewind.orders.submission import (
    NO_CLEAR_ANSWER,
    NotSentError,
    Pacing,
    expired,
    outcome,
)
from tradewind.orders.symbol_orders import NotOursError, traded_by_us
from tradewind.use_cases.guarded_broker import FencedBroker, MeteredBroker, PatientBroker
from tradewind.use_cases.hard_limits import Submitter, hard_refusal

__all__ = ["Submitter", "place_order"]

logger = logging.getLogger(__name__)

# How long an exit or protection waits for another run's lease to run out, and how often it looks.
# The run's further intents wait again, and the function has 30 s for all that one of them does.
LEASE_WAIT = 6.0  # seconds
LEASE_LOOK = 1.0


class Procedure(Protocol):
    def __call__(
        self, intent: OrderIntent, broker: Broker, pacing: Pacing, *, first: bool = False
    ) -> IntentOutcome: ...


PROCEDURES: dict[IntentKind, Procedure] = {
    IntentKind.ENTRY: procedures.enter,
    IntentKind.EXIT: exits.leave,
    IntentKind.PROTECT: procedures.protect,
    IntentKind.REPRICE: procedures.reprice,
    IntentKind.CANCEL_ENTRY: procedures.cancel_entry,
    IntentKind.CANCEL_STOP: procedures.cancel_stop,
    IntentKind.RENEW_STOP: procedures.renew_stop,
}


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
    blocked = hard_refusal(cycle, intent, submitter, clock.now())
    if blocked is not None:
        return outcome(intent.intent_id, IntentStatus.BLOCKED, *blocked, clock.now())
    placing = _Placing(intent, submitter, broker, control, clock)
    try:
        placed = placing.run(cycle.execution)
    except NotSentError as stopped:
        placed = outcome(intent.intent_id, stopped.status, stopped.code, str(stopped), clock.now())
    except NotOursError as error:
        placed = outcome(intent.intent_id, IntentStatus.REJECTED, "not_ours", str(error),
                         clock.now())  # fmt: skip
    except (OutcomeUnknownError, RetryableError, BrokerRejectedError) as error:
        # A question that the broker refused is no answer about the order either.
        placed = outcome(
            intent.intent_id, IntentStatus.UNKNOWN, NO_CLEAR_ANSWER, str(error), clock.now()
        )
    finally:
        placing.release()
    if placing.is_submitter:
        _mind_the_breaker(intent, placed, submitter, control, clock)
    return placed


class _Placing:
    """One intent on its way. ``is_submitter``: the account's lease was ours."""

    def __init__(
        self,
        intent: OrderIntent,
        submitter: Submitter,
        broker: Broker,
        control: TradingControl,
        clock: Pacing,
    ) -> None:
        self._intent = intent
        self._submitter = submitter
        self._raw = broker
        self._control = control
        self._clock = clock
        self._is_entry = intent.kind is IntentKind.ENTRY
        self._is_counted = False
        self._breaker_is_open = False
        self._fence: int | None = None
        self._control_is_there = True

    @property
    def is_submitter(self) -> bool:
        return self._fence is not None

    def release(self) -> None:
        """Give the lease back at once: a reconciliation, or the next run, may be waiting for it.
        A control table that was not there is not waited for once more."""
        if self._fence is None or not self._control_is_there:
            return
        try:
            self._control.release(self._submitter.account, self._fence)
        except ControlUnavailableError as error:
            logger.warning("the lease will run out by itself: %s", error)

    def run(self, execution: str) -> IntentOutcome:
        fence, first = self._begin(execution)
        fenced = FencedBroker(
            self._raw, self._control, self._submitter.account, fence, self._before_purchase
        )
        metered = self._metered(fenced, self._control if fence is not None else None)
        try:
            placed = self._carried_out(PatientBroker(metered, self._clock), first)
        finally:
            self._control_is_there = fenced.reads_control and metered.reads_control
        if metered.overdrawn:
            placed = replace(
                placed,
                reason=f"{placed.reason}; {metered.overdrawn} requests beyond the request budget "
                "and its reserve",
            )
        return placed

    def _begin(self, execution: str) -> tuple[int | None, bool]:
        """The fencing number, and whether this is the intent's first attempt.

        Two runs that overlap could sell the same shares: one of them is the submitter. When that
        cannot be found out an entry does not leave, while exits and protection do, after asking
        the broker what is already there.
        """
        try:
            fence = self._lease(execution)
            if fence is None:
                # Not BLOCKED: an earlier attempt of this intent may have sent it.
                raise NotSentError(
                    IntentStatus.UNKNOWN,
                    "another_run_is_sending",
                    "another run is sending orders of this account; the next snapshot will tell",
                )
            self._fence = fence
            return fence, self._control.claim(self._intent.intent_id, fence, self._clock.now())
        except RetryableError:
            if self._is_entry:
                raise
            return None, False

    def _lease(self, execution: str) -> int | None:
        """The fencing number. An exit or protection waits a little for the lease of the run before,
        which may have ended late: refused now, it would come a whole minute later."""
        fence = self._control.lease(self._submitter.account, execution, self._clock.now())
        waited = 0.0
        while fence is None and not self._is_entry and waited < LEASE_WAIT:
            self._clock.sleep(LEASE_LOOK)
            waited += LEASE_LOOK
            fence = self._control.lease(self._submitter.account, execution, self._clock.now())
        return fence

    def _carried_out(self, broker: Broker, first: bool) -> IntentOutcome:
        intent = self._intent
        lately = self._clock.now() - LISTING_REACH
        if intent.symbol not in self._submitter.symbols and not traded_by_us(
            intent, broker, lately
        ):
            raise NotSentError(
                IntentStatus.BLOCKED,
                "symbol_not_ours",
                f"{intent.symbol} is not traded here, and there is no order of ours in it, open or "
                f"of the last {LISTING_REACH.days} days",
            )
        placed = PROCEDURES[intent.kind](intent, broker, self._clock, first=first)
        if self._breaker_is_open and placed.status is IntentStatus.BLOCKED:
            return self._on_paper(placed, first)
        return placed

    def _before_purchase(self) -> None:
        """The last look before an entry leaves, also before a second attempt. What cannot be read
        raises: no entry is worth a guess."""
        intent, limits = self._intent, self._submitter.limits
        if not self._is_entry:
            raise NotSentError(IntentStatus.BLOCKED, "wrong_side", "only an entry buys")
        if intent.expires_at is not None and self._clock.now() >= intent.expires_at:
            late = expired(intent.intent_id, intent.expires_at, self._clock)
            raise NotSentError(late.status, late.reason_code, late.reason)
        try:
            switch = self._control.switch(self._submitter.account)
        except InvalidInputError as error:
            raise NotSentError(IntentStatus.BLOCKED, "switch", str(error)) from error
        if switch.state is not SwitchState.ACTIVE:
            self._breaker_is_open = breaker.is_open(switch)
            raise NotSentError(
                IntentStatus.BLOCKED, "switch", f"the trading switch is {switch.state}"
            )
        if not self._is_counted and not self._control.count_entry(
            self._submitter.account,
            intent.session.isoformat(),
            intent.intent_id,
            intent.quantity * (intent.limit_price or 0),
            limits.max_orders_per_day,
            limits.max_notional_per_day,
        ):
            raise NotSentError(
                IntentStatus.BLOCKED,
                "daily_limit",
                "the day's limit of orders or capital is used up",
            )
        self._is_counted = True

    def _on_paper(self, blocked: IntentOutcome, first: bool) -> IntentOutcome:
        """With the live account's circuit breaker open, its entries are tried on paper."""
        paper = self._submitter.paper
        if self._submitter.mode != "live" or paper is None:
            return blocked
        try:
            tried = procedures.enter(self._intent, paper, self._clock, first=first)
            became = f"{tried.status} ({tried.reason})"
        except (OutcomeUnknownError, RetryableError, BrokerRejectedError) as error:
            became = f"no answer ({error})"
        return outcome(
            self._intent.intent_id,
            IntentStatus.BLOCKED,
            "sent_to_paper",
            f"the circuit breaker is open: nothing was sent to the live account; on paper: "
            f"{became}",
            self._clock.now(),
        )

    def _metered(self, broker: Broker, control: TradingControl | None) -> MeteredBroker:
        purpose = (
            RequestPurpose.ENTRY
            if self._intent.kind in (IntentKind.ENTRY, IntentKind.REPRICE)
            else RequestPurpose.PROTECTION
        )
        return MeteredBroker(
            broker,
            control,
            self._submitter.account,
            purpose,
            self._submitter.limits,
            self._clock,
            self._raw if isinstance(self._raw, TellsLimits) else None,
        )


def _mind_the_breaker(
    intent: OrderIntent,
    placed: IntentOutcome,
    submitter: Submitter,
    control: TradingControl,
    clock: Pacing,
) -> None:
    """Note how an entry ended; after too many failures in a row, lower the switch. What cannot be
    noted (the table is not there, or the switch in it was set to nonsense by hand, which stops
    entries by itself) keeps nobody from the outcome."""
    failed = breaker.entry_failed(intent.kind, placed)
    if failed is None:
        return
    try:
        row = control.note_entry(submitter.account, intent.intent_id, failed=failed, at=clock.now())
        if failed and breaker.opens(row):
            control.change_switch(
                submitter.account,
                SwitchState.REDUCING,
                who=breaker.WHO,
                why=f"{row} entries in a row failed, the last one: {placed.reason}",
                at=clock.now(),
                only_lower=True,
            )
    except (ControlUnavailableError, InvalidInputError) as error:
        logger.warning("the circuit breaker could not be told of %s: %s", intent.intent_id, error)
