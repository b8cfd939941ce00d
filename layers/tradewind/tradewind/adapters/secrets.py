"""Secrets Manager. Values stay in memory of the warm environment; nothing of them is logged."""

from __future__ import annotations

import json
import time
from typing import Any

from tradewind.errors import InvalidInputError

# A rotated secret is picked up by warm environments within this many seconds.
KEEP_FOR = 300.0


class Secrets:
    """``client`` is a boto3 Secrets Manager client."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._kept: dict[str, tuple[float, dict[str, str]]] = {}

    def read(self, name: str, *keys: str) -> tuple[str, ...]:
        """The values of ``keys`` in the secret's JSON object, in that order."""
        kept = self._kept.get(name)
        if kept is None or time.monotonic() - kept[0] > KEEP_FOR:
            text = self._client.get_secret_value(SecretId=name)["SecretString"]
            kept = (time.monotonic(), _object(name, text))
            self._kept[name] = kept
        missing = [key for key in keys if not kept[1].get(key)]
        if missing:
            raise InvalidInputError(f"secret {name} has no value for {', '.join(missing)}")
        return tuple(kept[1][key] for key in keys)


def _object(name: str, text: str) -> dict[str, str]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        # `from None` and no excerpt: the text is the secret.
        raise InvalidInputError(f"secret {name} is not a JSON object") from None
    return value
