"""Alpaca's bodies: generous in what is read, strict about money."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest
from tradewind.adapters.alpaca.activities import activities_of
from tradewind.adapters.alpaca.parsing import (
    BrokenAnswerError,
    account_of,
    fill_of,
    flattened,
    moment,
    next_close_of,
    order_of,
    orders_of,
    position_of,
)
from tradewind.orders.model import OrderStatus, Side

from tests.unit.adapters.test_alpaca_broker import an_order_body

FIXTURES = Path(__file__).parents[4] / "shared" / "data" / "fixtures_alpaca"
needs_fixtures = pytest.mark.skipif(
    not FIXTURES.exists(), reason="../shared/data/fixtures_alpaca is not on this machine"
)

TIMES = [
    ("2023-12-12T22:31:24.668464435Z", datetime(2023, 12, 12, 22, 31, 24, 668464, UTC)),
    ("2022-04-19T13:45:04.981350886-04:00", datetime(2022, 4, 19, 17, 45, 4, 981350, UTC)),
    ("2020-11-12T14:31:04.5Z", datetime(2020, 11, 12, 14, 31, 4, 500000, UTC)),
    ("2020-11-12T14:31:04Z", datetime(2020, 11, 12, 14, 31, 4, 0, UTC)),
    ("2020-11-12 14:31:04+00:00", datetime(2020, 11, 12, 14, 31, 4, 0, UTC)),
    ("2020-11-12T14:31:04", datetime(2020, 11, 12, 14, 31, 4, 0, UTC)),
]


@pytest.mark.parametrize(("text", "at"), TIMES)
def test_times(text: str, at: datetime) -> None:
    assert moment(text) == at


GENEROUS: list[tuple[str, dict[str, Any], str, Any]] = [
    # (what differs from a plain order, the body's changes, the field, how it is read)
    ("a status nobody knows", {"status": "mystery"}, "status", OrderStatus.UNRECOGNISED),
    ("a type nobody knows", {"order_type": "peg"}, "order_type", "peg"),
    ("a class nobody knows", {"order_class": "mleg"}, "order_class", "mleg"),
    ("a time in force nobody knows", {"time_in_force": "gtd"}, "time_in_force", "gtd"),
    ("a field nobody knows", {"surprise": {"deep": [1]}}, "symbol", "AAPL"),
    ("an empty class", {"order_class": ""}, "order_class", "simple"),
    ("no class", {"order_class": None}, "order_class", "simple"),
    ("only the newer name of the type", {"order_type": None, "type": "stop"}, "order_type",
     "stop"),
    ("an order by dollars", {"qty": None, "notional": "500", "filled_qty": "4.2"}, "quantity",
     D("4.2")),
    ("numbers as JSON numbers", {"qty": 249, "filled_qty": 0}, "quantity", D(249)),
    ("nothing filled yet, told as null", {"filled_qty": None}, "filled_quantity", D(0)),
    ("a price of zero for nothing", {"filled_avg_price": 0}, "filled_avg_price", None),
    ("never updated", {"updated_at": None}, "updated_at",
     datetime(2020, 11, 12, 14, 31, 4, 123456, UTC)),
    ("not submitted yet", {"submitted_at": None}, "submitted_at",
     datetime(2020, 11, 12, 14, 31, 4, 123456, UTC)),
    ("a trailing stop", {"type": "trailing_stop", "order_type": "trailing_stop", "hwm": "120",
                         "trail_percent": "1.5", "stop_price": "118.2"}, "stop_price", D("118.2")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "name", "value"), [row[1:] for row in GENEROUS], ids=[row[0] for row in GENEROUS]
)
def test_orders_are_read_generously(changes: dict[str, Any], name: str, value: Any) -> None:
    assert getattr(order_of(an_order_body(**changes)), name) == value


OPTIONAL = ("client_order_id", "qty", "filled_qty", "filled_avg_price", "order_class", "order_type",
            "type", "time_in_force", "limit_price", "stop_price", "replaces", "legs", "updated_at",
            "submitted_at")  # fmt: skip


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_order_is_read_without_what_is_optional(name: str) -> None:
    body = an_order_body()
    del body[name]
    assert order_of(body).order_id == "o-1"


STRICT: list[tuple[str, dict[str, Any]]] = [
    ("a quantity in words", {"qty": "many"}),
    ("a quantity without end", {"qty": "Infinity"}),
    ("a quantity that is none", {"qty": "NaN"}),
    ("a filled quantity that is none", {"filled_qty": True}),
    ("filled, and not how much", {"status": "filled", "filled_qty": None}),
    ("a price in words", {"limit_price": "market"}),
    ("a price as a list", {"stop_price": [1]}),
    ("neither side", {"side": ""}),
    ("no status", {"status": None}),
    ("no time", {"submitted_at": None, "created_at": None, "updated_at": None}),
    ("a time in words", {"submitted_at": "soon"}),
]


@pytest.mark.parametrize("changes", [row[1] for row in STRICT], ids=[row[0] for row in STRICT])
def test_an_order_that_makes_no_sense_is_broken(changes: dict[str, Any]) -> None:
    with pytest.raises(BrokenAnswerError):
        order_of(an_order_body(**changes))


@pytest.mark.parametrize("body", [None, [], "text", 7, {}])
def test_what_is_no_order_is_broken(body: Any) -> None:
    for read in (order_of, position_of, account_of, fill_of, next_close_of):
        with pytest.raises(BrokenAnswerError):
            read(body)
    if body:
        with pytest.raises(BrokenAnswerError):
            orders_of([body])


FILL = {
    "activity_type": "FILL", "id": "20201112093105::1", "order_id": "o-1", "symbol": "AAPL",
    "side": "buy", "qty": "4", "cum_qty": "6", "leaves_qty": "4", "price": "119.5",
    "transaction_time": "2020-11-12T14:31:05Z", "type": "partial_fill",
}  # fmt: skip


def test_a_fill_says_how_much_was_filled_in_all() -> None:
    fill = fill_of(FILL)
    assert (fill.quantity, fill.cumulative, fill.price) == (D(4), D(6), D("119.5"))
    assert fill_of({**FILL, "cum_qty": None}).cumulative is None


@pytest.mark.parametrize("name", ["qty", "price", "cum_qty"])
def test_a_fill_whose_numbers_make_no_sense_is_broken(name: str) -> None:
    with pytest.raises(BrokenAnswerError):
        fill_of({**FILL, name: "some"})


POSITION = {"symbol": "AAPL", "qty": "5", "side": "long", "avg_entry_price": "100.0",
            "current_price": "120.0", "unrealized_pl": "100.0"}  # fmt: skip


def test_positions() -> None:
    assert position_of(POSITION).unrealised_pnl == 100
    assert position_of({**POSITION, "side": "short"}).quantity == -5
    halted = position_of({**POSITION, "current_price": None, "unrealized_pl": None})
    assert (halted.current_price, halted.unrealised_pnl) == (D(100), D(0))
    with pytest.raises(BrokenAnswerError):
        position_of({**POSITION, "qty": None})


ACCOUNT = {"account_number": "PA1", "status": "ACTIVE", "equity": "100", "last_equity": "99",
           "cash": "50", "buying_power": "200", "trading_blocked": False,
           "account_blocked": False}  # fmt: skip

ACCOUNTS: list[tuple[str, dict[str, Any], str, Any]] = [
    ("a new account without a yesterday", {"last_equity": None}, "last_equity", D(100)),
    ("equity under its older name", {"equity": None, "portfolio_value": "101"}, "equity", D(101)),
    ("blocked as a whole", {"account_blocked": True}, "trading_blocked", True),
    ("suspended by its owner", {"trade_suspended_by_user": True}, "trading_blocked", True),
    ("with PDT fields", {"pattern_day_trader": False, "daytrade_count": 0}, "cash", D(50)),
]


@pytest.mark.parametrize(
    ("changes", "name", "value"), [row[1:] for row in ACCOUNTS], ids=[row[0] for row in ACCOUNTS]
)
def test_accounts(changes: dict[str, Any], name: str, value: Any) -> None:
    assert getattr(account_of({**ACCOUNT, **changes}), name) == value


@pytest.mark.parametrize("name", ["equity", "cash", "buying_power"])
def test_an_account_without_its_money_is_broken(name: str) -> None:
    with pytest.raises(BrokenAnswerError):
        account_of({**ACCOUNT, name: None})


ACTIVITIES: list[tuple[str, dict[str, Any], tuple[str, D, date, str | None] | None]] = [
    ("a dividend", {"activity_type": "DIV", "date": "2020-11-12", "net_amount": "1.02",
                    "symbol": "T", "qty": "2", "per_share_amount": "0.51"},
     ("DIV", D("1.02"), date(2020, 11, 12), "T")),
    ("a fee", {"activity_type": "FEE", "date": "2020-11-12", "net_amount": "-0.02",
               "description": "TAF", "status": "executed"},
     ("FEE", D("-0.02"), date(2020, 11, 12), None)),
    ("a kind nobody knows", {"activity_type": "XYZ", "date": "2020-11-12", "net_amount": 3},
     ("XYZ", D(3), date(2020, 11, 12), None)),
    ("a split moves no cash", {"activity_type": "SPLIT", "date": "2020-08-31", "symbol": "AAPL"},
     ("SPLIT", D(0), date(2020, 8, 31), "AAPL")),
    ("late in New York, tomorrow in UTC",
     {"activity_type": "JNLC", "created_at": "2020-11-13T01:00:00Z", "net_amount": "5"},
     ("JNLC", D(5), date(2020, 11, 12), None)),
    ("an execution", {**FILL}, None),
    ("taken back", {"activity_type": "FEE", "date": "2020-11-12", "net_amount": "-1",
                    "status": "canceled"}, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "told"), [row[1:] for row in ACTIVITIES], ids=[row[0] for row in ACTIVITIES]
)
def test_activities(raw: dict[str, Any], told: tuple[str, D, date, str | None] | None) -> None:
    found = activities_of([{"id": "a-1", **raw}])
    assert [(a.kind, a.amount, a.day, a.symbol) for a in found] == ([told] if told else [])


@pytest.mark.parametrize("raw", [{"net_amount": "some"}, {"date": None}, {"id": None}])
def test_an_activity_that_makes_no_sense_is_broken(raw: dict[str, Any]) -> None:
    body = {"id": "a-1", "activity_type": "FEE", "date": "2020-11-12", "net_amount": "1", **raw}
    if body["id"] is None:
        del body["id"]
    with pytest.raises(BrokenAnswerError):
        activities_of([body])


@needs_fixtures
def test_recorded_bodies_are_read() -> None:
    trading = FIXTURES / "openapi_2026_08_trading"
    order = order_of(json.loads((trading / "component_EquityOrderResponse.json").read_text()))
    assert (order.quantity, order.limit_price, order.order_class) == (D(2), D(150), "simple")
    account = account_of(json.loads((trading / "get_v2_account_200_ex.json").read_text()))
    assert account.equity == D("123346.11")
    recorded = FIXTURES / "alpaca_py"
    (position,) = json.loads((recorded / "positions" / "get_all_positions.json").read_text())
    assert position_of(position).quantity == 5
    for raw in json.loads((recorded / "orders" / "get_orders.json").read_text()):
        assert flattened(raw)[0].symbol == "SPY"


@needs_fixtures
def test_every_recorded_order_can_be_listed() -> None:
    """Whatever a person does by hand in the same account."""
    files = [*FIXTURES.glob("**/*rder*.json"), *FIXTURES.glob("**/close_position*.json")]
    assert len(files) > 8
    for file in files:
        raw = json.loads(file.read_text())
        for item in raw if isinstance(raw, list) else [raw]:
            body = item.get("body", item)
            if "filled_qty" in body:
                orders_of([{**body, "client_order_id": "mine"}])


@needs_fixtures
def test_the_order_of_a_stream_frame_is_read() -> None:
    frames = json.loads((FIXTURES / "stream_trade_updates.json").read_text())
    orders = [f["frame"]["data"]["order"] for f in frames if "order" in f["frame"]["data"]]
    (order,) = [order_of(raw) for raw in orders]
    assert (order.side, order.filled_quantity) == (Side.SELL, D("1790.86"))
