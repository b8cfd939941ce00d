"""Where it is traded: a deployed stack with its store of record, or the folder of a former run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.errors import InvalidInputError
from tradewind.orders.control import SwitchChange, SwitchState
from tradewind.use_cases.trading_modes import SwitchReads

from tradewind_local.report_commands.recorded import chosen_account, recorded
from tradewind_local.switch_commands.deployed import Where, find


@dataclass(frozen=True, slots=True)
class Place:
    """``mode``: in which it is deployed, or was traded."""

    account: str
    mode: str
    switch: SwitchReads
    database: PostgresDatabase


@dataclass(frozen=True, slots=True)
class RecordedSwitch:
    """The trading switch as the store of record last heard of it."""

    database: PostgresDatabase

    def switch(self, account: str) -> SwitchChange:
        changes = self.switch_changes(account)
        if changes:
            return changes[-1]
        return SwitchChange(account, 0, SwitchState.ACTIVE, SwitchState.ACTIVE, "", "", None)

    def switch_changes(self, account: str) -> list[SwitchChange]:
        with self.database.transaction() as stores:
            return stores.switch_changes.of(account)


@contextmanager
def opened(
    where: Where, database: str | None, state: Path | None, account: str | None
) -> Iterator[Place]:
    """Of a stack its mode, account and switch, with the records that ``database`` names; of a state
    folder all from the records. Raises InvalidInputError."""
    if state is not None and database is not None:
        raise InvalidInputError(
            "give --state DIR (of tradewind run), or --database for a deployed stack, and not both"
        )
    if state is not None:
        with recorded(state, None) as records:
            named = account_on_record(records, account)
            yield Place(named, newest_mode(records, named), RecordedSwitch(records), records)
        return
    if database is None:
        raise InvalidInputError(
            "give --database postgresql://tw_govern@host:port/name, the stack's store of record, "
            "or --state DIR (of tradewind run)"
        )
    deployed = find(where)
    try:
        mode, named = deployed.parameters["TradingMode"], deployed.parameters["AccountName"]
    except KeyError as missing:
        raise InvalidInputError(
            f"stack {where.stack} has no parameter {missing}: is it Tradewind's?"
        ) from missing
    if account not in (None, named):
        raise InvalidInputError(
            f"stack {where.stack} trades account {named}, not {account}: leave --account out"
        )
    with recorded(None, database) as records:
        yield Place(named, mode, deployed.control(), records)


def account_on_record(records: PostgresDatabase, asked: str | None) -> str:
    """The account asked for, or the only one on record."""
    with records.reporting() as reads:
        return chosen_account(reads.accounts(), asked)


def newest_mode(records: PostgresDatabase, account: str) -> str:
    """In which it was last decided; where a session was decided in several, live is one of them."""
    with records.transaction() as stores:
        modes = [one.mode for one in stores.trading_modes.traded_symbols(account)]
    if not modes:
        raise InvalidInputError(f"account {account} has decided nothing yet: let it run first")
    return "live" if "live" in modes else modes[0]
