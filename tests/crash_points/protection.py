"""For how long shares lay at the exchange without an order that would sell them, and whether
orders would ever have sold more than was held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import requests
from tradewind.market.bar import from_iso, to_iso

from tests.crash_points.scenarios import KEYS
from tests.crash_points.splits import CONVERTED, NEXT_OPEN, SPLITS

# The most that the exchange lists at once.
ORDERS_PAGE, ACTIVITIES_PAGE = 500, 100
ZERO = Decimal(0)
NEVER = timedelta(0)


@dataclass(frozen=True)
class Protection:
    """``too_much``: when sell orders were in the market for more than was held, or sold it, in
    words."""

    longest_naked: timedelta = NEVER
    too_much: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Cover:
    """A sell order that was in the market from one instant until another."""

    order_id: str
    since: datetime
    until: datetime
    quantity: Decimal


@dataclass(frozen=True)
class Trade:
    order_id: str
    at: datetime
    quantity: Decimal
    is_buy: bool


def protection_of(url: str, symbol: str, since: datetime, until: datetime) -> Protection:
    """From the exchange's own orders and executions; ``url`` is the exchange's. Nothing was held at
    ``since``. ``longest_naked`` is the longest time in one piece, while the market was open, that
    more shares were held than sell orders were in the market for.

    From the night of a split on, an order of before it is no protection. Left alone it may be for
    more than is held, which is the split's doing; together with one of after it, it may not.
    """
    orders = _orders(url, symbol, since, until)
    trades = _trades(url, symbol, since, until)
    covers = [cover for order in orders if (cover := _cover(order, orders, until)) is not None]
    market = Market(symbol, trades, covers)
    edges = {until, CONVERTED, NEXT_OPEN}
    edges.update(trade.at for trade in trades)
    edges.update(edge for cover in covers for edge in (cover.since, cover.until))
    longest = naked = NEVER
    moments = sorted(edge for edge in edges if edge <= until)
    for start, end in pairwise(moments):
        if market.naked(start) > ZERO and not CONVERTED <= start < NEXT_OPEN:
            naked += end - start
            longest = max(longest, naked)
        else:
            naked = NEVER
    short = [
        f"sell order {order['id']} was {order['status']}: it found no shares"
        for order in orders
        if order["side"] == "sell" and order["status"] == "rejected"
    ]
    return Protection(longest, [*short, *market.too_much(moments)])


@dataclass(frozen=True)
class Market:
    symbol: str
    trades: Sequence[Trade]
    covers: Sequence[Cover]

    def naked(self, at: datetime) -> Decimal:
        """Right after an instant."""
        return self._held(at) - self._covered(at, outdated=False)

    def too_much(self, moments: Sequence[datetime]) -> list[str]:
        found = []
        for at in moments:
            held, covered = self._held(at), self._covered(at, outdated=False)
            if held < ZERO:
                found.append(f"{-held} shares more were sold than were held at {to_iso(at)}")
            covered += self._covered(at, outdated=True) if covered else ZERO
            if covered > held:
                found.append(f"{covered} shares were for sale and {held} held at {to_iso(at)}")
        return found[:1]

    def _held(self, at: datetime) -> Decimal:
        held = ZERO
        for trade in self.trades:
            if trade.at <= at:
                shares = self._converted(trade) if trade.at < CONVERTED <= at else trade.quantity
                held += shares if trade.is_buy else -shares
        return held

    def _covered(self, at: datetime, *, outdated: bool) -> Decimal:
        """By orders of before the split, or by the others."""
        covered = ZERO
        for cover in self.covers:
            is_outdated = self.symbol in SPLITS and cover.since < CONVERTED <= at
            if cover.since <= at < cover.until and is_outdated is outdated:
                sold = sum(
                    t.quantity for t in self.trades if t.order_id == cover.order_id and t.at <= at
                )
                covered += cover.quantity - sold
        return covered

    def _converted(self, trade: Trade) -> Decimal:
        split = SPLITS.get(self.symbol)
        if split is None:
            return trade.quantity
        return trade.quantity * split.new_rate / split.old_rate


def _cover(
    order: dict[str, Any], orders: Sequence[dict[str, Any]], until: datetime
) -> Cover | None:
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
    return Cover(order["id"], since, min([*ends, until]), Decimal(order["qty"]))


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


def _trades(url: str, symbol: str, since: datetime, until: datetime) -> list[Trade]:
    query = {"direction": "asc", "page_size": str(ACTIVITIES_PAGE)}
    query |= {"after": to_iso(since), "until": to_iso(until + timedelta(seconds=1))}
    trades = []
    while True:
        page = _read(f"{url}/v2/account/activities/FILL", query)
        trades += [
            Trade(
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
