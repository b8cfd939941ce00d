"""``tradewind bars`` as people start it: processes of their own, with their own database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pg8000.native
import pytest
from tradewind.adapters.postgres.connection import DatabaseAddress
from tradewind.market.session_table import default_table
from tradewind_local.exchange.process import ExchangeProcess
from tradewind_local.exchange.simulated_market import simulated_bars
from tradewind_local.postgres_server import PostgresServer

SESSIONS = default_table().between(*(datetime(2020, 11, d, tzinfo=UTC).date() for d in (9, 12)))
HEADER = "timestamp,open,high,low,close,volume\n"
SECONDS = 120.0


@dataclass(frozen=True)
class Ended:
    code: int
    said: str
    complained: str


def command(*arguments: str, **variables: str) -> dict[str, Any]:
    keys = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "ALPHAVANTAGE_API_KEY", "PGPASSWORD")
    inherited = {name: value for name, value in os.environ.items() if name not in keys}
    return {
        "args": [sys.executable, "-m", "tradewind_local", "bars", *arguments],
        "stdin": subprocess.DEVNULL,
        "env": {**inherited, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **variables},
    }


def bars(*arguments: str, **variables: str) -> Ended:
    done = subprocess.run(
        **command(*arguments, **variables), capture_output=True, text=True, timeout=SECONDS,
        check=False,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, done.stderr)


def minutes(count: int, first: str = "2020-11-12 09:30", price: str = "100") -> str:
    """Rows of a session without gaps."""
    start = datetime.fromisoformat(first)
    return "".join(
        f"{start + number * timedelta(minutes=1)},{price},{price},{price},{price},100\n"
        for number in range(count)
    )


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.csv"
    path.write_text(HEADER + minutes(390))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[str]:
    """A folder for a database of the command's own; nothing runs in it at the end."""
    path = tmp_path / "database"
    yield str(path)
    assert not (path / "data" / "postmaster.pid").exists()


@pytest.fixture
def url(empty_database: DatabaseAddress) -> str:
    """The tests' server, by URL without password."""
    at = empty_database
    return f"postgresql://{at.user}@{at.host}:{at.port}/{at.name}"


@pytest.fixture
def asked(empty_database: DatabaseAddress) -> Callable[[str], list[list[Any]]]:
    at = empty_database

    def ask(statement: str) -> list[list[Any]]:
        connection = pg8000.native.Connection(
            at.user, at.host, at.name, at.port, at.password_source()
        )
        try:
            rows: list[list[Any]] = connection.run(statement)
            return rows
        finally:
            connection.close()

    return ask


@pytest.fixture
def password(postgres_server: PostgresServer) -> str:
    return postgres_server.password


# -- import ---------------------------------------------------------------------------------------


def test_import_into_a_folder_twice(good: Path, folder: str, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = bars("import", f"AAPL={good}", "--database", folder, "--json", str(out))
    assert (done.code, done.complained) == (0, "")
    report = json.loads(out.read_text())
    assert report["complete"] is True
    assert (report["rows_read"], report["stored"], report["unchanged"]) == (390, 390, 0)
    assert report["gaps_by_session"] == [
        {
            "symbol": "AAPL",
            "session": "2020-11-12",
            "expected": 390,
            "received": 390,
            "no_trade": 0,
            "missing": 0,
            "percent": 100.0,
            "missing_minutes": [],
        }
    ]
    again = bars("import", f"AAPL={good}", "--database", folder, "--json", str(out))
    assert again.code == 0
    report = json.loads(out.read_text())
    assert (report["stored"], report["corrected"], report["unchanged"]) == (0, 0, 390)


def test_broken_rows_are_reported_and_the_good_ones_stored(
    url: str, password: str, asked: Callable[[str], Any], tmp_path: Path
) -> None:
    path, out = tmp_path / "some.csv", tmp_path / "out.json"
    rows = minutes(10).splitlines(keepends=True)
    rows[3] = "2020-11-12 09:33:00,100,100,100,oops,100\n"
    rows[7] = "2020-11-12 09:37:00,100,90,100,100,100\n"
    path.write_text(HEADER + "".join(rows))
    done = bars(
        "import", f"AAPL={path}", "--database", url, "--json", str(out), PGPASSWORD=password
    )
    assert (done.code, done.complained) == (1, "")
    report = json.loads(out.read_text())
    assert (report["complete"], report["stored"]) == (False, 8)
    assert report["rejected_by_reason"] == {"ohlc_order": 1, "price_not_a_number": 1}
    assert [(e["reason"], e["row"]) for e in report["sources"][0]["examples"]] == [
        ("ohlc_order", 9),
        ("price_not_a_number", 5),
    ]
    assert "price 'oops' is not a number" in done.said
    assert "382 of 390 minutes missing: 09:33, 09:37, 09:40-15:59 New York" in done.said
    assert asked("SELECT count(*) FROM bars") == [[8]]
    assert password not in done.said + out.read_text()


def test_a_split_by_hand(url: str, password: str, tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    path.write_text(HEADER + minutes(390) + minutes(390, "2020-11-13 09:30", "50"))
    held = bars("import", f"AAPL={path}", "--database", url, PGPASSWORD=password)
    assert held.code == 1
    assert "Run this again with --split AAPL=2020-11-13:2/1" in held.said
    told = bars(
        "import", f"AAPL={path}", "--database", url, "--split", "AAPL=2020-11-13:2/1",
        PGPASSWORD=password,
    )  # fmt: skip
    assert told.code == 0


def test_a_label_that_is_probably_wrong_is_told_of(url: str, password: str, tmp_path: Path) -> None:
    path = tmp_path / "end.csv"
    path.write_text(HEADER + minutes(390, "2020-11-12 09:31") + minutes(390, "2020-11-13 09:31"))
    done = bars("import", f"AAPL={path}", "--database", url, PGPASSWORD=password)
    assert "2 of 2 sessions lack their first minute: are the rows labelled" in done.said
    path.write_text(HEADER + minutes(390, "2020-11-12 09:30") + minutes(390, "2020-11-13 09:30"))
    done = bars("import", f"MSFT={path}", "--label", "end", "--database", url, PGPASSWORD=password)
    assert "2 of 2 sessions lack their last minute" in done.said
    right = bars("import", f"IBM={path}", "--database", url, PGPASSWORD=password)
    assert "lack" not in right.said


BAD = [
    (["import"], "Missing argument 'SYMBOL=FILE...'"),
    (["import", "good.csv"], "'good.csv' is not like AAPL=aapl.csv"),
    (["import", "aapl=good.csv"], "symbol 'aapl' is not like AAPL or BRK.B"),
    (["import", "AAPL=good.csv", "MSFT=good.csv"], "good.csv is named twice"),
    (["import", "AAPL=none.csv"], "none.csv: cannot be read: No such file or directory"),
    (["import", "AAPL=good.csv", "X=header.csv"], "header.csv: row 1: no column timestamp, open"),
    (["import", "AAPL=good.csv", "X=empty.csv"], "empty.csv: row 1: the file has no header"),
    (["import", "AAPL=good.csv", "X=rows.csv"], "rows.csv: row 2: price 'x' is not a number; not"),
    (["import", "AAPL=good.csv", "--timezone", "Mars"], "--timezone 'Mars' is not a time zone"),
    (["import", "AAPL=good.csv", "--label", "middle"], "Invalid value for '--label'"),
    (["import", "AAPL=good.csv", "--split", "AAPL"], "--split 'AAPL' is not like AAPL=2014-06-09"),
    (
        ["import", "AAPL=good.csv", "--json", "no/out.json"],
        "--json no/out.json: there is no folder",
    ),
    (
        ["import", "AAPL=good.csv", "--database", "mysql://u:secret@h/n"],
        "--database: mysql:// is no PostgreSQL",
    ),
    (
        ["import", "AAPL=good.csv", "--database", "postgresql://:secret@h"],
        "--database: the URL must name user, host and database",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_input_is_one_line_and_stores_nothing(
    good: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "header.csv").write_text("time;open\n1;2\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "rows.csv").write_text(HEADER + "2020-11-12 09:30,x,1,1,1,1\n")
    process = subprocess.run(
        **command(*arguments, XDG_DATA_HOME=str(tmp_path / "data")), cwd=tmp_path,
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert process.returncode == 2
    assert message in process.stderr
    assert "Traceback" not in process.stderr
    assert "secret" not in process.stderr
    if "Usage:" not in process.stderr:  # the option parser's own refusals come with a usage line
        assert len(process.stderr.splitlines()) == 1
    assert not (tmp_path / "data").exists()


def test_two_commands_on_one_folder(good: Path, folder: str) -> None:
    with PostgresServer(folder):
        done = bars("import", f"AAPL={good}", "--database", folder)
    assert done.code == 2
    assert "is in use by another run" in done.complained
    assert len(done.complained.splitlines()) == 1


def test_the_default_is_a_folder_among_the_users_data(good: Path, tmp_path: Path) -> None:
    done = bars("import", f"AAPL={good}", XDG_DATA_HOME=str(tmp_path))
    assert done.code == 0
    assert (tmp_path / "tradewind" / "database" / "data" / "PG_VERSION").exists()


def test_a_database_that_is_not_there_or_refuses(good: Path, url: str) -> None:
    refused = bars("import", f"AAPL={good}", "--database", url, PGPASSWORD="wrong")
    assert refused.code == 1
    assert "password authentication failed" in refused.complained
    assert "wrong" not in refused.complained
    gone = bars("import", f"AAPL={good}", "--database", "postgresql://u:p@127.0.0.1:9/n")
    assert gone.code == 1
    assert "PostgreSQL cannot be reached" in gone.complained
    assert len(gone.complained.splitlines()) == 1


def test_killed_in_the_middle_and_again(folder: str, tmp_path: Path) -> None:
    """The server goes with the command; what was committed is kept, and the rest is added."""
    path, out = tmp_path / "long.csv", tmp_path / "out.json"
    days = [s.date for s in default_table().between(SESSIONS[0].date, SESSIONS[0].date
                                                     + timedelta(days=180))]  # fmt: skip
    sizes = [s.minutes for s in default_table().between(days[0], days[-1])]
    path.write_text(
        HEADER
        + "".join(minutes(size, f"{day} 09:30") for day, size in zip(days, sizes, strict=True))
    )
    process = subprocess.Popen(
        **command("import", f"AAPL={path}", "--database", folder), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("AAPL"):  # the first portion is committed
            process.send_signal(signal.SIGKILL)
            break
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    done = bars("import", f"AAPL={path}", "--database", folder, "--json", str(out))
    assert done.code == 0
    report = json.loads(out.read_text())
    assert report["stored"] > 0
    assert report["unchanged"] > 0
    assert report["stored"] + report["unchanged"] == report["rows_read"] == sum(sizes)
    assert report["availability"]["missing"] == 0


def test_ctrl_c_stops_everything(folder: str, tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    days = default_table().between(SESSIONS[0].date, SESSIONS[0].date + timedelta(days=180))
    path.write_text(HEADER + "".join(minutes(day.minutes, f"{day.date} 09:30") for day in days))
    process = subprocess.Popen(
        **command("import", f"AAPL={path}", "--database", folder),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    for line in process.stdout:
        if line.startswith("AAPL"):
            process.send_signal(signal.SIGINT)
            break
    complained = process.stderr.read()
    process.stdout.close()
    assert process.wait() == 130
    assert "interrupted, everything is stopped" in complained


def test_help_teaches_by_examples() -> None:
    for name, example in (
        ("import", "tradewind bars import AAPL=2020.csv AAPL=2021.csv MSFT=msft.csv --label end"),
        ("backfill", "tradewind bars backfill --symbols AAPL,MSFT --from 2020-11-09"),
    ):
        done = bars(name, "--help")
        assert done.code == 0
        assert example in done.said
        assert "Exit codes:" in done.said


# -- backfill -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExchangeProcess]:
    with ExchangeProcess(tmp_path_factory.mktemp("exchange")) as process:
        process.control.load_bars(simulated_bars(("AAPL", "MSFT"), SESSIONS, 1))
        process.control.set_clock(SESSIONS[-1].close + timedelta(days=1), running=False)
        yield process


KEYS = {"APCA_API_KEY_ID": "key-1", "APCA_API_SECRET_KEY": "key-2", "ALPHAVANTAGE_API_KEY": "key-3"}
RANGE = ("--symbols", "AAPL,MSFT", "--from", "2020-11-09", "--to", "2020-11-12")


@pytest.mark.parametrize("provider", ["alpaca", "alpha_vantage"])
def test_backfill_through_faults_and_again(
    provider: str,
    exchange: ExchangeProcess,
    url: str,
    password: str,
    asked: Callable[[str], Any],
    tmp_path: Path,
) -> None:
    out = tmp_path / "out.json"
    path = {"alpaca": "/v2/stocks/bars", "alpha_vantage": "/query"}[provider]
    exchange.control.add_faults(
        [
            {"method": "GET", "path": path, "status": 429},
            {"method": "GET", "path": path, "truncate": True},
            {"method": "GET", "path": path, "reset": True},
        ]
    )
    arguments = (
        "backfill", *RANGE, "--provider", provider, "--url", exchange.url,
        "--requests", "900/minute", "--database", url, "--json", str(out),
    )  # fmt: skip
    done = bars(*arguments, PGPASSWORD=password, **KEYS)
    assert done.code == 0, done
    report = json.loads(out.read_text())
    assert (report["stored"], report["asked"], report["skipped"]) == (3120, 8, 0)
    assert report["availability"]["percent"] == 100.0
    assert asked("SELECT count(*), count(DISTINCT (symbol, start)) FROM bars") == [[3120, 3120]]
    assert "key-" not in done.said + done.complained + out.read_text()
    again = bars(*arguments, PGPASSWORD=password, **KEYS)
    assert again.code == 0
    report = json.loads(out.read_text())
    assert (report["rows_read"], report["asked"], report["skipped"]) == (0, 0, 8)
    assert "8 sessions of symbols were complete and not asked for" in again.said


def test_a_quota_stops_it_cleanly_and_it_goes_on(
    exchange: ExchangeProcess, url: str, password: str, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    arguments = (
        "backfill", *RANGE, "--url", exchange.url, "--database", url, "--json", str(out),
    )  # fmt: skip
    # Two of four sessions, and the question for splits.
    done = bars(*arguments, "--requests", "100/minute,3/day", PGPASSWORD=password, **KEYS)
    assert done.code == 1
    report = json.loads(out.read_text())
    assert (report["complete"], report["asked"], report["stored"]) == (False, 4, 1560)
    assert "request budget is used up" in report["stopped"]["cause"]
    assert datetime.fromisoformat(report["stopped"]["go_on_at"]) > datetime.now(UTC)
    assert "Run the same command after" in done.said
    done = bars(*arguments, PGPASSWORD=password, **KEYS)
    assert done.code == 0
    report = json.loads(out.read_text())
    assert (report["stored"], report["asked"], report["skipped"]) == (1560, 4, 4)


def test_a_refused_key_stops_it(exchange: ExchangeProcess, url: str, password: str) -> None:
    exchange.control.add_faults(
        [{"method": "GET", "path": "/v2/stocks/bars", "status": 401, "body": {"message": "no"}}]
    )
    done = bars(
        "backfill", *RANGE, "--url", exchange.url, "--database", url, PGPASSWORD=password, **KEYS
    )
    assert done.code == 1
    assert "stopped: KeyRefusedError: " in done.said
    assert "The key comes from APCA_API_KEY_ID and APCA_API_SECRET_KEY" in done.said


BAD_BACKFILLS: list[tuple[list[str], dict[str, str], str]] = [
    (["--symbols", ","], KEYS, "--symbols names none"),
    (["--symbols", "AAPL,brk"], KEYS, "symbol 'brk' is not like AAPL"),
    (["--from", "09.11.2020"], KEYS, "--from '09.11.2020' is not a date like 2020-11-12"),
    (["--from", "2020-11-13"], KEYS, "--from 2020-11-13 lies after --to 2020-11-12"),
    (["--from", "2020-11-07", "--to", "2020-11-08"], KEYS, "the exchange has no session"),
    (["--from", "1800-01-01"], KEYS, "lies outside the session table"),
    (["--provider", "alpaca"], {}, "needs APCA_API_KEY_ID and APCA_API_SECRET_KEY in the environ"),
    (["--provider", "alpha_vantage"], {}, "needs ALPHAVANTAGE_API_KEY in the environment"),
    (["--requests", "many"], KEYS, "request limits 'many': write them like 150/minute"),
    (["--url", "ftp://x"], KEYS, "--url 'ftp://x' is not like https://data.alpaca.markets"),
    (["--url", "http://example.com"], KEYS, "the keys would travel unencrypted"),
]


@pytest.mark.parametrize(("changes", "keys", "message"), BAD_BACKFILLS)
def test_bad_options_are_one_line_before_anything_is_asked(
    tmp_path: Path, changes: list[str], keys: dict[str, str], message: str
) -> None:
    done = bars("backfill", *RANGE, *changes, XDG_DATA_HOME=str(tmp_path), **keys)
    assert done.code == 2
    assert message in done.complained
    assert len(done.complained.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_session_to_come_is_refused(tmp_path: Path) -> None:
    soon = default_table().between(
        datetime.now(UTC).date() + timedelta(days=3), datetime.now(UTC).date() + timedelta(days=14)
    )[0]
    day = soon.date.isoformat()
    done = bars(
        "backfill", "--symbols", "AAPL", "--from", day, "--to", day, XDG_DATA_HOME=str(tmp_path),
        **KEYS,
    )  # fmt: skip
    assert (done.code, "has not traded yet" in done.complained) == (2, True)
