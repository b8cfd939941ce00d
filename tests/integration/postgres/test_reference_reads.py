"""What a session is run again with, as tw_report reads it, and what it keeps of the outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.market.session import Session
from tradewind.orders.model import IntentKind, Side
from tradewind.reports.ports import (
    DecidedSymbol,
    Period,
    ReferenceRecords,
    SessionDivergence,
)
from tradewind.risk.equity import first_mark
from tradewind.risk.going_live import SessionDistance
from tradewind.risk.locks import Lock
from tradewind.strategies.decision import Action

from tests.integration.postgres.rows import (
    ACCOUNT,
    MINUTE,
    OPEN,
    RECEIVED,
    SESSION,
    a_bar,
    a_fill,
    a_snapshot,
    an_intent,
    an_order,
    tell_orders,
    uuid_of,
)
from tests.integration.postgres.test_decisions import DECISION
from tests.integration.postgres.test_report_reads import book

Connected = Callable[[str], PostgresDatabase]

CLOSE = OPEN + timedelta(minutes=390)
DAY = timedelta(days=1)
PERIOD = Period(Session(SESSION, OPEN, CLOSE), CLOSE - DAY)


def decision(minute: int, symbol: str = "AAPL", **changes: Any) -> Any:
    return replace(
        DECISION,
        decision_id=uuid_of(f"{symbol}{minute}{changes}"),
        bar_time=OPEN + minute * MINUTE,
        symbol=symbol,
        **changes,
    )


def read(connected: Connected, **changes: Any) -> ReferenceRecords:
    question: dict[str, Any] = {
        "bars_before": 2,
        "daily_before": 15,
        "held_since": {},
        "trades_since": OPEN - DAY,
        **changes,
    }
    with connected("tw_report").reporting() as reads:
        return reads.reference_records(ACCOUNT, PERIOD, ["AAPL"], **question)


def test_which_symbols_were_decided_on(connected: Connected, database: PostgresDatabase) -> None:
    with database.transaction() as stores:
        stores.decisions.save([
            decision(0, wanted=Action.WAIT, action=Action.WAIT),
            decision(1, wanted=Action.WAIT, action=Action.WAIT, strategy="other"),
            decision(0, "MSFT", wanted=Action.ENTER, action=Action.WAIT),
            decision(400, "IBM"),  # after the close
            decision(0, "SPY", account="another"),
        ])  # fmt: skip
    with connected("tw_report").reporting() as reads:
        found = reads.decided_symbols(ACCOUNT, PERIOD)
    names = sorted(["other", DECISION.strategy])
    assert found == [
        DecidedSymbol("AAPL", names, ["paper"], wished=False),
        DecidedSymbol("MSFT", [DECISION.strategy], ["paper"], wished=True),
    ]


def test_bars_of_the_session_and_as_many_before_as_asked(
    connected: Connected, database: PostgresDatabase
) -> None:
    minutes = (-1440 + 385, -1440 + 388, -1440 + 389, 0, 389, 1440)
    with database.transaction() as stores:
        bars = [a_bar("AAPL", minute) for minute in minutes]
        stores.bars.upsert(bars, [True] * len(bars), RECEIVED)
        stores.bars.upsert([a_bar("AAPL", -10)], [False], RECEIVED)  # before the open
    assert [bar.start for bar in read(connected).bars["AAPL"]] == [
        OPEN + minute * MINUTE for minute in minutes[1:5]
    ]
    assert read(connected).bars["AAPL"][-1] == bars[4]
    # Held since the evening: all bars since then, however many.
    held = {"AAPL": OPEN + (minutes[0] + 0.5) * MINUTE}
    assert [bar.start for bar in read(connected, bars_before=1, held_since=held).bars["AAPL"]] == [
        OPEN + minute * MINUTE for minute in minutes[:5]
    ]
    (yesterday,) = read(connected).daily["AAPL"]
    assert yesterday.session == date(2020, 11, 11)


def test_what_was_known_before_the_open(connected: Connected, database: PostgresDatabase) -> None:
    def lock(since: datetime, until: datetime) -> Lock:
        return Lock("AAPL", since, until, "stop_guard", "two stops", str(since))

    holds, over = lock(OPEN - DAY, OPEN + MINUTE), lock(OPEN - 2 * DAY, OPEN - MINUTE)
    later = lock(OPEN + MINUTE, OPEN + 9 * MINUTE)
    before, today = (
        first_mark(day, OPEN, D(1000), D(0)) for day in (SESSION - DAY, SESSION)
    )  # fmt: skip
    with database.transaction() as stores:
        for minute in (0, 7, 400):
            stores.cycles.decided(ACCOUNT, OPEN + minute * MINUTE, SESSION, f"paper-{minute}")
        for at, cash in ((CLOSE - DAY, "1"), (OPEN, "98000"), (OPEN + MINUTE, "97000")):
            stores.accounts.add(ACCOUNT, replace(a_snapshot(), cash=D(cash)), at)
        stores.locks.add(ACCOUNT, [holds, over, later])
        stores.locks.add("another", [holds])
        for mark in (before, today):
            stores.equity.save(ACCOUNT, mark)
        stores.intents.add([an_intent("tw-in")])
        stop = an_order("o-stop", client_order_id="leg", side=Side.SELL, order_type="stop",
                        limit_price=None, stop_price=D("117.74"))  # fmt: skip
        tell_orders(stores, [an_order("o-in", client_order_id="tw-in"), stop], OPEN - DAY)
        book(stores, [
            a_fill("x-0", order_id="o-in", at=OPEN - 2 * DAY, quantity=D(1)),
            a_fill("x-1", order_id="o-in", at=OPEN - DAY),
            a_fill("x-2", order_id="o-stop", side=Side.SELL, at=OPEN - DAY + MINUTE),
            a_fill("x-3", order_id="o-in", at=OPEN + MINUTE),
        ])  # fmt: skip
        stores.decisions.save([decision(3, action=Action.WAIT, reason_code="hole")])
    found = read(connected)
    assert (found.minutes, found.cash, found.cash_at) == (8, D(98_000), OPEN)
    assert found.locks == (holds,)
    assert found.mark == before
    assert [(one.side, one.by_stop) for one in found.trades] == [("buy", False), ("sell", True)]
    assert found.decided == {(OPEN + 3 * MINUTE, "AAPL"): ("wait", "hole")}


def test_an_account_without_anything(connected: Connected) -> None:
    found = read(connected)
    assert (found.minutes, found.cash, found.cash_at, found.mark) == (0, None, None, None)
    assert (found.bars, found.locks, found.decided) == ({"AAPL": []}, (), {})


def a_divergence(days: int, difference: str | None, **changes: Any) -> SessionDivergence:
    one = SessionDivergence(
        ACCOUNT, SESSION + days * DAY, "paper", D(10_000),
        None if difference is None else D(difference), D(1), 1, 0, 0, "",
    )  # fmt: skip
    return replace(one, **changes)


def traded_on(database: PostgresDatabase, *days: int, mode: str = "paper") -> None:
    with database.transaction() as stores:
        for n in days:
            name = f"tw-{mode}-{n}"
            session = SESSION + n * DAY
            intent = an_intent(name, kind=IntentKind.ENTRY, session=session, mode=mode)
            stores.intents.add([intent])
            fill = a_fill(f"x-{mode}-{n}", order_id=f"o-{mode}-{n}", at=OPEN + n * DAY)
            book(stores, [fill], {fill.order_id: name})


def distance(days: int, fraction: str | None, share: str = "1") -> SessionDistance:
    return SessionDistance(
        SESSION + days * DAY, None if fraction is None else D(fraction), D(share)
    )


NEVER = [distance(0, None, "0")]


def test_the_divergence_of_all_sessions_on_paper(
    connected: Connected, database: PostgresDatabase
) -> None:
    traded_on(database, 0, 1, 2)
    traded_on(database, 3, mode="live")
    writing = connected("tw_report")
    told = [
        a_divergence(0, "50"),
        a_divergence(1, "-90", equity=D(20_000)),
        a_divergence(2, None, remarks="the session: the broker was not read", share=D(0)),
        a_divergence(3, "9999", mode="live"),
        # nothing was traded on paper:
        a_divergence(4, "0", matched=0),  # nor in the backtest
        a_divergence(5, "0"),  # what was held overnight was kept by both
        a_divergence(6, "-20", matched=0, only_backtest=1),
        a_divergence(7, "0", matched=0, only_backtest=1, share=D("0.5")),  # it earned nothing
        a_divergence(8, "30"),  # what was held overnight was sold by the backtest
        a_divergence(9, None, share=D(0)),  # nobody knows
        a_divergence(10, None, mode=None, share=D(0)),
    ]
    for one in (*told, *told):  # told twice it is the same
        with writing.transaction() as stores:
            stores.divergences.save(one)
    with connected("tw_govern").transaction() as stores:
        found = stores.divergences.on_paper()
    assert found == [
        distance(0, "0.005"), distance(1, "-0.0045"), distance(2, None, "0"),
        distance(6, "-0.002"), distance(7, "0", "0.5"), distance(8, "0.003"),
        distance(9, None, "0"),
    ]  # fmt: skip


@pytest.mark.parametrize("equity", [None, D(0)])
def test_without_equity_nothing_was_compared(
    connected: Connected, database: PostgresDatabase, equity: D | None
) -> None:
    traded_on(database, 0)
    with connected("tw_report").transaction() as stores:
        stores.divergences.save(a_divergence(0, "7", equity=equity))
    with database.transaction() as stores:
        (found,) = stores.divergences.on_paper()
    assert found.fraction is None


@pytest.mark.parametrize(
    ("difference", "mode"), [("10", "paper"), (None, "paper"), ("10", "live"), ("10", None)]
)
def test_a_report_made_again_replaces_what_was_kept(
    connected: Connected, database: PostgresDatabase, difference: str | None, mode: str | None
) -> None:
    traded_on(database, 0)
    with database.transaction() as stores:
        assert stores.divergences.on_paper() == NEVER
    for one in (a_divergence(0, "7"), a_divergence(0, difference, mode=mode)):
        with connected("tw_report").transaction() as stores:
            stores.divergences.save(one)
    with database.transaction() as stores:
        found = stores.divergences.on_paper()
    stale = difference is None or mode != "paper"
    assert [one.fraction for one in found] == ([None] if stale else [D("0.001")])
