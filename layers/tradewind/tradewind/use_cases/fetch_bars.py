"""The schedule's tick: fetch the minute that just ended and start the run that decides on it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tradewind.alerts.model import ERROR, Alert
from tradewind.errors import (
    CycleFailedBeforeError,
    ProviderRefusedError,
    RetryableError,
    ThrottledError,
)
from tradewind.market.answer import (
    BACKFILL_EVERY,
    REREAD,
    Answer,
    Fetched,
    Question,
    dump_fetched,
    load_questions,
    plan_key,
)
from tradewind.market.bar import MINUTE, to_iso
from tradewind.market.corporate_actions import Announced
from tradewind.market.cycle import Cycle, execution_name
from tradewind.market.ports import CorporateActionProvider, MarketDataProvider
from tradewind.market.session_table import SessionTable
from tradewind.use_cases.ports import AlertPublisher, Clock, Payloads, TradingCycleStarter

logger = logging.getLogger(__name__)

# A minute's REST bar appears two to three seconds after the minute.
FIRST_LOOK = timedelta(seconds=3)
LAST_LOOK = timedelta(seconds=15)
BETWEEN_LOOKS = 1.0
BACKFILL_CALLS = 3
# Days of processing, which come weeks after the ex date of some rights and dividends.
ACTIONS_BACK, ACTIONS_AHEAD = timedelta(days=7), timedelta(days=30)


@dataclass(frozen=True, slots=True)
class FetchOutcome:
    """``outcome``: ``started``, ``already_done`` or ``no_session``."""

    outcome: str
    bar_time: datetime
    execution: str | None
    bars: int = 0
    missing: tuple[str, ...] = ()


def fetch_bars(
    scheduled_time: datetime,
    *,
    account: str,
    mode: str,
    symbols: Sequence[str],
    deployment: str,
    sessions: SessionTable,
    provider: MarketDataProvider,
    corporate_actions: CorporateActionProvider | None,
    payloads: Payloads,
    cycles: TradingCycleStarter,
    alerts: AlertPublisher,
    clock: Clock,
) -> FetchOutcome:
    """Run T decides on the bar labelled T - 1 min and on no other.

    Outside the session nothing happens. When the provider has not got the bar by T+15 s, does not
    answer, or refuses (an alert, one a session by its key), the run starts without it: entries are
    then refused as stale, while the broker is still read, protection kept up and positions closed
    in time.
    """
    minute = scheduled_time.replace(second=0, microsecond=0)
    bar_time = minute - MINUTE
    session = sessions.session_of(bar_time)
    if session is None:
        return FetchOutcome("no_session", bar_time, None)
    name = execution_name(account, bar_time)
    cycle = Cycle(deployment, account, mode, name, bar_time, session)
    answers: list[Answer] = []
    announced = Announced()
    try:
        newest = _bars_until_there(cycle, symbols, provider, clock)
        if newest is not None:
            answers = [newest, *_backfill(cycle, provider, payloads, clock)]
        announced = _announced(cycle, symbols, corporate_actions)
    except ProviderRefusedError as refused:
        logger.error("no bars for %s: %s", to_iso(bar_time), refused)
        alerts.publish(
            Alert(
                "data_refused",
                ERROR,
                f"{type(refused).__name__}: {refused}",
                clock.now(),
                f"{account}-{session.date}-data_refused",
            ).as_payload()
        )
    fetched = Fetched(tuple(answers), announced.factors, announced.actions)
    there = {bar.symbol for answer in answers for bar in answer.bars if bar.start == bar_time}
    missing = tuple(symbol for symbol in symbols if symbol not in there)
    body = dump_fetched(fetched)
    # A second delivery of the minute may have read other bars: it must not change the object that
    # the first one's run is reading.
    digest = hashlib.sha256(body).hexdigest()[:16]
    ref = payloads.put(f"cycles/{cycle.execution}/bars-{digest}.json", body, fetched.count)
    payload = {**cycle.as_payload(), "symbols": list(symbols), "bars": ref.as_payload()}
    try:
        started = cycles.start(cycle.execution, payload)
    except CycleFailedBeforeError as failure:
        alerts.publish(
            Alert(
                "cycle_failed_before", ERROR, str(failure), clock.now(), cycle.execution
            ).as_payload()
        )
        return FetchOutcome("already_done", bar_time, cycle.execution, fetched.count, missing)
    return FetchOutcome(
        "started" if started else "already_done", bar_time, cycle.execution, fetched.count, missing
    )


def _bars_until_there(
    cycle: Cycle, symbols: Sequence[str], provider: MarketDataProvider, clock: Clock
) -> Answer | None:
    """Look from T+3 s on, until every symbol's bar is there or T+15 s has come; a provider that
    says when to ask again is not asked before. None when it never answered."""
    first = max(cycle.session.open, cycle.bar_time - REREAD + MINUTE)
    question = Question(tuple(symbols), first, cycle.bar_time)
    _sleep_until(cycle.run_at + FIRST_LOOK, clock)
    answer: Answer | None = None
    while True:
        pause = BETWEEN_LOOKS
        try:
            answer = _ask(question, provider, clock)
        except RetryableError as error:
            logger.warning("no bars for %s: %s", to_iso(cycle.bar_time), error)
            if isinstance(error, ThrottledError):
                pause = max(pause, error.retry_after or 0.0)
        came = answer.bars if answer is not None else ()
        there = {bar.symbol for bar in came if bar.start == cycle.bar_time}
        left = (cycle.run_at + LAST_LOOK - clock.now()).total_seconds()
        if there.issuperset(symbols) or left <= 0 or pause > max(left, BETWEEN_LOOKS):
            return answer
        clock.sleep(pause)


def _ask(question: Question, provider: MarketDataProvider, clock: Clock) -> Answer:
    asked_at = clock.now()
    return Answer(
        question,
        asked_at,
        tuple(provider.bars(question.symbols, question.first, question.last)),
    )


def _backfill(
    cycle: Cycle, provider: MarketDataProvider, payloads: Payloads, clock: Clock
) -> list[Answer]:
    """What core found missing before, asked again. A question that fails waits for the next time:
    the newest minute must not wait for the old ones."""
    if cycle.bar_time.minute % BACKFILL_EVERY:
        return []
    plan = payloads.newest(plan_key(cycle.account))
    answers = []
    for question in load_questions(plan)[:BACKFILL_CALLS] if plan is not None else ():
        if clock.now() >= cycle.run_at + LAST_LOOK:
            break
        try:
            answers.append(_ask(question, provider, clock))
        except (RetryableError, ProviderRefusedError) as error:
            logger.warning("no backfill from %s: %s", to_iso(question.first), error)
    return answers


def _announced(
    cycle: Cycle, symbols: Sequence[str], provider: CorporateActionProvider | None
) -> Announced:
    """Corporate actions around the session, read at its start and once an hour. Without them a jump
    of a split's size is held back all the same."""
    start_of_session = cycle.bar_time == cycle.session.open
    if provider is None or not (start_of_session or cycle.bar_time.minute == 0):
        return Announced()
    today = cycle.session.date
    try:
        return provider.announced(symbols, today - ACTIONS_BACK, today + ACTIONS_AHEAD)
    except (RetryableError, ProviderRefusedError) as error:
        logger.warning("no corporate actions: %s", error)
        return Announced()


def _sleep_until(moment: datetime, clock: Clock) -> None:
    wait = (moment - clock.now()).total_seconds()
    if wait > 0:
        clock.sleep(wait)
