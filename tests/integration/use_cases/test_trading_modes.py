"""Starting, stopping and going live on a real PostgreSQL, and what the next run makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.alerts.model import ACKNOWLEDGED, CRITICAL, Alert
from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE
from tradewind.market.cycle import Cycle
from tradewind.market.session_table import default_table
from tradewind.orders.control import SwitchChange, SwitchState
from tradewind.orders.model import (
    BrokerPosition,
    IntentKind,
    IntentOutcome,
    IntentStatus,
    OrderStatus,
    Side,
)
from tradewind.reports.ports import SessionDivergence
from tradewind.risk.going_live import LiveThresholds
from tradewind.risk.modes import LiveApproval, RunState
from tradewind.strategies.decision import Action
from tradewind.use_cases.assess_risk import Assessed, RiskRules, assess_risk
from tradewind.use_cases.trading_modes import (
    LiveTradingAnswer,
    PaperTradingAnswer,
    change_paper_trading,
    check_live_trading,
    execute_live_trading,
)

from tests.fakes import FakeClock, FakeControl, an_account
from tests.integration.conftest import Ask
from tests.integration.postgres.rows import a_fill, a_trade, an_intent
from tests.integration.use_cases.books import (
    CYCLE,
    NOON,
    READ_AT,
    Books,
    Wisher,
    cycle_at,
    decided,
    fill,
    leg_of,
    order_of,
    state,
)

CONFIGURED = {"AAPL": "wisher", "MSFT": "wisher", "KO": "other"}
LATER = cycle_at(NOON + MINUTE)
EASY = LiveThresholds(sessions=1, round_trips=1)
Connected = Callable[[str], PostgresDatabase]


def change(
    database: PostgresDatabase, to: RunState, *symbols: str, **changes: Any
) -> PaperTradingAnswer:
    given: dict[str, Any] = {"strategy": "wisher", "who": "anna", "why": "odd prices", **changes}
    return change_paper_trading(
        "paper", given.pop("mode", "paper"), to, symbols=symbols,
        configured=given.pop("configured", CONFIGURED), database=database,
        clock=given.pop("clock", FakeClock(READ_AT)), **given,
    )  # fmt: skip


def decide(books: Books, action: Action, cycle: Cycle) -> tuple[Assessed, list[Any]]:
    made = assess_risk(
        cycle, [], strategies={"AAPL": Wisher(action)}, rules=RiskRules(),
        sessions=default_table(), database=books.database, control=FakeControl(),
    )  # fmt: skip
    return made, [(intent.kind, intent.quantity) for intent in made.intents]


def reasons(ask: Ask) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in ask(
        "SELECT action, reason_code FROM decisions ORDER BY bar_time")]  # fmt: skip


def bought(books: Books) -> D:
    """AAPL bought at 100 with its stop resting, in the run of NOON."""
    intent = decided(books)
    told = state(order_of(intent), leg_of(intent), fills=(
        fill("entry", Side.BUY, intent.quantity, "100"),))  # fmt: skip
    books.close(
        IntentOutcome(intent.intent_id, IntentStatus.SUBMITTED, "entry", "ok", "ok", READ_AT),
        state=told,
    )
    return intent.quantity


# -- paper trading -------------------------------------------------------------------------------


def test_stopping_and_starting_is_recorded_once(books: Books, ask: Ask) -> None:
    database = books.database
    assert change(database, RunState.STARTED, "AAPL").changed == ()  # trades as configured
    first = change(database, RunState.STOPPED)
    assert (first.symbols, first.changed) == (("AAPL", "MSFT"), ("AAPL", "MSFT"))
    assert change(database, RunState.STOPPED, "MSFT").changed == ()
    assert change(database, RunState.STARTED, "AAPL", who="bert").changed == ("AAPL",)
    rows = ask("SELECT symbol, number, state, who, why FROM paper_runs ORDER BY symbol, number")
    assert rows == [
        ["AAPL", 1, "stopped", "anna", "odd prices"],
        ["AAPL", 2, "started", "bert", "odd prices"],
        ["MSFT", 1, "stopped", "anna", "odd prices"],
    ]


REFUSED = [
    ("a live account has the switch", {"mode": "live"}, (), "trading switch"),
    ("an unknown strategy", {"strategy": "nobody"}, (), "there are: other, wisher"),
    ("another strategy's symbol", {}, ("KO",), "wisher does not trade KO; it trades: AAPL, MSFT"),
    ("nobody says why", {"why": " "}, ("AAPL",), "says who and why"),
]


@pytest.mark.parametrize(
    ("changes", "symbols", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_cannot_be_stopped_is_said(
    books: Books, ask: Ask, changes: dict[str, Any], symbols: tuple[str, ...], said: str
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        change(books.database, RunState.STOPPED, *symbols, **changes)
    assert ask("SELECT count(*) FROM paper_runs") == [[0]]


def test_a_stopped_symbol_is_sold_and_not_entered_until_it_is_started(
    books: Books, ask: Ask
) -> None:
    quantity = bought(books)
    change(books.database, RunState.STOPPED, "AAPL")
    books.bar(LATER.bar_time)
    _, intents = decide(books, Action.HOLD, LATER)
    assert intents == [(IntentKind.EXIT, quantity)]
    (told,) = ask("SELECT reason FROM decisions WHERE reason_code = 'trading_stopped'")
    assert told == ["anna stopped trading AAPL by wisher at 2020-11-12T17:01:04Z: odd prices"]


def test_entries_go_on_once_it_is_started_again(books: Books, ask: Ask) -> None:
    change(books.database, RunState.STOPPED, "AAPL")
    books.sync(state())
    assert decide(books, Action.ENTER, CYCLE)[1] == []
    change(books.database, RunState.STARTED, "AAPL")
    books.bar(LATER.bar_time)
    books.sync(state(as_of=READ_AT + MINUTE), LATER)
    assert [kind for kind, _ in decide(books, Action.ENTER, LATER)[1]] == [IntentKind.ENTRY]
    assert reasons(ask) == [("wait", "trading_stopped"), ("enter", "told")]


def test_a_stop_outlives_the_strategy_and_is_lifted_under_its_new_name(
    books: Books, ask: Ask
) -> None:
    """Strategies carry their parameters in their names: another length is another strategy."""
    change(
        books.database, RunState.STOPPED, "AAPL", strategy="wisher_2_3",
        configured={"AAPL": "wisher_2_3"},
    )  # fmt: skip
    books.sync(state())
    assert decide(books, Action.ENTER, CYCLE)[1] == []
    assert change(books.database, RunState.STOPPED, "AAPL").changed == ()  # it stands already
    later = FakeClock(READ_AT + timedelta(seconds=1))
    assert change(books.database, RunState.STARTED, "AAPL", clock=later).changed == ("AAPL",)
    books.bar(LATER.bar_time)
    books.sync(state(as_of=READ_AT + MINUTE), LATER)
    assert [kind for kind, _ in decide(books, Action.ENTER, LATER)[1]] == [IntentKind.ENTRY]
    assert reasons(ask) == [("wait", "trading_stopped"), ("enter", "told")]


# -- live trading --------------------------------------------------------------------------------

LIVE = replace(CYCLE, mode="live")
AFTERWARDS = datetime(2020, 12, 1, 22, 0, tzinfo=UTC)


def execute(
    database: PostgresDatabase, mode: str = "live", fraction: str | None = "-0.0004", **changes: Any
) -> LiveTradingAnswer:
    if fraction is not None:
        compared(database, fraction)
    given: dict[str, Any] = {
        "who": "anna", "why": "a good month", "control": FakeControl(),
        "clock": FakeClock(AFTERWARDS), "thresholds": EASY, **changes,
    }  # fmt: skip
    return execute_live_trading(
        "paper", mode, database=database, sessions=default_table(), **given,
    )  # fmt: skip


def compared(database: PostgresDatabase, fraction: str) -> None:
    """As the session's daily report leaves it."""
    usd = D(fraction) * 100_000
    told = SessionDivergence(
        "paper", CYCLE.session.date, "paper", D(100_000), usd, D(1), 1, 0, 0, "nothing"
    )
    with database.transaction() as stores:
        stores.divergences.save(told)


def round_trip(books: Books) -> None:
    intent = decided(books)
    leg = leg_of(intent, filled_quantity=intent.quantity, status=OrderStatus.FILLED)
    fills = (
        fill("entry", Side.BUY, intent.quantity, "100"),
        fill("stop", Side.SELL, intent.quantity, "101", second=40),
    )
    books.sync(state(order_of(intent), leg, fills=fills, as_of=READ_AT + MINUTE))


def test_live_trading_waits_for_its_written_check(books: Books, ask: Ask) -> None:
    books.sync(state())
    assert decide(books, Action.ENTER, LIVE)[1] == []
    assert reasons(ask) == [("wait", "live_not_approved")]
    refused = execute(books.database, "paper", None)
    assert not refused.approved
    assert len(refused.missing) == 4  # mode, sessions, round trips, divergence
    assert refused.as_payload()["demands"][3]["shown"] == "not measured"
    assert ask("SELECT count(*) FROM live_approvals") == [[0]]


def test_paper_trading_that_was_good_enough_is_approved_once(books: Books, ask: Ask) -> None:
    round_trip(books)
    first = execute(books.database)
    assert (first.approved, first.newly, first.missing) == (True, True, ())
    assert first.size is not None
    assert first.size.fraction == D("0.10")
    again = execute(books.database, who="bert", fraction="5")
    assert (again.approval, again.newly) == (first.approval, False)
    assert ask(
        """SELECT account, number, who, why, sessions, round_trips, divergence, worst_divergence
        FROM live_approvals"""
    ) == [["paper", 1, "anna", "a good month", 1, 1, D("0.0004"), D("-0.0004")]]
    assert first.as_payload()["size"]["fraction"] == "0.10"


def test_sessions_do_not_make_up_for_each_other(books: Books, ask: Ask) -> None:
    """5 % above the backtest and 5 % below it, from session to session: what was tested is not what
    trades, whatever it comes to in the end."""
    round_trip(books)
    with books.database.transaction() as stores:
        for n, usd in enumerate((5000, -5000) * 10, start=1):
            day = CYCLE.session.date - timedelta(days=n)
            told = SessionDivergence(
                "paper", day, "paper", D(100_000), D(usd), D(1), 0, 0, 1, "nothing"
            )
            stores.divergences.save(told)
    (missing,) = execute(books.database, fraction=None).missing
    assert "a session on paper lies 5.00 % of equity from its backtest on average" in missing
    assert ask("SELECT count(*) FROM live_approvals") == [[0]]


def test_a_session_that_was_not_compared_is_no_evidence(books: Books, ask: Ask) -> None:
    """Neither without a report, nor with one that had nothing to compare."""
    round_trip(books)
    (missing,) = execute(books.database, fraction=None).missing
    assert "not measured" in missing
    nothing = SessionDivergence(
        "paper", CYCLE.session.date, "paper", D(100_000), None, D(0), 0, 0, 0, "no bars"
    )
    with books.database.transaction() as stores:
        stores.divergences.save(nothing)
    assert execute(books.database, fraction=None).missing == (missing,)
    (missing,) = execute(books.database, fraction="-0.02").missing
    assert "-2.00 % on 2020-11-12" in missing
    assert ask("SELECT count(*) FROM live_approvals") == [[0]]


def test_what_paper_trading_left_open_keeps_an_account_on_paper(books: Books) -> None:
    round_trip(books)
    severe = Alert("protection_refused", CRITICAL, "no stop", NOON, "x")
    with books.database.transaction() as stores:
        stores.alerts.add(severe)
    compared(books.database, "0.0004")

    def look() -> LiveTradingAnswer:
        return check_live_trading(
            "paper", "live", control=FakeControl(), database=books.database,
            sessions=default_table(), clock=FakeClock(AFTERWARDS), thresholds=EASY,
        )  # fmt: skip

    (missing,) = look().missing
    assert "protection_refused of 2020-11-12T17:00:00Z" in missing
    with books.database.transaction() as stores:
        stores.alerts.log(severe.alert_id, 0, ACKNOWLEDGED, "u1", AFTERWARDS)
    assert (look().approved, look().verdict.passed) == (False, True)
    assert execute(books.database).approved
    assert look().approval is not None
    halted = execute(books.database, control=FakeControl(state=SwitchState.HALTED))
    assert (halted.approved, halted.verdict.passed) == (True, False)  # the switch stops by itself


def approve(database: PostgresDatabase, at: datetime) -> None:
    with database.transaction() as stores:
        stores.trading_modes.approve(
            LiveApproval("paper", 1, "anna", "a good month", at, 20, 50, D("0.004"), D(0))
        )


def traded(database: PostgresDatabase, count: int, mode: str | None = "live") -> None:
    """In the last so many sessions before 12 November something was bought, and not only decided
    (mode None)."""
    day = CYCLE.session.date
    with database.transaction() as stores:
        for _ in range(count):
            session = default_table().previous(day)
            day = session.date
            stores.cycles.decided("paper", session.open, day, f"run-{day}")
            if mode is not None:
                stores.intents.add([an_intent(f"tw-{day}", session=day, mode=mode)])
                stores.fills.add("paper", [a_fill(f"x-{day}", at=session.open)])
                bought = a_trade(f"x-{day}", intent_id=f"tw-{day}", timestamp=session.open)
                stores.trades.add("paper", [bought])


SIZES = [
    # (sessions traded since the approval, a breach after so many of the newest; shares entered)
    (0, None, 24),
    (4, None, 24),
    (5, None, 49),
    (20, None, 249),
    (20, 6, 49),
]


@pytest.mark.parametrize(("sessions", "breach", "shares"), SIZES)
def test_live_entries_grow_with_clean_sessions(
    books: Books, sessions: int, breach: int | None, shares: int
) -> None:
    approve(books.database, datetime(2020, 10, 1, 12, 0, tzinfo=UTC))
    traded(books.database, sessions)
    if breach is not None:
        day = CYCLE.session.date
        for _ in range(breach):
            day = default_table().previous(day).date
        at = datetime(day.year, day.month, day.day, 16, 0, tzinfo=UTC)
        with books.database.transaction() as stores:
            stores.switch_changes.add(
                [SwitchChange("paper", 1, SwitchState.REDUCING, SwitchState.ACTIVE, "x", "y", at)]
            )
    books.sync(state())
    _, intents = decide(books, Action.ENTER, LIVE)
    assert intents == [(IntentKind.ENTRY, D(shares))]


@pytest.mark.parametrize("mode", [None, "paper"], ids=["nothing bought", "on paper"])
def test_sessions_without_a_live_execution_raise_no_size(books: Books, mode: str | None) -> None:
    """A halted account, or one that was deployed as something else for a month, has shown nothing:
    it begins small."""
    approve(books.database, datetime(2020, 10, 1, 12, 0, tzinfo=UTC))
    traded(books.database, 20, mode)
    books.sync(state())
    assert decide(books, Action.ENTER, LIVE)[1] == [(IntentKind.ENTRY, D(24))]


@pytest.mark.parametrize(
    ("account", "shares"), [("paper", 24), (None, 24), ("another", 249)], ids=str
)
def test_a_critical_alert_of_this_session_counts_at_once(
    books: Books, account: str | None, shares: int
) -> None:
    """Of this account, or of none in particular; another account's says nothing of this one."""
    approve(books.database, datetime(2020, 10, 1, 12, 0, tzinfo=UTC))
    traded(books.database, 20)
    with books.database.transaction() as stores:
        stores.alerts.add(Alert("position_difference", CRITICAL, "10, 11", NOON, "x", account))
    books.sync(state())
    assert decide(books, Action.ENTER, LIVE)[1] == [(IntentKind.ENTRY, D(shares))]


def test_another_accounts_approval_and_another_sessions_are_no_use(books: Books, ask: Ask) -> None:
    with books.database.transaction() as stores:
        stores.trading_modes.approve(
            LiveApproval("other", 1, "anna", "a good month", NOON, 20, 50, D(0), D(0))
        )
    books.sync(state())
    assert decide(books, Action.ENTER, LIVE)[1] == []


def test_each_role_may_do_its_part(connected: Connected, books: Books, ask: Ask) -> None:
    """People's decisions are written by their own role, read by the one that decides on trades."""
    change(connected("tw_govern"), RunState.STOPPED, "AAPL")
    with books.database.transaction() as stores:
        stores.alerts.add(Alert("x", CRITICAL, "x", NOON, "x"))
    compared(books.database, "0.0004")
    assert not execute(connected("tw_govern"), fraction=None).approved
    with connected("tw_govern").transaction() as stores:
        assert stores.trading_modes.traded_symbols("paper") == []
    approve(connected("tw_govern"), NOON - timedelta(days=30))
    books.sync(state())
    deciding = Books(connected("tw_trade"))
    assert decide(deciding, Action.ENTER, LIVE)[1] == [(IntentKind.ENTRY, D(24))]


def test_another_brokerage_account_under_the_same_name_is_refused(books: Books) -> None:
    """Bought on paper, then deployed with the live account's keys: the books speak of shares that
    are not there, and somebody else's in the same symbol would be sold and protected for ours."""
    quantity = bought(books)
    theirs = BrokerPosition("AAPL", D(100), D(90), D(100), D(1000))
    live = replace(an_account(), account_number="LIVE1")
    later = replace(LATER, mode="live")
    with pytest.raises(InvalidInputError, match="give it an AccountName of its own"):
        books.sync(
            state(positions=(theirs,), account=live, as_of=READ_AT + timedelta(hours=1)), later
        )
    assert books.holdings()["AAPL"].quantity == quantity
    with books.database.transaction() as stores:
        assert [one.quantity for one in stores.holdings.broker_positions("paper")] != [D(100)]


# -- shadow --------------------------------------------------------------------------------------


def test_shadow_decides_and_records_and_tells_nobody(books: Books, ask: Ask) -> None:
    """Its entries are decided and blocked: no holding, no trade, no alert, and the next entry is
    sized as if nothing had been bought, because nothing was."""
    shadow = replace(CYCLE, mode="shadow")
    books.sync(state(), shadow)
    made, intents = decide(books, Action.ENTER, shadow)
    blocked = IntentOutcome(
        made.intents[0].intent_id, IntentStatus.BLOCKED, None, "shadow_mode", "sends nothing",
        READ_AT,
    )  # fmt: skip
    assert books.close(blocked) == []
    assert books.holdings() == {}
    later = replace(LATER, mode="shadow")
    books.bar(later.bar_time)
    books.sync(state(as_of=READ_AT + MINUTE), later)
    assert decide(books, Action.ENTER, later)[1] == intents
    assert reasons(ask) == [("enter", "told"), ("enter", "told")]
    assert ask("SELECT DISTINCT mode FROM decisions") == [["shadow"]]


# -- foreign positions ---------------------------------------------------------------------------


def test_foreign_positions_count_as_exposure_and_are_left_alone(books: Books) -> None:
    """95,000 of 100,000 USD are somebody else's shares: 5,000 are left for ours."""
    theirs = BrokerPosition("KO", D(950), D(90), D(100), D(9500))
    books.sync(state(positions=(theirs,)))
    _, intents = decide(books, Action.ENTER, CYCLE)
    assert intents == [(IntentKind.ENTRY, D(49))]  # at a limit of 100.30
    end = cycle_at(CYCLE.session.close - 3 * MINUTE)
    books.bar(end.bar_time)
    books.bar(end.bar_time, "KO")
    books.sync(state(positions=(theirs,), as_of=end.run_at + timedelta(seconds=4)), end)
    assert decide(books, Action.HOLD, end)[1] == []
