"""Alpaca's trading API under ``/v2``."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal, InvalidOperation

from tradewind_local.exchange import bodies, refusals
from tradewind_local.exchange.engine import Exchange
from tradewind_local.exchange.http_messages import Request, Response
from tradewind_local.exchange.model import ZERO, Order
from tradewind_local.exchange.order_entry import read_changes, read_ticket

MOST_ORDERS = 500
SHARE_STEP = Decimal("1e-9")


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
    answers = [
        {"id": order.id, "status": 200}
        if refusal is None
        else {"id": order.id, "status": refusal.status, "body": refusal.body}
        for order, refusal in exchange.cancel_all()
    ]
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
    if request.flag("nested"):
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


def delete_positions(exchange: Exchange, request: Request) -> Response:
    """Close all: for each symbol the order that does it or the refusal, 207."""
    answers = []
    for symbol, result in exchange.close_all_positions(request.flag("cancel_orders")):
        if isinstance(result, refusals.Refusal):
            answers.append({"symbol": symbol, "status": result.status, "body": result.body})
        else:
            answers.append({"symbol": symbol, "status": 200, "body": bodies.order_body(result)})
            exchange.trade_now(result)
    return Response.json(answers, 207)


def delete_position(exchange: Exchange, request: Request, symbol: str) -> Response:
    """Close a position, or ``qty`` shares or ``percentage`` per cent of it."""
    qty, percentage = _decimal(request, "qty"), _decimal(request, "percentage")
    if qty is not None and percentage is not None:
        raise refusals.unprocessable("qty and percentage cannot be given together")
    if percentage is not None:
        if not 0 < percentage <= 100:
            raise refusals.unprocessable("percentage must be more than 0 and at most 100")
        held = exchange.ledger.position(symbol).qty
        qty = (held * percentage / 100).quantize(SHARE_STEP, ROUND_DOWN)
    order = exchange.close_position(symbol, qty)
    answer = bodies.order_body(order)
    exchange.trade_now(order)
    return Response.json(answer)


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
    return exchange.legs(order) if request.flag("nested") else None


def _decimal(request: Request, name: str) -> Decimal | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise refusals.unprocessable(f"invalid {name}: {text}") from None
    if not number.is_finite():
        raise refusals.unprocessable(f"invalid {name}: {text}")
    return number


def _date(request: Request, name: str, default: date) -> date:
    text = request.query.get(name)
    if text is None:
        return default
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise refusals.unprocessable(f"invalid {name}: {text}") from None
