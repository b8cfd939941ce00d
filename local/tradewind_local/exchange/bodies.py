"""Alpaca's bodies: every field that any recorded body of the endpoint has, with its type.

Money and quantities are strings there, except in market data. ``tests/integration/exchange`` holds
the bodies against the recordings.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from uuid import NAMESPACE_OID, uuid5

from tradewind.market.bar import Bar, to_iso
from tradewind.market.session import Session

from tradewind_local.exchange.engine import Exchange
from tradewind_local.exchange.model import ZERO, Activity, Fill, Order, Position
from tradewind_local.exchange.ticks import Tick
from tradewind_local.exchange.trade_updates import TradeUpdate
from tradewind_local.exchange.wire import NEW_YORK, decimal_text, quotient, time_text

Body = dict[str, object]

ACCOUNT_ID = str(uuid5(NAMESPACE_OID, "tradewind exchange/account"))
ACCOUNT_NUMBER = "SIM000001"
LISTED_ON = "NASDAQ"
CENT = Decimal("0.01")


@cache
def asset_id(symbol: str) -> str:
    return str(uuid5(NAMESPACE_OID, f"tradewind exchange/asset/{symbol}"))


def order_body(order: Order, legs: list[Order] | None = None, status: str | None = None) -> Body:
    """An order. ``legs`` only where the broker nests them; ``status`` where the answer was written
    before the order met the market."""
    return {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": time_text(order.created_at),
        "updated_at": time_text(order.updated_at),
        "submitted_at": time_text(order.submitted_at),
        "filled_at": time_text(order.filled_at),
        "expired_at": time_text(order.expired_at),
        "canceled_at": time_text(order.canceled_at),
        "failed_at": time_text(order.failed_at),
        "replaced_at": time_text(order.replaced_at),
        "replaced_by": order.replaced_by,
        "replaces": order.replaces,
        "asset_id": asset_id(order.symbol),
        "symbol": order.symbol,
        "asset_class": "us_equity",
        "notional": _optional(order.notional),
        "qty": decimal_text(order.qty) if order.notional is None else None,
        "filled_qty": decimal_text(order.filled_qty),
        "filled_avg_price": (
            decimal_text(quotient(order.filled_value, order.filled_qty))
            if order.filled_qty
            else None
        ),
        "order_class": order.order_class,
        "order_type": order.type,
        "type": order.type,
        "side": order.side,
        "position_intent": "buy_to_open" if order.side == "buy" else "sell_to_close",
        "time_in_force": order.time_in_force,
        "limit_price": _optional(order.limit_price),
        "stop_price": _optional(order.stop_price),
        "status": status or order.status,
        "extended_hours": False,
        "legs": [order_body(leg) for leg in legs] if legs else None,
        "trail_percent": _optional(order.trail_percent),
        "trail_price": _optional(order.trail_price),
        "hwm": _optional(order.hwm),
        "commission": 0,
        "subtag": None,
        "source": None,
    }


def trade_update_body(update: TradeUpdate) -> Body:
    """The ``data`` of a ``trade_updates`` frame; only executions have the last four."""
    body: Body = {
        "event": update.event,
        "timestamp": time_text(update.at),
        "order": {**order_body(update.order_snapshot), "cancel_requested_at": None},
    }
    if update.execution_id is None:
        return body
    return {
        **body,
        "execution_id": update.execution_id,
        "position_qty": _optional(update.position_qty),
        "price": _optional(update.price),
        "qty": _optional(update.qty),
    }


def position_body(exchange: Exchange, position: Position) -> Body:
    cost, qty = position.cost, position.qty
    price = exchange.price(position.symbol) or quotient(cost, qty)
    lastday = exchange.close_before(position.symbol) or price
    value = qty * price
    gain = value - cost
    # Shares bought today have earned nothing before today.
    today = position.opened_on == exchange.time.date()
    basis_today = cost if today else qty * lastday
    figures: dict[str, object] = {
        "avg_entry_price": decimal_text(quotient(cost, qty)),
        "market_value": decimal_text(value),
        "cost_basis": decimal_text(cost),
        "unrealized_pl": decimal_text(gain),
        "unrealized_plpc": decimal_text(quotient(gain, cost)),
        "unrealized_intraday_pl": decimal_text(value - basis_today),
        "unrealized_intraday_plpc": decimal_text(quotient(value - basis_today, basis_today)),
        "current_price": decimal_text(price),
        "lastday_price": decimal_text(lastday),
        "change_today": decimal_text(quotient(price - lastday, lastday)),
    }
    return {
        "asset_id": asset_id(position.symbol),
        "symbol": position.symbol,
        "exchange": LISTED_ON,
        "asset_class": "us_equity",
        "asset_marginable": False,
        "qty": decimal_text(qty),
        "qty_available": decimal_text(qty - exchange.held_qty(position.symbol)),
        "side": "long",
        **figures,
        "usd": figures,
    }


def account_body(exchange: Exchange, is_suspended: bool) -> Body:
    """As since 2026-07: without the pattern-day-trader fields. A cash account, 1 x its money."""
    account = exchange.ledger.account
    equity = exchange.equity()
    long_value = equity - account.cash
    buying_power = decimal_text(max(ZERO, exchange.buying_power()))
    return {
        "id": ACCOUNT_ID,
        "account_number": ACCOUNT_NUMBER,
        "status": "ACTIVE",
        "crypto_status": "INACTIVE",
        "currency": "USD",
        "buying_power": buying_power,
        "regt_buying_power": buying_power,
        "effective_buying_power": buying_power,
        "non_marginable_buying_power": buying_power,
        "options_buying_power": "0",
        "options_approved_level": 0,
        "options_trading_level": 0,
        "cash": decimal_text(account.cash),
        "accrued_fees": "0",
        "pending_transfer_in": "0",
        "pending_transfer_out": "0",
        "pending_reg_taf_fees": "0",
        "portfolio_value": decimal_text(equity),
        "position_market_value": decimal_text(long_value),
        "equity": decimal_text(equity),
        "last_equity": decimal_text(account.last_equity),
        "balance_asof": exchange.sessions.previous(exchange.time.date()).date.isoformat(),
        "long_market_value": decimal_text(long_value),
        "short_market_value": "0",
        "initial_margin": decimal_text(long_value),
        "maintenance_margin": decimal_text(long_value),
        "last_maintenance_margin": "0",
        "intraday_adjustments": "0",
        "sma": "0",
        "multiplier": "1",
        "shorting_enabled": False,
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": is_suspended,
        "created_at": "2020-01-02T14:30:00.123456Z",
        "crypto_tier": 0,
        "admin_configurations": {},
        "user_configurations": None,
    }


def fill_body(fill: Fill) -> Body:
    done = fill.leaves_qty == ZERO
    return {
        "id": fill.id,
        "activity_type": "FILL",
        "transaction_time": time_text(fill.at),
        "type": "fill" if done else "partial_fill",
        "price": decimal_text(fill.price),
        "qty": decimal_text(fill.qty),
        "side": fill.side,
        "symbol": fill.symbol,
        "leaves_qty": decimal_text(fill.leaves_qty),
        "order_id": fill.order_id,
        "cum_qty": decimal_text(fill.cum_qty),
        "order_status": "filled" if done else "partially_filled",
    }


def activity_body(activity: Activity) -> Body:
    """What is no trade. ``date`` is New York's; the broker leaves out what does not apply."""
    body: Body = {
        "id": activity.id,
        "activity_type": activity.kind,
        "date": activity.at.astimezone(NEW_YORK).date().isoformat(),
        "net_amount": decimal_text(activity.amount),
        "description": activity.description,
        "status": "executed",
    }
    if activity.symbol is not None:
        body["symbol"] = activity.symbol
    if activity.qty is not None:
        body["qty"] = decimal_text(activity.qty)
    return body


def asset_body(exchange: Exchange, symbol: str) -> Body:
    price = exchange.price(symbol)
    before = exchange.close_before(symbol)
    change = quotient(price - before, before) if price is not None and before else ZERO
    return {
        "id": asset_id(symbol),
        "class": "us_equity",
        "exchange": LISTED_ON,
        "symbol": symbol,
        "name": f"{symbol} Common Stock",
        "status": "active",
        "tradable": True,
        "marginable": False,
        "shortable": False,
        "easy_to_borrow": False,
        "fractionable": True,
        "last_close_pct_change": decimal_text(change),
        "last_price": decimal_text(price or ZERO),
        "attributes": [],
    }


def clock_body(exchange: Exchange) -> Body:
    session = exchange.session()
    coming = exchange.next_session()
    return {
        "timestamp": exchange.time.astimezone(NEW_YORK).isoformat(),
        "is_open": session is not None,
        "next_open": coming.open.astimezone(NEW_YORK).isoformat(),
        "next_close": (session or coming).close.astimezone(NEW_YORK).isoformat(),
    }


def calendar_body(session: Session) -> Body:
    return {
        "date": session.date.isoformat(),
        "open": f"{session.open.astimezone(NEW_YORK):%H:%M}",
        "close": f"{session.close.astimezone(NEW_YORK):%H:%M}",
        "session_open": "0400",
        "session_close": "2000",
    }


def bar_body(bar: Bar, trades: int) -> Body:
    """Prices are numbers here, with exactly the bar's digits."""
    typical = ((bar.high + bar.low + bar.close) / 3).quantize(Decimal("0.000001"))
    return {
        "t": to_iso(bar.start),
        "o": bar.open,
        "h": bar.high,
        "l": bar.low,
        "c": bar.close,
        "v": bar.volume,
        "n": trades,
        "vw": typical,
    }


def trade_body(tick: Tick) -> Body:
    return {
        "t": time_text(tick.at),
        "x": "V",
        "p": tick.price,
        "s": 100,
        "c": ["@"],
        "i": int(tick.at.timestamp() * 1_000),
        "z": "C",
    }


def quote_body(tick: Tick) -> Body:
    """The exchange has no book; its quote is a cent to both sides of the last trade."""
    return {
        "t": time_text(tick.at),
        "ax": "V",
        "ap": tick.price + CENT,
        "as": 1,
        "bx": "V",
        "bp": tick.price - CENT,
        "bs": 1,
        "c": ["R"],
        "z": "C",
    }


def _optional(value: Decimal | None) -> str | None:
    return None if value is None else decimal_text(value)
