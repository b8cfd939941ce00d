"""Addresses that keys are sent to."""

from __future__ import annotations

from urllib.parse import urlsplit

from tradewind.errors import InvalidInputError
from tradewind.settings import LOOPBACK_HOSTS


def checked_address(said: str, url: str, like: str) -> str:
    """``url`` as it is. InvalidInputError, naming it as ``said``, for one that cannot be meant:
    no http(s) address (``like`` shows one), or keys would travel unencrypted."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise InvalidInputError(f"{said} cannot be read") from error
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidInputError(f"{said} is not like {like}")
    if parts.scheme == "http" and host not in LOOPBACK_HOSTS:
        raise InvalidInputError(f"{said}: the keys would travel unencrypted; give https")
    return url
