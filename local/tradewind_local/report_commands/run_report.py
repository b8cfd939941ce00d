"""What ``tradewind report`` and ``tradewind export`` do, once their options are read."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.errors import InvalidInputError
from tradewind.market.session_table import SessionTable, default_table
from tradewind.portfolio.round_trips import round_trips
from tradewind.portfolio.tax_lots import tax_lots
from tradewind.reports.daily import DailyReport
from tradewind.reports.exports import LOT_COLUMNS, TRADE_COLUMNS, lot_rows, trade_rows
from tradewind.reports.html import report_html
from tradewind.reports.ports import Period
from tradewind.use_cases.daily_report import make_report

from tradewind_local.json_file import write_json_file
from tradewind_local.output_file import write_output_file
from tradewind_local.report_commands.deployed import deployed_by
from tradewind_local.report_commands.recorded import chosen_account, recorded

_NEW_YORK = ZoneInfo("America/New_York")


def run_report(
    day: str,
    account: str | None,
    state: Path | None,
    database: str | None,
    html_file: Path | None,
    json_file: Path | None,
    parameters: Sequence[str],
) -> None:
    """Make a session's report, write the files asked for and say the main figures."""
    session, sessions = _date("--date", day), default_table()
    with recorded(state, database) as records:
        chosen = _account(records, account)
        report = make_report(
            chosen,
            session,
            database=records,
            sessions=sessions,
            deployed=deployed_by(parameters, _decided(records, chosen, session, sessions)),
        )
    if html_file is not None:
        write_output_file("--html", html_file, report_html(report))
    if json_file is not None:
        write_json_file(json_file, report.as_payload())
    for line in _figures(report):
        click.echo(line)


def run_export(
    what: str,
    first: str,
    last: str,
    account: str | None,
    state: Path | None,
    database: str | None,
    csv_file: Path,
) -> None:
    """Write what was closed on the days from ``first`` to ``last`` (New York's dates)."""
    since, until = _midnight(_date("--from", first)), _midnight(_date("--to", last), days=1)
    if until <= since:
        raise InvalidInputError(f"--from {first} lies after --to {last}")
    with recorded(state, database) as records, records.reporting() as reads:
        accounts = reads.accounts()
        chosen = chosen_account(accounts, account)
        executions = reads.executions(chosen, since, until)
        splits = reads.splits(chosen, sorted({one.symbol for one in executions}))
    if what == "trades":
        columns, rows = TRADE_COLUMNS, list(trade_rows(round_trips(executions, {}, splits)))
    else:
        closed, _ = tax_lots(executions, splits)
        columns = LOT_COLUMNS
        rows = list(lot_rows(lot for lot in closed if lot.sold_at > since))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_output_file("--csv", csv_file, text.getvalue())
    click.echo(f"{what} from {first} to {last}: {len(rows)}, in {csv_file}")
    if what == "lots":
        click.echo("Wash sales are not judged, and fees are in no lot.")


def _figures(report: DailyReport) -> list[str]:
    lines = [f"Session of {report.session.date}, account {report.account}"]
    if report.simulated:
        lines.append("SIMULATED market: a simulated profit says nothing")
    lines.append(
        f"Closed round trips: {len(report.trades)}, {report.profit_loss:+,.2f} USD before fees"
    )
    if report.gap_loss:
        lines.append(
            f"Gap losses: {report.gap_loss:,.2f} USD, of it overnight "
            f"{report.night_gap_loss:,.2f} USD"
        )
    statement = report.statement
    if statement is None:
        lines.append("The broker was not read in this session")
    else:
        daily = statement.daily_drawdown
        lines.append(
            f"Equity: {statement.equity_before:,.2f} -> {statement.equity_now:,.2f} USD"
            + ("" if daily is None else f" ({daily * 100:+.2f} % without transfers)")
        )
    broken = sum(1 for one in report.trades if one.within is False)
    lines += [
        f"Exits below stop or gap by more than allowed: {broken}",
        report.slippage.sentence,
        _divergence(report),
        f"Refusals: {sum(one.count for one in report.refusals)}; positions left: "
        f"{len(report.positions_left)}; alerts: {len(report.alerts)}",
    ]
    return lines


def _divergence(report: DailyReport) -> str:
    one, points = report.divergence, report.divergence_basis_points
    if one is None:
        return "Not compared with a backtest: " + "; ".join(
            f"{remark.what}: {remark.why}" for remark in report.reference.not_compared
        )
    return (
        f"Less a backtest of the same bars: {one.total:+,.2f} USD"
        + ("" if points is None else f" ({points:+.2f} basis points of equity)")
        + f"; decisions alike: {report.reference.alike} of {report.reference.decisions}"
    )


def _decided(
    records: PostgresDatabase, account: str, day: date, sessions: SessionTable
) -> list[str]:
    session = sessions.session_on(day)
    if session is None:
        return []
    with records.reporting() as reads:
        period = Period(session, sessions.previous(day).close)
        return [one.symbol for one in reads.decided_symbols(account, period)]


def _account(records: PostgresDatabase, asked: str | None) -> str:
    with records.reporting() as reads:
        return chosen_account(reads.accounts(), asked)


def _midnight(day: date, days: int = 0) -> datetime:
    """The start of a New York day, or of one some days later."""
    return datetime.combine(day + timedelta(days=days), time(), _NEW_YORK)


def _date(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError(f"{option} {text!r} is not a date like 2020-11-12") from error
