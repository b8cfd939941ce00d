"""The schedule's tick: fetch the minute that just ended and start the run that decides on it."""

from __future__ import annotations

import json
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
from tradewind.market.bar import MINUTE, Bar, to_iso
from tradewind.market.cycle import Cycle, execution_name
from tradewind.market.ports import MarketDataProvider
from tradewind.market.session_table import SessionTable
from tradewind.use_cases.ports import AlertPublisher, Clock, Payloads, TradingCycleStarter

logger = logging.getLogger(__name__)

# A minute's REST bar appears two to three seconds after the minute.
FIRST_LOOK = timedelta(seconds=3)
LAST_LOOK = timedelta(seconds=15)
BETWEEN_LOOKS = 1.0
# Late trades recalculate a bar for a while: the last ten minutes are read again each time.
REREAD = 10 * MINUTE


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
    sessions: SessionTable,
    provider: MarketDataProvider,
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
    cycle = Cycle(account, mode, execution_name(account, bar_time), bar_time, session)
    try:
        bars = _bars_until_there(cycle, symbols, provider, clock)
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
        bars = []
    there = {bar.symbol for bar in bars if bar.start == bar_time}
    missing = tuple(symbol for symbol in symbols if symbol not in there)
    body = json.dumps([bar.as_payload() for bar in bars], separators=(",", ":")).encode()
    ref = payloads.put(f"cycles/{cycle.execution}/bars.json", body, len(bars))
    payload = {**cycle.as_payload(), "symbols": list(symbols), "bars": ref.as_payload()}
    try:
        started = cycles.start(cycle.execution, payload)
    except CycleFailedBeforeError as failure:
        alerts.publish(
            Alert(
                "cycle_failed_before", ERROR, str(failure), clock.now(), cycle.execution
            ).as_payload()
        )
        return FetchOutcome("already_done", bar_time, cycle.execution, len(bars), missing)
    return FetchOutcome(
        "started" if started else "already_done", bar_time, cycle.execution, len(bars), missing
    )


def _bars_until_there(
    cycle: Cycle, symbols: Sequence[str], provider: MarketDataProvider, clock: Clock
) -> list[Bar]:
    """Look from T+3 s on, until every symbol's bar is there or T+15 s has come; a provider that
    says when to ask again is not asked before."""
    first = max(cycle.session.open, cycle.bar_time - REREAD + MINUTE)
    _sleep_until(cycle.run_at + FIRST_LOOK, clock)
    bars: list[Bar] = []
    while True:
        pause = BETWEEN_LOOKS
        try:
            bars = provider.bars(symbols, first, cycle.bar_time)
        except RetryableError as error:
            logger.warning("no bars for %s: %s", to_iso(cycle.bar_time), error)
            if isinstance(error, ThrottledError):
                pause = max(pause, error.retry_after or 0.0)
        there = {bar.symbol for bar in bars if bar.start == cycle.bar_time}
        left = (cycle.run_at + LAST_LOOK - clock.now()).total_seconds()
        if there.issuperset(symbols) or left <= 0 or pause > max(left, BETWEEN_LOOKS):
            return bars
        clock.sleep(pause)


def _sleep_until(moment: datetime, clock: Clock) -> None:
    wait = (moment - clock.now()).total_seconds()
    if wait > 0:
        clock.sleep(wait)
