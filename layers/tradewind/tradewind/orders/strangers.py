"""Another Tradewind on the same brokerage account: found by its orders' ids."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from tradewind.orders.ids import tag_of
from tradewind.orders.model import BrokerOrder


def strangers(
    foreign: Iterable[BrokerOrder], own_tag: str, first_decided: datetime | None
) -> list[BrokerOrder]:
    """The orders that a second deployment must have sent.

    ``foreign``: orders of a snapshot that belong to no committed intent. Of these, one with this
    deployment's own tag was sent by a copy of it. One with another tag counts while it is open, or
    when it was submitted at or after the first minute that this deployment decided (None: it has
    not decided any): older ones are history of whoever traded here before.
    """
    return [order for order in foreign if _is_stranger(order, own_tag, first_decided)]


def _is_stranger(order: BrokerOrder, own_tag: str, first_decided: datetime | None) -> bool:
    tag = tag_of(order.client_order_id)
    if tag is None:
        return False
    if tag == own_tag or not order.status.is_final:
        return True
    return first_decided is not None and order.submitted_at >= first_decided
