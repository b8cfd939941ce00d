"""How values look on the wire: exact decimals, RFC 3339 times, JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")

# Quotients are cut to so many decimals; sums and products are never cut.
QUOTIENT = Decimal("1e-9")

# The moments that a broker's clock puts on things; a session's opening and close are not among
# them.
_STAMP = re.compile(
    rb'("(?:timestamp|transaction_time|[a-z]+_at)":")'
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?=[.Z+-])"
)


def decimal_text(value: Decimal) -> str:
    """Plain notation without trailing zeros: ``10``, ``119.5``, ``0.0001``."""
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def quotient(dividend: Decimal, divisor: Decimal) -> Decimal:
    """Zero when there is nothing to divide by."""
    return (dividend / divisor).quantize(QUOTIENT) if divisor else Decimal(0)


def time_text(moment: datetime | None) -> str | None:
    """``2021-03-16T18:38:01.942282123Z``: nanoseconds as the broker sends them, zeros at the end
    left out. Our own clock counts microseconds; the last three digits are made from them."""
    if moment is None:
        return None
    text = moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()
    if not moment.microsecond:
        return f"{text}Z"
    nanoseconds = moment.microsecond * 1_000 + moment.microsecond * 7_919 % 1_000
    return f"{text}.{nanoseconds:09d}".rstrip("0") + "Z"


def read_time(text: str) -> datetime:
    """RFC 3339 with any number of decimals, or a date (its first instant in UTC).

    ValueError when it is neither.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    if moment.time() == time(0) and len(text) == len("2020-11-12"):
        return moment.replace(tzinfo=UTC)
    raise ValueError(f"time without a zone: {text}")


def shift_stamps(body: bytes, by: timedelta) -> bytes:
    """A JSON body as a clock that is off by whole seconds would have stamped it."""

    def shifted(match: re.Match[bytes]) -> bytes:
        moment = datetime.fromisoformat(match[2].decode()) + by
        return match[1] + moment.isoformat().encode()

    return _STAMP.sub(shifted, body)


def read_json(body: bytes) -> object:
    """Numbers with a fraction become Decimal, digit by digit. ValueError when it is not JSON."""
    return json.loads(body, parse_float=Decimal)


def write_json(value: object) -> str:
    """JSON in which a Decimal is a number with exactly its own digits.

    The standard encoder only writes floats, and 119.10 or 119.1234 would leave as something else;
    but it is several times faster, and most bodies hold no Decimal.
    """
    try:
        return json.dumps(value, separators=(",", ":"))
    except TypeError:
        return _write_exactly(value)


def _write_exactly(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        members = (f"{json.dumps(key)}:{_write_exactly(item)}" for key, item in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(map(_write_exactly, value)) + "]"
    return json.dumps(value)
