"""Orders out against intents in: what the broker shows of ours, and what we committed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tradewind.orders.ids import tag_of
from tradewind.orders.model import BrokerOrder

# An order and the snapshot that should show it may cross each other.
ON_ITS_WAY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class SentIntent:
    """An intent that the broker took, with the id of its order and when that was learnt."""

    intent_id: str
    broker_order_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderComparison:
    """``orders`` of ours in a snapshot and ``intents`` that it should show were compared.
    ``uncommitted``: client ids of orders with our mark and no intent behind them; ``unlisted``: ids
    of intents whose order is not there."""

    orders: int
    intents: int
    uncommitted: tuple[str, ...]
    unlisted: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        return not self.uncommitted and not self.unlisted


def compare_orders(
    shown: Iterable[BrokerOrder],
    foreign: Iterable[str],
    sent: Iterable[SentIntent],
    *,
    own_tag: str,
    as_of: datetime,
) -> OrderComparison:
    """``shown``: a snapshot read at ``as_of``; ``foreign`` the order ids of it that belong to no
    committed intent; ``sent`` the intents since the time from which it lists every order."""
    orders = list(shown)
    strange = set(foreign)
    ours = [order for order in orders if tag_of(order.client_order_id) == own_tag]
    order_ids = {order.order_id for order in orders}
    client_ids = {order.client_order_id for order in orders}
    due = [one for one in sent if as_of - one.at >= ON_ITS_WAY]
    return OrderComparison(
        orders=len(ours),
        intents=len(due),
        uncommitted=tuple(
            sorted(order.client_order_id for order in ours if order.order_id in strange)
        ),
        unlisted=tuple(
            sorted(
                one.intent_id
                for one in due
                if one.broker_order_id not in order_ids and one.intent_id not in client_ids
            )
        ),
    )
