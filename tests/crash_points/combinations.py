"""One combination: a scenario, a fault of the broker, and a boundary at which the process dies.

The minute in question runs in a forked process that kills itself at the boundary. What goes on
afterwards is what Step Functions would do: run the killed step again, or catch its failure. Then
minutes follow undisturbed until nothing is left to be done, and the case is judged.
"""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from tradewind.adapters.alpaca import client as alpaca_client
from tradewind.market.bar import MINUTE
from tradewind.market.cycle import Cycle, execution_name
from tradewind.settings import HardLimits
from tradewind.strategies.decision import Action
from tradewind.use_cases.place_order import Submitter

from tests.crash_points.boundaries import Boundaries, BrokerCall
from tests.crash_points.faults import FAULTS, SHORT_TIMEOUT, Fault
from tests.crash_points.ground import SESSION, Ground
from tests.crash_points.judgement import LONGEST_NAKED, Books, sent_blindly, violations
from tests.crash_points.machine import Journal, Run, RunFailedError, reconcile, run_minute
from tests.crash_points.protection import Protection, protection_of
from tests.crash_points.scenarios import FIRST_RUN, START, Scenario, Scripted
from tests.crash_points.splits import NEXT_SESSION

DEPLOYMENT = "crash-points"
MODE = "paper"
LIMITS = HardLimits(
    request_budget=250,
    request_reserve=200,
    max_orders_per_day=200,
    max_notional_per_order=Decimal(30_000),
    max_notional_per_day=Decimal(2_000_000),
)
# When a run begins, after the start of its minute.
RUN_STARTS = 3.0  # seconds
# Runs after the killed one: the one that proves that nothing arrived comes two minutes later, and
# executions that are never told are concluded from two snapshots.
MOST_AFTER = 6


# The steps of a run that change nothing at the broker.
BEFORE_SENDING = ("plan", "sync", "record state", "assess")
# What leaves a trace. (Requests are counted as well, and nothing hangs on their number here.)
CHANGES = (
    "broker.submit", "broker.replace", "broker.cancel", "control.lease", "control.claim",
    "control.count_entry", "control.note_entry", "payloads.put", "before commit", "commit",
)  # fmt: skip


class Then(StrEnum):
    """What the state machine does about a step that was killed."""

    RETRIED = "retried"
    CAUGHT = "caught"


@dataclass(frozen=True)
class Combination:
    """``kill_at`` counts boundaries from 1; None lets the process live."""

    scenario: Scenario
    fault: Fault
    kill_at: int | None = None
    then: Then = Then.RETRIED

    def __str__(self) -> str:
        end = "not killed" if self.kill_at is None else f"boundary {self.kill_at}, {self.then}"
        return f"{self.scenario.name} / {self.fault.name} / {end}"


@dataclass
class Verdict:
    """``boundaries`` are those that the process passed, the last one being where it died."""

    combination: Combination
    boundaries: list[str]
    violations: list[str]
    longest_naked: timedelta


@dataclass
class _Told:
    """What a worker said before it ended."""

    journal: Journal = field(default_factory=Journal)
    boundaries: list[str] = field(default_factory=list)
    calls: list[BrokerCall] = field(default_factory=list)
    at_work: str | None = None  # the step that was under way
    error: str | None = None
    failed: bool = False
    ended: bool = False


def try_out(
    ground: Ground, combination: Combination, plant: Callable[[], None] | None = None
) -> Verdict:
    """Run one combination from an empty account to rest. ``plant`` changes the worker's code."""
    scenario, fault = combination.scenario, combination.fault
    usual_timeout = alpaca_client.READ_TIMEOUT
    if fault.stalls:
        alpaca_client.READ_TIMEOUT = SHORT_TIMEOUT
    try:
        calls: list[BrokerCall] = []
        case = _Case(ground, scenario, calls)
        told = case.kill(combination, plant)
        calls += told.calls
        case.go_on(told, combination)
        case.come_to_rest(fault)
        ground.exchange.control.clear_faults()
        undisturbed = fault.name == "none" and combination.kill_at is None
        found = violations(ground, scenario, undisturbed)
        protection = case.protection()
    finally:
        alpaca_client.READ_TIMEOUT = usual_timeout
    naked = protection.longest_naked
    found += sent_blindly(calls)
    found += protection.too_much
    if naked > _allowed(combination, told):
        found.append(f"shares lay without protection for {naked.total_seconds():.0f} s")
    if told.error is not None:
        found.append(f"the worker broke: {told.error}")
    if undisturbed and scenario.sends is not None:
        kinds = [intent["kind"] for intent in case.intents_of(told)]
        if kinds != [scenario.sends]:
            found.append(f"the minute sent {kinds} where {scenario.sends} was wanted")
    return Verdict(combination, told.boundaries, found, naked)


def _allowed(combination: Combination, told: _Told) -> timedelta:
    """How long shares may lie without protection. A run that could do nothing leaves what it found
    naked to the next one."""
    scenario, fault = combination.scenario, combination.fault
    if combination.kill_at is None and fault.name == "none":
        return scenario.naked_undisturbed
    runs_lost = 0
    if fault.stops_all:
        runs_lost += 1 + (fault.lasts or 0)
    placing = (told.at_work or "").startswith("place")
    if combination.then is Then.CAUGHT and (placing or scenario.reconciles):
        # Three attempts in a row were killed, or the cycle and the reconciliation after it.
        runs_lost += 1
    if not runs_lost:
        return LONGEST_NAKED if scenario.split is None else FIRST_RUN
    return scenario.naked_undisturbed + runs_lost * LONGEST_NAKED


def boundaries_of(ground: Ground, scenario: Scenario, fault: Fault) -> Verdict:
    """The same without a kill: it says which boundaries there are."""
    return try_out(ground, Combination(scenario, fault))


def all_of(scenario: Scenario, fault: Fault, boundaries: Sequence[str]) -> Iterator[Combination]:
    """Every boundary, with both continuations on a good day. On a bad day those that leave another
    world behind than the one before, with continuations that take turns from boundary to boundary
    and from fault to fault.

    What has only been read has left no trace, so that whoever dies after it dies as at the change
    before. And a fault that only sending can meet matters from the last boundary before it on:
    whoever dies earlier dies as on a good day, and the run that follows meets the fault as one that
    was never killed.
    """
    turn = FAULTS.index(fault)
    last = len(boundaries)
    for kill_at, name in enumerate(boundaries, start=1):
        step, _, place = name.partition(": ")
        if turn > 0 and place.startswith("after ") and not place.endswith(CHANGES):
            continue
        if not fault.reads and step in BEFORE_SENDING and kill_at < last:
            continue
        for number, then in enumerate(Then):
            if turn == 0 or (kill_at + turn) % len(Then) == number:
                yield Combination(scenario, fault, kill_at, then)


class _Case:
    def __init__(self, ground: Ground, scenario: Scenario, calls: list[BrokerCall]) -> None:
        """An account that has lived through the scenario's earlier minutes. ``calls`` grows with
        what this process asks of the broker."""
        self._ground, self._scenario = ground, scenario
        self._account = ground.new_case(START + MINUTE)
        self._submitter = Submitter(DEPLOYMENT, self._account, MODE, ground.symbols, LIMITS)
        self.hands = ground.own_hands(Boundaries(None, lambda _name: None, calls.append).watch)
        if scenario.shares_per_tick is not None:
            ground.exchange.control.limit_fills(scenario.shares_per_tick)
        for number, action in enumerate(scenario.setup):
            self._minute(self._run(START + number * MINUTE, action))
        scenario.before(ground)

    def kill(self, combination: Combination, plant: Callable[[], None] | None) -> _Told:
        run = self._killed_run()
        self._go_to(run)
        combination.fault.arm(self._ground.exchange.control, self.hands.clock.now())
        told = _in_worker(
            lambda journal, boundaries: self._work(run, journal, boundaries, plant),
            combination.kill_at,
        )
        self.hands.clock.ask()
        return told

    def _work(
        self,
        run: Run,
        journal: Journal,
        boundaries: Boundaries,
        plant: Callable[[], None] | None,
    ) -> None:
        """What the forked process does."""
        if plant is not None:
            plant()
        with self._ground.workers_hands(boundaries.watch) as hands:
            if self._scenario.reconciles:
                reconcile(self._submitter, hands, journal)
            else:
                run_minute(run, hands, journal)

    def go_on(self, told: _Told, combination: Combination) -> None:
        """What the state machine does when the worker is gone."""
        if told.failed:
            self._reconcile_failed()
        elif not told.ended and told.at_work is not None:
            if combination.then is Then.CAUGHT:
                try:
                    told.journal.catch(told.at_work, self._killed_run())
                except RunFailedError:
                    self._reconcile_failed()
                    return
            self._go_through(self._killed_run(), told.journal, self._scenario.reconciles)

    def _reconcile_failed(self) -> None:
        """A cycle that failed is reconciled; a reconciliation that failed is told, and the next
        minute's run reads everything anew."""
        if not self._scenario.reconciles:
            self._go_through(self._killed_run(), Journal(), reconciles=True)

    def come_to_rest(self, fault: Fault) -> None:
        self._scenario.afterwards(self._ground)
        for number in range(1, MOST_AFTER + 1):
            if number - 1 == fault.lasts:
                self._ground.exchange.control.clear_faults()
            bar_time = self._scenario.minute_after(number)
            self._minute(self._run(bar_time, self._scenario.after))
            if Books.read(self._ground).is_at_rest:
                return

    def protection(self) -> Protection:
        """Faults must have been cleared: the exchange's own lists are read."""
        scenario = self._scenario
        if scenario.by_hand:
            return Protection()
        url, now = self._ground.exchange.url, self.hands.clock.now()
        return protection_of(url, scenario.symbol, SESSION.open, now)

    def intents_of(self, told: _Told) -> list[dict[str, Any]]:
        intents: list[dict[str, Any]] = told.journal.results["assess"]["intents"]
        return intents

    def _killed_run(self) -> Run:
        return self._run(self._scenario.killed_minute, self._scenario.action)

    def _run(self, bar_time: datetime, action: Action) -> Run:
        cycle = Cycle(
            DEPLOYMENT, self._account, MODE, execution_name(self._account, bar_time), bar_time,
            NEXT_SESSION if bar_time.date() == NEXT_SESSION.date else SESSION,
        )  # fmt: skip
        return Run(cycle, {self._scenario.symbol: Scripted(action)}, self._submitter)

    def _minute(self, run: Run) -> None:
        self._go_to(run)
        self._go_through(run, Journal())

    def _go_through(self, run: Run, journal: Journal, reconciles: bool = False) -> None:
        try:
            if reconciles:
                reconcile(self._submitter, self.hands, journal)
            else:
                run_minute(run, self.hands, journal)
        except RunFailedError:
            if not reconciles:
                self._go_through(run, Journal(), reconciles=True)

    def _go_to(self, run: Run) -> None:
        self.hands.clock.go_to(run.cycle.run_at + timedelta(seconds=RUN_STARTS))


def _in_worker(work: Callable[[Journal, Boundaries], None], kill_at: int | None) -> _Told:
    """Fork, work, and listen until the worker has ended, however it ends."""
    reading, writing = os.pipe()
    worker = os.fork()
    if worker == 0:
        os.close(reading)
        _be_worker(work, kill_at, writing)
    os.close(writing)
    told = _Told()
    with os.fdopen(reading, "rb") as lines:
        for line in lines:
            _hear(told, json.loads(line))
    os.waitpid(worker, 0)
    return told


def _be_worker(
    work: Callable[[Journal, Boundaries], None], kill_at: int | None, writing: int
) -> None:
    """Never returns: the forked process ends here, without what its parent would do at its end."""

    def say(**what: Any) -> None:
        os.write(writing, json.dumps(what).encode() + b"\n")

    boundaries = Boundaries(
        kill_at, lambda name: say(boundary=name), lambda call: say(call=asdict(call))
    )

    def began(step: str) -> None:
        boundaries.begin(step)
        say(began=step)

    journal = Journal(began=began, told=lambda step, result: say(step=step, result=result))
    code = 1
    try:
        work(journal, boundaries)
        say(ended=True)
        code = 0
    except RunFailedError as failure:
        say(failed=str(failure))
        code = 0
    except BaseException:  # noqa: BLE001 - told to the parent, which reports it
        say(error=traceback.format_exc()[-1500:])
    finally:
        os._exit(code)


def _hear(told: _Told, said: dict[str, Any]) -> None:
    if "boundary" in said:
        told.boundaries.append(said["boundary"])
    elif "call" in said:
        told.calls.append(BrokerCall(**said["call"]))
    elif "began" in said:
        told.at_work = said["began"]
    elif "step" in said:
        told.journal.results[said["step"]] = said["result"]
        told.at_work = None
    elif "failed" in said:
        told.failed = True
    elif "ended" in said:
        told.ended = True
    else:
        told.error = said["error"]
