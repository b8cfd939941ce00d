"""The nightly maintenance on a real PostgreSQL, cut off at every step and run again."""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from tradewind import bootstrap
from tradewind.adapters.postgres.connection import DatabaseAddress, Session
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.adapters.postgres.migrate import migrate
from tradewind.errors import DatabaseUnavailableError, TradewindError
from tradewind.market.bar import Bar
from tradewind.market.bar_months import archive_key
from tradewind.use_cases.maintain_database import (
    ARCHIVED_IN_A_RUN,
    Maintained,
    maintain_database,
)
from tradewind_local.postgres_server import PostgresServer

from tests.integration.conftest import address_of, connection_to
from tests.integration.postgres.rows import RECEIVED, a_bar

ROOT = Path(__file__).parents[3]
FUNCTION, EVENTS = ROOT / "functions" / "maintain_database", ROOT / "events"

# 20:30 in New York on 11 November.
NIGHT = datetime(2020, 11, 12, 1, 30, tzinfo=UTC)
SYMBOLS = ("AAPL", "MSFT", "TSLA")


class Cut(Exception):  # noqa: N818 (not an error of the system: the system stops)
    """The run ends here, as if it had been killed."""


@dataclass
class Folder:
    """An archive in memory that can end a run, or lose bytes, at a step of the test's choice."""

    objects: dict[str, list[bytes]] = field(default_factory=dict)
    fault: str = ""

    def write(self, key: str, portions: Iterable[str]) -> None:
        lines: list[bytes] = []
        for portion in portions:
            lines += portion.encode().splitlines(keepends=True)
            if self.fault == "while writing":
                raise Cut
        self.objects[key] = lines
        if self.fault == "after writing":
            raise Cut

    def read(self, key: str) -> Iterator[bytes]:
        for number, line in enumerate(self.objects[key]):
            if self.fault == "while reading back" and number == 1:
                raise Cut
            yield line.replace(b"119", b"118") if self.fault == "damaged" else line


@dataclass
class Site:
    """A store of record of the test's own, seen by maintenance and by its owner."""

    maintenance: PostgresDatabase
    owner: PostgresDatabase
    ask: Callable[..., Any]
    archive: Folder

    def store(self, *bars: Bar) -> None:
        with self.owner.transaction() as stores:
            stores.bars.upsert(bars, [True] * len(bars), RECEIVED)

    def run(self, keep_months: int = 0, at: datetime = NIGHT) -> Maintained:
        return maintain_database(
            at, keep_months=keep_months, database=self.maintenance, archive=self.archive
        )

    def months(self) -> list[str]:
        with self.owner.transaction() as stores:
            return [f"{month:%Y-%m}" for month in stores.bar_months.present()]

    def alerts(self) -> list[dict[str, Any]]:
        return [row[0] for row in self.ask("SELECT message FROM outbox ORDER BY entry_number")]

    def state(self) -> list[Any]:
        """Everything that maintenance is about."""
        return [
            self.months(),
            self.ask("SELECT tableoid::regclass::text, * FROM bars ORDER BY symbol, start"),
            self.ask("SELECT * FROM bar_archives ORDER BY month, part"),
            self.alerts(),
            self.archive.objects,
        ]


@pytest.fixture
def site(empty_database: DatabaseAddress, postgres_server: PostgresServer) -> Iterator[Site]:
    migrate(empty_database, empty_database.password_source())
    login = address_of(postgres_server, empty_database.name, "tw_maintain")
    maintenance, owner = PostgresDatabase(login, "tests"), PostgresDatabase(empty_database, "tests")
    connection = connection_to(postgres_server, empty_database.name)
    yield Site(maintenance, owner, connection.run, Folder())
    maintenance.close()
    # The owner may not end another role's connection, which dropping the database would have to.
    while connection.run(
        "SELECT FROM pg_stat_activity WHERE usename = 'tw_maintain' "
        "AND datname = current_database()"
    ):
        time.sleep(0.01)
    owner.close()
    connection.close()


def bars_of(year: int, month: int) -> list[Bar]:
    return [
        a_bar(symbol, start=datetime(year, month, 12, 15, minute, tzinfo=UTC))
        for symbol in SYMBOLS
        for minute in range(4)
    ]


def with_history(site: Site) -> Site:
    """Bars of August to November 2020 in their months."""
    for month in (8, 9, 10, 11):
        site.store(*bars_of(2020, month))
    with site.owner.transaction() as stores:
        stores.bar_months.ensure(date(2020, 8, 1), date(2021, 2, 1))
    return site


def test_a_new_database_gets_this_month_and_three_ahead(site: Site) -> None:
    done = site.run()
    assert site.months() == ["2020-11", "2020-12", "2021-01", "2021-02"]
    assert done.as_payload() == {
        "made": ["2020-11", "2020-12", "2021-01", "2021-02"],
        "moved": {},
        "archived": [],
        "due": 0,
    }
    assert site.run().made == ()
    assert [made.month for made in site.run(at=datetime(2020, 12, 1, 1, 30, tzinfo=UTC)).made] == [
        date(2021, 3, 1)
    ]


def test_bars_that_had_no_month_are_moved_and_told_of_once(site: Site) -> None:
    site.store(*bars_of(2020, 11), *bars_of(2015, 3))
    done = site.run()
    assert done.as_payload()["moved"] == {"2015-03": 12, "2020-11": 12}
    assert site.ask("SELECT count(*) FROM bars_default") == [[0]]
    assert site.ask("SELECT count(*) FROM bars") == [[24]]
    assert [(alert["type"], alert["severity"]) for alert in site.alerts()] == [
        ("bars_without_month", 3)
    ] * 2
    assert "12 bars of 2015-03" in site.alerts()[0]["message"]
    site.run()
    assert len(site.alerts()) == 2


def test_nothing_leaves_unless_asked_to(site: Site) -> None:
    with_history(site)
    assert site.run(keep_months=0).archived == ()
    assert site.archive.objects == {}
    assert site.ask("SELECT count(*) FROM bars") == [[48]]


# (whole months kept before the current one, the months that leave)
RETENTION = [
    (1, ["2020-08", "2020-09"]),
    (2, ["2020-08"]),
    (3, []),
    (24, []),
]


@pytest.mark.parametrize(("keep_months", "leaving"), RETENTION)
def test_older_months_leave_for_the_archive(
    site: Site, keep_months: int, leaving: list[str]
) -> None:
    with_history(site)
    done = site.run(keep_months)
    assert [f"{archive.month:%Y-%m}" for archive in done.archived] == leaving
    assert [archive.rows for archive in done.archived] == [12] * len(leaving)
    assert list(site.archive.objects) == [f"bars/archive/{month}.jsonl.gz" for month in leaving]
    assert not set(site.months()) & set(leaving)
    assert site.ask("SELECT count(*) FROM bars") == [[48 - 12 * len(leaving)]]
    state = site.state()
    assert site.run(keep_months).archived == ()
    assert site.state() == state


def test_the_archive_holds_every_bar(site: Site) -> None:
    with_history(site)
    columns = "symbol, start, open, high, low, close, volume, feed, in_session"
    before = site.ask(
        f"SELECT {columns} FROM bars_2020_08 ORDER BY symbol, start"  # noqa: S608 (our own)
    )
    site.run(keep_months=2)
    lines = [json.loads(line) for line in site.archive.objects[archive_key(date(2020, 8, 1), 1)]]
    assert [
        [
            Bar.from_payload(line).symbol,
            datetime.fromisoformat(line["start"]),
            *(getattr(Bar.from_payload(line), price) for price in ("open", "high", "low", "close")),
            *(line["volume"], line["feed"], line["in_session"]),
        ]
        for line in lines
    ] == before


def test_no_more_than_a_night_has_time_for(site: Site) -> None:
    with site.owner.transaction() as stores:
        stores.bar_months.ensure(date(2020, 1, 1), date(2020, 10, 1))
    first = site.run(keep_months=1)
    assert [archive.month.month for archive in first.archived] == [1, 2]
    assert first.due == 9 - ARCHIVED_IN_A_RUN
    assert [archive.month.month for archive in site.run(keep_months=1).archived] == [3, 4]


@pytest.mark.parametrize("fault", ["while writing", "after writing", "while reading back"])
def test_a_run_that_was_cut_off_is_made_good_by_the_next(site: Site, fault: str) -> None:
    with_history(site)
    site.archive.fault = fault
    with pytest.raises(Cut):
        site.run(keep_months=2)
    # Nothing has left the database yet.
    assert site.ask("SELECT count(*) FROM bars") == [[48]]
    assert site.ask("SELECT count(*) FROM bar_archives") == [[0]]
    site.archive.fault = ""
    assert [archive.part for archive in site.run(keep_months=2).archived] == [1]
    assert site.ask("SELECT count(*) FROM bars") == [[36]]
    assert list(site.archive.objects) == ["bars/archive/2020-08.jsonl.gz"]


def test_a_run_cut_off_when_dropping_is_made_good_by_the_next(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_history(site)
    expected = site.state()
    with monkeypatch.context() as patch:
        # The connection is lost after the month was dropped and before that was committed.
        whole = Session.commit

        def lost(session: Session) -> None:
            if session.rows("SELECT count(*) FROM bar_archives") == [[1]]:
                session.close()
                raise DatabaseUnavailableError("gone")
            whole(session)

        patch.setattr(Session, "commit", lost)
        with pytest.raises(DatabaseUnavailableError):
            site.run(keep_months=2)
    assert site.state()[:4] == expected[:4]
    assert len(site.run(keep_months=2).archived) == 1
    assert site.ask("SELECT count(*) FROM bars") == [[36]]


def test_a_run_cut_off_between_months_goes_on_with_the_next(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_history(site)
    whole = Folder.write

    def cut_at_september(folder: Folder, key: str, portions: Iterable[str]) -> None:
        if "2020-09" in key:
            raise Cut
        whole(folder, key, portions)

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "write", cut_at_september)
        with pytest.raises(Cut):
            site.run(keep_months=1)
    done = site.run(keep_months=1)
    assert [archive.key for archive in done.archived] == ["bars/archive/2020-09.jsonl.gz"]
    assert site.ask("SELECT month, part, rows FROM bar_archives ORDER BY month") == [
        [date(2020, 8, 1), 1, 12],
        [date(2020, 9, 1), 1, 12],
    ]


def test_an_archive_that_reads_back_otherwise_drops_nothing(site: Site) -> None:
    with_history(site)
    site.archive.fault = "damaged"
    with pytest.raises(TradewindError, match="archive it again"):
        site.run(keep_months=2)
    assert site.ask("SELECT count(*) FROM bars") == [[48]]


def test_a_month_filled_again_leaves_a_second_archive_beside_the_first(site: Site) -> None:
    with_history(site)
    site.run(keep_months=2)
    first = site.archive.objects["bars/archive/2020-08.jsonl.gz"]
    site.store(a_bar("NVDA", start=datetime(2020, 8, 20, 15, 0, tzinfo=UTC)))
    done = site.run(keep_months=2)
    assert [archive.key for archive in done.archived] == ["bars/archive/2020-08.part2.jsonl.gz"]
    assert site.archive.objects["bars/archive/2020-08.jsonl.gz"] is first
    assert site.ask("SELECT part, rows FROM bar_archives ORDER BY part") == [[1, 12], [2, 1]]


class Context:
    function_name = "maintain_database"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:maintain_database"
    aws_request_id = "1"


def test_the_function_runs_on_its_sample_event_with_its_own_login(
    site: Site, empty_database: DatabaseAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_history(site)
    variables = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "DATABASE_HOST": empty_database.host,
        "DATABASE_PORT": str(empty_database.port),
        "DATABASE_NAME": empty_database.name,
        "DATABASE_USER": "tw_maintain",
        "DATABASE_PASSWORD": empty_database.password_source(),
        "DATABASE_TLS": "off",
        "ARCHIVE_BUCKET": "archive",
        "BAR_RETENTION_MONTHS": "2",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    built = (
        *(bootstrap.environment, bootstrap.client),
        *(bootstrap.bar_archive, bootstrap.maintained_database),
    )
    for builder in built:
        builder.cache_clear()
    spec = importlib.util.spec_from_file_location("maintain_database_app", FUNCTION / "app.py")
    assert spec is not None
    assert spec.loader is not None
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    event = json.loads((EVENTS / "maintain_database.json").read_text())
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="archive")
        try:
            answer = app.handler(event, Context())
        finally:
            bootstrap.maintained_database().close()
            for builder in built:
                builder.cache_clear()
        (written,) = boto3.client("s3").list_objects_v2(Bucket="archive")["Contents"]
    assert written["Key"] == answer["archived"][0]["key"] == "bars/archive/2020-08.jsonl.gz"
    assert answer["archived"][0]["rows"] == 12
    assert site.months()[0] == "2020-09"
