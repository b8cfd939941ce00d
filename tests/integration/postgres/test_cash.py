"""The ``cash_activities`` and ``cash_reckonings`` tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.portfolio.model import CashReckoning

from tests.integration.postgres.rows import ACCOUNT, OPEN, SECOND, an_activity


def test_an_activity_is_news_once(database: PostgresDatabase) -> None:
    fee = an_activity("a-2")
    dividend = an_activity(
        "a-1", kind="DIV", amount=Decimal("3.1250"), symbol="AAPL", day=fee.day + timedelta(days=1)
    )
    with database.transaction() as stores:
        assert stores.activities.add(ACCOUNT, [dividend, fee, fee], OPEN) == [fee, dividend]
        assert stores.activities.add(ACCOUNT, [dividend, fee], OPEN + SECOND) == []
        assert stores.activities.add(ACCOUNT, [], OPEN) == []
        assert stores.activities.add("shadow", [fee], OPEN) == [fee]


def test_a_reckoning_is_carried_on_from_its_first_baseline(database: PostgresDatabase) -> None:
    first = CashReckoning(Decimal("100000.00"), OPEN, Decimal("100000.00"))
    later = replace(
        first,
        baseline=Decimal(7),
        baseline_at=OPEN + SECOND,
        expected=Decimal("98804.20"),
        newest_fill=OPEN + SECOND,
        differs_since=OPEN + 2 * SECOND,
    )
    with database.transaction() as stores:
        assert stores.cash.reckoning(ACCOUNT) is None
        stores.cash.save(ACCOUNT, first)
        stores.cash.save(ACCOUNT, later)
        assert stores.cash.reckoning(ACCOUNT) == replace(
            later, baseline=first.baseline, baseline_at=first.baseline_at
        )
        assert stores.cash.reckoning("shadow") is None
