"""One minute of the trading cycle, step by step as the state machine runs it.

``statemachines/trading_cycle.asl.json`` is the model: results travel between steps as JSON, a step
that fails in a way that may pass is run again at most twice, and what cannot be done is caught
where the state machine catches it. The market data steps are left out: bars are there already.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tradewind.errors import RetryableError, TradewindError
from tradewind.market.bar import to_iso
from tradewind.market.cycle import Cycle
from tradewind.market.session_table import default_table
from tradewind.orders.payload import (
    intent_from_payload,
    intent_payload,
    outcome_from_payload,
    outcome_payload,
)
from tradewind.risk.limits import RiskLimits
from tradewind.risk.protections import Protection, ProtectionSettings
from tradewind.strategies.protocol import Strategy
from tradewind.use_cases.assess_risk import RiskRules, assess_risk
from tradewind.use_cases.place_order import Submitter, place_order
from tradewind.use_cases.ports import PayloadRef
from tradewind.use_cases.read_broker import follow_orders, sync_broker
from tradewind.use_cases.reconcile import Why, assess_protection, plan_reconciliation
from tradewind.use_cases.record import mark_published, record_broker_state, record_orders

from tests.crash_points.ground import Hands

ATTEMPTS = 3
STEP_SECONDS = 0.2  # from one step's end to the next one's work
NOTICED = 2.0  # from a run's failure to the start of what it starts
RETRY_PAUSE = 1.0  # seconds; the state machine draws from 0 to this and doubles it
# Where a scenario lasts longer than a session, its position does.
LIMITS = RiskLimits(hold_overnight=True)


class RunFailedError(Exception):
    """The execution ended in its Fail state."""


@dataclass(frozen=True)
class Run:
    """A minute to be run: who decides within which limits, and who sends."""

    cycle: Cycle
    strategies: Mapping[str, Strategy]
    submitter: Submitter
    limits: RiskLimits = LIMITS


@dataclass
class Journal:
    """What the state machine knows of a run: the results that its steps have told."""

    results: dict[str, Any] = field(default_factory=dict)
    began: Callable[[str], None] = lambda _step: None
    told: Callable[[str, Any], None] = lambda _step, _result: None

    def step(self, name: str, work: Callable[[], Any], hands: Hands) -> Any:
        """A step's result: the one it told before, or else that of running it now."""
        if name not in self.results:
            self.began(name)
            hands.clock.sleep(STEP_SECONDS)
            result = json.loads(json.dumps(_tried(work, hands)))
            self.results[name] = result
            self.told(name, result)
        return self.results[name]

    def catch(self, step: str, run: Run) -> None:
        """What the state machine does about a step that was killed and is not run again."""
        kind = step.partition(" ")[0]
        if kind == "place":
            intent = self.results["assess"]["intents"][int(step.partition(" ")[2])]
            self.results[step] = _outcome_unknown(intent["intent_id"], run.cycle, "killed")
        elif kind == "follow":
            self.results[step] = None
        else:
            raise RunFailedError(step)


def run_minute(run: Run, hands: Hands, journal: Journal) -> None:
    """The trading cycle. Raises RunFailedError where the state machine fails."""
    try:
        _observe(run.cycle, hands, journal)
        assessed = journal.step("assess", lambda: _assessed(run, hands), hands)
        _send_and_record(run.cycle, run.submitter, assessed["intents"], hands, journal)
    except TradewindError as error:
        raise RunFailedError(str(error)) from error


def reconcile(submitter: Submitter, hands: Hands, journal: Journal) -> None:
    """``statemachines/order_reconciliation.asl.json``, as a failed run starts it, and before the
    open the schedule. Raises RunFailedError where the state machine fails."""
    if not journal.results:
        hands.clock.sleep(NOTICED)
    try:
        plan = journal.step("plan", lambda: _planned(submitter, hands), hands)
        if not plan["needed"]:
            return
        cycle = Cycle.from_payload(plan["cycle"])
        _observe(cycle, hands, journal)
        assessed = journal.step("assess", lambda: _protected(cycle, submitter, hands), hands)
        _send_and_record(cycle, submitter, assessed["intents"], hands, journal)
    except TradewindError as error:
        raise RunFailedError(str(error)) from error


def _observe(cycle: Cycle, hands: Hands, journal: Journal) -> None:
    synced = journal.step("sync", lambda: _synced(cycle, hands), hands)
    journal.step("record state", lambda: _recorded_state(cycle, synced, hands), hands)


def _send_and_record(
    cycle: Cycle,
    submitter: Submitter,
    intents: list[dict[str, Any]],
    hands: Hands,
    journal: Journal,
) -> None:
    placed = []
    for number, intent in enumerate(intents):
        try:
            outcome = journal.step(
                f"place {number}",
                lambda intent=intent: _placed(cycle, submitter, intent, hands),
                hands,
            )
        except TradewindError as error:
            outcome = _outcome_unknown(intent["intent_id"], cycle, str(error))
        placed.append(outcome)
    followed = None
    if placed:
        try:
            followed = journal.step("follow", lambda: _followed(cycle, placed, hands), hands)
        except TradewindError:
            followed = None  # reported, and what was placed is recorded all the same
    messages = journal.step(
        "record orders", lambda: _recorded(cycle, placed, followed, hands), hands
    )
    if messages:
        journal.step("mark published", lambda: _marked(messages, hands), hands)


def _tried(work: Callable[[], Any], hands: Hands) -> Any:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return work()
        except RetryableError:
            if attempt == ATTEMPTS:
                raise
            hands.clock.sleep(RETRY_PAUSE * attempt)
    raise AssertionError("the last attempt returns or raises")


def _outcome_unknown(intent_id: str, cycle: Cycle, why: str) -> dict[str, Any]:
    return {
        "intent_id": intent_id,
        "status": "unknown",
        "broker_order_id": None,
        "reason_code": "submitter_failed",
        "reason": why,
        "at": to_iso(cycle.run_at),
    }


def _synced(cycle: Cycle, hands: Hands) -> dict[str, Any]:
    return sync_broker(
        cycle,
        symbols=(),
        set_configuration=False,
        broker=hands.broker,
        payloads=hands.payloads,
        clock=hands.clock,
    ).as_payload()


def _recorded_state(cycle: Cycle, ref: Mapping[str, Any], hands: Hands) -> None:
    record_broker_state(
        cycle, PayloadRef.from_payload(ref), payloads=hands.payloads, database=hands.recording
    )


def _assessed(run: Run, hands: Hands) -> dict[str, Any]:
    assessed = assess_risk(
        run.cycle,
        [],
        strategies=run.strategies,
        # The more is traded the better: what locks entries is proven elsewhere.
        rules=RiskRules(run.limits, ProtectionSettings(off=frozenset(Protection))),
        sessions=default_table(),
        database=hands.trading,
        control=hands.control,
    )
    # A superseded minute has none.
    return {"intents": [intent_payload(intent) for intent in assessed.intents]}


def _planned(submitter: Submitter, hands: Hands) -> dict[str, Any]:
    now = hands.clock.now()
    why = Why.FAILED_RUN if default_table().in_session(now) else Why.BEFORE_OPEN
    return plan_reconciliation(
        {"why": str(why), "scheduled_time": to_iso(now)},
        deployment=submitter.deployment,
        account=submitter.account,
        mode=submitter.mode,
        sessions=default_table(),
        database=hands.trading,
        clock=hands.clock,
    ).as_payload()


def _protected(cycle: Cycle, submitter: Submitter, hands: Hands) -> dict[str, Any]:
    intents = assess_protection(
        cycle,
        deployment=submitter.deployment,
        account=submitter.account,
        mode=submitter.mode,
        limits=LIMITS,
        sessions=default_table(),
        database=hands.trading,
    )
    return {"intents": [intent_payload(intent) for intent in intents]}


def _placed(
    cycle: Cycle, submitter: Submitter, intent: Mapping[str, Any], hands: Hands
) -> dict[str, Any]:
    return outcome_payload(
        place_order(
            cycle,
            intent_from_payload(intent),
            submitter=submitter,
            broker=hands.broker,
            control=hands.control,
            clock=hands.clock,
        )
    )


def _followed(cycle: Cycle, placed: list[dict[str, Any]], hands: Hands) -> dict[str, Any]:
    return follow_orders(
        cycle,
        [outcome_from_payload(outcome) for outcome in placed],
        broker=hands.broker,
        payloads=hands.payloads,
        clock=hands.clock,
    ).as_payload()


def _recorded(
    cycle: Cycle, placed: list[dict[str, Any]], followed: Mapping[str, Any] | None, hands: Hands
) -> list[str]:
    messages = record_orders(
        cycle,
        [outcome_from_payload(outcome) for outcome in placed],
        None if followed is None else PayloadRef.from_payload(followed),
        payloads=hands.payloads,
        database=hands.recording,
    )
    return [str(message.message_id) for message in messages]


def _marked(messages: list[str], hands: Hands) -> None:
    mark_published([UUID(message) for message in messages], database=hands.recording)
