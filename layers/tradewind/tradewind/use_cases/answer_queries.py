"""The answers of the API: JSON-ready, prices as strings so that no digit is lost."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from tradewind.errors import InvalidInputError, RetryableError
from tradewind.market.bar import to_iso
from tradewind.orders.control import TradingControl
from tradewind.portfolio.views import PositionView, Queries


class Readable(Protocol):
    """A database that can be asked without writing."""

    def reading(self) -> AbstractContextManager[Queries]: ...


def status(
    account: str, mode: str, symbols: Sequence[str], *, database: Readable, control: TradingControl
) -> dict[str, Any]:
    """What runs, since when, and whether it may trade."""
    with database.reading() as queries:
        now = queries.status(account, symbols)
    try:
        switch = control.switch(account).state.value
    except RetryableError:
        switch = "UNREADABLE"
    return {
        "account": account,
        "mode": mode,
        "switch": switch,
        "symbols": list(symbols),
        "newest_cycle": _time(now.cycle),
        "newest_execution": now.execution,
        "newest_cycle_finished_at": _time(now.finished_at),
        "newest_bar": _time(now.newest_bar),
        "open_orders": now.open_orders,
        "holdings": now.holdings,
        "equity": _amount(now.equity),
        "equity_as_of": _time(now.equity_as_of),
    }


def prices(wanted: str | None, symbols: Sequence[str], *, database: Readable) -> dict[str, Any]:
    """The newest bar of each symbol asked for (``AAPL,MSFT``), or of all that are traded."""
    asked = [part.strip().upper() for part in wanted.split(",")] if wanted else list(symbols)
    unknown = [symbol for symbol in asked if symbol not in symbols]
    if unknown:
        raise InvalidInputError(
            f"symbols: {', '.join(unknown)} not traded here; traded are {', '.join(symbols)}"
        )
    with database.reading() as queries:
        bars = queries.prices(asked)
    return {"prices": [bar.as_payload() for bar in bars]}


def positions(account: str, *, database: Readable) -> dict[str, Any]:
    """Everything held: ours with profit, foreign ones as the broker counts them."""
    with database.reading() as queries:
        held = queries.positions(account)
    return {"account": account, "positions": [_position(view) for view in held]}


def locks(account: str, at: datetime, *, database: Readable) -> dict[str, Any]:
    """Why entries stand still, and until when; ``active`` as of ``at``. The newest hundred, those
    that end last first."""
    with database.reading() as queries:
        found = queries.locks(account)
    return {
        "account": account,
        "locks": [
            {
                "lock_id": str(lock.lock_id(account)),
                "symbol": lock.symbol,
                "code": lock.code,
                "reason": lock.reason,
                "since": to_iso(lock.since),
                "until": to_iso(lock.until),
                "active": lock.holds(at),
            }
            for lock in found
        ],
    }


def _position(view: PositionView) -> dict[str, Any]:
    return {
        "symbol": view.symbol,
        "strategy": view.strategy or None,
        "foreign": view.quantity == 0,
        "quantity": str(view.quantity),
        "cost": str(view.cost),
        "opened_at": _time(view.opened_at),
        "last_price": _amount(view.last_price),
        "last_price_at": _time(view.last_price_at),
        "unrealised_pnl": _amount(view.unrealised_pnl),
        "realised_pnl": str(view.realised_pnl),
        "broker_quantity": str(view.broker_quantity),
        "broker_as_of": _time(view.broker_as_of),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else to_iso(moment)


def _amount(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
