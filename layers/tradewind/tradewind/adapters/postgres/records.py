"""Sequences of values as one JSON parameter, which ``json_to_recordset`` turns into rows, or as one
array for each column, which ``unnest`` does.

So a store call is one statement and one round trip, whatever the number of rows. Decimals travel as
strings, so that no digit is lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from tradewind.errors import InvalidInputError


def records(items: Iterable[object], fields: Sequence[str]) -> str:
    """The named fields of each item."""
    return as_json([{field: getattr(item, field) for field in fields} for item in items])


def as_json(rows: Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> str:
    return json.dumps(rows, default=_plain, separators=(",", ":"))


def plain_array(values: Iterable[Decimal | int | bool | str]) -> str:
    """An array of numbers, truth values or ISO times, as PostgreSQL writes it; nothing in them
    needs quotes."""
    return "{" + ",".join(map(str, values)) + "}"


def text_array(values: Iterable[str]) -> str:
    """An array of any texts, as PostgreSQL writes it."""
    return "{" + ",".join(map(_quoted, values)) + "}"


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, datetime) and value.tzinfo is None:
        raise InvalidInputError(f"time without a zone: {value!r}; all times are aware UTC")
    if isinstance(value, date):  # datetimes are dates
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    raise TypeError(f"cannot store {value!r}")
