"""Identities of orders. The same decision always gets the same id, on every retry and replay."""

from __future__ import annotations

import hashlib
from datetime import date, datetime

from tradewind.market.bar import to_iso
from tradewind.orders.model import IntentKind, Side

# Alpaca takes up to 128 characters today; 48 is an older limit worth staying under.
MAX_CLIENT_ORDER_ID = 48
_PREFIX = "tw-"
_PROTECT_SUFFIX = "-protect"


def intent_id(
    *,
    account: str,
    strategy: str,
    mode: str,
    session: date,
    bar_time: datetime,
    symbol: str,
    side: Side,
    kind: IntentKind,
    revision: int,
) -> str:
    """The ``client_order_id`` of an intent's order: 35 characters, always the same for the same
    decision. ``revision`` tells replacements and re-submissions of one decision apart."""
    key = "|".join(
        (account, strategy, mode, session.isoformat(), to_iso(bar_time), symbol, side, kind)
    )
    return _PREFIX + hashlib.sha256(f"{key}|{revision}".encode()).hexdigest()[:32]


def protect_id(of_intent: str) -> str:
    """The id of the stop that an intent puts (back) at the broker beside its own order."""
    return of_intent + _PROTECT_SUFFIX


def owner_of(client_order_id: str) -> str:
    """The intent that an order's id belongs to, were it one of ours."""
    return client_order_id.removesuffix(_PROTECT_SUFFIX)


def is_ours(client_order_id: str) -> bool:
    """Whether an order's id is one that this system gives; legs carry the broker's ids."""
    return client_order_id.startswith(_PREFIX)
