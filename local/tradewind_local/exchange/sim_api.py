"""The control API under ``/_sim``: bars in, time forward, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from tradewind.errors import InvalidInputError
from tradewind.market.bar import Bar, from_iso, to_iso

from tradewind_local.exchange.access import OauthClient
from tradewind_local.exchange.activities_api import FillFaults
from tradewind_local.exchange.bodies import position_body
from tradewind_local.exchange.engine import Exchange
from tradewind_local.exchange.faults import Fault, Weather
from tradewind_local.exchange.http_messages import Request, Response
from tradewind_local.exchange.model import ZERO, Order
from tradewind_local.exchange.update_feed import StreamFaults
from tradewind_local.exchange.venue import Venue
from tradewind_local.exchange.wire import decimal_text, quotient, time_text

Thing = TypeVar("Thing")

_STANDING_FAULTS = (*("random", "maintenance", "fills", "stream", "stuck_cancels", "clock_skew"),)
_MARKET = (
    "shares_per_tick",
    "partial_fills",
    "fees_on_sales",
    "halt",
    "resume",
    "split",
    "activity",
    "announce",
)
BAR_FIELDS = ("symbol", "start", "open", "high", "low", "close", "volume", "feed")


def answer(venue: Venue, request: Request) -> Response:
    """Carry out a control request. Raises TradewindError with what is wrong with it."""
    match request.method, request.path:
        case "GET", "/_sim/clock":
            now = venue.exchange.now
            return Response.json({"now": None if now is None else to_iso(now)})
        case "POST", "/_sim/clock":
            venue.clock.set(*read_clock(request.json()))
            venue.move()
            return Response.json({"now": to_iso(venue.exchange.time)})
        case "POST", "/_sim/bars":
            return Response.json({"loaded": venue.book.add(read_bars(request.json()))})
        case "POST", "/_sim/faults":
            set_faults(venue, _mapping(request.json()))
        case "DELETE", "/_sim/faults":
            venue.clear_faults()
        case "POST", "/_sim/market":
            set_market(venue.exchange, _mapping(request.json()))
        case "POST", "/_sim/access":
            set_access(venue, _mapping(request.json()))
        case "POST", "/_sim/rate_limit":
            venue.rate_limit.enforce(read_rate_limit(request.json()))
        case "POST", "/_sim/reset":
            venue.reset(*read_reset(request.json()))
        case "GET", "/_sim/summary":
            return Response.json(summary(venue.exchange, venue.store.slack_count(), venue.requests))
        case "GET", "/_sim/stream":
            return Response.json({"listeners": venue.updates.listeners})
        case "GET", "/_sim/slack":
            return Response.json({"messages": venue.store.slack()})
        case _:
            return Response.json({"message": "no such control endpoint"}, 404)
    return Response.json({})


def read_bars(body: object) -> list[Bar]:
    """From ``{"bars": [[symbol, start, open, high, low, close, volume, feed], …]}``."""
    try:
        return [
            Bar.from_payload(dict(zip(BAR_FIELDS, row, strict=True)))
            for row in _mapping(body)["bars"]
        ]
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise InvalidInputError(f"not bars: {error!r}") from error


def read_clock(body: object) -> tuple[datetime, bool]:
    """From ``{"now": …, "running": true}``."""
    fields = _mapping(body)
    if "now" not in fields:
        raise InvalidInputError("the clock needs 'now'")
    return from_iso(fields["now"]), bool(fields.get("running", True))


def set_faults(venue: Venue, given: Mapping[str, Any]) -> None:
    """As ``ExchangeControl.add_faults`` and its neighbours send them; what is not named stays."""
    _check_names(given, ("faults", *_STANDING_FAULTS))
    scripted = [Fault.of(_mapping(fault)) for fault in given.get("faults", ())]
    if "random" in given:
        venue.faults.set_weather(_optional(given["random"], Weather.of))
    if "maintenance" in given:
        venue.faults.set_maintenance(_optional(given["maintenance"], _window))
    if "fills" in given:
        fills = _optional(given["fills"], FillFaults.of)
        venue.activities.set_faults(fills, len(venue.exchange.fills))
    if "stream" in given:
        venue.updates.set_faults(StreamFaults.of(_mapping(given["stream"])))
    if "stuck_cancels" in given:
        venue.exchange.stick_cancels(_whole(given["stuck_cancels"], "stuck_cancels"))
    if "clock_skew" in given:
        venue.skew = timedelta(seconds=_whole(given["clock_skew"], "clock_skew"))
    for fault in scripted:
        venue.faults.add(fault)


def set_market(exchange: Exchange, given: Mapping[str, Any]) -> None:
    """As ``ExchangeControl.limit_fills`` and its neighbours send it; what is not named stays."""
    _check_names(given, _MARKET)
    if "shares_per_tick" in given:
        exchange.shares_per_tick = _positive(given["shares_per_tick"], "shares_per_tick")
    if "partial_fills" in given:
        exchange.partial_fills(_positive(given["partial_fills"], "partial_fills"))
    if "fees_on_sales" in given:
        exchange.fees_on_sales = bool(given["fees_on_sales"])
    if "halt" in given:
        exchange.halt(str(given["halt"]))
    if "resume" in given:
        exchange.resume(str(given["resume"]))
    if "split" in given:
        split = _fields(given["split"], "symbol", "new_rate", "old_rate")
        exchange.split(
            str(split["symbol"]),
            _number(split["new_rate"], "new_rate"),
            _number(split["old_rate"], "old_rate"),
        )
    if "activity" in given:
        activity = _fields(given["activity"], "kind", "amount", "symbol", "description")
        exchange.post_activity(
            str(activity["kind"]),
            _number(activity["amount"], "amount"),
            activity["symbol"],
            str(activity["description"]),
        )
    if "announce" in given:
        announced = _fields(given["announce"], "type", "action")
        exchange.announcements.add(str(announced["type"]), _mapping(announced["action"]))


def set_access(venue: Venue, given: Mapping[str, Any]) -> None:
    """``keys``: ``[id, secret]`` or null; ``oauth``: an OAuth client's fields or null."""
    _check_names(given, ("keys", "oauth"))
    if "keys" in given:
        keys = given["keys"]
        if keys is not None and not (isinstance(keys, list) and len(keys) == 2):
            raise InvalidInputError("keys must be [id, secret] or null")
        venue.access.accept_only(None if keys is None else (str(keys[0]), str(keys[1])))
    if "oauth" in given:
        venue.access.set_client(_optional(given["oauth"], OauthClient.of))


def read_rate_limit(body: object) -> int | None:
    """From ``{"rate_limit": 200}``, or null for none."""
    limit = _mapping(body).get("rate_limit")
    if limit is None:
        return None
    if _whole(limit, "rate_limit") < 1:
        raise InvalidInputError("rate_limit must be at least 1")
    return int(limit)


def read_reset(body: object) -> tuple[Decimal | None, datetime | None]:
    """From ``{"cash": …, "now": …}``, both optional."""
    fields = _mapping(body)
    now = fields.get("now")
    return _positive(fields.get("cash"), "cash"), None if now is None else from_iso(now)


def summary(
    exchange: Exchange, slack_messages: int, requests: Mapping[str, int]
) -> dict[str, object]:
    """As ``ExchangeControl.summary`` describes it."""
    account, now = exchange.ledger.account, exchange.now
    positions = [
        {
            name: value
            for name, value in position_body(exchange, position).items()
            if name in ("symbol", "qty", "avg_entry_price", "current_price", "unrealized_pl")
        }
        for position in exchange.ledger.held()
    ]
    unrealized = sum((Decimal(str(position["unrealized_pl"])) for position in positions), ZERO)
    return {
        "now": None if now is None else to_iso(now),
        "bars": len(exchange.book),
        "orders": [_order(order) for order in exchange.orders.values()],
        "fills": len(exchange.fills),
        "positions": positions,
        "cash": decimal_text(account.cash),
        "equity": decimal_text(account.cash if now is None else exchange.equity()),
        "last_equity": decimal_text(account.last_equity),
        "realized_pl": decimal_text(exchange.ledger.realized),
        "unrealized_pl": decimal_text(unrealized),
        "slack_messages": slack_messages,
        "requests": dict(sorted(requests.items())),
    }


def _order(order: Order) -> dict[str, object]:
    return {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "parent_order_id": order.parent_id,
        "replaces": order.replaces,
        "replaced_by": order.replaced_by,
        "symbol": order.symbol,
        "side": order.side,
        "type": order.type,
        "order_class": order.order_class,
        "qty": decimal_text(order.qty),
        "filled_qty": decimal_text(order.filled_qty),
        "filled_avg_price": (
            decimal_text(quotient(order.filled_value, order.filled_qty))
            if order.filled_qty
            else None
        ),
        "stop_price": None if order.stop_price is None else decimal_text(order.stop_price),
        "limit_price": None if order.limit_price is None else decimal_text(order.limit_price),
        "status": order.status,
        "submitted_at": time_text(order.submitted_at),
    }


def _window(given: object) -> tuple[datetime, datetime]:
    fields = _mapping(given)
    try:
        return from_iso(fields["from"]), from_iso(fields["until"])
    except KeyError as error:
        raise InvalidInputError("maintenance needs 'from' and 'until'") from error


def _check_names(given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    unknown = set(given) - set(known)
    if unknown:
        raise InvalidInputError(f"unknown: {sorted(unknown)}; there are {known}")


def _optional(given: Any, read: Callable[[Any], Thing]) -> Thing | None:
    return None if given is None else read(_mapping(given))


def _whole(given: object, name: str) -> int:
    if not isinstance(given, int) or isinstance(given, bool):
        raise InvalidInputError(f"{name} must be a whole number: {given!r}")
    return given


def _fields(given: object, *names: str) -> Mapping[str, Any]:
    fields = _mapping(given)
    if set(fields) != set(names):
        raise InvalidInputError(f"these are needed, and no others: {names}")
    return fields


def _number(given: object, name: str) -> Decimal:
    try:
        number = Decimal(str(given))
    except InvalidOperation as error:
        raise InvalidInputError(f"{name} is not a number: {given!r}") from error
    if not number.is_finite():
        raise InvalidInputError(f"{name} is not a number: {given!r}")
    return number


def _positive(given: object, name: str) -> Decimal | None:
    if given is None:
        return None
    number = _number(given, name)
    if not number > 0:
        raise InvalidInputError(f"{name} must be more than zero")
    return number


def _mapping(body: object) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise InvalidInputError("the body must be a JSON object")
    return body
