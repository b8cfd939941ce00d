"""The brokerage account that the environment's keys belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from tradewind.adapters.alpaca.broker import AlpacaBroker
from tradewind.adapters.alpaca.credentials import ApiKey
from tradewind.errors import InvalidInputError
from tradewind.orders.ports import Broker
from tradewind.settings import LOOPBACK_HOSTS

KEYS = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY")
URL = "APCA_API_BASE_URL"
PAPER = "https://paper-api.alpaca.markets"
LIVE = "https://api.alpaca.markets"


@dataclass(frozen=True, slots=True)
class Brokerage:
    url: str
    broker: Broker


def has_keys(variables: Mapping[str, str]) -> bool:
    return not _missing(variables)


def brokerage(variables: Mapping[str, str], *, live: bool | None) -> Brokerage:
    """``live`` None: the address in APCA_API_BASE_URL, and without one the paper account.

    Raises InvalidInputError for missing keys or an address that cannot be meant.
    """
    missing = _missing(variables)
    if missing:
        raise InvalidInputError(f"the broker's keys are needed: {' and '.join(missing)} not set")
    if live is None:
        url = _checked(variables.get(URL, "").strip() or PAPER)
    else:
        url = LIVE if live else PAPER
    key, secret = (variables[name].strip() for name in KEYS)
    return Brokerage(url, AlpacaBroker(url, ApiKey(key, secret)))


def _missing(variables: Mapping[str, str]) -> list[str]:
    return [name for name in KEYS if not variables.get(name, "").strip()]


def _checked(url: str) -> str:
    """The host alone, also of an address that ends in /v2 (as Alpaca's own examples have it)."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise InvalidInputError(f"{URL}={url!r} cannot be read") from error
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidInputError(f"{URL}={url!r} is not like {PAPER}")
    if parts.scheme == "http" and host not in LOOPBACK_HOSTS:
        raise InvalidInputError(f"{URL}={url!r}: the keys would travel unencrypted; give https")
    return url.rstrip("/").removesuffix("/v2")
