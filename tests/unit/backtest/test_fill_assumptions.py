"""What fills, when and at what price: one candle a case. 10 shares, 2 bp of slippage a side."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D

import pytest
from tradewind.backtest.broker import SimulatedBroker
from tradewind.backtest.costs import Costs
from tradewind.backtest.settings import Fixed
from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE
from tradewind.orders.model import (
    IntentKind,
    OrderClass,
    OrderIntent,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from tradewind.portfolio.executions import Purpose

from tests.unit.backtest.invented import FULL_DAY, Candle, at, candle

ENTRY = OrderIntent(
    intent_id="entry",
    account="backtest",
    strategy="told",
    mode="backtest",
    session=FULL_DAY.date,
    bar_time=at(30),
    symbol="AAPL",
    kind=IntentKind.ENTRY,
    side=Side.BUY,
    quantity=D(10),
    order_type=OrderType.LIMIT,
    time_in_force=TimeInForce.GTC,
    order_class=OrderClass.OTO,
    limit_price=D("100.30"),
    stop_price=D("98.50"),
    decision_price=D(100),
    revision=0,
    target_order_id=None,
    expires_at=at(31) + timedelta(seconds=45),
    reason="told: it was told so",
)


def of_kind(kind: IntentKind, target: str | None, stop: str | None = None) -> OrderIntent:
    leaving = kind is IntentKind.EXIT
    return replace(
        ENTRY,
        intent_id=str(kind),
        kind=kind,
        side=Side.SELL,
        order_type=OrderType.MARKET if leaving else OrderType.STOP,
        time_in_force=TimeInForce.DAY if leaving else TimeInForce.GTC,
        order_class=OrderClass.SIMPLE,
        limit_price=None,
        stop_price=None if stop is None else D(stop),
        revision=1,
        target_order_id=target,
        expires_at=None,
        reason="session_end: the session ends",
    )


def a_broker(*minutes: Candle) -> SimulatedBroker:
    """The entry of minute 30 is sent, and these minutes happen after it."""
    broker = SimulatedBroker(D(10_000))
    broker.carry_out(ENTRY, at(31))
    for number, prices in enumerate(minutes):
        trade(broker, 31 + number, prices)
    return broker


def trade(broker: SimulatedBroker, minute: int, prices: Candle) -> None:
    bar = candle("AAPL", at(minute), prices)
    broker.trade({} if bar is None else {"AAPL": bar})


def fills(broker: SimulatedBroker) -> list[tuple[str, str]]:
    return [(str(one.purpose), str(one.price)) for one in broker.executions]


# The bar after the decision (close 100, limit 100.30, stop 98.50) -> what is bought and sold in it.
ENTRIES: list[tuple[str, Candle, list[tuple[str, str]]]] = [
    ("at its open and the slippage", ("100", "101", "99.50", "100.50"), [("entry", "100.02")]),
    ("never above the limit", ("100.29", "101", "100", "100.50"), [("entry", "100.30")]),
    ("opened above, came back", ("100.50", "101", "100.20", "100.80"), [("entry", "100.30")]),
    ("opened above, touched it", ("100.50", "101", "100.30", "100.80"), [("entry", "100.30")]),
    ("stayed above the limit", ("100.50", "101", "100.31", "100.80"), []),
    ("without a trade", None, []),
    ("its own bar reaches the stop", ("100", "101", "98.50", "100"),
     [("entry", "100.02"), ("stop", "98.48")]),
    ("it opens below its stop", ("98", "99", "97", "98"),
     [("entry", "98.02"), ("stop", "97.98")]),
    ("came back from above, and through the stop", ("100.50", "101", "98", "99"),
     [("entry", "100.30"), ("stop", "98.48")]),
]  # fmt: skip


@pytest.mark.parametrize(("_case", "prices", "expected"), ENTRIES, ids=[e[0] for e in ENTRIES])
def test_an_entry(_case: str, prices: Candle, expected: list[tuple[str, str]]) -> None:
    assert fills(a_broker(prices)) == expected


# A position is held with its stop at 98.50; the bar -> what the stop sells for (None: it rests).
STOPS: list[tuple[str, Candle, str | None]] = [
    ("not reached", ("99", "100", "98.51", "99"), None),
    ("touched", ("99", "100", "98.50", "99"), "98.48"),
    ("opens at it", ("98.50", "99", "98", "98.60"), "98.48"),
    ("a gap fills at the worse open", ("88", "95", "87", "94"), "87.98"),
    ("a flash crash fills at the stop", ("99", "99", "60", "99"), "98.48"),
    ("no bar, no sale", None, None),
]


@pytest.mark.parametrize(("_case", "prices", "price"), STOPS, ids=[s[0] for s in STOPS])
def test_a_resting_stop(_case: str, prices: Candle, price: str | None) -> None:
    broker = a_broker(("100", "100", "100", "100"), prices)
    assert fills(broker)[1:] == ([] if price is None else [("stop", price)])


def test_a_gap_is_told_of_and_a_trade_through_the_stop_is_none() -> None:
    jumped = a_broker(("100", "100", "100", "100"), ("88", "95", "87", "94"))
    assert list(jumped.gaps.values()) == [D(88)]
    assert a_broker(("100", "100", "100", "100"), ("99", "99", "60", "99")).gaps == {}


def test_an_exit_takes_the_stop_away_and_sells_at_the_next_open() -> None:
    broker = a_broker(("100", "100", "100", "100"))
    (stop,) = broker.open_orders()
    broker.carry_out(of_kind(IntentKind.EXIT, stop.order_id, "98.50"), at(32))
    assert [order.order_type for order in broker.open_orders()] == ["market"]
    trade(broker, 32, None)  # nothing is traded: nothing is sold
    assert broker.holdings
    trade(broker, 33, ("97", "99", "90", "98"))
    assert fills(broker)[1:] == [("exit", "96.98")]
    assert broker.executions[-1].at == at(33)
    assert broker.executions[-1].reason == "session_end"
    assert broker.open_orders() == ()


def test_a_raised_stop_counts_from_the_next_bar_on_and_only_it() -> None:
    broker = a_broker(("100", "100", "100", "100"))
    (stop,) = broker.open_orders()
    broker.carry_out(of_kind(IntentKind.REPRICE, stop.order_id, "99.50"), at(32))
    (raised,) = broker.open_orders()
    assert (raised.stop_price, raised.replaces) == (D("99.50"), stop.order_id)
    trade(broker, 32, ("100", "100", "99.40", "99.60"))
    assert fills(broker)[1:] == [("stop", "99.48")]


def test_a_cancelled_entry_takes_its_leg_along() -> None:
    broker = a_broker(None)
    entry, leg = broker.open_orders()
    assert leg.status is OrderStatus.HELD
    broker.carry_out(of_kind(IntentKind.CANCEL_ENTRY, entry.order_id), at(32))
    assert broker.open_orders() == ()
    trade(broker, 32, ("100", "100", "100", "100"))
    assert broker.executions == []


def test_orders_for_the_day_end_with_it_and_stops_stay() -> None:
    broker = a_broker(("100", "100", "100", "100"))
    broker.carry_out(of_kind(IntentKind.EXIT, None), at(32))
    broker.end_session(FULL_DAY.close)
    assert [order.order_type for order in broker.open_orders()] == ["stop"]


def test_money_to_the_cent() -> None:
    broker = a_broker(("100", "100", "100", "100"))
    account = broker.account()
    assert account.cash == account.buying_power == D("8999.80")  # 10,000 - 10 x 100.02
    assert account.equity == D("9999.80")
    trade(broker, 32, ("88", "95", "87", "94"))
    assert broker.account().cash == broker.equity == D("9879.60")  # + 10 x 87.98
    assert [one.purpose for one in broker.executions] == [Purpose.ENTRY, Purpose.STOP]


def test_an_open_entry_keeps_its_money_back() -> None:
    assert a_broker(None).account().buying_power == D("8997.00")  # 10,000 - 10 x 100.30


def test_a_price_never_falls_to_zero() -> None:
    tiny = ("0.0001", "0.0001", "0.0001", "0.0001")
    broker = a_broker(("100", "100", "100", "100"), tiny)
    assert fills(broker)[1:] == [("stop", "0.0001")]


@pytest.mark.parametrize("cash", ["0", "-1", "NaN", "Infinity"])
def test_a_start_without_money_is_refused(cash: str) -> None:
    with pytest.raises(InvalidInputError, match="give more than zero"):
        SimulatedBroker(D(cash))


@pytest.mark.parametrize("slippage", ["-0.0001", "1", "NaN"])
def test_slippage_is_a_fraction(slippage: str) -> None:
    with pytest.raises(InvalidInputError, match="give a fraction"):
        Costs(Fixed(D(slippage)))


def test_more_than_is_held_is_never_sold() -> None:
    broker = SimulatedBroker(D(10_000))
    broker.carry_out(of_kind(IntentKind.PROTECT, None, "98.50"), at(31))
    with pytest.raises(InvalidInputError, match="are held"):
        trade(broker, 31, ("90", "90", "90", "90"))


def test_a_minute_ends_before_the_next_begins() -> None:
    """Fills that happen somewhere in a minute are booked within it."""
    broker = a_broker(("100", "101", "98.50", "100"))
    bought, sold = broker.executions
    assert bought.at == at(31)
    assert at(31) < sold.at < at(31) + MINUTE
