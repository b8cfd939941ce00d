"""Every body has the fields of Alpaca's recorded ones, and values of their kinds."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from tests.integration.exchange.conftest import RECORDED, Market, recorded

# Fields that the recordings disagree on, or that left the API, and why each is as it is.
LEFT_THE_API = {  # 2026-07-06
    *("pattern_day_trader", "daytrade_count", "daytrading_buying_power"),
    *("dtbp_check", "pdt_check"),
}
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


def test_configuration_of_before_the_pattern_day_trader_fields_left(market: Market) -> None:
    ours = market.call("GET", "/v2/account/configurations").json()
    assert_like(ours, recorded("alpaca_py/account/get_account_configurations.json"))
    assert not LEFT_THE_API & set(ours)


def test_assets(market: Market) -> None:
    asset = market.call("GET", "/v2/assets/AAPL").json()
    assert_like(asset, recorded("alpaca_py/assets/get_asset.json"))
    for name in ("get_all_assets.json", "get_all_assets_params.json"):
        assert_like(market.call("GET", "/v2/assets").json(), recorded(f"alpaca_py/assets/{name}"))


CLOSINGS = {
    "alpaca_py/positions/close_position_with_qty.json": "?qty=1",
    "alpaca_py/positions/close_position_with_percentage.json": "?percentage=10",
}


@pytest.mark.parametrize("name", CLOSINGS)
def test_closing_a_position(market: Market, name: str) -> None:
    body = {"symbol": "AAPL", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
    market.call("POST", "/v2/orders", json=body)
    ours = market.call("DELETE", f"/v2/positions/AAPL{CLOSINGS[name]}").json()
    assert_like(ours, recorded(name))


# Recordings of what the simulated exchange does not serve, and why.
NOT_SERVED = {
    "openapi_2026_08_trading/component_CryptoOrderResponse.json": "crypto",
    "openapi_2026_08_trading/component_IPOOrderResponse.json": "initial offerings",
    "openapi_2026_08_trading/component_*Option*.json": "options",
    "openapi_2026_08_trading/*_v1_locates*.json": "short selling",
    "openapi_2026_08_trading/*_v2_tokenization*.json": "tokens of shares",
    "openapi_2026_08_trading/post_v2_positions_*exercise*.json": "options",
    "openapi_2026_08_trading/*_v2_watchlists*.json": "watch lists",
    "openapi_2026_08_trading/get_v2_account_portfolio_history*.json": "Tradewind keeps its own",
    "openapi_2026_08_trading/get_v2_corporate_actions*.json": "replaced by /v1/corporate-actions",
    "openapi_2026_08_data/get_v1beta1*.json": "news, screeners and event streams",
    "openapi_2026_08_data/get_v2_stocks_*auctions*.json": "auction prices",
    "openapi_2026_08_data/get_v2_stocks_*snapshot*.json": "snapshots",
    "openapi_2026_08_data/get_v2_stocks_trades_200*.json": "the history of trades",
    "openapi_2026_08_data/get_v2_stocks_symbol_trades_200*.json": "the history of trades",
    "openapi_2026_08_data/get_v2_stocks_quotes_200*.json": "the history of quotes",
    "openapi_2026_08_data/get_v2_stocks_symbol_quotes_200*.json": "the history of quotes",
    "alpaca_py/stock_data/get_snapshot.json": "snapshots",
    "alpaca_py/stock_data/*get_trades*.json": "the history of trades",
    "alpaca_py/stock_data/*quotes*.json": "the history of quotes",
    "alpaca_py/corporate_actions/*.json": "their bodies are those that it was told to announce",
}
# Read by name somewhere in these tests.
HERE = [Path(__file__), *(Path(__file__).with_name(f"test_{n}.py") for n in ("stream", "closing"))]
ELSEWHERE = {"errors.json": "test_recorded_errors.py"}


def test_every_recording_is_compared_or_said_not_to_be() -> None:
    recorded("enums_2026_08.json")  # skips where there are none
    told = "".join(file.read_text() for file in HERE)
    compared = {*ORDERS, *DATA, *(f"{PY}/{name}" for name in NOTHING), *ELSEWHERE}
    left = [
        name
        for name in sorted(str(file.relative_to(RECORDED)) for file in RECORDED.rglob("*.json"))
        if name not in compared
        and Path(name).name not in told
        and not any(fnmatchcase(name, pattern) for pattern in NOT_SERVED)
    ]
    assert not left, "\n".join(left)


# What each recording of market data answers, at the third minute.
LATEST = "/v2/stocks/{}/latest?symbols={}"
BARS = "/v2/stocks/bars?timeframe=1Min&symbols="
PY, SPEC = "alpaca_py/stock_data", "openapi_2026_08_data/get_v2_stocks"
DATA = {
    f"{SPEC}_bars_200_bars.json": BARS + "AAPL",
    f"{SPEC}_symbol_bars_200_bars.json": "/v2/stocks/AAPL/bars?timeframe=1Min&limit=1",
    f"{SPEC}_bars_latest_200_bars.json": LATEST.format("bars", "AAPL"),
    f"{SPEC}_symbol_bars_latest_200_bar.json": "/v2/stocks/AAPL/bars/latest",
    f"{SPEC}_trades_latest_200_trades.json": LATEST.format("trades", "AAPL"),
    f"{SPEC}_symbol_trades_latest_200_trade.json": "/v2/stocks/AAPL/trades/latest",
    f"{SPEC}_quotes_latest_200_quotes.json": LATEST.format("quotes", "AAPL"),
    f"{SPEC}_symbol_quotes_latest_200_quotes.json": "/v2/stocks/AAPL/quotes/latest",
    f"{PY}/get_bars.json": BARS + "AAPL&limit=1",
    f"{PY}/get_bars_desc.json": BARS + "AAPL&limit=1&sort=desc",
    f"{PY}/multisymbol_get_bars.json": BARS + "AAPL,MSFT",
    f"{PY}/stock_latest_bar.json": LATEST.format("bars", "AAPL"),
    f"{PY}/multi_stock_latest_bar.json": LATEST.format("bars", "AAPL,MSFT"),
    f"{PY}/get_latest_trade.json": LATEST.format("trades", "AAPL"),
    f"{PY}/get_multisymbol_latest_trade.json": LATEST.format("trades", "AAPL,MSFT"),
    f"{PY}/get_latest_quote.json": LATEST.format("quotes", "AAPL"),
}


@pytest.mark.parametrize("name", DATA)
def test_market_data(market: Market, name: str) -> None:
    market.at(2)
    ours, theirs = market.call("GET", DATA[name]).json(), recorded(name)
    assert_like(_first_symbol(ours), _first_symbol(theirs))
    assert_like(_first_symbol(theirs), _first_symbol(ours))  # no field of our own invention


NOTHING = {
    "get_bars_multi_empty_response.json": BARS + "AAPL&end=2019-01-01",
    "get_bars_single_empty_response.json": BARS + "AAPL&end=2019-01-01",
    "stock_latest_bar_multi_empty_response.json": LATEST.format("bars", "NOPE"),
    "get_latest_trade_multi_not_found.json": LATEST.format("trades", "NOPE"),
    "get_latest_quote_multi_empty_response.json": LATEST.format("quotes", "NOPE"),
}


@pytest.mark.parametrize("name", NOTHING)
def test_nothing_found(market: Market, name: str) -> None:
    assert market.call("GET", NOTHING[name]).json() == recorded(f"{PY}/{name}")


def _first_symbol(body: dict[str, Any]) -> dict[str, Any]:
    """With one symbol, called alike: whose bars they are is no question of shape."""
    return {
        name: {"FIRST": next(iter(value.values()))}
        if name in ("bars", "trades", "quotes") and isinstance(value, dict)
        else value
        for name, value in body.items()
    }


PLAIN = {"symbol": "MSFT", "qty": "4", "side": "buy", "type": "limit", "limit_price": "150"}
LEGS = {"take_profit": {"limit_price": "300"}, "stop_loss": {"stop_price": "140"}}
EVERY_KIND: list[dict[str, Any]] = [
    {"type": "market", "limit_price": None},
    {"time_in_force": "gtc"},
    {"time_in_force": "ioc"},
    {"time_in_force": "fok"},
    {"time_in_force": "cls"},
    {"qty": "0.5"},
    {"qty": None, "notional": "20", "type": "market", "limit_price": None},
    {"type": "stop", "limit_price": None, "stop_price": "250"},
    {"type": "stop_limit", "limit_price": "255", "stop_price": "250"},
    {"type": "trailing_stop", "limit_price": None, "trail_percent": "5"},
    {"type": "trailing_stop", "limit_price": None, "trail_price": "5.50"},
    {"order_class": "bracket", **LEGS},
    {"order_class": "oto", "stop_loss": {"stop_price": "140", "limit_price": "139"}},
    {"order_class": "oto", "type": "market", "limit_price": None, "stop_loss": LEGS["stop_loss"]},
    {"symbol": "AAPL", "type": "market", "limit_price": None},
    {
        "symbol": "AAPL",
        "side": "sell",
        "order_class": "oco",
        "limit_price": None,
        "take_profit": {"limit_price": "300"},
        "stop_loss": {"stop_price": "90"},
    },
]


def test_orders_of_every_kind_have_alpacas_fields_and_words(market: Market) -> None:
    enums = recorded("enums_2026_08.json")
    words = {
        "status": "OrderStatus",
        "type": "OrderType",
        "order_class": "OrderClass",
        "time_in_force": "TimeInForce",
        "side": "OrderSide",
        "position_intent": "PositionIntent",
    }
    for kind in EVERY_KIND:
        body = {"time_in_force": "day", **PLAIN, **kind}
        sent = {name: value for name, value in body.items() if value is not None}
        answer = market.call("POST", "/v2/orders", json=sent)
        assert answer.status_code == 200, (kind, answer.text)
    first = market.call("GET", "/v2/orders?status=open&limit=500").json()
    stop_limit = next(order for order in first if order["type"] == "stop_limit")
    market.call("DELETE", f"/v2/orders/{stop_limit['id']}")
    market.at(400, second=0)  # the close: the day's orders expire
    orders = market.call("GET", "/v2/orders?status=all&limit=500").json()
    for order in orders:
        for name in ORDERS:
            assert_like(order, recorded(name))
        for field, enum in words.items():
            assert order[field] in enums[enum], (field, order[field])
    seen = {field: {order[field] for order in orders} for field in words}
    assert seen["type"] == set(enums["OrderType"])
    assert seen["time_in_force"] == set(enums["TimeInForce"]) - {"opg"}
    assert seen["order_class"] >= {"bracket", "oto", "oco"}
    assert seen["status"] >= {"filled", "canceled", "expired", "new"}
    (asset,) = [a for a in market.call("GET", "/v2/assets").json() if a["symbol"] == "AAPL"]
    assert asset["exchange"] in enums["Exchange"]
    assert market.call("GET", "/v2/account").json()["status"] in enums["AccountStatus"]


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
