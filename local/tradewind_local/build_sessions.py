"""Write the session table that ships with the package: ``make sessions``.

    python -m tradewind_local.build_sessions

Beyond the years that the exchange has published, the library's rules are a forecast: a new
holiday or a day of mourning appears only in a later release of the library. Raise its pin in
``requirements/run.txt`` and run this again; the test that holds the two equal fails until then.
"""

from __future__ import annotations

from datetime import UTC, date
from pathlib import Path

import click
import exchange_calendars
from tradewind.errors import InvalidInputError
from tradewind.market import session_table
from tradewind.market.session import Session

EXCHANGE = "XNYS"
# Whole years: the table speaks for every day of its first and last year.
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2035, 12, 31)
TABLE_FILE = Path(session_table.__file__).with_name("xnys_sessions.csv")


def library_sessions(first: date = FIRST_DAY, last: date = LAST_DAY) -> list[Session]:
    """The regular sessions as exchange_calendars has them, oldest first."""
    calendar = exchange_calendars.get_calendar(
        EXCHANGE, start=first.isoformat(), end=last.isoformat()
    )
    schedule = calendar.schedule
    return [
        Session(day.date(), opens.to_pydatetime(), closes.to_pydatetime())
        for day, opens, closes in zip(
            schedule.index, schedule["open"], schedule["close"], strict=True
        )
    ]


def table_text(sessions: list[Session]) -> bytes:
    """The file's bytes. InvalidInputError when a session does not fit the table's form."""
    lines = [session_table.HEADER]
    for session in sessions:
        opens, closes = session.open.astimezone(UTC), session.close.astimezone(UTC)
        if {opens.date(), closes.date()} != {session.date} or opens.second or closes.second:
            raise InvalidInputError(f"{session} does not lie on its own date in whole UTC minutes")
        lines.append(f"{session.date},{opens:%H:%M},{closes:%H:%M}\n".encode())
    return b"".join(lines)


@click.command(help="Write the session table of the package from exchange_calendars.")
def main() -> None:
    sessions = library_sessions()
    TABLE_FILE.write_bytes(table_text(sessions))
    click.echo(
        f"{len(sessions)} sessions of {EXCHANGE}, {sessions[0].date} to {sessions[-1].date}, "
        f"from exchange_calendars {exchange_calendars.__version__} in {TABLE_FILE.name}"
    )


if __name__ == "__main__":
    main()
