"""Orders meet ticks: who trades, how much, and what that leads to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from random import Random

from tradewind_local.exchange.groups import Groups
from tradewind_local.exchange.ledger import Ledger
from tradewind_local.exchange.model import STOPS, ZERO, Fill, Order, Touched
from tradewind_local.exchange.order_register import OrderRegister
from tradewind_local.exchange.order_rules import price_step
from tradewind_local.exchange.ticks import Tick
from tradewind_local.exchange.trade_updates import TradeUpdates
from tradewind_local.exchange.wire import QUOTIENT

# Times in force that get what their first tick gives, and nothing after it.
ONE_TICK = ("ioc", "fok", "opg")
ONE = Decimal(1)


@dataclass(slots=True)
class Liquidity:
    """How much a tick fills of one order: everything, unless a limit is set.

    ``shares_per_tick``: at most so many. ``part``: a seeded random part of the order, up to this
    share of its quantity (0 to 1), in whole shares and at least one, so that it ends.
    """

    seed: int
    shares_per_tick: Decimal | None = None
    part: Decimal | None = None

    def offered(self, order: Order, tick: Tick, wanted: Decimal) -> Decimal:
        if self.part is not None:
            text = f"{self.seed}/liquidity/{order.number}/{tick.at.isoformat()}"
            drawn = Decimal(Random(text).random())  # noqa: S311 - repeatable
            wanted = min(wanted, max(ONE, (order.qty * self.part * drawn).quantize(ONE)))
        return wanted if self.shares_per_tick is None else min(wanted, self.shares_per_tick)


class Matching:
    """Carries ticks into orders, positions, cash and the order stream."""

    def __init__(
        self,
        register: OrderRegister,
        groups: Groups,
        ledger: Ledger,
        fills: list[Fill],
        touched: Touched,
        updates: TradeUpdates,
        fill_id: Callable[[int, datetime], str],
        liquidity: Liquidity,
    ) -> None:
        """``fills``: every execution so far; new ones are added. ``fill_id``: by number and
        instant."""
        self.liquidity = liquidity
        self._register = register
        self._groups = groups
        self._ledger = ledger
        self._fills = fills
        self._touched = touched
        self._updates = updates
        self._fill_id = fill_id

    def meet(self, order: Order, tick: Tick) -> None:
        """Fill what this tick fills of an order, if it trades at this tick at all."""
        if not order.is_working:
            return
        if self._trades(order, tick):
            self._trade(order, tick)
        if order.is_open and order.time_in_force in ONE_TICK:
            self._register.cancel(order, tick.at)

    def _trades(self, order: Order, tick: Tick) -> bool:
        if order.type in STOPS and not order.triggered:
            if not _reaches(order, tick.price):
                if order.hwm is not None and _is_better(order, tick.price):
                    trail_from(order, tick.price)
                    self._register.touch(order)
                return False
            order.triggered = True
            if order.status == "held":
                self._register.work(order, tick.at)
            else:
                self._register.touch(order)
        return order.limit_price is None or _is_within(order, order.limit_price, tick.price)

    def _trade(self, order: Order, tick: Tick) -> None:
        there = self._shares_for(order)
        if there is not None and there <= ZERO:
            self._fail(order, tick.at)
            return
        if order.notional is not None and not order.filled_qty:
            order.qty = notional_qty(order.notional, tick.price)
            if there is not None:
                order.qty = min(order.qty, there)
        wanted = order.leaves_qty if there is None else min(order.leaves_qty, there)
        qty = self.liquidity.offered(order, tick, wanted)
        if order.time_in_force == "fok" and qty < order.leaves_qty:
            return
        self._execute(order, qty, tick)

    def _shares_for(self, order: Order) -> Decimal | None:
        """How many shares a sale finds; None for a buy. A split in which the order was not
        adjusted may have left fewer than it is for."""
        if order.side == "buy":
            return None
        held = self._ledger.position(order.symbol).qty
        if order.notional is not None:
            return held - self._register.held_qty(order.symbol, order)
        return held

    def _fail(self, order: Order, at: datetime) -> None:
        """Nothing is left to sell, and nothing is sold short."""
        if order.filled_qty:
            self._register.cancel(order, at)
        else:
            self._register.reject(order, at)
        self._groups.end(order, at)

    def _execute(self, order: Order, qty: Decimal, tick: Tick) -> None:
        order.filled_qty += qty
        order.filled_value += qty * tick.price
        if order.leaves_qty == ZERO:
            self._register.filled(order, tick.at)
        else:
            if order.status != "pending_cancel":
                order.status = "partially_filled"
            order.updated_at = tick.at
            self._register.touch(order)
        number = len(self._fills) + 1
        fill = Fill(
            number=number,
            id=self._fill_id(number, tick.at),
            order_id=order.id,
            symbol=order.symbol,
            side=order.side,
            price=tick.price,
            qty=qty,
            cum_qty=order.filled_qty,
            leaves_qty=order.leaves_qty,
            at=tick.at,
        )
        self._fills.append(fill)
        self._touched.fills.append(fill)
        position = self._ledger.book(fill)
        self._touched.positions[position.symbol] = position
        self._updates.add_fill(order, fill, position.qty)
        if order.status == "filled":
            self._groups.activate_legs(order, tick.at)
        self._groups.shrink_rivals(order, qty, tick.at)


def notional_qty(notional: Decimal, price: Decimal) -> Decimal:
    """What an amount (USD) buys, to the ninth decimal, never for more."""
    return (notional / price).quantize(QUOTIENT, rounding=ROUND_DOWN)


def trail_from(order: Order, best: Decimal) -> None:
    """Let a trailing stop start from a price: the stop lies the trail behind it, on the price step
    that is further away."""
    order.hwm = best
    order.stop_price = trailing_stop(order.side, best, order.trail_price, order.trail_percent)


def trailing_stop(
    side: str, best: Decimal, trail_price: Decimal | None, trail_percent: Decimal | None
) -> Decimal:
    trail = best * (trail_percent or ZERO) / 100 if trail_price is None else trail_price
    raw = best - trail if side == "sell" else best + trail
    rounding = ROUND_FLOOR if side == "sell" else ROUND_CEILING
    return raw.quantize(price_step(raw), rounding=rounding)


def _reaches(order: Order, price: Decimal) -> bool:
    """Whether the market triggers a stop."""
    if order.stop_price is None:
        return False
    return price >= order.stop_price if order.side == "buy" else price <= order.stop_price


def _is_within(order: Order, limit: Decimal, price: Decimal) -> bool:
    return price <= limit if order.side == "buy" else price >= limit


def _is_better(order: Order, price: Decimal) -> bool:
    """Whether a price moves a trailing stop: up for a sale, down for a buy."""
    if order.hwm is None:
        return False
    return price < order.hwm if order.side == "buy" else price > order.hwm
