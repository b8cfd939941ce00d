"""An account at a broker that fills by declared assumptions, in the nouns of live trading.

What is decided on bar t meets the market in the next bar of its symbol; ``docs/backtest-rules.md``
has the assumptions in plain words. Nothing here knows a later bar than the one it is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from tradewind.backtest.costs import Costs
from tradewind.errors import InvalidInputError
from tradewind.market.bar import Bar
from tradewind.orders.model import (
    BrokerAccount,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    IntentKind,
    OrderIntent,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from tradewind.orders.prices import ceil_to_tick, floor_to_tick, tick_size
from tradewind.portfolio.accounting import apply_fill, flat
from tradewind.portfolio.executions import Execution, Purpose, in_time_order
from tradewind.portfolio.model import Holding
from tradewind.risk.closed_trips import RecentTrade

# When in its minute a fill is booked that does not happen at the open: a bar does not say.
WITHIN_THE_MINUTE = timedelta(seconds=59)

_SENDS_AN_ORDER = frozenset(
    {
        IntentKind.ENTRY,
        IntentKind.EXIT,
        IntentKind.PROTECT,
        IntentKind.REPRICE,
        IntentKind.RENEW_STOP,
    }
)
_ONLY_CANCELS = frozenset({IntentKind.CANCEL_ENTRY, IntentKind.CANCEL_STOP})


class SimulatedBroker:
    """One cash account. ``cash`` (USD) is what it starts with."""

    def __init__(self, cash: Decimal, costs: Costs | None = None) -> None:
        if not cash.is_finite() or cash <= 0:
            raise InvalidInputError(f"a backtest starts with {cash} USD: give more than zero")
        self._costs = costs or Costs()
        self._cash = cash
        self._last_equity = cash
        self._prices: dict[str, Decimal] = {}
        self._holdings: dict[str, Holding] = {}
        self._orders: dict[str, BrokerOrder] = {}
        self._open: dict[str, BrokerOrder] = {}
        self._intents: dict[str, OrderIntent] = {}
        self._revisions: dict[str, int] = {}
        self.executions: list[Execution] = []
        self.trades: list[RecentTrade] = []
        # execution_id -> the open that lay beyond the stop, where the market jumped over it
        self.gaps: dict[str, Decimal] = {}
        # those of them that lay between two sessions
        self.overnight: set[str] = set()
        # by symbol: the day of its newest bar
        self._newest: dict[str, date] = {}
        # execution_id -> USD of commission and fees
        self.paid: dict[str, Decimal] = {}

    def take_over(
        self,
        executions: Sequence[Execution],
        trades: Sequence[RecentTrade],
        closes: Mapping[str, Decimal],
    ) -> None:
        """What was bought before and is held still, its cash spent already, valued at ``closes``
        (USD, by symbol; at the last execution where there is none)."""
        for execution in in_time_order(executions):
            symbol = execution.symbol
            before = self._holdings.get(symbol) or flat(symbol, execution.strategy)
            self._holdings[symbol] = apply_fill(before, execution.as_fill())[0]
            self._prices[symbol] = execution.price
            self.executions.append(execution)
        self._prices.update(closes)
        self.trades += trades
        self._last_equity = self.equity

    # -- what is told -----------------------------------------------------------------------------

    @property
    def equity(self) -> Decimal:
        """Cash and what is held at its newest close, USD."""
        return self._cash + sum(
            (one.quantity * self._prices[one.symbol] for one in self.holdings.values()), Decimal(0)
        )

    @property
    def holdings(self) -> dict[str, Holding]:
        """What is held, by symbol; flat symbols are absent."""
        return {symbol: one for symbol, one in self._holdings.items() if one.quantity > 0}

    @property
    def orders_of_ours(self) -> dict[str, str]:
        """The intent behind each order ever sent, legs and replacements included."""
        return {order_id: intent.intent_id for order_id, intent in self._intents.items()}

    @property
    def revisions(self) -> dict[str, int]:
        """The highest revision of each symbol's intents."""
        return dict(self._revisions)

    @property
    def fills(self) -> tuple[BrokerFill, ...]:
        return tuple(execution.as_fill() for execution in self.executions)

    def account(self) -> BrokerAccount:
        """Open purchases keep their limit's money back; nothing is borrowed."""
        reserved = sum(
            (
                order.quantity * order.limit_price
                for order in self._open.values()
                if order.limit_price is not None
            ),
            Decimal(0),
        )
        return BrokerAccount(
            account_number="BACKTEST",
            status="ACTIVE",
            equity=self.equity,
            last_equity=self._last_equity,
            cash=self._cash,
            buying_power=max(self._cash - reserved, Decimal(0)),
            trading_blocked=False,
        )

    def positions(self) -> dict[str, BrokerPosition]:
        """By symbol, at the newest close."""
        return {
            symbol: BrokerPosition(
                symbol,
                one.quantity,
                one.avg_price,
                self._prices[symbol],
                one.quantity * self._prices[symbol] - one.cost,
            )
            for symbol, one in self.holdings.items()
        }

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        """In the order they were sent, a leg behind its entry."""
        return tuple(self._open.values())

    def strategy_of(self, order: BrokerOrder) -> str:
        return self._intents[order.order_id].strategy

    # -- what happens -----------------------------------------------------------------------------

    def carry_out(self, intent: OrderIntent, at: datetime) -> None:
        """Take an intent at ``at`` (aware UTC): cancels are done at once, what is sent meets the
        symbol's next bar."""
        if intent.kind not in _SENDS_AN_ORDER | _ONLY_CANCELS:
            raise InvalidInputError(f"a backtest cannot carry out {intent.kind} {intent.symbol}")
        self._revisions[intent.symbol] = max(self._revisions.get(intent.symbol, 0), intent.revision)
        replaced = intent.kind is IntentKind.REPRICE
        if intent.target_order_id is not None:
            ended = OrderStatus.REPLACED if replaced else OrderStatus.CANCELED
            self._end(intent.target_order_id, ended, at)
        if intent.kind not in _SENDS_AN_ORDER:
            return
        order = self._send(
            intent,
            at,
            stop_price=None if intent.kind is IntentKind.ENTRY else _resting_stop(intent),
            replaces=intent.target_order_id if replaced else None,
        )
        if intent.kind is IntentKind.ENTRY:
            self._send(intent, at, stop_price=intent.stop_price, parent=order)

    def trade(self, bars: Mapping[str, Bar]) -> None:
        """One minute of the market; a symbol without a bar is not traded. Within a symbol what
        waits for the open comes first, then the stop, which a new position has from its entry's
        fill on."""
        for symbol, bar in sorted(bars.items()):
            self._prices[symbol] = bar.close
            for order in self._working(symbol, stops=False):
                if order.side is Side.SELL:
                    self._sell(order, bar, bar.open, bar.start)
                else:
                    self._buy(order, bar)
            for stop in self._working(symbol, stops=True):
                if stop.stop_price is not None and bar.low <= stop.stop_price:
                    jumped = bar.open < stop.stop_price
                    at = bar.start if jumped else bar.start + WITHIN_THE_MINUTE
                    self._sell(stop, bar, min(bar.open, stop.stop_price), at)
            self._newest[symbol] = bar.start.date()

    def end_session(self, at: datetime) -> None:
        """The close (aware UTC): orders for the day are over, and a drawdown counts from here."""
        for order in self.open_orders():
            if order.time_in_force == TimeInForce.DAY:
                self._end(order.order_id, OrderStatus.EXPIRED, at)
        self._last_equity = self.equity

    # -- orders -----------------------------------------------------------------------------------

    def _working(self, symbol: str, *, stops: bool) -> list[BrokerOrder]:
        return [
            order
            for order in self._open.values()
            if order.symbol == symbol
            and order.status is OrderStatus.NEW
            and (order.order_type == OrderType.STOP) is stops
        ]

    def _send(
        self,
        intent: OrderIntent,
        at: datetime,
        *,
        stop_price: Decimal | None,
        parent: BrokerOrder | None = None,
        replaces: str | None = None,
    ) -> BrokerOrder:
        order_id = f"order-{len(self._orders) + 1:08d}"
        order = BrokerOrder(
            order_id=order_id,
            client_order_id=intent.intent_id if parent is None else f"{order_id}-leg",
            symbol=intent.symbol,
            side=intent.side if parent is None else Side.SELL,
            order_type=intent.order_type if parent is None else OrderType.STOP,
            order_class=intent.order_class,
            # A leg is held back until its entry has filled.
            status=OrderStatus.NEW if parent is None else OrderStatus.HELD,
            quantity=intent.quantity,
            filled_quantity=Decimal(0),
            filled_avg_price=None,
            limit_price=intent.limit_price if parent is None else None,
            stop_price=stop_price,
            time_in_force=intent.time_in_force,
            parent_order_id=None if parent is None else parent.order_id,
            replaces=replaces,
            submitted_at=at,
            updated_at=at,
        )
        self._intents[order_id] = intent
        self._keep(order)
        return order

    def _keep(self, order: BrokerOrder) -> None:
        self._orders[order.order_id] = order
        if order.status.is_final:
            self._open.pop(order.order_id, None)
        else:
            self._open[order.order_id] = order

    def _legs(self, order_id: str) -> list[BrokerOrder]:
        return [order for order in self._open.values() if order.parent_order_id == order_id]

    def _end(self, order_id: str, status: OrderStatus, at: datetime) -> None:
        """An order that is over already stays as it is; held legs go with their entry."""
        order = self._open.get(order_id)
        if order is None:
            return
        self._keep(replace(order, status=status, updated_at=at))
        for leg in self._legs(order_id):
            self._keep(replace(leg, status=OrderStatus.CANCELED, updated_at=at))

    # -- fills ------------------------------------------------------------------------------------

    def _buy(self, order: BrokerOrder, bar: Bar) -> None:
        """At the open and the slippage, never above the limit. A market that opened above it and
        came back fills at the limit: the order lay there. What the bar's volume leaves is not
        bought, and the stop is for what was."""
        limit = order.limit_price
        bought = self._costs.bought_of(order.quantity, bar.volume)
        if limit is None or bar.low > limit or bought == 0:
            return
        at_open = bar.open <= limit
        at = bar.start if at_open else bar.start + WITHIN_THE_MINUTE
        worse = self._costs.worse_by(bar.open, bought, bar.volume)
        price = min(ceil_to_tick(bar.open + worse), limit)
        self._fill(replace(order, quantity=bought), price, at, Purpose.ENTRY)
        for leg in self._legs(order.order_id):
            self._keep(replace(leg, quantity=bought, status=OrderStatus.NEW, updated_at=at))

    def _sell(self, order: BrokerOrder, bar: Bar, reached: Decimal, at: datetime) -> None:
        """``reached`` is the price in the market, before the slippage."""
        lowest = tick_size(Decimal(0))
        worse = self._costs.worse_by(reached, order.quantity, bar.volume)
        price = max(floor_to_tick(reached - worse), lowest)
        purpose = Purpose.STOP if order.order_type == OrderType.STOP else Purpose.EXIT
        carried = self._was_carried_into(bar)
        execution = self._fill(order, price, at, purpose)
        if execution.stop_price is not None and bar.open < execution.stop_price:
            self.gaps[execution.execution_id] = bar.open
            if carried:
                self.overnight.add(execution.execution_id)

    def _was_carried_into(self, bar: Bar) -> bool:
        """Whether a bar is its symbol's first of a session, and the position is older."""
        held, day = self._holdings.get(bar.symbol), bar.start.date()
        opened = held.opened_at if held is not None else None
        return opened is not None and opened.date() < day != self._newest.get(bar.symbol)

    def _fill(
        self, order: BrokerOrder, price: Decimal, at: datetime, purpose: Purpose
    ) -> Execution:
        """All of the order. InvalidInputError for a sale of more than is held."""
        intent = self._intents[order.order_id]
        execution = Execution(
            execution_id=f"fill-{len(self.executions) + 1:08d}",
            order_id=order.order_id,
            symbol=order.symbol,
            strategy=intent.strategy,
            purpose=purpose,
            side=order.side,
            quantity=order.quantity,
            price=price,
            at=at,
            decided_at=intent.bar_time,
            decision_price=intent.decision_price,
            stop_price=_stop_of(purpose, order, intent),
            reason=intent.reason.split(":", 1)[0] if purpose is Purpose.EXIT else purpose,
        )
        before = self._holdings.get(order.symbol) or flat(order.symbol, intent.strategy)
        self._holdings[order.symbol], realised = apply_fill(before, execution.as_fill())
        bought = order.side is Side.BUY
        self._cash += -execution.notional if bought else execution.notional
        paid = self._costs.of_fill(order.side, order.quantity, price)
        self._cash -= paid
        self.paid[execution.execution_id] = paid
        self.executions.append(execution)
        self.trades.append(
            RecentTrade(
                order.symbol,
                at,
                order.side,
                order.quantity,
                price,
                realised,
                by_stop=purpose is Purpose.STOP,
            )
        )
        self._keep(
            replace(
                order,
                status=OrderStatus.FILLED,
                filled_quantity=order.quantity,
                filled_avg_price=price,
                updated_at=at,
            )
        )
        return execution


def _resting_stop(intent: OrderIntent) -> Decimal | None:
    """The price of a stop that is sent; an exit's intent only remembers where its stop belonged."""
    return intent.stop_price if intent.order_type is OrderType.STOP else None


def _stop_of(purpose: Purpose, order: BrokerOrder, intent: OrderIntent) -> Decimal | None:
    """The stop that an execution is judged by; see :class:`Execution`."""
    return {
        Purpose.ENTRY: None,
        Purpose.STOP: order.stop_price,
        Purpose.EXIT: intent.stop_price,
    }[purpose]
