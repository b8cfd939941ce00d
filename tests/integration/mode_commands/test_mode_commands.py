"""``tradewind golive`` and ``tradewind paper`` as people type them, on a database of records."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest
from tradewind.adapters.postgres.connection import DatabaseAddress
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.adapters.postgres.migrate import migrate
from tradewind.alerts.model import CRITICAL, Alert
from tradewind.market.session_table import default_table
from tradewind.orders.control import SwitchState
from tradewind.portfolio.paper_trades import PaperTrade
from tradewind.reports.ports import SessionDivergence
from tradewind.strategies.decision import Action
from tradewind_local.postgres_server import PostgresServer

from tests.fakes import START
from tests.integration.conftest import Ask
from tests.integration.postgres.rows import ACCOUNT, a_fill, a_trade, an_intent, uuid_of
from tests.integration.use_cases.books import NOON, Books, state
from tests.unit.switch_commands.conftest import Hand, hand

__all__ = ["hand"]

Address = Callable[[str], DatabaseAddress]
SESSIONS = default_table().between(START.date() - timedelta(days=40), START.date())[-20:]


@pytest.fixture
def url(address: Address, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """As the login that may write what people decide."""
    monkeypatch.setenv("PGPASSWORD", postgres_server.password)
    where = address("tw_govern")
    return f"postgresql://{where.user}@{where.host}:{where.port}/{where.name}"


@pytest.fixture
def a_good_month(database: PostgresDatabase) -> None:
    """20 sessions on paper with 50 positions, each session compared with its backtest."""
    with database.transaction() as stores:
        for number, session in enumerate(SESSIONS):
            name = f"tw-{number}"
            stores.intents.add([an_intent(name, session=session.date)])
            stores.fills.add(ACCOUNT, [a_fill(f"x-{number}")])
            stores.trades.add(ACCOUNT, [a_trade(f"x-{number}", intent_id=name)])
            stores.divergences.save(
                SessionDivergence(
                    ACCOUNT,
                    session.date,
                    "paper",
                    D(100_000),
                    D(-43 if number else 43),
                    D(1),
                    3,
                    0,
                    0,
                    "nothing",
                )
            )
            stores.cycles.decided(ACCOUNT, session.open, session.date, f"run-{number}")
        stores.paper_trades.save(
            [
                PaperTrade(uuid_of(n), "AAPL", D(100), D(101), D(10), SESSIONS[-1].open)
                for n in range(50)
            ]
        )


def report_of(hand: Hand, *arguments: str, keyboard: str | None = None) -> tuple[int, Any]:
    """With every line of what was said under ``said``."""
    file = hand.folder / "report.json"
    file.unlink(missing_ok=True)
    result = hand.types(*arguments, "--json", str(file), keyboard=keyboard)
    report = json.loads(file.read_text()) if file.exists() else {}
    return result.exit_code, {**report, "said": result.output}


# -- tradewind golive ------------------------------------------------------------------------------


def test_nothing_to_show_yet(hand: Hand, url: str, ask: Ask) -> None:
    code, report = report_of(hand, "golive", "--database", url)
    assert (code, report["ok"], report["approved"], report["mode"]) == (1, False, False, "paper")
    assert {one["name"]: (one["shown"], one["met"]) for one in report["demands"]} == {
        "deployment": ("mode paper", False),
        "sessions": ("0", False),
        "round_trips": ("0", False),
        "divergence": ("not measured", False),
        "alerts": ("0 open", True),
        "books": ("0 differ", True),
        "switch": ("ACTIVE", True),
        "quiet": ("never lowered", True),
    }
    assert (
        "MISSING: this deployment runs in mode paper: deploy it with TradingMode=live"
        in (report["said"])
    )
    assert "paper may not trade live; nothing was written" in report["said"]


@pytest.mark.usefixtures("a_good_month")
def test_what_was_good_enough_is_shown_and_then_approved_once(
    hand: Hand, url: str, ask: Ask
) -> None:
    hand.parameters["TradingMode"] = "live"
    code, report = report_of(hand, "golive", "--database", url)
    assert (code, report["passed"], report["approved"]) == (0, True, False)
    assert report["demands"][3]["shown"] == (
        f"mean 0.04 %, worst 0.04 % on {SESSIONS[0].date}, over 20 sessions"
    )
    assert 'the check passes: tradewind golive --approve --why "..."' in report["said"]
    assert ask("SELECT count(*) FROM live_approvals") == [[0]]

    approve = ("golive", "--approve", "--why", "four clean weeks", "--database", url)
    code, report = report_of(hand, *approve, keyboard="n\n")
    assert (code, report["approved"]) == (1, False)
    assert "nothing was written" in report["said"]
    code, report = report_of(hand, *approve, keyboard="y\n")
    assert (code, report["newly"], report["size"]["fraction"]) == (0, True, "0.10")
    assert "Let account paper trade with real money?" in report["said"]
    assert "approved by ada at" in report["said"]
    code, report = report_of(hand, *approve, "--who", "bob", "--yes")
    assert (code, report["newly"], report["approval"]["who"]) == (0, False, "ada")
    assert ask("SELECT who, why, sessions, round_trips, divergence FROM live_approvals") == [
        ["ada", "four clean weeks", 20, 50, D("0.00043")]
    ]


@pytest.mark.usefixtures("a_good_month")
def test_an_approval_is_refused_with_every_reason(
    hand: Hand, url: str, database: PostgresDatabase, ask: Ask
) -> None:
    hand.parameters["TradingMode"] = "live"
    hand.control.change_switch(
        "paper", SwitchState.REDUCING, "bob", "odd fills", datetime.now(START.tzinfo)
    )
    with database.transaction() as stores:
        stores.alerts.add(Alert("protection_refused", CRITICAL, "no stop", START, "x"))
    code, report = report_of(
        hand, "golive", "--approve", "--yes", "--why", "impatience", "--database", url
    )
    assert (code, report["approved"]) == (1, False)
    missing = [one["name"] for one in report["demands"] if one["missing"]]
    assert missing == ["alerts", "switch", "quiet"]
    assert report["said"].count("MISSING: ") == 3
    assert ask("SELECT count(*) FROM live_approvals") == [[0]]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--approve"], 'say why: tradewind golive --approve --why "..."'),
        (["--approve", "--why", " "], "say why"),
        (["--why", "x"], "--why, --who and --yes go with --approve"),
        ([], "give --database postgresql://tw_govern@host:port/name"),
        (["--database", "URL", "--state", "x"], "and not both"),
        (["--database", "URL", "--stack", "nowhere"], "there is no stack nowhere: give --stack"),
        (["--database", "URL", "--account", "other"], "trades account paper, not other"),
        (["--database", "URL", "--endpoint", "nowhere"], "--endpoint 'nowhere' is not like"),
        (["--state", "nowhere"], "--state nowhere: is no folder of a former tradewind run"),
        (["--json", "/nowhere/report.json"], "there is no folder /nowhere"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    hand: Hand, url: str, arguments: list[str], says: str
) -> None:
    result = hand.types("golive", *[url if one == "URL" else one for one in arguments])
    assert (result.exit_code, len(result.output.strip().splitlines())) == (2, 1)
    assert says in result.output


def test_a_stack_that_is_not_ours(hand: Hand, url: str) -> None:
    hand.parameters.clear()
    result = hand.types("golive", "--database", url)
    assert result.exit_code == 2
    assert "has no parameter 'TradingMode': is it Tradewind's?" in result.output


# -- tradewind paper -------------------------------------------------------------------------------


@pytest.fixture
def decided(database: PostgresDatabase) -> None:
    """AAPL and MSFT were decided on in the newest session."""
    books = Books(database)
    books.sync(state())
    for symbol in ("AAPL", "MSFT"):
        books.bar(NOON, symbol)
    books.decide(Action.HOLD, symbols=("AAPL", "MSFT"))


@pytest.mark.usefixtures("decided")
def test_paper_trading_is_stopped_and_started(hand: Hand, url: str, ask: Ask) -> None:
    code, report = report_of(hand, "paper", "--database", url)
    assert (code, [one["state"] for one in report["symbols"]]) == (0, ["started", "started"])
    stop = ("paper", "stop", "AAPL", "--why", "odd prices", "--database", url)
    code, report = report_of(hand, *stop)
    assert (code, report["changed"], report["state"]) == (0, ["AAPL"], "stopped")
    assert "what is held is sold in the next minute that is traded" in report["said"]
    code, report = report_of(hand, *stop, "--who", "bob")
    assert (code, report["changed"]) == (0, [])
    assert "nothing changes: AAPL of wisher stand stopped already" in report["said"]
    code, report = report_of(hand, "paper", "--database", url)
    (aapl, msft) = report["symbols"]
    assert (aapl["state"], aapl["who"], aapl["why"], msft["state"]) == (
        "stopped", "ada", "odd prices", "started",
    )  # fmt: skip
    code, report = report_of(hand, "paper", "START", "--why", "fine again", "--database", url)
    assert (code, report["changed"], report["symbols"]) == (0, ["AAPL"], ["AAPL", "MSFT"])
    assert ask("SELECT symbol, number, state, who FROM paper_runs ORDER BY number") == [
        ["AAPL", 1, "stopped", "ada"], ["AAPL", 2, "started", "ada"],
    ]  # fmt: skip


@pytest.mark.usefixtures("decided")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["stop"], 'say why: tradewind paper stop --why "..."'),
        (["--why", "x"], "--why, --who and --strategy go with an action"),
        (["halt", "--why", "x"], "'halt' is not one of 'start', 'stop'"),
        (["stop", "KO", "--why", "x"], "wisher does not trade KO; it trades: AAPL, MSFT"),
        (["stop", "--strategy", "nobody", "--why", "x"], "there are: wisher"),
        (["stop", "--why", "x", "--account", "other"], "--account other: no run on record"),
    ],
)
def test_what_paper_does_not_understand(
    hand: Hand, url: str, arguments: list[str], says: str, ask: Ask
) -> None:
    result = hand.types("paper", *arguments, "--database", url)
    assert (result.exit_code, len(result.output.strip().splitlines())) == (2, 1)
    assert says in result.output
    assert ask("SELECT count(*) FROM paper_runs") == [[0]]


@pytest.mark.usefixtures("decided")
def test_a_live_account_has_the_switch(hand: Hand, url: str, ask: Ask) -> None:
    ask("UPDATE decisions SET mode = 'live'")
    result = hand.types("paper", "stop", "--why", "x", "--database", url)
    assert result.exit_code == 2
    assert "account paper trades live: it is stopped by the trading switch" in result.output


def test_the_folder_of_a_former_run(hand: Hand, tmp_path: Path) -> None:
    """Both read it, and a stop stays in it for the run that goes on from there."""
    folder = tmp_path / "state"
    with PostgresServer(folder / "postgres", {"fsync": "off"}) as server:
        owner = DatabaseAddress(
            server.host, server.port, server.database, server.user, "off", lambda: server.password
        )
        migrate(owner, server.password)
        records = PostgresDatabase(owner, "tests")
        books = Books(records)
        books.sync(state())
        books.bar(NOON)
        books.decide(Action.HOLD)
        records.close()
    (folder / "TRADEWIND_STATE").touch()
    code, report = report_of(hand, "golive", "--state", str(folder))
    assert (code, report["mode"], report["account"]) == (1, "paper", "paper")
    assert report_of(hand, "paper", "stop", "--why", "x", "--state", str(folder))[0] == 0
    code, report = report_of(hand, "paper", "--state", str(folder))
    assert [one["state"] for one in report["symbols"]] == ["stopped"]


@pytest.mark.parametrize("command", ["golive", "paper"])
def test_help_teaches(hand: Hand, command: str) -> None:
    said = hand.types(command, "--help").output
    assert "Examples:" in said
    assert "Exit codes: 0" in said
    assert f"tradewind {command} --state ./my-run" in said
