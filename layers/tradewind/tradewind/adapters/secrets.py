"""Secrets Manager. Values stay in memory of the warm environment; nothing of them is logged."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
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
        value = self.values(name)
        missing = [key for key in keys if not value.get(key)]
        if missing:
            raise InvalidInputError(f"secret {name} has no value for {', '.join(missing)}")
        return tuple(value[key] for key in keys)

    def values(self, name: str, *, anew: bool = False) -> dict[str, str]:
        """The whole of the secret's JSON object; ``anew``: as it stands now, not as it was kept."""
        kept = self._kept.get(name)
        if anew or kept is None or time.monotonic() - kept[0] > KEEP_FOR:
            text = self._client.get_secret_value(SecretId=name)["SecretString"]
            kept = (time.monotonic(), _object(name, text))
            self._kept[name] = kept
        return kept[1]

    def write(self, name: str, value: dict[str, str]) -> None:
        """Put another object in the secret's place, whole; its previous version is kept by AWS."""
        self._client.put_secret_value(SecretId=name, SecretString=json.dumps(value))
        self._kept[name] = (time.monotonic(), value)


def _object(name: str, text: str) -> dict[str, str]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        # `from None` and no excerpt: the text is the secret.
        raise InvalidInputError(f"secret {name} is not a JSON object") from None
    return value


class StoredSecret:
    """The BrokerSecret Protocol: one secret, read as it stands now and written whole."""

    def __init__(self, secrets: Secrets, name: str) -> None:
        self._secrets = secrets
        self._name = name

    def read(self) -> Mapping[str, str]:
        return self._secrets.values(self._name, anew=True)

    def write(self, value: Mapping[str, str]) -> None:
        self._secrets.write(self._name, dict(value))
