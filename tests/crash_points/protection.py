"""For how long shares lay at the exchange without an order that would sell them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import requests
from tradewind.market.bar import from_iso, to_iso

from tests.crash_points.scenarios import KEYS

# The most that the exchange lists at once.
ORDERS_PAGE, ACTIVITIES_PAGE = 500, 100
ZERO = Decimal(0)
NEVER = timedelta(0)


@dataclass(frozen=True)
class _Cover:
    """A sell order that was in the market from one instant until another."""

    order_id: str
    since: datetime
    until: datetime
    quantity: Decimal


@dataclass(frozen=True)
class _Trade:
    order_id: str
    at: datetime
    quantity: Decimal
    is_buy: bool


def longest_naked(url: str, symbol: str, since: datetime, until: datetime) -> timedelta:
    """The longest time in one piece that more shares were held than sell orders were in the market
    for, from the exchange's own orders and executions; ``url`` is the exchange's. Nothing was held
    at ``since``."""
    orders = _orders(url, symbol, since, until)
    trades = _trades(url, symbol, since, until)
    covers = [cover for order in orders if (cover := _cover(order, orders, until)) is not None]
    edges = {until}
    edges.update(trade.at for trade in trades)
    edges.update(edge for cover in covers for edge in (cover.since, cover.until))
    longest = naked = NEVER
    moments = sorted(edge for edge in edges if edge <= until)
    for start, end in pairwise(moments):
        if _uncovered(start, trades, covers) > ZERO:
            naked += end - start
            longest = max(longest, naked)
        else:
            naked = NEVER
    return longest


def _uncovered(at: datetime, trades: Sequence[_Trade], covers: Sequence[_Cover]) -> Decimal:
    """Right after an instant."""
    held = sum((t.quantity if t.is_buy else -t.quantity for t in trades if t.at <= at), ZERO)
    covered = ZERO
    for cover in covers:
        if cover.since <= at < cover.until:
            sold = sum(
                (t.quantity for t in trades if t.order_id == cover.order_id and t.at <= at), ZERO
            )
            covered += cover.quantity - sold
    return held - covered


def _cover(
    order: dict[str, Any], orders: Sequence[dict[str, Any]], until: datetime
) -> _Cover | None:
    if order["side"] != "sell":
        return None
    since = from_iso(order["submitted_at"])
    parents = [other for other in orders if _is_leg(order, other)]
    if parents and order["replaces"] is None:
        # A leg comes alive when its entry is filled.
        if parents[0]["filled_at"] is None:
            return None
        since = from_iso(parents[0]["filled_at"])
    ends = [
        from_iso(order[name])
        for name in ("canceled_at", "filled_at", "replaced_at", "expired_at", "failed_at")
        if order[name] is not None
    ]
    return _Cover(order["id"], since, min([*ends, until]), Decimal(order["qty"]))


def _is_leg(order: dict[str, Any], parent: dict[str, Any]) -> bool:
    return order["id"] in [leg["id"] for leg in parent["legs"] or ()]


def _orders(url: str, symbol: str, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Flat, legs beside their parents; parents keep the list of their legs."""
    query = {"status": "all", "limit": str(ORDERS_PAGE), "direction": "asc", "symbols": symbol}
    query |= {"after": to_iso(since), "until": to_iso(until)}
    flat = _read(f"{url}/v2/orders", {**query, "nested": "false"})
    assert len(flat) < ORDERS_PAGE, "one page holds what is asked for"
    parents = _read(f"{url}/v2/orders", {**query, "nested": "true"})
    nested = {order["id"]: order for order in parents}
    found = {order["id"]: nested.get(order["id"], order) for order in flat}
    for parent in nested.values():
        for leg in parent["legs"] or ():
            found.setdefault(leg["id"], leg)
    return list(found.values())


def _trades(url: str, symbol: str, since: datetime, until: datetime) -> list[_Trade]:
    query = {"direction": "asc", "page_size": str(ACTIVITIES_PAGE)}
    query |= {"after": to_iso(since), "until": to_iso(until + timedelta(seconds=1))}
    trades = []
    while True:
        page = _read(f"{url}/v2/account/activities/FILL", query)
        trades += [
            _Trade(
                fill["order_id"],
                from_iso(fill["transaction_time"]),
                Decimal(fill["qty"]),
                fill["side"] == "buy",
            )
            for fill in page
            if fill["symbol"] == symbol
        ]
        if len(page) < ACTIVITIES_PAGE:
            return trades
        query["page_token"] = page[-1]["id"]


def _read(url: str, query: dict[str, str]) -> list[dict[str, Any]]:
    answer = requests.get(url, params=query, headers=KEYS, timeout=10)
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()
    return found
