"""Split factors and suspicions: what is news, and that nothing changes underway."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.market.adjustment import FactorTable, KnownClose, SplitFactor, SuspectedSplit

DAY = timedelta(days=1)
KNOWN = datetime(2014, 6, 6, 12, 0, tzinfo=UTC)
A_SPLIT = SplitFactor("AAPL", date(2014, 6, 9), Decimal(7), Decimal(1), KNOWN)
A_SUSPICION = SuspectedSplit(
    "MSFT",
    date(2014, 6, 9),
    Fraction(1, 50),
    KnownClose(datetime(2014, 6, 6, 19, 59, tzinfo=UTC), Decimal("1.5301")),
    Decimal("76.50"),
    KNOWN,
)


def later(split: SplitFactor = A_SPLIT, days: int = 1, **changes: Any) -> SplitFactor:
    return replace(split, known_at=split.known_at + days * DAY, **changes)


# (what is known, what is told, how much of it is news)
NEWS: list[tuple[list[SplitFactor], list[SplitFactor], int]] = [
    ([], [A_SPLIT], 1),
    ([A_SPLIT], [A_SPLIT], 0),
    ([A_SPLIT], [later()], 0),  # read again the next day
    ([A_SPLIT], [later(new_rate=Decimal("7.0"))], 0),  # the same number
    ([A_SPLIT], [later(new_rate=Decimal(8))], 1),  # corrected
    ([A_SPLIT, later(new_rate=Decimal(8))], [later(days=2)], 1),  # and back
    ([A_SPLIT, later(new_rate=Decimal(8))], [later(days=2, new_rate=Decimal(8))], 0),
    ([A_SPLIT], [later(effective=date(2014, 6, 10))], 1),
    ([A_SPLIT], [later(symbol="MSFT")], 1),
    ([], [A_SPLIT, later()], 1),  # twice in one batch
    ([], [A_SPLIT, later(new_rate=Decimal(8))], 2),
    ([A_SPLIT], [], 0),
]


@pytest.mark.parametrize(("known", "told", "news"), NEWS)
def test_only_news_is_learnt_and_what_is_known_keeps_its_time(
    database: PostgresDatabase,
    ask: Callable[..., Any],
    known: list[SplitFactor],
    told: list[SplitFactor],
    news: int,
) -> None:
    with database.transaction() as stores:
        for factor in known:
            stores.factors.learn([factor])
        before = ask("SELECT * FROM split_factors")
    with database.transaction() as stores:
        before = ask("SELECT * FROM split_factors ORDER BY known_at")
        assert stores.factors.learn(told) == news
    after = ask("SELECT * FROM split_factors ORDER BY recorded_at, known_at")
    assert after[: len(before)] == before
    assert len(after) == len(before) + news


def test_the_table_comes_back_as_it_was_told(database: PostgresDatabase) -> None:
    dividend = SplitFactor("MSFT", date(2015, 1, 2), Decimal("1.05"), Decimal(1), KNOWN)
    other = SplitFactor("TSLA", date(2020, 8, 31), Decimal(5), Decimal(1), KNOWN)
    with database.transaction() as stores:
        stores.factors.learn([A_SPLIT, dividend, other, later(new_rate=Decimal(8))])
        stores.factors.suspect([A_SUSPICION])
        # A second look at the same jump changes nothing.
        stores.factors.suspect([replace(A_SUSPICION, after=Decimal(1), seen_at=KNOWN + DAY)])
    expected = FactorTable([A_SPLIT, dividend, later(new_rate=Decimal(8))], [A_SUSPICION])
    with database.transaction() as stores:
        found = stores.factors.table(["AAPL", "MSFT", "GME"])
        nothing = stores.factors.table([])
    assert vars(found) == vars(expected)
    assert vars(nothing) == vars(FactorTable([]))
    before, after = date(2014, 6, 6), date(2014, 6, 9)
    assert found.between("AAPL", before, after, KNOWN) == 7
    assert found.between("AAPL", before, after, KNOWN + DAY) == 8
    assert found.is_suspected("MSFT", before, after, KNOWN)
