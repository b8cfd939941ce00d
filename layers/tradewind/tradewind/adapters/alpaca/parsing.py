"""Alpaca's JSON into our nouns: generous in what is read, strict about money.

Fields that were added are ignored, optional ones may be missing or null, words that are not known
stay words. A quantity, price or amount that is there and is no finite number is an error.
Numbers arrive as strings or as JSON numbers; both stay exact.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from tradewind.errors import BrokerUnavailableError
from tradewind.orders.configuration import AccountConfiguration
from tradewind.orders.ids import tag_of
from tradewind.orders.model import (
    BrokerAccount,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    OrderStatus,
    Side,
)

logger = logging.getLogger(__name__)

Read = TypeVar("Read")

WRONG = (KeyError, TypeError, ValueError, InvalidOperation, AttributeError)
_NOTHING = (None, "")


class BrokenAnswerError(BrokerUnavailableError):
    """The broker answered with something that is not what its documentation says."""


def moment(text: str) -> datetime:
    """An Alpaca timestamp (RFC 3339, up to nanoseconds, of which six digits count) as aware UTC.
    Without an offset it is UTC."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def number(value: object) -> Decimal:
    amount = Decimal(str(value))
    if not amount.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    return amount


def optional_number(value: object) -> Decimal | None:
    return None if value in _NOTHING else number(value)


def listed(raw: Any) -> list[Any]:
    if not isinstance(raw, list):
        raise BrokenAnswerError(f"expected a list, got {raw!r:.200}")
    return raw


def orders_of(items: Iterable[Mapping[str, Any]]) -> list[BrokerOrder]:
    """All orders of a list with their legs. One that cannot be read and is not ours (an option, a
    pre-sale) is left out: it must not keep us from managing our own."""
    orders: list[BrokerOrder] = []
    for raw in items:
        try:
            orders.extend(flattened(raw))
        except BrokenAnswerError as error:
            if not isinstance(raw, Mapping) or tag_of(str(raw.get("client_order_id"))) is not None:
                raise
            logger.warning("a foreign order is left out: %s", error)
    return orders


def readable(
    items: Iterable[Any], read: Callable[[Any], Read], is_traded: Callable[[str], bool]
) -> list[Read]:
    """What ``read`` makes of a list. An item that cannot be read (an option's) is left out when
    there is no order of ours in its symbol (``is_traded``, asked only then, and once for each);
    where there is one the error is raised: our books must not go on without it."""
    found: list[Read] = []
    foreign: set[str] = set()
    for raw in items:
        try:
            found.append(read(raw))
        except BrokenAnswerError as error:
            symbol = raw.get("symbol") if isinstance(raw, Mapping) else None
            if not isinstance(symbol, str) or (symbol not in foreign and is_traded(symbol)):
                raise
            foreign.add(symbol)
            logger.warning("something foreign is left out: %s", error)
    return found


def flattened(raw: Mapping[str, Any], parent: str | None = None) -> list[BrokerOrder]:
    """An order and its legs, each leg naming its parent."""
    orders = [order_of(raw, parent)]
    for leg in raw.get("legs") or ():
        orders.extend(flattened(leg, orders[0].order_id))
    return orders


def order_of(raw: Mapping[str, Any], parent: str | None = None) -> BrokerOrder:
    try:
        return _order(raw, parent)
    except WRONG as error:
        raise BrokenAnswerError(f"not an order: {error!r} in {raw!r:.1000}") from error


def _order(raw: Mapping[str, Any], parent: str | None) -> BrokerOrder:
    status = _status(raw["status"])
    filled = optional_number(raw.get("filled_qty"))
    if filled is None:
        if status in (OrderStatus.FILLED, OrderStatus.PARTIALLY_FILLED):
            raise ValueError("a filled order that does not say how much was filled")
        filled = Decimal(0)
    # An order by dollar amount (foreign: ours name shares) has no quantity of its own.
    quantity = optional_number(raw.get("qty"))
    return BrokerOrder(
        order_id=str(raw["id"]),
        client_order_id=str(raw.get("client_order_id") or ""),
        symbol=str(raw["symbol"]),
        side=Side(raw["side"]),
        order_type=str(raw.get("order_type") or raw.get("type") or ""),
        order_class=str(raw.get("order_class") or "simple"),
        status=status,
        quantity=filled if quantity is None else quantity,
        filled_quantity=filled,
        filled_avg_price=optional_number(raw.get("filled_avg_price")) if filled else None,
        limit_price=optional_number(raw.get("limit_price")),
        stop_price=optional_number(raw.get("stop_price")),
        time_in_force=str(raw.get("time_in_force") or ""),
        parent_order_id=raw.get("parent_order_id") or parent,
        replaces=raw.get("replaces"),
        submitted_at=_first_moment(raw, "submitted_at", "created_at", "updated_at"),
        updated_at=_first_moment(raw, "updated_at", "submitted_at", "created_at"),
    )


def submitted_at(raw: Mapping[str, Any]) -> datetime:
    """When the order of a body was submitted."""
    try:
        return _first_moment(raw, "submitted_at", "created_at", "updated_at")
    except WRONG as error:
        raise BrokenAnswerError(f"an order without a time: {error!r} in {raw!r:.1000}") from error


def _status(word: object) -> OrderStatus:
    if not isinstance(word, str):
        raise TypeError(f"status is {word!r}")
    try:
        status = OrderStatus(word)
    except ValueError:
        status = OrderStatus.UNRECOGNISED
    if status in (OrderStatus.UNRECOGNISED, OrderStatus.NOT_KNOWN):  # words of ours, no broker's
        logger.warning("the broker names an order status that is not known: %r", word)
        return OrderStatus.UNRECOGNISED
    return status


def _first_moment(raw: Mapping[str, Any], *names: str) -> datetime:
    for name in names:
        if raw.get(name):
            return moment(raw[name])
    raise ValueError(f"none of {', '.join(names)}")


def position_of(raw: Mapping[str, Any]) -> BrokerPosition:
    """A halted or delisted symbol may have no price; then it is worth what it cost."""
    try:
        quantity, cost = number(raw["qty"]), number(raw["avg_entry_price"])
        price, gain = optional_number(raw.get("current_price")), raw.get("unrealized_pl")
        return BrokerPosition(
            symbol=str(raw["symbol"]),
            quantity=-abs(quantity) if raw.get("side") == "short" else quantity,
            avg_entry_price=cost,
            current_price=cost if price is None else price,
            unrealised_pnl=optional_number(gain) or Decimal(0),
        )
    except WRONG as error:
        raise BrokenAnswerError(f"not a position: {error!r} in {raw!r:.1000}") from error


def account_of(raw: Mapping[str, Any]) -> BrokerAccount:
    """The PDT fields, gone since July 2026, are not read."""
    try:
        value = raw.get("equity")
        equity = number(raw["portfolio_value"] if value in _NOTHING else value)
        before = optional_number(raw.get("last_equity"))
        blocked = ("trading_blocked", "account_blocked", "trade_suspended_by_user")
        return BrokerAccount(
            account_number=str(raw.get("account_number") or raw["id"]),
            status=str(raw["status"]),
            equity=equity,
            last_equity=equity if before is None else before,
            cash=number(raw["cash"]),
            buying_power=number(raw["buying_power"]),
            trading_blocked=any(_flag(raw.get(name)) for name in blocked),
        )
    except WRONG as error:
        raise BrokenAnswerError(f"not an account: {error!r} in {raw!r:.1000}") from error


def _flag(value: object) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    raise TypeError(f"{value!r} is neither true nor false")


def fills_of(
    items: Iterable[Mapping[str, Any]], is_traded: Callable[[str], bool]
) -> list[BrokerFill]:
    """All fills of a list; one that neither buys nor sells shares as we do is foreign."""
    like_ours: list[Mapping[str, Any]] = []
    for raw in items:
        if not isinstance(raw, Mapping) or raw.get("side") in tuple(Side):
            like_ours.append(raw)
        else:
            logger.warning("a foreign fill is left out: side %r", raw.get("side"))
    return readable(like_ours, fill_of, is_traded)


def fill_of(raw: Mapping[str, Any]) -> BrokerFill:
    """A FILL activity; its id is the execution's."""
    try:
        return BrokerFill(
            execution_id=str(raw["id"]),
            order_id=str(raw["order_id"]),
            symbol=str(raw["symbol"]),
            side=Side(raw["side"]),
            quantity=number(raw["qty"]),
            price=number(raw["price"]),
            at=moment(raw["transaction_time"]),
            cumulative=optional_number(raw.get("cum_qty")),
        )
    except WRONG as error:
        raise BrokenAnswerError(f"not a fill: {error!r} in {raw!r:.1000}") from error


def next_close_of(raw: Mapping[str, Any]) -> datetime:
    """From GET /v2/clock."""
    try:
        return moment(raw["next_close"])
    except WRONG as error:
        raise BrokenAnswerError(f"not a clock: {error!r} in {raw!r:.200}") from error


def configuration_of(raw: Mapping[str, Any]) -> AccountConfiguration:
    """From GET /v2/account/configurations. The multiplier comes as a string, "1" or "1.0"."""
    try:
        return AccountConfiguration(
            no_shorting=raw["no_shorting"] is True,
            max_margin_multiplier=f"{number(raw['max_margin_multiplier']).normalize():f}",
            suspend_trade=raw["suspend_trade"] is not False,
        )
    except WRONG as error:
        raise BrokenAnswerError(f"not a configuration: {error!r} in {raw!r:.200}") from error
