"""Alpaca's trading API under ``/v2``."""

from __future__ import annotations

from datetime import date, timedelta

from tradewind_local.exchange import bodies, refusals
from tradewind_local.exchange.engine import Exchange
from tradewind_local.exchange.http_messages import Request, Response
from tradewind_local.exchange.model import ZERO, Order
from tradewind_local.exchange.order_entry import read_changes, read_ticket

MOST_ORDERS = 500


def post_order(exchange: Exchange, request: Request) -> Response:
    order = exchange.submit(read_ticket(request.json()))
    # The answer is written before the order meets the market, as the broker's is.
    answer = bodies.order_body(order, exchange.legs(order))
    exchange.trade_now(order)
    return Response.json(answer)


def patch_order(exchange: Exchange, request: Request, order_id: str) -> Response:
    order = exchange.replace(order_id, read_changes(request.json()))
    answer = bodies.order_body(order, exchange.legs(order))
    exchange.trade_now(order)
    return Response.json(answer)


def delete_order(exchange: Exchange, _request: Request, order_id: str) -> Response:
    exchange.cancel(order_id)
    return Response(204)


def delete_orders(exchange: Exchange, _request: Request) -> Response:
    """Cancel all: one status for each order, 207."""
    answers = []
    for order in list(exchange.orders.values()):
        if order.is_open:
            exchange.cancel(order.id)
            answers.append({"id": order.id, "status": 200})
    return Response.json(answers, 207)


def get_order(exchange: Exchange, request: Request, order_id: str) -> Response:
    order = exchange.order(order_id)
    return Response.json(bodies.order_body(order, _legs(exchange, request, order)))


def get_order_by_client_id(exchange: Exchange, request: Request) -> Response:
    order = exchange.order_by_client_id(request.query.get("client_order_id", ""))
    return Response.json(bodies.order_body(order, _legs(exchange, request, order)))


def get_orders(exchange: Exchange, request: Request) -> Response:
    """Orders by time of submission. Nested: a leg is shown inside its parent when that is listed,
    and by itself when it is not (an open leg of a filled entry)."""
    wanted = request.choice("status", ("open", "closed", "all"))
    newest_first = request.choice("direction", ("desc", "asc")) == "desc"
    after, until = request.time("after"), request.time("until")
    symbols = request.names("symbols")
    side = request.query.get("side")
    found = [
        order
        for order in exchange.orders.values()
        if (wanted == "all" or order.is_open == (wanted == "open"))
        and (after is None or order.submitted_at > after)
        and (until is None or order.submitted_at < until)
        and (symbols is None or order.symbol in symbols)
        and (side is None or order.side == side)
    ]
    if _is_nested(request):
        listed = {order.id for order in found}
        found = [order for order in found if order.parent_id not in listed]
    if newest_first:
        found.reverse()
    found = found[: request.count("limit", 50, MOST_ORDERS)]
    return Response.json(
        [bodies.order_body(order, _legs(exchange, request, order)) for order in found]
    )


def get_positions(exchange: Exchange, _request: Request) -> Response:
    return Response.json(
        [bodies.position_body(exchange, position) for position in exchange.ledger.held()]
    )


def get_position(exchange: Exchange, _request: Request, symbol: str) -> Response:
    position = exchange.ledger.position(symbol)
    if position.qty == ZERO:
        raise refusals.not_found("position does not exist")
    return Response.json(bodies.position_body(exchange, position))


def get_assets(exchange: Exchange, _request: Request) -> Response:
    return Response.json(
        [bodies.asset_body(exchange, symbol) for symbol in sorted(exchange.book.symbols)]
    )


def get_asset(exchange: Exchange, _request: Request, name: str) -> Response:
    for symbol in exchange.book.symbols:
        if name in (symbol, bodies.asset_id(symbol)):
            return Response.json(bodies.asset_body(exchange, symbol))
    raise refusals.not_found(f"asset not found for {name}")


def get_clock(exchange: Exchange, _request: Request) -> Response:
    return Response.json(bodies.clock_body(exchange))


def get_calendar(exchange: Exchange, request: Request) -> Response:
    """Sessions with start <= date <= end; today's when neither is given."""
    today = exchange.time.date()
    first = _date(request, "start", today)
    last = _date(request, "end", max(first, today))
    if last - first > timedelta(days=3_700):
        raise refusals.unprocessable("at most ten years of calendar at a time")
    return Response.json(
        [bodies.calendar_body(session) for session in exchange.sessions.between(first, last)]
    )


def _legs(exchange: Exchange, request: Request, order: Order) -> list[Order] | None:
    return exchange.legs(order) if _is_nested(request) else None


def _is_nested(request: Request) -> bool:
    return request.query.get("nested", "false").lower() == "true"


def _date(request: Request, name: str, default: date) -> date:
    text = request.query.get(name)
    if text is None:
        return default
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise refusals.unprocessable(f"invalid {name}: {text}") from None
