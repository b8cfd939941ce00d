"""Requests and answers, before they are bytes on a socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, unquote, urlsplit

from tradewind_local.exchange.refusals import Refusal
from tradewind_local.exchange.wire import read_json, read_time, write_json


def is_trading_path(path: str) -> bool:
    """Of the trading API, whose calls are limited, maintained and cut; market data is apart."""
    return path.startswith("/v2/") and not path.startswith("/v2/stocks/")


@dataclass(frozen=True, slots=True)
class Request:
    """``path`` is decoded; ``query`` keeps the last value of a repeated name; header names are
    lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Request:
        parts = urlsplit(target)
        return cls(
            method=method,
            path=unquote(parts.path),
            query=dict(parse_qsl(parts.query)),
            headers={name.lower(): value for name, value in headers.items()},
            body=body,
        )

    def json(self) -> object:
        try:
            return read_json(self.body)
        except ValueError:
            raise Refusal(
                400, {"code": 40010000, "message": "request body format is invalid"}
            ) from None

    def time(self, name: str) -> datetime | None:
        text = self.query.get(name)
        if text is None:
            return None
        try:
            return read_time(text)
        except ValueError:
            raise Refusal(422, {"code": 42210000, "message": f"invalid {name}: {text}"}) from None

    def count(self, name: str, default: int, most: int) -> int:
        text = self.query.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
            raise Refusal(
                422, {"code": 42210000, "message": f"invalid {name}: {text} is not 1..{most}"}
            )
        return int(text)

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """The first one allowed is the default."""
        value = self.query.get(name, allowed[0])
        if value not in allowed:
            raise Refusal(422, {"code": 42210000, "message": f"invalid {name}: {value}"})
        return value

    def flag(self, name: str) -> bool:
        return self.query.get(name, "false").lower() == "true"

    def names(self, name: str) -> list[str] | None:
        """A comma-separated parameter; None when it was not given."""
        text = self.query.get(name)
        return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes = b""
    content_type: str = "application/json; charset=UTF-8"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(
        cls, value: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        return cls(status, write_json(value).encode(), headers=headers or {})

    @classmethod
    def text(cls, value: str, status: int = 200) -> Response:
        return cls(status, value.encode(), "text/html")
