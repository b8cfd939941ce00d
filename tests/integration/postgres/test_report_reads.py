"""What reports are made of, as tw_read reads it: the right rows, of the right time, in ten
statements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.adapters.postgres import report_reads
from tradewind.adapters.postgres.connection import Session as Connection
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.market.session import Session
from tradewind.orders.model import BrokerFill, IntentKind, IntentStatus, OrderStatus, Side
from tradewind.portfolio.accounting import apply_fill, flat, trade_of
from tradewind.portfolio.executions import Purpose
from tradewind.portfolio.statement import ClosedDay
from tradewind.reports.ports import Period, RefusalCount, SessionRecords
from tradewind.strategies.decision import Action
from tradewind.use_cases.unit_of_work import Stores

from tests.integration.postgres.rows import (
    ACCOUNT,
    MINUTE,
    OPEN,
    RECEIVED,
    SECOND,
    SESSION,
    a_bar,
    a_fill,
    a_holding,
    a_position,
    a_snapshot,
    an_activity,
    an_intent,
    an_order,
    an_outcome,
    tell_orders,
    uuid_of,
)
from tests.integration.postgres.test_decisions import DECISION
from tests.integration.postgres.test_messages import ALERT

Connected = Callable[[str], PostgresDatabase]

CLOSE = OPEN + timedelta(minutes=390)
DAY = timedelta(days=1)
PERIOD = Period(Session(SESSION, OPEN, CLOSE), CLOSE - DAY)


def book(
    stores: Stores, fills: Sequence[BrokerFill], intents: dict[str, str] | None = None
) -> None:
    """Fills as record_broker_state books them; ``intents``: order_id -> intent_id."""
    held = flat(fills[0].symbol, "sma_crossover")
    stores.fills.add(ACCOUNT, fills)
    for fill in fills:
        held, realised = apply_fill(held, fill)
        stores.trades.add(ACCOUNT, [trade_of(fill, (intents or {}).get(fill.order_id), realised)])


def read(connected: Connected, period: Period = PERIOD) -> SessionRecords:
    with connected("tw_read").reporting() as reads:
        return reads.session_records(ACCOUNT, period)


def test_an_execution_is_told_with_what_stood_behind_it(
    connected: Connected, database: PostgresDatabase
) -> None:
    entry = an_intent("tw-in")
    leave = an_intent(
        "tw-out", kind=IntentKind.EXIT, stop_price=D("117.90"), bar_time=OPEN + 8 * MINUTE,
        decision_price=D("119.40"), reason="crossed_down: the fast average fell below",
    )  # fmt: skip
    with database.transaction() as stores:
        stores.intents.add([entry, leave])
        tell_orders(
            stores,
            [
                an_order("o-in", client_order_id="tw-in"),
                an_order(
                    "o-stop", client_order_id="leg", parent_order_id="o-in", side=Side.SELL,
                    order_type="stop", limit_price=None, stop_price=D("117.74"),
                ),
                an_order(
                    "o-out", client_order_id="tw-out", side=Side.SELL, order_type="market",
                    limit_price=None,
                ),
            ],
            OPEN,
        )  # fmt: skip
        fills = [
            a_fill("x-1", order_id="o-in", at=OPEN + 70 * SECOND),
            a_fill("x-2", order_id="o-stop", side=Side.SELL, quantity=D(4), price=D("117.70"),
                   at=OPEN + 5 * MINUTE),
            a_fill("x-3", order_id="o-out", side=Side.SELL, quantity=D(6), price=D("119.38"),
                   at=OPEN + 9 * MINUTE),
        ]  # fmt: skip
        book(stores, fills, {"o-in": "tw-in", "o-stop": "tw-in", "o-out": "tw-out"})
    bought, stopped, sold = read(connected).executions
    assert (bought.purpose, bought.reason, bought.stop_price) == (Purpose.ENTRY, "entry", None)
    assert (bought.decided_at, bought.decision_price) == (OPEN, D("119.5301"))
    assert bought.strategy == "sma_crossover"
    assert (stopped.purpose, stopped.reason, stopped.stop_price) == (
        Purpose.STOP, "stop", D("117.74"),
    )  # fmt: skip
    assert (sold.purpose, sold.reason, sold.stop_price) == (
        Purpose.EXIT, "crossed_down", D("117.90"),
    )  # fmt: skip
    assert (sold.decided_at, sold.decision_price) == (OPEN + 8 * MINUTE, D("119.40"))
    assert (sold.side, sold.quantity, sold.price) == (Side.SELL, D(6), D("119.38"))
    assert read(connected).realised_ever == D("4") * D("-1.88") + D("6") * D("-0.20")


def test_executions_start_where_each_symbol_was_last_flat(
    connected: Connected, database: PostgresDatabase
) -> None:
    def fill(number: int, side: Side, quantity: int, at: datetime, symbol: str) -> BrokerFill:
        return a_fill(
            f"{symbol}-{number}", order_id=f"o-{symbol}-{number}", symbol=symbol, side=side,
            quantity=D(quantity), at=at,
        )  # fmt: skip

    before = OPEN - 2 * DAY
    with database.transaction() as stores:
        # closed before, opened again before, added to in the session
        book(stores, [
            fill(1, Side.BUY, 5, before, "AAPL"),
            fill(2, Side.SELL, 5, before + MINUTE, "AAPL"),
            fill(3, Side.BUY, 7, before + 2 * MINUTE, "AAPL"),
            fill(4, Side.BUY, 1, OPEN + MINUTE, "AAPL"),
            fill(5, Side.SELL, 8, OPEN + 2 * MINUTE, "AAPL"),
            fill(6, Side.BUY, 2, CLOSE + DAY, "AAPL"),  # tomorrow's
        ])  # fmt: skip
        # flat before and not traded since: no part of the session
        book(stores, [
            fill(1, Side.BUY, 5, before, "MSFT"), fill(2, Side.SELL, 5, before + MINUTE, "MSFT"),
        ])  # fmt: skip
        # held through it without a trade
        book(stores, [fill(1, Side.BUY, 5, before, "IBM")])
    found = [one.execution_id for one in read(connected).executions]
    assert found == ["IBM-1", "AAPL-3", "AAPL-4", "AAPL-5"]
    # its trades came without orders and intents here: nothing is lost for that
    assert {one.purpose for one in read(connected).executions} == {Purpose.ENTRY, Purpose.EXIT}


def test_refusals_are_counted_by_reason(connected: Connected, database: PostgresDatabase) -> None:
    def decision(minute: int, **changes: Any) -> Any:
        return replace(
            DECISION, decision_id=uuid_of(f"d{minute}"), bar_time=OPEN + minute * MINUTE, **changes
        )

    with database.transaction() as stores:
        stores.decisions.save([
            decision(0, reason_code="hole", reason="b"),
            decision(1, reason_code="hole", reason="a"),
            decision(2, wanted=Action.EXIT, action=Action.HOLD, reason_code="exit_working"),
            decision(3, wanted=Action.HOLD, action=Action.HOLD, reason_code="long"),
            decision(4, action=Action.ENTER, reason_code="crossed_up"),
            decision(400, reason_code="hole"),  # after the close
            replace(decision(5, reason_code="hole"), account="another"),
        ])  # fmt: skip
        stores.intents.add([an_intent(f"tw-{n}") for n in range(4)])
        stores.intents.add([an_intent("tw-other", session=SESSION + DAY)])
        stores.intents.record([
            an_outcome("tw-0", IntentStatus.SUBMITTED),
            an_outcome("tw-1", IntentStatus.BLOCKED, reason_code="trading_switch"),
            an_outcome("tw-2", IntentStatus.BLOCKED, reason_code="trading_switch"),
            an_outcome("tw-3", IntentStatus.REJECTED, reason_code="buying_power"),
            an_outcome("tw-other", IntentStatus.REJECTED, reason_code="buying_power"),
        ])  # fmt: skip
    assert read(connected).refusals == [
        RefusalCount("blocked", "entry", "trading_switch", 2, "as told"),
        RefusalCount("rejected", "entry", "buying_power", 1, "as told"),
        RefusalCount("risk", "enter", "hole", 2, "a"),
        RefusalCount("risk", "exit", "exit_working", 1, DECISION.reason),
    ]


def test_equity_cash_and_alerts_are_those_of_the_period(
    connected: Connected, database: PostgresDatabase
) -> None:
    with database.transaction() as stores:
        for days, execution in ((2, "a"), (1, "b"), (0, "c")):
            day = OPEN - days * DAY
            stores.cycles.decided(ACCOUNT, day, day.date(), execution)
        stores.cycles.decided(ACCOUNT, OPEN + MINUTE, SESSION, "d")
        stores.cycles.finished(ACCOUNT, OPEN)
        for at, equity, before in (
            (OPEN - 2 * DAY, "90000", "89000"), (OPEN - 2 * DAY + MINUTE, "91000", "89000"),
            (OPEN - DAY, "95000", "91000"),
            (CLOSE - DAY, "96000", "96000"),  # from the close on it is the day's own
            (CLOSE - DAY + 60 * MINUTE, "666", "96000"),  # the evening before
            (OPEN, "100000", "96000"), (CLOSE, "100500", "100500"),
            (CLOSE + 60 * MINUTE, "777", "100500"),
        ):  # fmt: skip
            snapshot = replace(a_snapshot(equity), last_equity=D(before))
            stores.accounts.add(ACCOUNT, snapshot, at)
        told = [
            ("a", "CSD", "700", OPEN - DAY), ("b", "FEE", "-1", OPEN - DAY),
            ("c", "FEE", "-2", OPEN), ("d", "CSW", "-50", CLOSE), ("e", "FEE", "-3", CLOSE + DAY),
        ]  # fmt: skip
        for activity_id, kind, amount, at in told:
            activity = an_activity(activity_id, kind=kind, amount=D(amount), day=at.date())
            stores.activities.add(ACCOUNT, [activity], at)
        # told by the first snapshot of today, and long in its previous close
        old = an_activity("old", kind="CSD", amount=D(9999), day=date(2019, 1, 2))
        stores.activities.add(ACCOUNT, [old], OPEN)
        for name, at in (("x", CLOSE - DAY), ("y", OPEN), ("z", CLOSE + DAY)):
            stores.alerts.add(replace(ALERT, dedupe_key=name, timestamp=at))
        for account in (ACCOUNT, "another"):
            stores.alerts.add(replace(ALERT, dedupe_key="y", timestamp=OPEN, account=account))
        stores.holdings.save(ACCOUNT, [a_holding()], OPEN)
        stores.holdings.confirm(ACCOUNT, [a_position(), a_position("TSLA", 3)], CLOSE)
    records = read(connected)
    assert (records.cycles.decided, records.cycles.finished) == (2, 1)
    assert [(one.as_of, one.equity) for one in records.readings] == [
        (OPEN, D(100_000)), (CLOSE, D(100_500)),
    ]  # fmt: skip
    assert records.closed_days == [
        ClosedDay(date(2020, 11, 10), D(91_000), D(89_000), D(0)),
        ClosedDay(date(2020, 11, 11), D(96_000), D(91_000), D(700)),
    ]
    assert [(one.activity.activity_id, one.is_transfer) for one in records.flows] == [
        ("c", False), ("d", True),
    ]  # fmt: skip
    assert {(one.dedupe_key, one.account) for one in records.alerts} == {
        ("y", None), ("y", ACCOUNT),
    }  # fmt: skip
    assert [(one.symbol, one.quantity) for one in records.foreign] == [("TSLA", D(3))]


def test_bars_and_prices_of_what_was_traded(
    connected: Connected, database: PostgresDatabase
) -> None:
    with database.transaction() as stores:
        bars = [
            a_bar("AAPL", 0), a_bar("AAPL", 389, close=D("119.66")), a_bar("MSFT", 0),
            a_bar("AAPL", -1440 + 388, close=D("119.55")),
            a_bar("AAPL", 1440),
        ]  # fmt: skip
        stores.bars.upsert(bars, [True] * len(bars), RECEIVED)
        book(stores, [a_fill("x-1")])
    records = read(connected)
    assert {symbol: [bar.start for bar in found] for symbol, found in records.bars.items()} == {
        "AAPL": [OPEN, OPEN + 389 * MINUTE]
    }
    assert records.bars["AAPL"][0] == a_bar("AAPL", 0)
    assert records.close_before == {"AAPL": D("119.55")}
    assert records.last_price == {"AAPL": D("119.66")}


@pytest.mark.parametrize("symbols", [0, 1, 40])
def test_eleven_statements_whatever_the_number_of_symbols(
    connected: Connected,
    database: PostgresDatabase,
    monkeypatch: pytest.MonkeyPatch,
    symbols: int,
) -> None:
    with database.transaction() as stores:
        for n in range(symbols):
            book(stores, [a_fill(f"x-{n}", symbol=f"S{n}", order_id=f"o-{n}")])
    asked: list[str] = []

    class Counting(Connection):
        def rows(self, statement: str, **parameters: object) -> list[list[Any]]:
            asked.append(statement)
            return super().rows(statement, **parameters)

    monkeypatch.setattr(
        report_reads.PostgresReportReads, "__init__",
        lambda self, session: setattr(self, "_session", Counting(session._connection)),
    )  # fmt: skip
    assert len(read(connected).executions) == symbols
    assert len(asked) == 11


def test_an_empty_record_is_no_error(connected: Connected) -> None:
    records = read(connected)
    assert (records.cycles.decided, records.executions, records.realised_ever) == (0, [], 0)
    with connected("tw_read").reporting() as reads:
        assert reads.accounts() == []
        assert reads.executions(ACCOUNT, OPEN, CLOSE) == []


def test_an_open_order_is_no_execution(connected: Connected, database: PostgresDatabase) -> None:
    with database.transaction() as stores:
        tell_orders(stores, [an_order("o-1", status=OrderStatus.NEW)], OPEN)
    assert read(connected).executions == []
