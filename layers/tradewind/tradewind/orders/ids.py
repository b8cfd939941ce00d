"""Identities of orders. The same decision always gets the same id, on every retry and replay."""

from __future__ import annotations

import hashlib
import re
from datetime import date, datetime

from tradewind.market.bar import to_iso
from tradewind.orders.model import IntentKind, Side

# Alpaca takes up to 128 characters today; 48 is an older limit worth staying under.
MAX_CLIENT_ORDER_ID = 48
_PREFIX = "tw-"
_PROTECT_SUFFIX = "-protect"
_TAG_LENGTH = 6
_SHAPE = re.compile(rf"tw-(?P<tag>[0-9a-f]{{{_TAG_LENGTH}}})-[0-9a-f]{{24}}(-protect)?")


def deployment_tag(deployment: str) -> str:
    """Six hex digits that tell one deployment's orders from another's on the same account."""
    return hashlib.sha256(deployment.encode()).hexdigest()[:_TAG_LENGTH]


def intent_id(
    *,
    deployment: str,
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
    """The ``client_order_id`` of an intent's order: 34 characters, always the same for the same
    decision of the same deployment. ``revision`` tells replacements and re-submissions of one
    decision apart."""
    key = "|".join(
        (
            deployment,
            account,
            strategy,
            mode,
            session.isoformat(),
            to_iso(bar_time),
            symbol,
            side,
            kind,
            str(revision),
        )
    )
    digest = hashlib.sha256(key.encode()).hexdigest()[:24]
    return f"{_PREFIX}{deployment_tag(deployment)}-{digest}"


def protect_id(of_intent: str) -> str:
    """The id of the stop that an intent puts (back) at the broker beside its own order."""
    return of_intent + _PROTECT_SUFFIX


def owner_of(client_order_id: str) -> str:
    """The intent that an order's id belongs to, were it one of ours."""
    return client_order_id.removesuffix(_PROTECT_SUFFIX)


def tag_of(client_order_id: str) -> str | None:
    """The deployment that gave an order's id; None for ids that no Tradewind gives (foreign orders,
    and legs, which carry the broker's ids)."""
    match = _SHAPE.fullmatch(client_order_id)
    return match["tag"] if match else None


def is_ours(client_order_id: str, tag: str) -> bool:
    """Whether the deployment with this tag gave an order its id."""
    return tag_of(client_order_id) == tag
