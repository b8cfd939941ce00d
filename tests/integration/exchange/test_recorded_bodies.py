"""Every body has the fields of Alpaca's recorded ones, and values of their kinds."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.exchange.conftest import Market, recorded

# Fields that the recordings disagree on, or that left the API, and why each is as it is.
LEFT_THE_API = {"pattern_day_trader", "daytrade_count", "daytrading_buying_power"}  # 2026-07-06
# The SDK's hand-made bodies give some quantities and prices as numbers, the official ones strings.
STRINGS = {"qty", "filled_qty", "filled_avg_price", "limit_price"}
# A string in the SDK's test, an integer in the official field list.
INTEGERS = {"options_approved_level", "options_trading_level"}


def shape(body: Any) -> Any:
    """A body's fields with the kinds of their values; null stands for any kind."""
    if isinstance(body, dict):
        return {name: shape(value) for name, value in body.items()}
    if isinstance(body, list):
        return [shape(item) for item in body]
    return "number" if isinstance(body, int | float) and not isinstance(body, bool) else type(body)


def assert_like(ours: Any, theirs: Any, path: str = "body") -> None:
    """``ours`` has every field of ``theirs``, of the same kind; null on either side fits all."""
    if ours is None or theirs is None:
        return
    if isinstance(theirs, dict):
        assert isinstance(ours, dict), path
        missing = set(theirs) - set(ours) - LEFT_THE_API
        assert not missing, f"{path} lacks {sorted(missing)}"
        for name in set(theirs) & set(ours):
            if name in STRINGS:
                assert isinstance(ours[name], str | None), f"{path}.{name}"
            elif name in INTEGERS:
                assert isinstance(ours[name], int), f"{path}.{name}"
            else:
                assert_like(ours[name], theirs[name], f"{path}.{name}")
    elif isinstance(theirs, list):
        assert isinstance(ours, list), path
        if ours and theirs:
            assert_like(ours[0], theirs[0], f"{path}[0]")
    else:
        assert shape(ours) == shape(theirs), path


ORDERS = [
    "alpaca_py/orders/market_order.json",
    "alpaca_py/orders/limit_order.json",
    "alpaca_py/orders/get_order_by_id.json",
    "alpaca_py/orders/get_order_by_client_id.json",
    "alpaca_py/orders/order_position_intent.json",
    "alpaca_py/orders/order_position_intent_2.json",
    "alpaca_py/orders/replace_order.json",
    "openapi_2026_08_trading/component_EquityOrderResponse.json",
]


def bought(market: Market) -> dict[str, Any]:
    body = {
        "symbol": "AAPL",
        "qty": "10",
        "side": "buy",
        "type": "limit",
        "limit_price": "100.30",
        "time_in_force": "gtc",
        "order_class": "oto",
        "stop_loss": {"stop_price": "98.50"},
        "client_order_id": "bought",
    }
    answer: dict[str, Any] = market.call("POST", "/v2/orders", json=body).json()
    return answer


@pytest.mark.parametrize("name", ORDERS)
def test_orders(market: Market, name: str) -> None:
    theirs = recorded(name)
    sent = bought(market)
    later = market.call("GET", f"/v2/orders/{sent['id']}?nested=true").json()
    by_id = market.call("GET", "/v2/orders:by_client_order_id?client_order_id=bought").json()
    moved = market.call(
        "PATCH", f"/v2/orders/{sent['legs'][0]['id']}", json={"stop_price": "98.60"}
    ).json()
    for ours in (sent, later, by_id, moved, *later["legs"]):
        assert_like(ours, theirs)


def test_orders_have_no_field_of_our_own_invention(market: Market) -> None:
    known = {name for file in ORDERS for name in recorded(file)}
    fill = recorded("alpaca_py/positions/close_all_positions.json")[0]["body"]
    assert set(bought(market)) == known | set(fill)


def test_list_of_orders(market: Market) -> None:
    bought(market)
    ours = market.call("GET", "/v2/orders?status=all").json()
    assert_like(ours, recorded("alpaca_py/orders/get_orders.json"))
    assert len(ours) == 2


def test_cancel_all(market: Market) -> None:
    bought(market)
    answer = market.call("DELETE", "/v2/orders")
    assert answer.status_code == 207
    assert_like(answer.json(), recorded("alpaca_py/orders/cancel_orders.json"))


def test_positions(market: Market) -> None:
    bought(market)
    market.at(1)
    ours = market.call("GET", "/v2/positions").json()
    assert_like(ours, recorded("alpaca_py/positions/get_all_positions.json"))
    assert ours == [market.call("GET", "/v2/positions/AAPL").json()]


@pytest.mark.parametrize(
    "name",
    ["alpaca_py/account/get_account.json", "openapi_2026_08_trading/get_v2_account_200_ex.json"],
)
def test_account(market: Market, name: str) -> None:
    bought(market)
    ours = market.call("GET", "/v2/account").json()
    assert_like(ours, recorded(name))
    assert not LEFT_THE_API & set(ours)


def test_every_account_field_that_is_described(market: Market) -> None:
    kinds = {"string": str, "boolean": bool, "integer": int}
    ours = market.call("GET", "/v2/account").json()
    for name, described in recorded("account_fields_2026_08.json").items():
        assert isinstance(ours[name], kinds.get(described.get("type", "string"), object)), name


def test_configuration(market: Market) -> None:
    ours = market.call("GET", "/v2/account/configurations").json()
    theirs = recorded(
        "alpaca_py/account/get_account_configurations_without_deprecated_pdt_fields.json"
    )
    assert shape(ours) == shape(theirs)


def test_asset(market: Market) -> None:
    assert_like(
        market.call("GET", "/v2/assets/AAPL").json(), recorded("alpaca_py/assets/get_asset.json")
    )


DATA = [
    ("/v2/stocks/bars?symbols=AAPL&timeframe=1Min", "get_v2_stocks_bars_200_bars.json"),
    ("/v2/stocks/AAPL/bars?timeframe=1Min&limit=1", "get_v2_stocks_symbol_bars_200_bars.json"),
    ("/v2/stocks/bars/latest?symbols=AAPL", "get_v2_stocks_bars_latest_200_bars.json"),
    ("/v2/stocks/AAPL/bars/latest", "get_v2_stocks_symbol_bars_latest_200_bar.json"),
    ("/v2/stocks/trades/latest?symbols=AAPL", "get_v2_stocks_trades_latest_200_trades.json"),
    ("/v2/stocks/AAPL/trades/latest", "get_v2_stocks_symbol_trades_latest_200_trade.json"),
    ("/v2/stocks/quotes/latest?symbols=AAPL", "get_v2_stocks_quotes_latest_200_quotes.json"),
    ("/v2/stocks/AAPL/quotes/latest", "get_v2_stocks_symbol_quotes_latest_200_quotes.json"),
]


@pytest.mark.parametrize(("path", "name"), DATA)
def test_market_data(market: Market, path: str, name: str) -> None:
    market.at(2)
    ours = market.call("GET", path).json()
    theirs = recorded(f"openapi_2026_08_data/{name}")
    assert_like(ours, _first_symbol(theirs))
    assert_like(_first_symbol(theirs), _first_symbol(ours))  # no field of our own invention


def _first_symbol(body: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {"AAPL": value["AAPL"]} if isinstance(value, dict) and "AAPL" in value else value
        for name, value in body.items()
    }


def test_no_bars(market: Market) -> None:
    ours = market.call("GET", "/v2/stocks/bars?symbols=AAPL&timeframe=1Min&end=2019-01-01").json()
    assert ours == recorded("alpaca_py/stock_data/get_bars_multi_empty_response.json")


def test_statuses_and_words_are_alpacas(market: Market) -> None:
    enums = recorded("enums_2026_08.json")
    bought(market)
    for order in market.call("GET", "/v2/orders?status=all").json():
        assert order["status"] in enums["OrderStatus"]
        assert order["type"] in enums["OrderType"]
        assert order["order_class"] in enums["OrderClass"]
        assert order["time_in_force"] in enums["TimeInForce"]
        assert order["side"] in enums["OrderSide"]
        assert order["position_intent"] in enums["PositionIntent"]


def test_a_fill_activity(market: Market) -> None:
    """As the field knows it: id of New York's clock to the millisecond, then a uuid."""
    bought(market)
    (fill,) = market.call("GET", "/v2/account/activities/FILL").json()
    assert fill["id"].split("::")[0] == "20201112093003000"
    assert {name: value for name, value in fill.items() if name not in ("id", "order_id")} == {
        "activity_type": "FILL",
        "transaction_time": "2020-11-12T14:30:03Z",
        "type": "fill",
        "price": "100.1234",
        "qty": "10",
        "side": "buy",
        "symbol": "AAPL",
        "leaves_qty": "0",
        "cum_qty": "10",
        "order_status": "filled",
    }
