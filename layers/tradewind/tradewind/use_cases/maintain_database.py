"""Each night: a place for the bars to come, and old bars into the archive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from tradewind.alerts.rules import alert_of_stray_bars
from tradewind.market.bar_months import (
    BarArchive,
    MonthArchive,
    MonthMade,
    archive_key,
    digest_of,
    month_of,
    month_text,
    months_after,
)
from tradewind.tradelog.rules import message_of_alert
from tradewind.use_cases.unit_of_work import Database

MONTHS_AHEAD = 3
# What a run surely has time for with 500 symbols; when more is due, the next nights go on.
ARCHIVED_IN_A_RUN = 2


@dataclass(frozen=True, slots=True)
class Maintained:
    """``made``: partitions made; ``archived``: months that left ``bars``; ``due``: how many more
    are to leave."""

    made: tuple[MonthMade, ...]
    archived: tuple[MonthArchive, ...]
    due: int

    def as_payload(self) -> dict[str, Any]:
        return {
            "made": [month_text(one.month) for one in self.made],
            "moved": {month_text(one.month): one.moved for one in self.made if one.moved},
            "archived": [archive.as_payload() for archive in self.archived],
            "due": self.due,
        }


def maintain_database(
    at: datetime, *, keep_months: int, database: Database, archive: BarArchive
) -> Maintained:
    """``at`` (aware UTC) is the run's scheduled time. ``keep_months``: how many whole months before
    the current one stay in ``bars``; 0 keeps all.

    Every step is a transaction of its own and leaves the next one possible: a run that was cut off
    anywhere is made good by running it again. A month is dropped only when its archive, read back,
    has exactly the rows that the database has at that moment.
    """
    made = _make_months(at, database)
    archived: list[MonthArchive] = []
    due = _due(at, keep_months, database)
    for month in due[:ARCHIVED_IN_A_RUN]:
        archived.append(_archive(month, at, database, archive))
    return Maintained(tuple(made), tuple(archived), len(due) - len(archived))


def _make_months(at: datetime, database: Database) -> list[MonthMade]:
    current = month_of(at)
    with database.transaction() as stores:
        wanted = {months_after(current, number) for number in range(MONTHS_AHEAD + 1)}
        missing = wanted.union(stores.bar_months.stray()) - set(stores.bar_months.present())
    made: list[MonthMade] = []
    for month in sorted(missing):
        with database.transaction() as stores:
            new = stores.bar_months.ensure(month, month)
            stores.outbox.add(
                [
                    message_of_alert(alert_of_stray_bars(one.month, one.moved, at))
                    for one in new
                    if one.moved
                ]
            )
        made.extend(new)
    return made


def _due(at: datetime, keep_months: int, database: Database) -> list[date]:
    if keep_months == 0:
        return []
    oldest_kept = months_after(month_of(at), -keep_months)
    with database.transaction() as stores:
        return [month for month in stores.bar_months.present() if month < oldest_kept]


def _archive(month: date, at: datetime, database: Database, archive: BarArchive) -> MonthArchive:
    with database.transaction() as stores:
        part = stores.bar_months.archived_parts(month) + 1
        symbols = stores.bar_months.symbols(month)
    key = archive_key(month, part)
    archive.write(key, _lines(month, symbols, database))
    rows, sha256 = digest_of(archive.read(key))
    written = MonthArchive(month, part, key, rows, sha256)
    with database.transaction() as stores:
        stores.bar_months.drop(written, at)
    return written


def _lines(month: date, symbols: list[str], database: Database) -> Iterator[str]:
    """A symbol at a time, each in a transaction of its own: none is held open over the upload.
    Should a bar change in between, the archive is not what the database has, and nothing is lost.
    """
    for symbol in symbols:
        with database.transaction() as stores:
            lines = stores.bar_months.lines(month, symbol)
        yield lines
