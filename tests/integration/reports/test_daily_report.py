"""A session from the store of record to the finished page, and its calls by the schedule."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.backtest.book import RulesInForce
from tradewind.errors import InvalidInputError
from tradewind.market.session_table import default_table
from tradewind.orders.model import IntentKind, Side
from tradewind.reports.daily import DailyReport
from tradewind.reports.ports import SessionDivergence
from tradewind.strategies.sma_crossover import SmaCrossover
from tradewind.use_cases.daily_report import due_session, make_report, store_report
from tradewind.use_cases.reference_backtest import Deployed

from tests.integration.conftest import Ask
from tests.integration.postgres.rows import (
    ACCOUNT,
    MINUTE,
    OPEN,
    RECEIVED,
    SECOND,
    SESSION,
    a_bar,
    a_fill,
    a_snapshot,
    an_activity,
    an_intent,
    an_order,
    tell_orders,
    uuid_of,
)
from tests.integration.postgres.test_decisions import DECISION
from tests.integration.postgres.test_report_reads import book

Connected = Callable[[str], PostgresDatabase]

CLOSE = OPEN + timedelta(minutes=390)


class Shelf:
    """Keeps reports, as S3 does."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}

    def put(self, key: str, body: bytes, content_type: str) -> None:
        self.objects[key] = (body, content_type)


def reported(connected: Connected, account: str = ACCOUNT, day: date = SESSION) -> DailyReport:
    """By a login that may only read."""
    return make_report(
        account,
        day,
        database=connected("tw_read"),
        sessions=default_table(),
        deployed=Deployed({"AAPL": SmaCrossover(20, 50)}, RulesInForce()),
    )


@pytest.fixture
def traded(database: PostgresDatabase) -> PostgresDatabase:
    """10 AAPL decided on at 119.5301, bought at 119.58, stopped at 117.70 (stop 117.74) in a minute
    that traded through it; a fee of 0.02 USD."""
    with database.transaction() as stores:
        stores.cycles.decided(ACCOUNT, OPEN, SESSION, "paper-1")
        stores.intents.add([an_intent("tw-in")])
        tell_orders(
            stores,
            [
                an_order("o-in", client_order_id="tw-in"),
                an_order(
                    "o-stop", client_order_id="leg", parent_order_id="o-in", side=Side.SELL,
                    order_type="stop", limit_price=None, stop_price=D("117.74"),
                ),
            ],
            OPEN,
        )  # fmt: skip
        fills = [
            a_fill("x-1", order_id="o-in"),
            a_fill("x-2", order_id="o-stop", side=Side.SELL, price=D("117.70"),
                   at=OPEN + 30 * MINUTE + 2 * SECOND),
        ]  # fmt: skip
        book(stores, fills, {"o-in": "tw-in", "o-stop": "tw-in"})
        bars = [
            a_bar("AAPL", 29),
            a_bar("AAPL", 30, open=D("118.10"), high=D("118.10"), low=D("117.60"),
                  close=D("117.65")),
        ]  # fmt: skip
        stores.bars.upsert(bars, [True, True], RECEIVED)
        stores.activities.add(ACCOUNT, [an_activity(amount=D("-0.02"))], CLOSE)
        stores.accounts.add(ACCOUNT, a_snapshot("100000"), OPEN)
        # at the close the broker's "previous close" becomes the day's own
        rolled = replace(a_snapshot("99981.18"), last_equity=D("99981.18"))
        stores.accounts.add(ACCOUNT, rolled, CLOSE)
    return database


def test_the_records_of_a_session_become_its_report(
    traded: PostgresDatabase, connected: Connected
) -> None:
    report = reported(connected)
    statement = report.statement
    assert statement is not None
    # (117.70 - 119.58) x 10
    assert (statement.realised, statement.fees_and_other) == (D("-18.80"), D("-0.02"))
    assert (statement.unexplained, statement.equity_now) == (D("0.00"), D("99981.18"))
    (trade,) = report.trades
    # through the stop, not over it: 0.04 below, allowed 0.01 + 0.023548 a share
    assert (trade.trip.gap_loss, trade.trip.exit_slippage) == (D(0), D("0.40"))
    assert trade.within is False
    assert [(one.purpose, one.usd) for one in report.shortfalls] == [
        ("entry", D("0.4990")), ("stop", D("0.40")),
    ]  # fmt: skip


def test_stored_twice_it_is_the_same(traded: PostgresDatabase, connected: Connected) -> None:
    shelf = Shelf()
    database = connected("tw_report")

    def store() -> None:
        stored = store_report(reported(connected), shelf, database)
        assert stored.as_payload() == {
            "session": "2020-11-12",
            "html_key": "reports/paper/2020-11-12.html",
            "json_key": "reports/paper/2020-11-12.json",
        }

    store()
    first = dict(shelf.objects)
    store()
    assert shelf.objects == first
    page, page_type = first["reports/paper/2020-11-12.html"]
    assert page_type == "text/html; charset=utf-8"
    assert b"-18.80" in page
    content, content_type = first["reports/paper/2020-11-12.json"]
    assert content_type == "application/json"
    assert json.loads(content)["trades"][0]["profit_loss"] == "-18.8"


def test_a_report_made_again_leaves_nothing_of_the_one_before(
    traded: PostgresDatabase, connected: Connected, ask: Ask
) -> None:
    """Traded in two modes after all: what an earlier report found of the session is no evidence."""
    told = SessionDivergence(
        ACCOUNT, SESSION, "paper", D(100_000), D("0.01"), D(1), 1, 0, 0, "an earlier report"
    )
    with traded.transaction() as stores:
        stores.divergences.save(told)
        stores.decisions.save([
            replace(DECISION, decision_id=uuid_of(mode), mode=mode) for mode in ("paper", "live")
        ])  # fmt: skip
    store_report(reported(connected), Shelf(), connected("tw_report"))
    assert ask("SELECT mode FROM session_divergences") == [[None]]
    with traded.transaction() as stores:
        assert [one.fraction for one in stores.divergences.on_paper()] == [None]


REFUSED = [
    # (account, day, what is said)
    ("paper", date(2020, 11, 14), "2020-11-14 was no session of the exchange"),
    ("live", SESSION, "account 'live' has no run on record; on record are paper"),
]


@pytest.mark.parametrize(("account", "day", "said"), REFUSED)
def test_what_cannot_be_reported_is_said(
    traded: PostgresDatabase, connected: Connected, account: str, day: date, said: str
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        reported(connected, account, day)


def test_without_any_account_there_is_none(connected: Connected) -> None:
    with pytest.raises(InvalidInputError, match="there is none"):
        reported(connected)


CALLS = [
    # (UTC, the session whose report is due)
    ("20 minutes after a whole day's close, winter", "2020-11-12T21:20", SESSION),
    ("20 minutes after a whole day's close, summer", "2020-07-15T20:20", date(2020, 7, 15)),
    ("the early call on a whole day", "2020-11-12T18:20", None),
    ("the early call on a half day", "2020-11-27T18:20", date(2020, 11, 27)),
    ("the late call on a half day", "2020-11-27T21:20", None),
    ("a retried call", "2020-11-12T21:40", SESSION),
    ("before all is on record", "2020-11-12T21:19", None),
    ("a weekend", "2020-11-14T21:20", None),
    ("a holiday", "2020-11-26T21:20", None),
]


@pytest.mark.parametrize(
    ("moment", "due"), [row[1:] for row in CALLS], ids=[str(row[0]) for row in CALLS]
)
def test_the_schedule_is_answered_once_a_session(moment: str, due: date | None) -> None:
    found = due_session(datetime.fromisoformat(moment).replace(tzinfo=UTC), default_table())
    assert (found.date if found else None) == due


def test_an_exit_intent_of_another_day_is_no_part_of_it(
    traded: PostgresDatabase, connected: Connected
) -> None:
    with traded.transaction() as stores:
        later = an_intent("tw-later", kind=IntentKind.EXIT, session=date(2020, 11, 13))
        stores.intents.add([later])
        tell_orders(stores, [an_order("o-9", client_order_id="tw-later", side=Side.SELL)], CLOSE)
    report = reported(connected)
    assert report.refusals == []
    assert len(report.shortfalls) == 2
