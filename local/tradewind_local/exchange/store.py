"""The exchange's state on disk: one SQLite file, committed before each answer."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tradewind.errors import InvalidInputError
from tradewind.market.bar import from_iso

from tradewind_local.exchange.model import Account, Activity, Fill, Order, Position, Touched

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS fills (number INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS activities (number INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS positions (symbol TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS slack (number INTEGER PRIMARY KEY, body TEXT NOT NULL);
"""

_DECIMALS = frozenset(
    {
        *("qty", "limit_price", "stop_price", "reserve_price", "filled_qty", "filled_value"),
        *("price", "cum_qty", "leaves_qty", "amount"),
        *("trail_price", "trail_percent", "hwm", "notional"),
        *("cost", "realized", "opening_cash", "cash", "last_equity"),
    }
)
_TIMES = frozenset(
    {
        *("created_at", "updated_at", "submitted_at", "expires_at", "filled_at", "expired_at"),
        *("canceled_at", "replaced_at", "failed_at", "at"),
    }
)
_DATES = frozenset({"opened_on"})


@dataclass(frozen=True, slots=True)
class Saved:
    """What an earlier process left; ``now`` is None when its clock was never set."""

    account: Account
    now: datetime | None
    running: bool
    orders: list[Order]
    fills: list[Fill]
    activities: list[Activity]
    positions: dict[str, Position]
    halted: list[str]


class Store:
    """Rows of JSON. Nothing here knows what they mean."""

    def __init__(self, path: Path | str) -> None:
        self.connection = sqlite3.connect(path, check_same_thread=False)
        # A SIGKILL of ours loses nothing that was committed; only a power cut could.
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = NORMAL")
        self.connection.executescript(_SCHEMA)
        # What lies on the disk under each name: most requests change next to nothing.
        self._facts: dict[str, str] = dict(self.connection.execute("SELECT name, value FROM facts"))

    def open_account(self, seed: int, cash: Decimal) -> None:
        """Fix seed and opening cash on first use. InvalidInputError when they were others."""
        account = {"seed": seed, "opening_cash": str(cash)}
        known = self.fact("founded")
        if known is None:
            self.put_fact("founded", account)
            self.put_fact("account", _plain(asdict(Account(cash, cash, cash))))
            self.connection.commit()
        elif known["seed"] != seed or Decimal(known["opening_cash"]) != cash:
            raise InvalidInputError(
                f"this exchange was founded with seed {known['seed']} and "
                f"{known['opening_cash']} USD, not with seed {seed} and {cash} USD: "
                "use the same or a new state folder"
            )

    def load(self) -> Saved:
        clock = self.fact("clock") or {"now": None, "running": False}
        return Saved(
            account=Account(**_typed(self.fact("account"))),
            now=None if clock["now"] is None else from_iso(clock["now"]),
            running=clock["running"],
            orders=[Order(**_typed(row)) for row in self._bodies("orders")],
            fills=[Fill(**_typed(row)) for row in self._bodies("fills")],
            activities=[Activity(**_typed(row)) for row in self._bodies("activities")],
            positions={
                row["symbol"]: Position(**_typed(row))
                for row in self._bodies("positions", order_by="symbol")
            },
            halted=self.fact("halted") or [],
        )

    def save(self, touched: Touched, account: Account) -> None:
        """Write what changed; the caller commits."""
        run = self.connection.executemany
        run(
            "INSERT OR REPLACE INTO orders VALUES (?, ?)",
            [(order.number, _dump(order)) for order in touched.orders.values()],
        )
        run(
            "INSERT INTO fills VALUES (?, ?)",
            [(fill.number, _dump(fill)) for fill in touched.fills],
        )
        run(
            "INSERT INTO activities VALUES (?, ?)",
            [(activity.number, _dump(activity)) for activity in touched.activities],
        )
        run(
            "INSERT OR REPLACE INTO positions VALUES (?, ?)",
            [(position.symbol, _dump(position)) for position in touched.positions.values()],
        )
        self.put_fact("account", _plain(asdict(account)))
        touched.clear()

    def add_slack(self, message: Mapping[str, Any]) -> None:
        self.connection.execute("INSERT INTO slack (body) VALUES (?)", (json.dumps(message),))

    def slack(self) -> list[dict[str, Any]]:
        return self._bodies("slack")

    def slack_count(self) -> int:
        count: int = self.connection.execute("SELECT count(*) FROM slack").fetchone()[0]
        return count

    def reset(self, cash: Decimal | None) -> None:
        """Forget everything but the bars and how the account was founded; the caller commits.

        ``cash`` in USD opens the account anew, None: with what it was founded with.
        """
        for table in ("orders", "fills", "activities", "positions", "slack"):
            self.connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
        self.put_fact("halted", [])
        opening = Decimal(self.fact("founded")["opening_cash"]) if cash is None else cash
        self.put_fact("account", _plain(asdict(Account(opening, opening, opening))))

    def fact(self, name: str) -> Any:
        text = self._facts.get(name)
        return None if text is None else json.loads(text)

    def put_fact(self, name: str, value: object) -> None:
        text = json.dumps(value)
        if text != self._facts.get(name):
            self.connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, text))
            self._facts[name] = text

    def close(self) -> None:
        self.connection.close()

    def _bodies(self, table: str, order_by: str = "number") -> list[dict[str, Any]]:
        rows = self.connection.execute(f"SELECT body FROM {table} ORDER BY {order_by}")  # noqa: S608
        return [json.loads(row[0]) for row in rows]


def _dump(thing: Order | Fill | Activity | Position) -> str:
    return json.dumps(_plain(asdict(thing)))


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        if value is None or isinstance(value, str | int | bool)
        else value.isoformat()
        if isinstance(value, date)
        else str(value)
        for name, value in fields.items()
    }


def _typed(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in fields.items()}


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _DECIMALS:
        return Decimal(value)
    if name in _TIMES:
        return datetime.fromisoformat(value)
    return date.fromisoformat(value) if name in _DATES else value
