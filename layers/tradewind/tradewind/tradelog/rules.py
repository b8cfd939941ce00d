"""Trades and alerts as messages of the outbox. Ids are made from what they tell of."""

from __future__ import annotations

from uuid import UUID, uuid5

from tradewind.alerts.model import Alert
from tradewind.portfolio.model import Trade
from tradewind.tradelog.model import OutboxMessage, TradeEvent

EVENT_NAMESPACE = UUID("c4b70c7e-0c1e-5d34-9d0a-5f1f2e8a7b90")

TRADE_EVENTS = "trade-events"
ALERTS = "alerts"


def event_of_trade(trade: Trade) -> TradeEvent:
    event_type = "bought" if trade.side == "buy" else "sold"
    return TradeEvent(
        event_id=uuid5(EVENT_NAMESPACE, f"{trade.trade_id}|{event_type}"),
        trade_id=trade.trade_id,
        symbol=trade.symbol,
        price=trade.fill_price,
        quantity=trade.fill_qty,
        timestamp=trade.timestamp,
        event_type=event_type,
    )


def message_of_event(event: TradeEvent) -> OutboxMessage:
    return OutboxMessage(event.event_id, TRADE_EVENTS, event.as_payload(), event.timestamp)


def message_of_alert(alert: Alert) -> OutboxMessage:
    return OutboxMessage(alert.alert_id, ALERTS, alert.as_payload(), alert.timestamp)
