"""The brokerage account that the environment's keys belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tradewind.adapters.alpaca.broker import AlpacaBroker
from tradewind.adapters.alpaca.credentials import ApiKey
from tradewind.errors import InvalidInputError
from tradewind.orders.ports import Broker

from tradewind_local.address import checked_address

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
        url = _host(variables.get(URL, "").strip() or PAPER)
    else:
        url = LIVE if live else PAPER
    key, secret = (variables[name].strip() for name in KEYS)
    return Brokerage(url, AlpacaBroker(url, ApiKey(key, secret)))


def _missing(variables: Mapping[str, str]) -> list[str]:
    return [name for name in KEYS if not variables.get(name, "").strip()]


def _host(url: str) -> str:
    """The host alone, also of an address that ends in /v2 (as Alpaca's own examples have it)."""
    checked = checked_address(f"{URL}={url!r}", url, like=PAPER)
    return checked.rstrip("/").removesuffix("/v2")
