"""The real alpaca-py clients trade on the simulated exchange."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import requests
from alpaca.common.exceptions import APIError
from alpaca.data.requests import (
    StockBarsRequest,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
)
from alpaca.data.timeframe import TimeFrame
from alpaca.trading.enums import OrderClass, OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
from alpaca.trading.requests import (
    GetCalendarRequest,
    GetOrderByIdRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLossRequest,
    StopOrderRequest,
    TakeProfitRequest,
)

from tests.integration.exchange.conftest import OPEN, Market


def entry(client_order_id: str = "entry-1", qty: int = 10) -> MarketOrderRequest:
    return MarketOrderRequest(
        symbol="AAPL",
        qty=qty,
        side=OrderSide.BUY,
        time_in_force=TimeInForce.GTC,
        order_class=OrderClass.OTO,
        stop_loss=StopLossRequest(stop_price=98.5),
        client_order_id=client_order_id,
    )


def test_entry_with_its_stop_then_reprice_then_exit(market: Market) -> None:
    """The life of a position as the trading cycle leads it."""
    trading = market.trading
    sent = trading.submit_order(entry())
    assert (sent.status, sent.filled_qty) == (OrderStatus.ACCEPTED, "0")
    assert [leg.status for leg in sent.legs] == [OrderStatus.HELD]

    found = trading.get_order_by_client_id("entry-1")
    assert (found.id, found.status) == (sent.id, OrderStatus.FILLED)
    assert (found.filled_qty, found.filled_avg_price) == ("10", "100.1234")

    nested = trading.get_order_by_id(sent.id, GetOrderByIdRequest(nested=True))
    (stop,) = nested.legs
    assert (stop.status, stop.stop_price, stop.qty) == (OrderStatus.NEW, "98.5", "10")

    (position,) = trading.get_all_positions()
    assert (position.qty, position.qty_available, position.cost_basis) == ("10", "0", "1001.234")

    market.at(1)
    moved = trading.replace_order_by_id(
        stop.id, ReplaceOrderRequest(stop_price=98.75, client_order_id="reprice-1")
    )
    assert (moved.replaces, moved.client_order_id) == (stop.id, "reprice-1")
    assert trading.get_order_by_id(stop.id).status == OrderStatus.REPLACED
    nested = trading.get_order_by_id(sent.id, GetOrderByIdRequest(nested=True))
    assert [leg.id for leg in nested.legs] == [moved.id]

    sale = MarketOrderRequest(
        symbol="AAPL", qty=10, side=OrderSide.SELL, time_in_force=TimeInForce.DAY
    )
    with pytest.raises(APIError, match="insufficient qty available") as refused:
        trading.submit_order(sale)
    assert (refused.value.status_code, refused.value.code) == (403, 40310000)

    trading.cancel_order_by_id(moved.id)
    assert trading.get_order_by_id(moved.id).status == OrderStatus.CANCELED
    sold = trading.submit_order(sale)
    assert trading.get_order_by_id(sold.id).filled_avg_price == "100.1334"
    with pytest.raises(APIError, match="position does not exist") as refused:
        trading.get_open_position("AAPL")
    assert refused.value.status_code == 404

    account = trading.get_account()
    assert Decimal(account.cash) == 100_000 + 10 * (Decimal("100.1334") - Decimal("100.1234"))
    assert (account.equity, account.buying_power) == (account.cash, account.cash)


def test_a_bracket_takes_its_profit(market: Market) -> None:
    trading = market.trading
    trading.submit_order(
        LimitOrderRequest(
            symbol="AAPL",
            qty=5,
            side=OrderSide.BUY,
            time_in_force=TimeInForce.DAY,
            limit_price=100.15,
            order_class=OrderClass.BRACKET,
            stop_loss=StopLossRequest(stop_price=99),
            take_profit=TakeProfitRequest(limit_price=100.3),
        )
    )
    assert trading.get_open_position("AAPL").qty_available == "0"
    market.at(20)  # AAPL passed 100.30 in minute 18
    (order,) = trading.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL, nested=True))
    assert sorted((leg.type.value, leg.status.value) for leg in order.legs) == [
        ("limit", "filled"),
        ("stop", "canceled"),
    ]
    assert [leg.filled_avg_price for leg in order.legs if leg.filled_at] == ["100.3034"]
    assert trading.get_all_positions() == []


def test_listing_orders(market: Market) -> None:
    trading = market.trading
    first = trading.submit_order(entry("a"))
    resting = trading.submit_order(
        LimitOrderRequest(
            symbol="MSFT",
            qty=1,
            side=OrderSide.BUY,
            time_in_force=TimeInForce.DAY,
            limit_price=150,
            client_order_id="b",
        )
    )

    def ids(**filters: object) -> list[str]:
        return [order.client_order_id for order in trading.get_orders(GetOrdersRequest(**filters))]

    stop = first.legs[0].client_order_id
    assert ids(status=QueryOrderStatus.ALL) == ["b", stop, "a"]  # newest first
    assert ids(status=QueryOrderStatus.ALL, direction="asc", nested=True) == ["a", "b"]
    assert ids() == ["b", stop]  # open; legs are orders of their own
    assert ids(nested=True) == ["b", stop]  # the filled parent is not listed, its open leg is
    assert ids(status=QueryOrderStatus.CLOSED) == ["a"]
    assert ids(status=QueryOrderStatus.ALL, symbols=["MSFT"]) == ["b"]
    assert ids(status=QueryOrderStatus.ALL, limit=1) == ["b"]
    assert ids(status=QueryOrderStatus.ALL, after=OPEN.replace(hour=15)) == []

    assert [(answer.id, answer.status) for answer in trading.cancel_orders()] == [
        (first.legs[0].id, 200),
        (resting.id, 200),
    ]
    assert ids() == []


def test_refusals_arrive_as_the_broker_sends_them(market: Market) -> None:
    trading = market.trading
    trading.submit_order(entry("taken"))
    stop = StopOrderRequest(
        symbol="AAPL", qty=1, side=OrderSide.SELL, time_in_force=TimeInForce.GTC, stop_price=120
    )
    too_much = entry("big", qty=5_000)
    for act, status, code in [
        (lambda: trading.submit_order(entry("taken")), 422, 40010001),
        (lambda: trading.submit_order(stop), 422, 42210000),
        (lambda: trading.submit_order(too_much), 403, 40310000),
        (lambda: trading.get_order_by_client_id("nobody"), 404, 40410000),
        (lambda: trading.cancel_order_by_id("61e69015-8549-4bfd-b9c3-01e75843f47d"), 404, 40410000),
    ]:
        with pytest.raises(APIError) as refused:
            act()
        assert (refused.value.status_code, refused.value.code) == (status, code)


def test_market_data(market: Market) -> None:
    market.at(10)  # 09:40:03: the bar of 09:39 is the newest complete one
    symbols = ["AAPL", "MSFT"]
    bars = market.data.get_stock_bars(
        StockBarsRequest(
            symbol_or_symbols=symbols,
            timeframe=TimeFrame.Minute,
            start=OPEN,
            end=datetime(2020, 11, 12, 15, 0, tzinfo=UTC),
            feed="iex",
        )
    )
    assert {symbol: len(bars[symbol]) for symbol in symbols} == {"AAPL": 10, "MSFT": 10}
    assert bars["AAPL"][-1].timestamp == OPEN.replace(minute=39)
    assert bars["AAPL"][-1].close == 100.2134

    latest = market.data.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols=symbols))
    assert latest["AAPL"].timestamp == OPEN.replace(minute=39)
    trade = market.data.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols="AAPL"))
    assert trade["AAPL"].price == 100.2234  # of the minute that runs
    quote = market.data.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="AAPL"))
    assert quote["AAPL"].bid_price < trade["AAPL"].price < quote["AAPL"].ask_price


def test_pages_add_up(market: Market) -> None:
    """Every limit gives the same bars, and symbols are cut anywhere."""
    market.at(30)
    whole = market.call("GET", "/v2/stocks/bars", params=_bars(limit=1_000)).json()
    assert whole["next_page_token"] is None
    for sort in ("asc", "desc"):
        for limit in (1, 7, 30, 31, 59, 60):
            found: dict[str, list[object]] = {}
            token: str | None = None
            while True:
                page = {} if token is None else {"page_token": token}
                answer = market.call(
                    "GET", "/v2/stocks/bars", params=_bars(limit=limit, sort=sort, **page)
                ).json()
                assert sum(map(len, answer["bars"].values())) <= limit
                for symbol, bars in answer["bars"].items():
                    found.setdefault(symbol, []).extend(bars)
                token = answer["next_page_token"]
                if token is None:
                    break
            if sort == "desc":
                found = {symbol: bars[::-1] for symbol, bars in found.items()}
            assert found == whole["bars"]


def _bars(**more: object) -> dict[str, object]:
    return {
        "symbols": "MSFT,AAPL",
        "timeframe": "1Min",
        "start": "2020-11-12T14:30:00Z",
        "end": "2020-11-12T14:59:00Z",
        **more,
    }


def test_prices_leave_with_the_digits_of_the_bar(market: Market) -> None:
    market.at(1)
    text = market.call("GET", "/v2/stocks/bars", params=_bars()).text
    assert '"c":100.1234,' in text
    assert '"c":200.50,' in text


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"feed": "sip"}, 403, "subscription does not permit querying recent SIP data"),
        ({"feed": "moon"}, 400, "invalid feed: moon"),
        ({"timeframe": "1Day"}, 400, "invalid timeframe: 1Day"),
        ({"symbols": ""}, 400, "symbols is required"),
        ({"limit": "0"}, 422, "invalid limit: 0 is not 1..10000"),
        ({"start": "today"}, 422, "invalid start: today"),
        ({"page_token": "%%%"}, 400, "invalid page_token"),
    ],
)
def test_refused_data_requests(
    market: Market, change: dict[str, str], status: int, message: str
) -> None:
    answer = market.call("GET", "/v2/stocks/bars", params={**_bars(), **change})
    assert answer.status_code == status
    assert message in answer.json()["message"]


def test_fill_activities_page_by_page(market: Market) -> None:
    for number in range(5):
        market.trading.submit_order(entry(f"entry-{number}", qty=1))

    def page(**params: object) -> list[dict[str, str]]:
        answer: list[dict[str, str]] = market.trading.get("/account/activities/FILL", params)
        return answer

    every = page(direction="asc")
    assert [fill["price"] for fill in every] == ["100.1234"] * 5
    assert every[0]["id"].startswith("20201112093003000::")
    assert [fill["id"] for fill in page()] == [fill["id"] for fill in reversed(every)]
    first = page(direction="asc", page_size=2)
    second = page(direction="asc", page_size=2, page_token=first[-1]["id"])
    assert first + second == every[:4]
    assert page(date="2020-11-12", direction="asc") == every
    assert page(date="2020-11-11") == []
    assert page(after="2020-11-12T14:30:03Z") == []
    assert market.trading.get("/account/activities", {"activity_types": "DIV,FEE"}) == []
    assert market.trading.get("/account/activities", {"activity_types": "FILL,FEE"}) == every[::-1]


def test_clock_calendar_and_asset(market: Market) -> None:
    clock = market.trading.get_clock()
    assert clock.is_open
    assert clock.timestamp == OPEN.replace(second=3)
    assert clock.next_close == datetime(2020, 11, 12, 21, 0, tzinfo=UTC)
    days = market.trading.get_calendar(
        GetCalendarRequest(start=date(2020, 11, 25), end=date(2020, 11, 28))
    )
    assert [(day.date.day, f"{day.close:%H:%M}") for day in days] == [(25, "16:00"), (27, "13:00")]
    assert market.trading.get_asset("AAPL").tradable
    with pytest.raises(APIError, match="asset not found"):
        market.trading.get_asset("NOPE")


def test_without_keys_nothing_is_answered(market: Market) -> None:
    answer = requests.get(f"{market.url}/v2/account", timeout=10)
    assert answer.status_code == 401
    assert answer.json() == {"code": 40110000, "message": "request is not authorized"}
    bearer = requests.get(
        f"{market.url}/v2/account", headers={"Authorization": "Bearer x"}, timeout=10
    )
    assert bearer.status_code == 200
