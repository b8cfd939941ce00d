"""Queue consumers: trade events and alerts into the store of record, alerts to people."""

from __future__ import annotations

from tradewind.alerts.model import Alert, Channel
from tradewind.tradelog.model import TradeEvent
from tradewind.use_cases.unit_of_work import Database

# What alerts_log calls the recipient of a message that goes to a channel, not to a person.
EVERYBODY = "channel"


def log_trade(event: TradeEvent, *, database: Database) -> None:
    """Store a trade event; a redelivery changes nothing."""
    with database.transaction() as stores:
        stores.trade_events.add([event])


def record_alert(alert: Alert, *, database: Database) -> None:
    """Store an alert and the first line of its log; a redelivery changes nothing."""
    with database.transaction() as stores:
        if stores.alerts.add(alert):
            stores.alerts.log(alert.alert_id, 0, "raised", EVERYBODY, alert.timestamp)


def notify(alert: Alert, *, channel: Channel, min_severity: int) -> bool:
    """Send an alert through a channel; False when it is not severe enough for it."""
    if alert.severity < min_severity:
        return False
    channel.send(alert)
    return True
