"""Judge and store the minute's bars, keep the ledger of what is missing, and turn each symbol's
newest bars into indicators and a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tradewind.alerts.model import Alert
from tradewind.alerts.rules import (
    alert_of_availability,
    alert_of_rejected_bar,
    alert_of_suspected_split,
    alerts_of_held_bars,
)
from tradewind.features.arrays import block_of
from tradewind.features.definition import FEATURE_BARS, fingerprint
from tradewind.features.indicators import indicators_of
from tradewind.features.window_pack import pack_windows
from tradewind.features.windows import windows_of
from tradewind.market.adjustment import FactorTable
from tradewind.market.answer import (
    BACKFILL_EVERY,
    REREAD,
    Answer,
    Fetched,
    Question,
    dump_questions,
    load_fetched,
    plan_key,
)
from tradewind.market.availability import NOTHING_EXPECTED, ROLLING_SESSIONS, backfill_plan
from tradewind.market.bar import MINUTE
from tradewind.market.cycle import Cycle
from tradewind.market.gap_ledger import OpenGap, empty_minutes
from tradewind.market.session import Session
from tradewind.market.session_table import SessionTable
from tradewind.market.validation import validate
from tradewind.market.verdict import ValidationRules
from tradewind.tradelog.rules import message_of_alert
from tradewind.use_cases.ports import PayloadRef, Payloads
from tradewind.use_cases.unit_of_work import Database, Stores


@dataclass(frozen=True, slots=True)
class Computed:
    """``held`` and ``rejected`` bars were not stored; ``gaps`` are the ranges of minutes asked for
    again; ``windows`` holds one window per symbol that has its decided bar and enough history."""

    stored: int
    corrected: int
    held: int
    rejected: int
    gaps: int
    fingerprint: str
    windows: PayloadRef


@dataclass(slots=True)
class _Counts:
    stored: int = 0
    corrected: int = 0
    held: int = 0
    rejected: int = 0


def compute_features(
    cycle: Cycle,
    ref: PayloadRef,
    symbols: Sequence[str],
    *,
    sessions: SessionTable,
    rules: ValidationRules,
    payloads: Payloads,
    database: Database,
) -> Computed:
    """A bar that cannot be true, or is not yet believed, is told of and reaches no feature.

    Features see the bars as of this run: split-adjusted by the factors known to it.
    """
    fetched = load_fetched(payloads.get(ref))
    counts = _Counts()
    with database.transaction() as stores:
        stores.factors.learn(fetched.factors)
        stores.corporate_actions.learn(fetched.actions)
        factors = stores.factors.table(symbols)
        alerts: list[Alert] = []
        for answer in fetched.answers:
            alerts += _store(stores, cycle, answer, factors, sessions, rules, counts)
        alerts += _availability(stores, cycle, symbols, sessions)
        gaps = _open_gaps(stores, cycle, symbols, sessions)
        recent = stores.bars.recent(symbols, cycle.bar_time, FEATURE_BARS)
        block = block_of(
            {
                symbol: factors.adjusted(bars, cycle.run_at)
                for symbol, bars in recent.items()
                if bars[-1].start == cycle.bar_time
            }
        )
        stores.indicators.save(indicators_of(block))
        if alerts:
            stores.outbox.add([message_of_alert(alert) for alert in alerts])
    _plan_backfill(cycle, fetched, gaps, payloads)
    windows = windows_of(block, sessions.session_of)
    pack = payloads.put(
        f"cycles/{cycle.execution}/windows.npy", pack_windows(windows), len(windows)
    )
    return Computed(
        counts.stored,
        counts.corrected,
        counts.held,
        counts.rejected,
        len(gaps),
        fingerprint(),
        pack,
    )


def _store(
    stores: Stores,
    cycle: Cycle,
    answer: Answer,
    factors: FactorTable,
    sessions: SessionTable,
    rules: ValidationRules,
    counts: _Counts,
) -> list[Alert]:
    """One answer into ``bars`` and the ledger. Judged by the run's minute, so that a replay judges
    the same; each answer by itself, so that old bars are not what new ones are measured by."""
    judged = validate(
        answer.bars,
        as_of=cycle.run_at,
        sessions=sessions,
        closes_before=stores.bars.closes_before,
        factors=factors,
        rules=rules,
    )
    written = stores.bars.upsert(judged.accepted, judged.in_session, answer.asked_at)
    told = answer.for_the_ledger()
    asked = answer.question
    for session in sessions.between(asked.first.date(), asked.last.date()):
        empty = empty_minutes(told, session)
        if empty:
            stores.gaps.seen_empty(empty, answer.asked_at)
    if judged.suspected:
        stores.factors.suspect(judged.suspected)
    counts.stored += written.stored
    counts.corrected += written.corrected
    counts.held += len(judged.held)
    counts.rejected += len(judged.rejected)
    return [
        *(alert_of_rejected_bar(item) for item in judged.rejected),
        *alerts_of_held_bars(judged.held),
        *(alert_of_suspected_split(item) for item in judged.suspected),
    ]


def _availability(
    stores: Stores, cycle: Cycle, symbols: Sequence[str], sessions: SessionTable
) -> list[Alert]:
    """With the last bar: whether the promise was kept over the last sessions that were recorded."""
    if cycle.run_at != cycle.session.close:
        return []
    rolling = [cycle.session]
    while len(rolling) < ROLLING_SESSIONS:
        rolling.append(sessions.previous(rolling[-1].date))
    by_session = stores.gaps.availability(symbols, rolling, cycle.run_at)
    # A session of which nothing was ever received was before this system's time.
    recorded = [figure for figure in by_session.values() if figure.received]
    alert = alert_of_availability(cycle.session, sum(recorded, NOTHING_EXPECTED))
    return [alert] if alert is not None else []


def _open_gaps(
    stores: Stores, cycle: Cycle, symbols: Sequence[str], sessions: SessionTable
) -> list[OpenGap]:
    """What is missing of today and of the session before, and is not read again anyway. Looked up
    in the run before the one that fills them."""
    if (cycle.bar_time + MINUTE).minute % BACKFILL_EVERY:
        return []
    until = cycle.run_at - REREAD
    both = [sessions.previous(cycle.session.date), cycle.session]
    return [
        gap
        for gap in stores.gaps.open_gaps(symbols, both, until)
        # A session that is missing as a whole is history to be imported, not a gap.
        if not (gap.session != cycle.session and _whole(gap, gap.session))
    ]


def _whole(gap: OpenGap, session: Session) -> bool:
    return len(gap.minutes) == session.minutes


def _plan_backfill(
    cycle: Cycle, fetched: Fetched, gaps: Sequence[OpenGap], payloads: Payloads
) -> None:
    """Leave the questions for the next run that asks; an answered plan is taken back."""
    if not gaps and len(fetched.answers) <= 1:
        return
    questions = []
    for call in backfill_plan(gaps):
        around = call.with_neighbours()
        questions.append(Question(call.symbols, around.first, around.last))
    payloads.put(plan_key(cycle.account), dump_questions(questions), len(questions))
