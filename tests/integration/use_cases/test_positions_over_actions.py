"""A spin-off of AAPL announced for Monday, as the broker's data API tells of it, lived through with
the steps that record, decide and send."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tradewind.adapters.alpaca.corporate_actions import AlpacaCorporateActions
from tradewind.adapters.alpaca.credentials import ApiKey
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.csv_bars import read_bars
from tradewind.market.session_table import default_table
from tradewind.orders.model import IntentKind
from tradewind.strategies.decision import Action
from tradewind_local.exchange.process import ExchangeProcess

from tests.fakes import FakeClock
from tests.integration.conftest import Ask
from tests.integration.use_cases.test_positions_over_splits import (
    AT_TWO,
    FILE,
    FRIDAY,
    MONDAY,
    Desk,
    bought,
    session_of,
    sold,
)

SPIN_OFF = {
    "id": "9d0e1f23", "source_symbol": "AAPL", "source_rate": 1, "new_symbol": "NEW",
    "new_rate": 0.25, "ex_date": "2014-06-09", "process_date": "2014-06-10",
}  # fmt: skip
FROM_FLAT = session_of(FRIDAY).close - 6 * MINUTE  # the bar whose run may close


@pytest.fixture
def desk(database: PostgresDatabase, tmp_path: Path) -> Iterator[Desk]:
    if not FILE.is_file():
        pytest.skip("the recorded bars (../shared/data) are not on this machine")
    sessions = default_table()
    bars: list[Bar] = [bar for bar in read_bars(FILE, "AAPL") if sessions.in_session(bar.start)]
    with database.transaction() as stores:
        stores.bars.upsert(bars, [True] * len(bars), bars[-1].start)
    with ExchangeProcess(tmp_path / "exchange") as process:
        process.control.load_bars(bars)
        process.control.set_clock(session_of(FRIDAY).open, running=False)
        process.control.announce("spin_off", SPIN_OFF)
        yield Desk(database, process)


def learn(desk: Desk, at: datetime) -> int:
    """Ask the broker for its corporate actions at a moment, and store what is news."""
    provider = AlpacaCorporateActions(
        desk.process.url, ApiKey("key", "secret"), FakeClock(at), None
    )
    announced = provider.announced(["AAPL"], FRIDAY, datetime(2014, 7, 6, tzinfo=UTC).date())
    assert announced.factors == ()
    with desk.books.database.transaction() as stores:
        return stores.corporate_actions.learn(announced.actions)


def reasons(ask: Ask) -> list[str]:
    return [row[0] for row in ask("SELECT reason_code FROM decisions ORDER BY bar_time")]


def test_what_would_be_held_overnight_is_closed_the_evening_before(desk: Desk, ask: Ask) -> None:
    """Learnt between two runs: the run before it knows nothing of it, and buys."""
    assert learn(desk, AT_TWO + 2 * MINUTE) == 1
    bought(desk)
    assert not sold(desk.run(FROM_FLAT - MINUTE))
    (sale,) = desk.run(FROM_FLAT).intents
    assert sale.kind is IntentKind.EXIT
    assert sale.reason == (
        f"action_due: spin off of AAPL with effect from {MONDAY}: the position is closed from "
        "2014-06-06T19:55:00Z on"
    )
    desk.run(FROM_FLAT + MINUTE)
    assert desk.books.holdings()["AAPL"].quantity == 0
    assert desk.stops() == []
    assert reasons(ask)[-2] == "action_due"


def test_where_the_runs_have_failed_the_reconciliation_closes_it(desk: Desk) -> None:
    bought(desk)
    assert learn(desk, AT_TWO + 2 * MINUTE) == 1
    (sale,) = desk.reconcile(FROM_FLAT)
    assert (sale.kind, sale.reason.split(":")[0]) == (IntentKind.EXIT, "action_due")


def test_nothing_is_entered_in_the_session_before(desk: Desk, ask: Ask) -> None:
    assert learn(desk, AT_TWO) == 1
    assert learn(desk, AT_TWO + MINUTE) == 0
    assert desk.run(AT_TWO, Action.ENTER).intents == ()
    assert ask("SELECT action::text, reason_code, reason FROM decisions") == [
        [
            "wait",
            "action_due",
            f"AAPL may not be entered: spin off of AAPL with effect from {MONDAY}",
        ]
    ]
