"""``tradewind report`` and ``tradewind export`` as people start them, on a database of records."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tradewind.adapters.postgres.connection import DatabaseAddress
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.adapters.postgres.migrate import migrate
from tradewind_local.postgres_server import PostgresServer

from tests.integration.postgres.rows import ACCOUNT, OPEN, SESSION, a_snapshot
from tests.integration.reports.test_daily_report import traded

__all__ = ["traded"]

Address = Callable[[str], DatabaseAddress]


@dataclass(frozen=True)
class Ended:
    code: int
    said: str
    complained: str


def tradewind(*arguments: str, password: str = "") -> Ended:
    done = subprocess.run(
        [sys.executable, "-m", "tradewind_local", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={
            **os.environ,
            "PGPASSWORD": password,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def url(address: Address, traded: PostgresDatabase) -> str:
    where = address("tw_read")
    return f"postgresql://{where.user}@{where.host}:{where.port}/{where.name}"


def test_a_report_by_a_login_that_may_only_read(
    url: str, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    page, content = tmp_path / "report.html", tmp_path / "report.json"
    done = tradewind(
        "report", "--date", "2020-11-12", "--database", url, "--html", str(page),
        "--json", str(content), password=postgres_server.password,
    )  # fmt: skip
    assert (done.code, done.complained) == (0, "")
    assert "Closed round trips: 1, -18.80 USD before fees" in done.said
    assert "Equity: 100,000.00 -> 99,981.18 USD (-0.02 % without transfers)" in done.said
    assert "-18.80" in page.read_text()
    assert json.loads(content.read_text())["account"] == ACCOUNT


def test_closed_trades_and_lots_as_csv(
    url: str, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    for what, expected in (
        ("trades", {"quantity": "10", "profit_loss": "-18.8", "exit_reason": "stop",
                    "entry_at": "2020-11-12T14:31:05Z", "stop_price": "117.74"}),
        ("lots", {"proceeds": "1177", "cost": "1195.8", "gain": "-18.8", "term": "short",
                  "sold_on": "2020-11-12", "holding_days": "0", "wash_sale": "not judged"}),
    ):  # fmt: skip
        path = tmp_path / f"{what}.csv"
        done = tradewind(
            "export", what, "--from", "2020-11-12", "--to", "2020-11-12", "--csv", str(path),
            "--database", url, password=postgres_server.password,
        )  # fmt: skip
        assert (done.code, done.complained) == (0, "")
        assert ("Wash sales are not judged" in done.said) == (what == "lots")
        with path.open(newline="") as file:
            (row,) = csv.DictReader(file)
        assert {name: row[name] for name in expected} == expected
    done = tradewind(
        "export", "lots", "--from", "2020-11-13", "--to", "2020-12-31", "--csv", str(path),
        "--database", url, password=postgres_server.password,
    )  # fmt: skip
    assert done.code == 0
    assert path.read_text().count("\n") == 1  # the header alone


WRONG = [
    # (arguments after the command, what the one line says)
    (["report", "--date", "12.11.2020"], "--date '12.11.2020' is not a date like 2020-11-12"),
    (["report", "--date", "2020-11-14"], "2020-11-14 was no session of the exchange"),
    (["report", "--date", "2020-11-12", "--account", "mine"],
     "--account mine: no run on record; on record are paper"),
    (["report", "--date", "2020-11-12", "--html", "/nowhere/at.html"],
     "--html /nowhere/at.html: there is no folder /nowhere"),
    (["export", "lots", "--from", "2020-11-13", "--to", "2020-11-12", "--csv", "unwritten.csv"],
     "--from 2020-11-13 lies after --to 2020-11-12"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "said"), WRONG)
def test_wrong_input_is_one_line(
    url: str, postgres_server: PostgresServer, arguments: list[str], said: str
) -> None:
    done = tradewind(*arguments, "--database", url, password=postgres_server.password)
    assert done.code == 2
    assert done.complained.startswith(f"tradewind {arguments[0]}: ")
    assert said in done.complained
    assert done.complained.count("\n") == 1


NOWHERE = [
    ([], "give --state DIR (of tradewind run) or --database DIR|URL, and not both"),
    (["--state", "a", "--database", "b"], "and not both"),
    (["--state", "nowhere"], "--state nowhere: is no folder of a former tradewind run"),
    (["--database", "nowhere"], "--database nowhere: there is no database"),
]


@pytest.mark.parametrize(("arguments", "said"), NOWHERE)
def test_where_no_records_are(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = tradewind("report", "--date", "2020-11-12", *arguments)
    assert (done.code, done.complained.count("\n")) == (2, 1)
    assert said in done.complained
    assert not Path("nowhere").exists()


def test_the_folder_of_a_former_run(tmp_path: Path) -> None:
    """A state folder's database, and the same by its own path; nothing runs in it afterwards."""
    state = tmp_path / "state"
    with PostgresServer(state / "postgres", {"fsync": "off"}) as server:
        owner = DatabaseAddress(
            server.host, server.port, server.database, server.user, "off", lambda: server.password
        )
        migrate(owner, server.password)
        records = PostgresDatabase(owner, "tests")
        with records.transaction() as stores:
            stores.cycles.decided(ACCOUNT, OPEN, SESSION, "paper-1")
        records.close()
    (state / "TRADEWIND_STATE").touch()
    for where in (["--state", str(state)], ["--database", str(state / "postgres")]):
        done = tradewind("report", "--date", "2020-11-12", *where)
        assert (done.code, done.complained) == (0, "")
        assert "The broker was not read in this session" in done.said
        assert not (state / "postgres" / "data" / "postmaster.pid").exists()


def test_a_database_without_tables_is_told_in_one_line(
    empty_database: DatabaseAddress, postgres_server: PostgresServer
) -> None:
    url = (
        f"postgresql://{empty_database.user}@{empty_database.host}:{empty_database.port}"
        f"/{empty_database.name}"
    )
    done = tradewind(
        "report", "--date", "2020-11-12", "--database", url, password=postgres_server.password
    )
    assert (done.code, done.complained.count("\n")) == (1, 1)
    assert done.complained.startswith("tradewind report: failed: ")


def test_several_accounts_have_to_be_told_apart(
    url: str, traded: PostgresDatabase, postgres_server: PostgresServer
) -> None:
    with traded.transaction() as stores:
        stores.cycles.decided("second", OPEN, SESSION, "second-1")
        stores.accounts.add("second", a_snapshot(), OPEN)
    done = tradewind(
        "report", "--date", "2020-11-12", "--database", url, password=postgres_server.password
    )
    assert done.code == 2
    assert "several accounts are on record; give --account, one of paper, second" in done.complained
