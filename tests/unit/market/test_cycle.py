"""A run's name and its minute: what may be handed from step to step."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE
from tradewind.market.cycle import Cycle, execution_name, reconciliation_name
from tradewind.market.session import Session

OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
CLOSE = OPEN + timedelta(minutes=390)
SESSION = Session(date(2020, 11, 12), OPEN, CLOSE)


def cycle(bar_time: datetime, name: str) -> Cycle:
    return Cycle("here", "paper", "paper", name, bar_time, SESSION)


MINUTES = [
    # (the bar's start, whether a trading run may be of it, whether a reconciliation may)
    (OPEN, True, True),
    (CLOSE - MINUTE, True, True),
    (CLOSE, False, False),
    (OPEN - MINUTE, False, True),
    (OPEN - 16 * MINUTE, False, True),
    (OPEN - timedelta(days=1), False, False),
]


@pytest.mark.parametrize(("bar_time", "trades", "reconciles"), MINUTES)
def test_which_minutes_a_run_may_be_of(bar_time: datetime, trades: bool, reconciles: bool) -> None:
    for name, allowed in (
        (execution_name("paper", bar_time), trades),
        (reconciliation_name("paper", bar_time), reconciles),
    ):
        run = cycle(bar_time, name)
        if allowed:
            assert Cycle.from_payload(run.as_payload()) == run
            continue
        with pytest.raises(InvalidInputError, match="not of the session"):
            Cycle.from_payload(run.as_payload())


def test_a_run_shows_by_its_name_what_it_is() -> None:
    assert reconciliation_name("paper", OPEN) == "paper-reconcile-20201112T1430Z"
    assert execution_name("paper", OPEN) == "paper-20201112T1430Z"
    reconciling = cycle(OPEN, reconciliation_name("paper", OPEN))
    assert reconciling.reconciles
    # Another minute's name, another account's, a trading run's: none of them reconciles.
    assert not replace(reconciling, bar_time=OPEN + MINUTE).reconciles
    assert not replace(reconciling, account="paper-reconcile").reconciles
    assert not cycle(OPEN, execution_name("paper", OPEN)).reconciles


BROKEN: list[dict[str, Any]] = [
    {"deployment": None, "session": None},
    {"session": {"date": "2020-11-12"}},
    {"bar_time": "2020-11-12T14:30:00"},
    {"bar_time": 1605191400},
]


@pytest.mark.parametrize("changes", BROKEN, ids=str)
def test_what_is_no_cycle_is_refused(changes: dict[str, Any]) -> None:
    payload = cycle(OPEN, execution_name("paper", OPEN)).as_payload()
    with pytest.raises(InvalidInputError):
        Cycle.from_payload({**payload, **changes})
