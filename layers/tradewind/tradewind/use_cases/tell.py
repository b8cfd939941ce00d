"""Alerts on their way to people, committed with what they tell of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tradewind.alerts.model import Alert
from tradewind.tradelog.rules import message_of_alert
from tradewind.use_cases.unit_of_work import Stores


def tell(stores: Stores, account: str | None, alerts: Sequence[Alert]) -> None:
    """Into the outbox as the account's (None: they concern all); an alert that is there already is
    told no second time."""
    if alerts:
        stores.outbox.add([message_of_alert(replace(one, account=account)) for one in alerts])
