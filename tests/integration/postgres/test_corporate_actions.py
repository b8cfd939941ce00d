"""Corporate actions: what is news, what a run reads of them, and that nothing changes underway."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.market.corporate_actions import CorporateAction
from tradewind.portfolio.accounting import flat

from tests.integration.conftest import Ask
from tests.integration.postgres.rows import ACCOUNT, OPEN, a_holding
from tests.integration.postgres.test_runs import A_CYCLE, A_QUESTION

KNOWN = datetime(2020, 11, 9, 17, 0, tzinfo=UTC)
A_SPIN_OFF = CorporateAction("id-1", "AAPL", "spin_off", date(2020, 11, 13), KNOWN)


def later(days: int = 1, **changes: Any) -> CorporateAction:
    return replace(A_SPIN_OFF, known_at=KNOWN + timedelta(days=days), **changes)


MOVED = later(effective=date(2020, 11, 20))
# (what is known, what is told, how much of it is news)
NEWS: list[tuple[list[CorporateAction], list[CorporateAction], int]] = [
    ([], [A_SPIN_OFF], 1),
    ([A_SPIN_OFF], [A_SPIN_OFF], 0),
    ([A_SPIN_OFF], [later()], 0),  # read again the next day
    ([A_SPIN_OFF], [MOVED], 1),
    ([A_SPIN_OFF, MOVED], [later(days=2)], 1),  # and back
    ([A_SPIN_OFF, MOVED], [later(days=2, effective=MOVED.effective)], 0),
    ([A_SPIN_OFF], [later(action_id="id-2")], 1),
    ([], [A_SPIN_OFF, later(action_id="id-2", symbol="MSFT")], 2),
    ([A_SPIN_OFF], [], 0),
]


@pytest.mark.parametrize(("known", "told", "news"), NEWS)
def test_only_news_is_learnt_and_what_is_known_keeps_its_time(
    database: PostgresDatabase,
    known: list[CorporateAction],
    told: list[CorporateAction],
    news: int,
) -> None:
    symbols = ["AAPL", "MSFT"]
    with database.transaction() as stores:
        for action in known:
            stores.corporate_actions.learn([action])
        assert stores.corporate_actions.of(symbols) == known
        assert stores.corporate_actions.learn(told) == news
        after = stores.corporate_actions.of(symbols)
    assert after[: len(known)] == known
    assert len(after) == len(known) + news


def test_a_run_reads_those_of_what_is_traded_and_what_is_held(database: PostgresDatabase) -> None:
    """AAPL and MSFT are traded, T is held, flat GE and GME are neither."""
    symbols = ("AAPL", "GE", "GME", "T")
    told = [replace(A_SPIN_OFF, action_id=symbol, symbol=symbol) for symbol in symbols]
    with database.transaction() as stores:
        stores.holdings.save(ACCOUNT, [a_holding("T"), flat("GE", "sma_crossover")], OPEN)
        stores.corporate_actions.learn(told)
        found = stores.runs.standing(A_CYCLE, A_QUESTION).actions
    assert sorted(found, key=lambda one: one.symbol) == [told[0], told[3]]


def test_what_is_learnt_is_kept_as_it_was_told(database: PostgresDatabase, ask: Ask) -> None:
    with database.transaction() as stores:
        stores.corporate_actions.learn([A_SPIN_OFF])
    assert ask("SELECT action_id, symbol, kind, effective, known_at FROM corporate_actions") == [
        ["id-1", "AAPL", "spin_off", date(2020, 11, 13), KNOWN]
    ]
