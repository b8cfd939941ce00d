"""Plain things to store: each builder gives a valid one, with what the test says changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from tradewind.market.bar import Bar
from tradewind.orders.control import SwitchChange, SwitchState
from tradewind.orders.life import merge
from tradewind.orders.model import (
    BrokerAccount,
    BrokerActivity,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    IntentKind,
    IntentOutcome,
    IntentStatus,
    OrderClass,
    OrderIntent,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from tradewind.portfolio.model import Holding, Trade
from tradewind.use_cases.unit_of_work import Stores

ACCOUNT = "paper"
SESSION = date(2020, 11, 12)
OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
# When bars came, where it does not matter.
RECEIVED = OPEN + 9 * MINUTE


def uuid_of(name: object) -> UUID:
    return uuid5(NAMESPACE_URL, str(name))


def a_bar(symbol: str = "AAPL", minute: int = 0, **changes: Any) -> Bar:
    bar = Bar(
        symbol=symbol,
        start=OPEN + minute * MINUTE,
        open=Decimal("119.62"),
        high=Decimal("119.70"),
        low=Decimal("119.50"),
        close=Decimal("119.5301"),
        volume=12_345,
        feed="iex",
    )
    return replace(bar, **changes)


def an_intent(intent_id: str = "tw-1", **changes: Any) -> OrderIntent:
    """An entry; with ``kind`` given, an exit, protection or change instead."""
    entry = changes.get("kind", IntentKind.ENTRY) is IntentKind.ENTRY
    intent = OrderIntent(
        intent_id=intent_id,
        account=ACCOUNT,
        strategy="sma_crossover",
        mode="paper",
        session=SESSION,
        bar_time=OPEN,
        symbol="AAPL",
        kind=IntentKind.ENTRY,
        side=Side.BUY if entry else Side.SELL,
        quantity=Decimal(10),
        order_type=OrderType.LIMIT if entry else OrderType.STOP,
        time_in_force=TimeInForce.GTC,
        order_class=OrderClass.OTO if entry else OrderClass.SIMPLE,
        limit_price=Decimal("119.60") if entry else None,
        stop_price=Decimal("117.74"),
        decision_price=Decimal("119.5301"),
        revision=0 if entry else 1,
        target_order_id=None,
        expires_at=OPEN + 105 * SECOND if entry else None,
        reason="crossed",
    )
    return replace(intent, **changes)


def an_outcome(intent_id: str, status: IntentStatus, second: int = 0, **changes: Any) -> Any:
    outcome = IntentOutcome(
        intent_id=intent_id,
        status=status,
        broker_order_id=f"order-of-{intent_id}" if status is IntentStatus.SUBMITTED else None,
        reason_code=status.value,
        reason="as told",
        at=OPEN + second * SECOND,
    )
    return replace(outcome, **changes)


def an_order(order_id: str = "o-1", **changes: Any) -> BrokerOrder:
    """A foreign buy order, unless its ``client_order_id`` names an intent."""
    order = BrokerOrder(
        order_id=order_id,
        client_order_id=f"theirs-{order_id}",
        symbol="AAPL",
        side=Side.BUY,
        order_type="limit",
        order_class="oto",
        status=OrderStatus.NEW,
        quantity=Decimal(10),
        filled_quantity=Decimal(0),
        filled_avg_price=None,
        limit_price=Decimal("119.60"),
        stop_price=None,
        time_in_force="gtc",
        parent_order_id=None,
        replaces=None,
        submitted_at=OPEN,
        updated_at=OPEN,
    )
    return replace(order, **changes)


def a_fill(execution_id: str = "x-1", **changes: Any) -> BrokerFill:
    fill = BrokerFill(
        execution_id=execution_id,
        order_id="o-1",
        symbol="AAPL",
        side=Side.BUY,
        quantity=Decimal(10),
        price=Decimal("119.58"),
        at=OPEN + 65 * SECOND,
    )
    return replace(fill, **changes)


def a_trade(execution_id: str = "x-1", **changes: Any) -> Trade:
    trade = Trade(
        trade_id=uuid_of(execution_id),
        execution_id=execution_id,
        symbol="AAPL",
        side="buy",
        price=Decimal("119.58"),
        timestamp=OPEN + 65 * SECOND,
        order_id="o-1",
        intent_id=None,
        status="filled",
        fill_qty=Decimal(10),
        fill_price=Decimal("119.58"),
        realised_pnl=None,
    )
    return replace(trade, **changes)


def a_holding(symbol: str = "AAPL", **changes: Any) -> Holding:
    holding = Holding(
        symbol=symbol,
        strategy="sma_crossover",
        quantity=Decimal(10),
        cost=Decimal("1195.80"),
        realised_pnl=Decimal(0),
        opened_at=OPEN,
    )
    return replace(holding, **changes)


def a_position(symbol: str = "AAPL", quantity: int = 10) -> BrokerPosition:
    return BrokerPosition(
        symbol, Decimal(quantity), Decimal("119.58"), Decimal("119.70"), Decimal("1.20")
    )


def a_snapshot(equity: str = "100000.00") -> BrokerAccount:
    return BrokerAccount(
        account_number="PA1",
        status="ACTIVE",
        equity=Decimal(equity),
        last_equity=Decimal("100000"),
        cash=Decimal("98804.20"),
        buying_power=Decimal("197608.40"),
        trading_blocked=False,
    )


def an_activity(activity_id: str = "a-1", **changes: Any) -> BrokerActivity:
    activity = BrokerActivity(activity_id, "FEE", Decimal("-0.02"), SESSION, None, "TAF fee")
    return replace(activity, **changes)


def a_change(number: int = 1, **changes: Any) -> SwitchChange:
    change = SwitchChange(
        account=ACCOUNT,
        number=number,
        state=SwitchState.HALTED,
        previous=SwitchState.ACTIVE,
        who="mira",
        why="the broker misbehaves",
        at=OPEN,
    )
    return replace(change, **changes)


def tell_orders(
    stores: Stores, orders: Sequence[BrokerOrder], as_of: datetime, account: str = ACCOUNT
) -> int:
    """A snapshot's orders, merged with what is known. Rows changed."""
    merged = stores.orders.known(account, [order.order_id for order in orders])
    for order in orders:
        merged[order.order_id] = merge(merged.get(order.order_id), order, as_of)
    return stores.orders.save(account, list(merged.values()))
