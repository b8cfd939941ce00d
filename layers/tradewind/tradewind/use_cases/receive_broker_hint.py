"""A broker's webhook is a hint, never a fill: it starts a reconciliation, which asks the broker.

The sender signs ``<timestamp>.<body>`` with HMAC-SHA256 and a secret it shares with us; the
timestamp is in Unix seconds, the signature in hex. What the body says is not even parsed.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tradewind.errors import CycleFailedBeforeError
from tradewind.market.bar import MINUTE, to_iso
from tradewind.market.cycle import reconciliation_name
from tradewind.use_cases.ports import Clock, TradingCycleStarter
from tradewind.use_cases.reconcile import Why

# A signed message that was seen by others may be sent again so long.
VALID_FOR = timedelta(minutes=5)
LONGEST_BODY = 64 * 1024
_LONGEST_NUMBER = 12  # digits; Unix time has ten


@dataclass(frozen=True, slots=True)
class Hint:
    """A request as it came; headers that were missing are None."""

    body: bytes
    timestamp: str | None
    signature: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and a sentence that tells a stranger nothing."""

    status: int
    message: str


def receive_broker_hint(
    hint: Hint,
    *,
    secret: str,
    account: str,
    reconciliations: TradingCycleStarter,
    clock: Clock,
) -> Answer:
    """202 when a reconciliation of this minute is on its way (however many hints ask for it, it is
    one), 401 when the request is not the broker's, 400 when it is not a request of this kind."""
    if hint.timestamp is None or hint.signature is None:
        return Answer(401, "the request is not signed")
    if len(hint.body) > LONGEST_BODY:
        return Answer(400, f"the body is longer than {LONGEST_BODY} bytes")
    if not (hint.timestamp.isascii() and hint.timestamp.isdigit()):
        return Answer(400, "the timestamp is not a number of seconds")
    if not hmac.compare_digest(_signature(hint, secret).encode(), hint.signature.encode()):
        return Answer(401, "the signature is wrong")
    now = clock.now()
    if not _is_recent(hint.timestamp, now):
        return Answer(401, "the timestamp is not of the last minutes")
    minute = now.replace(second=0, microsecond=0)
    name = f"{reconciliation_name(account, minute - MINUTE)}-{Why.HINT}"
    try:
        reconciliations.start(name, {"why": Why.HINT, "scheduled_time": to_iso(minute)})
    except CycleFailedBeforeError:
        # One of this minute failed: the next scheduled check looks again, and it has been told.
        return Answer(202, "reconciliation was tried in this minute")
    return Answer(202, "reconciliation is on its way")


def _signature(hint: Hint, secret: str) -> str:
    signed = f"{hint.timestamp}.".encode() + hint.body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def _is_recent(timestamp: str, now: datetime) -> bool:
    if len(timestamp) > _LONGEST_NUMBER:
        return False
    try:
        sent = datetime.fromtimestamp(int(timestamp), UTC)
    except (OverflowError, OSError, ValueError):
        return False
    return abs(now - sent) <= VALID_FOR
