"""Every refusal on record, and every shape one may have, sorted by what it says of the request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tradewind.adapters.alpaca.refusals import refusal
from tradewind.errors import (
    BrokerKeyRefusedError,
    BrokerRejectedError,
    OutcomeUnknownError,
    ThrottledError,
)

FIXTURES = Path(__file__).parents[4] / "shared" / "data" / "fixtures_alpaca"
needs_fixtures = pytest.mark.skipif(
    not FIXTURES.exists(), reason="../shared/data/fixtures_alpaca is not on this machine"
)

MAINTENANCE = "<html><head><title>503</title></head><body>Scheduled maintenance</body></html>"

SORTED: list[tuple[str, int, Any, type[Exception], int | None]] = [
    # (what, status, body, sorted as, its code)
    ("buying power", 403, {"code": 40310000, "message": "insufficient buying power"},
     BrokerRejectedError, 40310000),
    ("shares that another order holds", 403,
     {"available": "0", "code": 40310000, "existing_qty": "1000", "held_for_orders": "1000",
      "message": "insufficient qty available for order (requested: 1000, available: 0)"},
     BrokerRejectedError, 40310000),
    ("a taken id", 422, {"code": 40010001, "message": "client_order_id must be unique"},
     BrokerRejectedError, 40010001),
    ("a taken id under another code", 422,
     {"code": 42210000, "message": "client_order_id must be unique"}, BrokerRejectedError,
     40010001),
    ("a taken id in other words", 422,
     {"code": 40010001, "message": "client_order_id already exists"}, BrokerRejectedError,
     40010001),
    ("a taken id without words", 422, {"code": 40010001}, BrokerRejectedError, 40010001),
    ("another request that is invalid", 422,
     {"code": 40010001, "message": "us_equity orders not allowed for account"},
     BrokerRejectedError, None),
    ("a code in words", 400, {"code": "invalid_input", "message": "invalid input"},
     BrokerRejectedError, None),
    ("a code as text", 422, {"code": "42210000", "message": "no"}, BrokerRejectedError, 42210000),
    ("no such order", 404, {"code": 40410000, "message": "order not found"}, BrokerRejectedError,
     40410000),
    ("no method", 405, "", BrokerRejectedError, None),
    ("a conflict", 409, {"message": "conflict"}, BrokerRejectedError, None),
    ("a bare number", 422, "42", BrokerRejectedError, None),
    ("no key", 401, {"message": "Unauthorized"}, BrokerKeyRefusedError, None),
    ("a wrong key", 401, {"code": 40110000, "message": "request is not authorized"},
     BrokerKeyRefusedError, 40110000),
    ("a paper key at the live address", 403, {"message": "forbidden."}, BrokerKeyRefusedError,
     None),
    ("forbidden with a code", 403, {"code": 40310000, "message": "forbidden"},
     BrokerKeyRefusedError, 40310000),
    ("a wall before the broker", 403, "<html>Access denied</html>", BrokerKeyRefusedError, None),
    ("too many requests", 429, {"code": 42910000, "message": "rate limit exceeded"},
     ThrottledError, None),
    ("too many requests, says a proxy", 429, "<html>slow down</html>", ThrottledError, None),
    ("gave up waiting", 408, "", OutcomeUnknownError, None),
    ("server error", 500, {"message": "Internal Server Error"}, OutcomeUnknownError, None),
    ("bad gateway", 502, "<html>", OutcomeUnknownError, None),
    ("maintenance", 503, MAINTENANCE, OutcomeUnknownError, None),
    ("gateway timeout", 504, {"code": 50410000, "message": "upstream request timeout"},
     OutcomeUnknownError, None),
    ("a redirect", 307, "", OutcomeUnknownError, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"), [row[1:] for row in SORTED], ids=[r[0] for r in SORTED]
)
def test_refusals_are_sorted(
    status: int, body: Any, kind: type[Exception], code: int | None
) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    error = refusal("POST /v2/orders", status, text, {})
    assert type(error) is kind
    assert getattr(error, "code", None) == code
    assert f"status {status}" in str(error)


# What each status of Alpaca's own examples and of the recorded errors says of a request.
BY_STATUS: dict[int, type[Exception]] = {
    400: BrokerRejectedError,
    401: BrokerKeyRefusedError,
    403: BrokerRejectedError,
    404: BrokerRejectedError,
    422: BrokerRejectedError,
    429: ThrottledError,
    500: OutcomeUnknownError,
}


@needs_fixtures
def test_every_recorded_error_is_sorted() -> None:
    rows = json.loads((FIXTURES / "errors.json").read_text())
    assert len(rows) >= 14
    for row in rows:
        headers = row.get("headers", {})
        error = refusal(row["where"], row["status"], json.dumps(row["body"]), headers)
        assert type(error) is BY_STATUS[row["status"]], row["body"]
        assert row["body"]["message"].split('"')[0] in str(error)


@needs_fixtures
def test_every_error_of_the_published_examples_is_sorted() -> None:
    files = [
        (file, status)
        for file in sorted((FIXTURES / "openapi_2026_08_trading").glob("*.json"))
        for status in BY_STATUS
        if f"_{status}_" in file.name
    ]
    assert len(files) > 40
    for file, status in files:
        error = refusal(file.name, status, file.read_text(), {})
        message = json.loads(file.read_text())["message"].lower()
        forbidden = status == 403 and message == "forbidden"
        assert type(error) is (BrokerKeyRefusedError if forbidden else BY_STATUS[status]), file.name


RETRY_AFTER = [("2", 2.0), ("0.5", 0.5), ("-1", None), ("inf", None), ("nan", None),
               ("Wed, 21 Oct 2026 07:28:00 GMT", None), (None, None)]  # fmt: skip


@pytest.mark.parametrize(("header", "seconds"), RETRY_AFTER)
def test_how_long_to_wait_is_told(header: str | None, seconds: float | None) -> None:
    error = refusal("GET /v2/orders", 429, "", {"Retry-After": header} if header else {})
    assert isinstance(error, ThrottledError)
    assert error.retry_after == seconds
