"""Days of trading on a market that crosses often, with a broker that fails all the time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from tradewind.adapters.alpaca import client as alpaca_client
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.cycle import Cycle, execution_name
from tradewind.market.session import Session
from tradewind.market.session_table import default_table
from tradewind.risk.limits import RiskLimits
from tradewind.settings import HardLimits
from tradewind.strategies.sma_crossover import SmaCrossover
from tradewind.use_cases.place_order import Submitter
from tradewind_local.exchange.simulated_market import simulated_bars

from tests.crash_points.boundaries import Boundaries, BrokerCall
from tests.crash_points.combinations import RUN_STARTS
from tests.crash_points.faults import SHORT_TIMEOUT, STALL
from tests.crash_points.ground import Ground
from tests.crash_points.machine import Journal, Run, RunFailedError, reconcile, run_minute
from tests.crash_points.protection import NEVER, protection_of

DEPLOYMENT, MODE = "soak", "paper"
SYMBOLS = tuple(f"S{number:02}" for number in range(16))
# A week between two of them: each day's snapshots hold that day's orders and no others.
DAYS = (date(2020, 11, 2), date(2020, 11, 9), date(2020, 11, 16), date(2020, 11, 23))
# Averages so short that each symbol is bought and sold every few minutes.
STRATEGY = SmaCrossover(2, 5)
# All symbols can be held at once.
LIMITS = RiskLimits(max_symbol_exposure=Decimal("0.06"))
HARD_LIMITS = HardLimits(250, 200, 1_000, Decimal(30_000), Decimal(10_000_000))
FAILING = 0.02
KINDS = (
    "429", "500", "503", "504", "504_after_accept", "reset", "reset_after_accept",
    "accept_without_answer", "truncated", "slow",
)  # fmt: skip
# More calls a minute than the broker's smallest plan takes: a day's trades come in an hour here.
CALLS_PER_MINUTE = 1_000
# What else goes wrong, in turns of so many minutes.
TURN, TURNS = 10, 4


def sessions(count: int) -> list[Session]:
    table = default_table()
    return [table.between(day, day)[0] for day in DAYS[:count]]


def bars(count: int, seed: int) -> list[Bar]:
    return simulated_bars(SYMBOLS, sessions(count), seed)


@dataclass
class Soak:
    """What happened, for the test to judge."""

    longest_naked: timedelta = NEVER
    runs: int = 0
    failed_runs: int = 0
    calls: list[BrokerCall] = field(default_factory=list)
    # Why outcomes were not known at first, by intent.
    unclear: dict[str, str] = field(default_factory=dict)
    # Exits that came to nothing because the broker did not let go of the shares: the cancellation
    # of their stop stuck.
    stuck: set[str] = field(default_factory=set)


def trade(ground: Ground, days: Sequence[Session], minutes: int, seed: int) -> Soak:
    """The first ``minutes`` of each day, and its last ones: positions are closed before the end."""
    soak = Soak()
    account = ground.new_case(days[0].open)
    usual_timeout, alpaca_client.READ_TIMEOUT = alpaca_client.READ_TIMEOUT, SHORT_TIMEOUT
    try:
        submitter = Submitter(DEPLOYMENT, account, MODE, SYMBOLS, HARD_LIMITS)
        hands = ground.own_hands(Boundaries(None, lambda _name: None, soak.calls.append).watch)
        ground.exchange.control.set_rate_limit(CALLS_PER_MINUTE)
        for day in days:
            last = [day.close - number * MINUTE for number in range(8, 0, -1)]
            first = [day.open + number * MINUTE for number in range(minutes)]
            for number, bar_time in enumerate([*first, *last]):
                hands.clock.go_to(bar_time + MINUTE + timedelta(seconds=RUN_STARTS))
                if number % TURN == 0 or number == minutes:
                    _spoil(ground, number, seed + day.date.toordinal(), number >= minutes)
                cycle = Cycle(
                    DEPLOYMENT, account, MODE, execution_name(account, bar_time), bar_time, day
                )
                soak.runs += 1
                strategies = dict.fromkeys(SYMBOLS, STRATEGY)
                journal = Journal()
                try:
                    run_minute(Run(cycle, strategies, submitter, LIMITS), hands, journal)
                except RunFailedError:
                    soak.failed_runs += 1
                    repair = Journal()
                    with suppress(RunFailedError):  # told; the next run reads everything anew
                        reconcile(submitter, hands, repair)
                    soak.unclear |= _unclear(repair)
                unclear = _unclear(journal)
                soak.unclear |= unclear
                if number < minutes and _sticks(number):
                    soak.stuck |= {i for i, why in unclear.items() if "not confirmed" in why}
            ground.exchange.control.clear_faults()
            for symbol in SYMBOLS:
                held = protection_of(ground.exchange.url, symbol, day.open, hands.clock.now())
                soak.longest_naked = max(soak.longest_naked, held.longest_naked)
    finally:
        alpaca_client.READ_TIMEOUT = usual_timeout
    return soak


def _unclear(journal: Journal) -> dict[str, str]:
    return {
        result["intent_id"]: f"{result['reason_code']}: {result['reason']}"
        for step, result in journal.results.items()
        if step.startswith("place") and result["status"] == "unknown"
    }


def _sticks(minute: int) -> bool:
    return minute // TURN % TURNS == TURNS - 1


def _spoil(ground: Ground, minute: int, seed: int, ending: bool) -> None:
    """Calls fail all the time; executions are told late, twice and out of order in turns, and now
    and then a cancellation sticks for a while, but not at the end of a day: what is stuck then
    cannot be closed by anybody."""
    control = ground.exchange.control
    control.clear_faults()
    control.set_random_faults(FAILING, seed * 1_000 + minute, KINDS, hold=STALL)
    match minute // TURN % TURNS:
        case 0:
            control.fault_fills(drop=2, reads=6)
        case 1:
            control.fault_fills(double=3)
        case 2:
            control.fault_fills(reorder=3)
    if _sticks(minute) and not ending:
        control.stick_cancels(1)
    control.limit_fills(Decimal(40) if minute // TURN % 2 else None)
