"""The replayed market's clock as the functions see it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tradewind.adapters.clock import ReplayClock
from tradewind_local.exchange.process import ExchangeProcess

NOON = datetime(2020, 11, 12, 17, 0, 3, tzinfo=UTC)


def test_waiting_moves_the_market_and_never_into_the_next_minute(tmp_path: Path) -> None:
    with ExchangeProcess(tmp_path) as exchange:
        exchange.control.set_clock(NOON, running=False)
        clock = ReplayClock(f"{exchange.url}/_sim/clock")
        assert clock.now() == NOON
        clock.sleep(12.5)
        assert timedelta(seconds=12.5) <= clock.now() - NOON < timedelta(seconds=20)
        clock.sleep(300)
        assert clock.now() == NOON.replace(second=59)
        clock.sleep(1)
        assert clock.now() == NOON.replace(second=59)
