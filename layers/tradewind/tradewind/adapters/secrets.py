"""Secrets Manager. Values stay in memory of the warm environment; nothing of them is logged."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from tradewind.errors import InvalidInputError

logger = logging.getLogger(__name__)

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
        """The whole of the secret's JSON object; ``anew``: as it stands now, not as it was kept.

        While Secrets Manager does not answer, what was kept goes on being used: an exit must not
        wait for it, and keys that are no longer good are the broker's to refuse.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        kept = self._kept.get(name)
        if not anew and kept is not None and time.monotonic() - kept[0] <= KEEP_FOR:
            return kept[1]
        try:
            text = self._client.get_secret_value(SecretId=name)["SecretString"]
        except (BotoCoreError, ClientError) as error:
            if anew or kept is None:
                raise
            logger.warning("secret %s could not be read again: %s", name, type(error).__name__)
            # As if read now: asking again at each call would cost its time limits each time.
            self._kept[name] = (time.monotonic(), kept[1])
            return kept[1]
        self._kept[name] = (time.monotonic(), _object(name, text))
        return self._kept[name][1]

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
