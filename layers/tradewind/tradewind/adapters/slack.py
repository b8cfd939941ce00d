"""Slack's incoming webhook: POST a JSON text, read a plain-text answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradewind.adapters.http import CONNECT_TIMEOUT, READ_TIMEOUT, session
from tradewind.alerts.model import Alert
from tradewind.errors import (
    NotifierRefusedError,
    NotifierUnavailableError,
    ThrottledError,
)

if TYPE_CHECKING:
    import requests

SEVERITY_NAMES = {1: "info", 2: "notice", 3: "warning", 4: "error", 5: "critical"}


class SlackChannel:
    """A channel behind a webhook address. The address is a secret: it is in no message or error."""

    name = "slack"

    def __init__(self, webhook_url: str) -> None:
        self._webhook_url = webhook_url
        self._session: requests.Session | None = None

    def send(self, alert: Alert) -> None:
        from requests.exceptions import RequestException

        if self._session is None:
            self._session = session({})
        text = f"[{SEVERITY_NAMES[alert.severity]}] {alert.type}: {alert.message}"
        try:
            response = self._session.post(
                self._webhook_url, json={"text": text}, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT)
            )
        except RequestException as error:
            raise NotifierUnavailableError(f"slack: {type(error).__name__}") from None
        if response.status_code == 429:
            after = response.headers.get("Retry-After", "")
            raise ThrottledError("slack: throttled", float(after) if after.isdecimal() else None)
        if response.status_code >= 500:
            raise NotifierUnavailableError(f"slack: {response.status_code} {response.text[:100]}")
        if response.status_code != 200:
            raise NotifierRefusedError(f"slack: {response.status_code} {response.text[:100]}")
