"""Who may do what: each function group has its own login and no right it does not use."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.errors import PermanentError
from tradewind.features.ports import IndicatorValue
from tradewind.market.bar_months import MonthArchive, digest_of
from tradewind.orders.configuration import WANTED_CONFIGURATION
from tradewind.orders.model import IntentStatus
from tradewind.portfolio.model import CashReckoning
from tradewind.portfolio.paper_trades import PaperTrade
from tradewind.portfolio.splits import PositionSplit
from tradewind.risk.modes import LiveApproval, PaperRun, RunState
from tradewind.use_cases.unit_of_work import Stores

from tests.integration.postgres.rows import (
    ACCOUNT,
    OPEN,
    RECEIVED,
    SESSION,
    a_bar,
    a_change,
    a_fill,
    a_holding,
    a_position,
    a_snapshot,
    a_trade,
    an_activity,
    an_intent,
    an_order,
    an_outcome,
    tell_orders,
    uuid_of,
)
from tests.integration.postgres.test_corporate_actions import A_SPIN_OFF
from tests.integration.postgres.test_decisions import DECISION, PREDICTION
from tests.integration.postgres.test_gaps import A_SESSION
from tests.integration.postgres.test_messages import ALERT, EVENT, a_message
from tests.integration.postgres.test_portfolio import A_DIFFERENCE
from tests.integration.postgres.test_runs import A_CYCLE, A_MARK, A_QUESTION, AN_OUTCOME
from tests.integration.postgres.test_splits import A_SPLIT, A_SUSPICION

Connected = Callable[[str], PostgresDatabase]

AN_APPROVAL = LiveApproval(ACCOUNT, 1, "anna", "a good month", OPEN, 20, 50, Decimal(0), Decimal(0))
A_RUN = PaperRun(ACCOUNT, "sma", "AAPL", 1, RunState.STOPPED, "anna", "odd prices", OPEN)
A_POSITION_SPLIT = PositionSplit(
    "AAPL",
    SESSION,
    Decimal(7),
    Decimal(1),
    Decimal(1),
    Decimal(7),
    Decimal(645),
    Decimal(645),
    OPEN,
)
A_PAPER_TRADE = PaperTrade(uuid_of("p"), "AAPL", Decimal(100), None, None, OPEN)

# Every right of every role, as the functions' work needs it. S: select, I: insert, U: update (of
# the columns named, where any are); nobody deletes.
RIGHTS = {
    "tw_read": {
        **dict.fromkeys(("bars", "latest_bars", "cycles", "orders", "positions"), "S"),
        **dict.fromkeys(("bar_traces", "empty_looks", "split_factors", "suspected_splits"), "S"),
        **dict.fromkeys(("account_snapshots", "locks"), "S"),
        **dict.fromkeys(("decisions", "order_intents", "trades", "cash_activities"), "S"),
        **dict.fromkeys(("alerts", "equity_marks", "position_splits", "backtests"), "S"),
        "corporate_actions": "S",
        "alembic_version": "S",
    },
    "tw_report": {
        **dict.fromkeys(("bars", "split_factors", "suspected_splits", "cycles", "orders"), "S"),
        **dict.fromkeys(("positions", "account_snapshots", "locks", "decisions"), "S"),
        **dict.fromkeys(("order_intents", "trades", "cash_activities", "alerts"), "S"),
        **dict.fromkeys(("equity_marks", "position_splits", "corporate_actions"), "S"),
        "session_divergences": "SIU",
        "alembic_version": "S",
    },
    "tw_trade": {
        "bars": "SIU",
        "latest_bars": "SIU",
        "empty_looks": "SIU",
        **dict.fromkeys(("bar_traces", "split_factors", "suspected_splits"), "SI"),
        "corporate_actions": "SI",
        "technical_indicators": "SIU",
        **dict.fromkeys(("predictions", "decisions", "order_intents", "cycles"), "SI"),
        **dict.fromkeys(("orders", "positions", "account_snapshots", "trades"), "S"),
        **dict.fromkeys(("cash_activities", "equity_marks", "account_configurations"), "S"),
        "locks": "SI",
        **dict.fromkeys(("position_splits", "paper_runs", "live_approvals"), "S"),
        **dict.fromkeys(("switch_changes", "alerts"), "S"),
        "outbox": "I",  # and to see message ids, without which nothing can be told twice
        "alembic_version": "S",
    },
    "tw_record": {
        "order_intents": "SU(broker_order_id outcome_at outcome_code outcome_reason status)",
        "cycles": "SU(finished_at)",
        "orders": "SIU",
        "positions": "SIU",
        **dict.fromkeys(("fills", "trades", "account_snapshots", "trade_events"), "SI"),
        **dict.fromkeys(("alerts", "alerts_log", "cash_activities", "switch_changes"), "SI"),
        "cash_reckonings": "SIU(differs_since expected newest_fill)",
        "equity_marks": "SIU",
        "account_configurations": "SI",
        "paper_trades": "SIU",
        "position_splits": "SI",
        **dict.fromkeys(("split_factors", "suspected_splits"), "S"),
        "outbox": "SIU(sent_at)",
        "alembic_version": "S",
    },
    "tw_acknowledge": {"alerts": "S", "alerts_log": "SI", "alembic_version": "S"},
    "tw_govern": {
        **dict.fromkeys(("paper_runs", "live_approvals"), "SI"),
        **dict.fromkeys(("cycles", "order_intents", "trades", "paper_trades", "positions"), "S"),
        **dict.fromkeys(("account_snapshots", "alerts", "alerts_log", "switch_changes"), "S"),
        **dict.fromkeys(("decisions", "session_divergences"), "S"),
        "alembic_version": "S",
    },
    "tw_research": {
        **dict.fromkeys(("bars", "bar_archives", "split_factors", "suspected_splits"), "S"),
        "backtests": "SIU",
        "alembic_version": "S",
    },
    # It changes bars through the functions below alone.
    "tw_maintain": {"bars": "S", "bar_archives": "S", "outbox": "I", "alembic_version": "S"},
}
CALLS = {
    "tw_maintain": {
        *("bar_months", "stray_bar_months", "bar_symbols", "bar_lines"),
        *("ensure_bar_partitions", "drop_archived_bars"),
    },
}

_GRANTED = """
SELECT relname::text,
    (SELECT coalesce(string_agg(letter, '' ORDER BY place), '')
     FROM (VALUES (1, 'S', 'SELECT'), (2, 'I', 'INSERT'), (3, 'U', 'UPDATE'), (4, 'D', 'DELETE'),
                  (5, 'T', 'TRUNCATE'), (6, 'R', 'REFERENCES'), (7, 'G', 'TRIGGER'))
          AS known(place, letter, privilege)
     WHERE has_table_privilege(:role, pg_class.oid, privilege)),
    (SELECT string_agg(attname::text, ' ' ORDER BY attname) FROM pg_attribute
     WHERE attrelid = pg_class.oid AND attnum > 0
        AND has_column_privilege(:role, attrelid, attnum, 'UPDATE')
        AND NOT has_table_privilege(:role, attrelid, 'UPDATE'))
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
"""


@pytest.mark.parametrize("role", RIGHTS)
def test_each_role_has_exactly_the_rights_it_needs(ask: Callable[..., Any], role: str) -> None:
    granted = {
        table: rights + (f"U({columns})" if columns else "")
        for table, rights, columns in ask(_GRANTED, role=role)
    }
    assert {table: rights for table, rights in granted.items() if rights} == RIGHTS[role]


@pytest.mark.parametrize("role", RIGHTS)
def test_each_role_may_call_exactly_the_functions_it_needs(
    ask: Callable[..., Any], role: str
) -> None:
    callable_ = ask(
        "SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace "
        "AND has_function_privilege(:role, oid, 'EXECUTE')",
        role=role,
    )
    assert {row[0] for row in callable_} == CALLS.get(role, set())


def test_what_runs_as_the_owner_looks_nothing_up_where_others_can_put_it(
    ask: Callable[..., Any],
) -> None:
    paths = ask(
        "SELECT proconfig::text[] FROM pg_proc "
        "WHERE pronamespace = 'public'::regnamespace AND prosecdef"
    )
    assert len(paths) == 3
    for (settings,) in paths:
        assert "search_path=pg_catalog, public, pg_temp" in settings


@pytest.mark.parametrize("role", RIGHTS)
def test_no_role_is_more_than_a_login(ask: Callable[..., Any], role: str) -> None:
    (attributes,) = ask(
        "SELECT rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, "
        "has_schema_privilege(rolname, 'public', 'CREATE'), "
        "has_database_privilege(rolname, current_database(), 'CREATE, TEMPORARY') "
        "FROM pg_roles WHERE rolname = :role",
        role=role,
    )
    assert attributes == [True] + [False] * 7


def test_the_read_functions_work_with_their_rights(connected: Connected) -> None:
    with connected("tw_read").reading() as queries:
        assert queries.status(ACCOUNT, ["AAPL"]).open_orders == 0
        assert queries.prices(["AAPL"]) == []
        assert queries.positions(ACCOUNT) == []
        assert queries.locks(ACCOUNT) == []


def test_the_trade_functions_work_with_their_rights(connected: Connected) -> None:
    for _ in range(2):
        with connected("tw_trade").transaction() as stores:
            stores.bars.upsert([a_bar()], [True], RECEIVED)
            stores.bars.recent(["AAPL"], OPEN, 1)
            stores.bars.highest([("AAPL", OPEN, OPEN)])
            stores.bars.daily(["AAPL"], SESSION, 1)
            stores.bars.closes_before({"AAPL": OPEN})
            stores.bars.latest(["AAPL"])
            stores.bar_traces.of("AAPL", OPEN, OPEN)
            stores.factors.learn([A_SPLIT])
            stores.factors.suspect([A_SUSPICION])
            stores.factors.table(["AAPL"])
            stores.corporate_actions.learn([A_SPIN_OFF])
            stores.corporate_actions.of(["AAPL"])
            stores.gaps.seen_empty({"AAPL": [OPEN]}, RECEIVED)
            stores.gaps.missing({"AAPL": OPEN}, [A_SESSION], RECEIVED)
            stores.gaps.open_gaps(["AAPL"], [A_SESSION], RECEIVED)
            stores.gaps.availability(["AAPL"], [A_SESSION], RECEIVED)
            stores.indicators.save([IndicatorValue("AAPL", "rsi_14", a_bar().close, OPEN)])
            stores.cycles.lock_account(ACCOUNT)
            stores.cycles.newest_decided(ACCOUNT)
            stores.cycles.decided(ACCOUNT, OPEN, SESSION, "paper-1")
            stores.predictions.save([PREDICTION])
            stores.decisions.save([DECISION])
            stores.intents.add([an_intent()])
            stores.intents.without_outcome(ACCOUNT)
            stores.intents.last_revisions(ACCOUNT, ["AAPL"])
            stores.intents.failed_protections(ACCOUNT, OPEN)
            stores.orders.open(ACCOUNT)
            stores.orders.intent_of(ACCOUNT)
            stores.orders.strangers(ACCOUNT)
            stores.holdings.all(ACCOUNT)
            stores.holdings.broker_positions(ACCOUNT)
            stores.holdings.differences(ACCOUNT)
            stores.accounts.latest(ACCOUNT)
            stores.position_splits.of(ACCOUNT, ["AAPL"])
            stores.trading_modes.runs(ACCOUNT)
            stores.trading_modes.approval(ACCOUNT)
            stores.trading_modes.ramp(AN_APPROVAL, [A_SESSION])
            stores.outbox.add([a_message("a")])
            stores.runs.standing(A_CYCLE, A_QUESTION)
            stores.runs.leave(A_CYCLE, AN_OUTCOME)


def test_the_record_functions_work_with_their_rights(
    connected: Connected, database: PostgresDatabase
) -> None:
    with database.transaction() as stores:
        stores.intents.add([an_intent()])
        stores.cycles.decided(ACCOUNT, OPEN, SESSION, "paper-1")
    for _ in range(2):
        with connected("tw_record").transaction() as stores:
            stores.cycles.lock_account(ACCOUNT)
            stores.intents.find(["tw-1"])
            stores.intents.without_outcome(ACCOUNT)
            stores.intents.record([an_outcome("tw-1", IntentStatus.SUBMITTED)])
            stores.intents.unsent(ACCOUNT, ["tw-1"])
            tell_orders(stores, [an_order(client_order_id="tw-1")], OPEN)
            stores.orders.open_known(ACCOUNT)
            stores.orders.owners(ACCOUNT, ["o-1"])
            stores.orders.foreign(ACCOUNT, ["o-1"])
            stores.orders.unsettled(ACCOUNT, [an_order()])
            stores.trades.unbooked(ACCOUNT, ["x-1"])
            stores.orders.note_missing_fills(ACCOUNT, {"o-1": OPEN})
            stores.orders.missing_fills(ACCOUNT)
            stores.orders.note_strangers(ACCOUNT, ["o-1"], OPEN)
            stores.fills.unknown(ACCOUNT, ["x-1"])
            stores.fills.add(ACCOUNT, [a_fill()])
            stores.fills.of_orders(ACCOUNT, ["o-1"])
            stores.holdings.all(ACCOUNT)
            stores.holdings.save(ACCOUNT, [a_holding()], OPEN)
            stores.holdings.confirm(ACCOUNT, [a_position()], OPEN)
            stores.holdings.note_differences(ACCOUNT, [A_DIFFERENCE])
            stores.activities.add(ACCOUNT, [an_activity()], OPEN)
            stores.cash.save(ACCOUNT, CashReckoning(Decimal(1), OPEN, Decimal(1)))
            stores.cash.reckoning(ACCOUNT)
            stores.switch_changes.add([a_change()])
            stores.cycles.first_decided(ACCOUNT)
            stores.accounts.latest(ACCOUNT)
            stores.trades.add(ACCOUNT, [a_trade(intent_id="tw-1")])
            stores.trades.sales_since(ACCOUNT, "AAPL", OPEN)
            stores.paper_trades.save([A_PAPER_TRADE])
            stores.factors.table(["AAPL"])
            if not stores.position_splits.of(ACCOUNT, ["AAPL"]):
                stores.position_splits.add(ACCOUNT, [A_POSITION_SPLIT])
            stores.accounts.add(ACCOUNT, a_snapshot(), OPEN)
            stores.trade_events.add([EVENT])
            stores.alerts.add(ALERT)
            stores.alerts.log(ALERT.alert_id, 0, "raised", "channel", OPEN)
            stores.outbox.add([a_message("a")])
            stores.outbox.unsent(10)
            stores.outbox.mark_sent([uuid_of("a")])
            stores.cycles.finished(ACCOUNT, OPEN)
            stores.equity.save(ACCOUNT, A_MARK)
            stores.equity.newest(ACCOUNT)
            stores.equity.transfers(ACCOUNT, SESSION)
            stores.configurations.add(ACCOUNT, WANTED_CONFIGURATION, OPEN)
            stores.intents.sent(ACCOUNT, OPEN)


def test_maintenance_works_with_its_rights(
    connected: Connected, database: PostgresDatabase, ask: Callable[..., Any]
) -> None:
    month = date(1999, 11, 1)
    with database.transaction() as stores:
        stores.bars.upsert(
            [a_bar(start=datetime(1999, 11, 12, 14, 30, tzinfo=UTC))], [True], RECEIVED
        )
    with connected("tw_maintain").transaction() as stores:
        assert stores.bar_months.stray() == [month]
        assert [made.moved for made in stores.bar_months.ensure(month, month)] == [1]
        assert month in stores.bar_months.present()
        assert stores.bar_months.symbols(month) == ["AAPL"]
        rows, sha256 = digest_of([stores.bar_months.lines(month, "AAPL").encode()])
        assert stores.bar_months.archived_parts(month) == 0
        stores.bar_months.drop(MonthArchive(month, 1, "key", rows, sha256), OPEN)
        stores.outbox.add([a_message("a")])
    assert ask("SELECT count(*) FROM bars") == [[0]]


# (role, what it tries)
FORBIDDEN: list[tuple[str, Callable[[Stores], object]]] = [
    ("tw_read", lambda stores: stores.bars.upsert([a_bar()], [True], RECEIVED)),
    ("tw_read", lambda stores: stores.gaps.seen_empty({"AAPL": [OPEN]}, RECEIVED)),
    ("tw_read", lambda stores: stores.factors.learn([A_SPLIT])),
    ("tw_read", lambda stores: stores.corporate_actions.learn([A_SPIN_OFF])),
    ("tw_read", lambda stores: stores.intents.add([an_intent()])),
    ("tw_trade", lambda stores: stores.fills.add(ACCOUNT, [a_fill()])),
    ("tw_trade", lambda stores: stores.outbox.unsent(1)),
    ("tw_trade", lambda stores: tell_orders(stores, [an_order()], OPEN)),
    ("tw_trade", lambda stores: stores.switch_changes.add([a_change()])),
    ("tw_trade", lambda stores: stores.cash.reckoning(ACCOUNT)),
    ("tw_trade", lambda stores: stores.orders.note_strangers(ACCOUNT, ["o-1"], OPEN)),
    ("tw_trade", lambda stores: stores.holdings.save(ACCOUNT, [a_holding()], OPEN)),
    (
        "tw_trade",
        lambda stores: stores.intents.record([an_outcome("tw-1", IntentStatus.SUBMITTED)]),
    ),
    ("tw_trade", lambda stores: stores.trading_modes.approve(AN_APPROVAL)),
    ("tw_trade", lambda stores: stores.trading_modes.add_runs([A_RUN])),
    ("tw_trade", lambda stores: stores.position_splits.add(ACCOUNT, [A_POSITION_SPLIT])),
    ("tw_record", lambda stores: stores.trading_modes.approve(AN_APPROVAL)),
    ("tw_govern", lambda stores: stores.intents.add([an_intent()])),
    ("tw_govern", lambda stores: stores.holdings.save(ACCOUNT, [a_holding()], OPEN)),
    ("tw_record", lambda stores: stores.intents.add([an_intent()])),
    ("tw_record", lambda stores: stores.decisions.save([DECISION])),
    ("tw_record", lambda stores: stores.bars.upsert([a_bar()], [True], RECEIVED)),
    ("tw_maintain", lambda stores: stores.bars.upsert([a_bar()], [True], RECEIVED)),
    ("tw_maintain", lambda stores: stores.outbox.unsent(1)),
    ("tw_trade", lambda stores: stores.bar_months.ensure(SESSION, SESSION)),
    ("tw_acknowledge", lambda stores: stores.alerts.add(ALERT)),
    ("tw_acknowledge", lambda stores: stores.orders.open(ACCOUNT)),
]


@pytest.mark.parametrize(("role", "attempt"), FORBIDDEN)
def test_what_is_not_a_roles_work_is_refused(
    connected: Connected, role: str, attempt: Callable[[Stores], object]
) -> None:
    with (
        pytest.raises(PermanentError, match="permission denied"),
        connected(role).transaction() as stores,
    ):
        attempt(stores)


def test_a_read_only_transaction_writes_nothing_even_as_the_owner(
    database: PostgresDatabase,
) -> None:
    with pytest.raises(PermanentError, match="read-only"), database.reading() as queries:
        queries._session.rows("DELETE FROM bars")
