"""``tradewind paper``: show what trades on paper, start it, or stop it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from tradewind.adapters.clock import SystemClock
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.errors import InvalidInputError
from tradewind.market.bar import to_iso
from tradewind.risk.modes import PaperRun, RunState, TradedSymbol, newest_by_symbol
from tradewind.use_cases.ports import Clock
from tradewind.use_cases.trading_modes import change_paper_trading

from tradewind_local.bars.progress import console_for_output, say
from tradewind_local.mode_commands.place import newest_mode

_TO_THE_SECOND = len("2020-11-12T14:30:00")


@dataclass(frozen=True, slots=True)
class PaperWish:
    """``strategy`` None: the only one there is. No ``symbols``: all of the strategy's."""

    to: RunState
    strategy: str | None
    symbols: Sequence[str]
    who: str
    why: str


def show_paper(records: PostgresDatabase, account: str) -> dict[str, Any]:
    """What the account trades, and what of it is stopped."""
    traded, runs = _traded(records, account)
    console = console_for_output()
    table = Table(title=f"Account {account}, as it decided in its newest session")
    for heading in ("strategy", "symbol", "state", "since (UTC)", "who", "why"):
        table.add_column(heading)
    rows = [_row(one, runs.get(one.symbol)) for one in traded]
    for row in rows:
        since = (row["since"] or "")[:_TO_THE_SECOND].replace("T", " ")
        table.add_row(row["strategy"], row["symbol"], row["state"], since, row["who"], row["why"])
    console.print(table)
    return {"command": "paper", "account": account, "symbols": rows}


def change_paper(
    records: PostgresDatabase, account: str, wish: PaperWish, clock: Clock | None = None
) -> dict[str, Any]:
    """Raises InvalidInputError for a live account and for what is not traded."""
    traded, _ = _traded(records, account)
    answer = change_paper_trading(
        account,
        newest_mode(records, account),
        wish.to,
        strategy=wish.strategy or _only_strategy(traded),
        symbols=wish.symbols,
        who=wish.who,
        why=wish.why,
        configured={one.symbol: one.strategy for one in traded},
        database=records,
        clock=clock or SystemClock(),
    )
    console = console_for_output()
    named = ", ".join(answer.symbols)
    if not answer.changed:
        say(console, f"nothing changes: {named} of {answer.strategy} stand {answer.state} already")
    else:
        say(console, f"{', '.join(answer.changed)} of {answer.strategy}: {answer.state}")
        if wish.to is RunState.STOPPED:
            say(console, "nothing is entered, and what is held is sold in the next minute that is "
                "traded")  # fmt: skip
    return {"command": "paper", **answer.as_payload()}


def _traded(
    records: PostgresDatabase, account: str
) -> tuple[list[TradedSymbol], dict[str, PaperRun]]:
    with records.transaction() as stores:
        traded = stores.trading_modes.traded_symbols(account)
        runs = newest_by_symbol(stores.trading_modes.runs(account))
    if not traded:
        raise InvalidInputError(f"account {account} has decided nothing yet: let it run first")
    return traded, runs


def _only_strategy(traded: Sequence[TradedSymbol]) -> str:
    names = sorted({one.strategy for one in traded})
    if len(names) != 1:
        raise InvalidInputError(f"give --strategy, one of {', '.join(names)}")
    return names[0]


def _row(one: TradedSymbol, run: PaperRun | None) -> dict[str, str | None]:
    return {
        "strategy": one.strategy,
        "symbol": one.symbol,
        "state": str(RunState.STARTED if run is None else run.state),
        "since": None if run is None else to_iso(run.at),
        "who": None if run is None else run.who,
        "why": None if run is None else run.why,
    }
