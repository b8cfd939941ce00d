"""Closed round trips: averages, profit, and what of a loss lies beyond the stop, to the cent."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from tradewind.errors import InvalidInputError
from tradewind.portfolio.executions import holdings_at
from tradewind.portfolio.round_trips import RoundTrip, beyond_stop, gap_price, round_trips

from tests.unit.reports.trading_day import OPEN, a_bar, at, bought, sold, stopped


def only(trips: list[RoundTrip]) -> RoundTrip:
    (trip,) = trips
    return trip


def test_parts_are_averaged_from_flat_to_flat() -> None:
    # 10 x 100 + 30 x 104 = 4120 -> 103; 15 x 102 + 25 x 105 = 4155 -> 103.875
    trip = only(
        round_trips(
            [bought(10, "100", 1), bought(30, "104", 2), sold(15, "102", 3), sold(25, "105", 9)],
            {},
        )
    )
    assert (trip.quantity, trip.entry_price, trip.exit_price) == (D(40), D(103), D("103.875"))
    assert trip.profit_loss == D("35.00")
    assert (trip.entry_at, trip.exit_at) == (at(1), at(9))
    assert (trip.entry_decided_at, trip.exit_decided_at) == (at(0), at(8))
    assert trip.exit_reason == "crossed_down"


def test_a_position_that_is_still_held_is_no_round_trip() -> None:
    executions = [
        bought(10, "100", 1),
        sold(10, "101", 2),
        bought(5, "102", 3),
        sold(2, "99", 4),
        bought(1, "50", 1, "MSFT"),
    ]
    trip = only(round_trips(reversed(executions), {}))  # whatever order they are told in
    assert trip.profit_loss == D(10)
    held = holdings_at(executions, at(99))
    assert {symbol: one.quantity for symbol, one in held.items()} == {"AAPL": D(3), "MSFT": D(1)}
    assert held["AAPL"].cost == D(306)
    assert holdings_at(executions, at(2))["AAPL"].quantity == 0
    assert holdings_at(executions, at(0)) == {}


def test_a_sale_of_more_than_is_held_is_an_error() -> None:
    with pytest.raises(InvalidInputError, match="sells 1 AAPL more than are held"):
        round_trips([bought(1, "100"), sold(2, "100")], {})


BEYOND = [
    # (price got, price after the gap or None, gap loss, slippage; stop 98.50, 100 shares)
    ("at the stop", "98.50", None, "0", "0"),
    ("better than the stop", "98.60", None, "0", "0"),
    ("traded through, sold a little lower", "98.47", None, "0", "3.00"),
    ("gap, sold at its price", "88.00", "88.00", "1050.00", "0"),
    ("gap, sold below its price", "87.95", "88.00", "1050.00", "5.00"),
    ("gap, sold above its price", "90.00", "88.00", "850.00", "0"),
    ("gap, recovered beyond the stop", "99.00", "88.00", "0", "0"),
]


@pytest.mark.parametrize(
    ("price", "gap", "gap_loss", "slippage"),
    [row[1:] for row in BEYOND],
    ids=[row[0] for row in BEYOND],
)
def test_what_lies_beyond_the_stop(
    price: str, gap: str | None, gap_loss: str, slippage: str
) -> None:
    sale = stopped(100, price, "98.50")
    answer = beyond_stop(sale, None if gap is None else D(gap))
    assert answer == (D(gap or "98.50"), D(gap_loss), D(slippage))
    trip = only(
        round_trips([bought(100, "100"), sale], {} if gap is None else {sale.execution_id: D(gap)})
    )
    assert (trip.gap_loss, trip.exit_slippage) == (D(gap_loss), D(slippage))
    assert (trip.stop_price, trip.exit_decision_price) == (D("98.50"), D("98.50"))
    assert trip.exit_decided_at == at(2)


def test_an_exit_without_a_stop_owes_nothing() -> None:
    assert beyond_stop(sold(100, "50"), None) == (None, D(0), D(0))


JUMPS = [
    # (bars as minute, open, low; the price after the gap; stop 98.50, executed in minute 5)
    ("opened beyond the stop", [(4, "99", "98.80"), (5, "88", "87")], "88"),
    ("traded through it", [(4, "99", "98.80"), (5, "98.70", "98")], None),
    ("reached a minute before", [(4, "99", "98.40"), (5, "98.20", "98")], None),
    ("opened beyond it a minute before", [(4, "90", "89"), (5, "91", "90")], "90"),
    ("touched exactly", [(4, "99", "98.80"), (5, "98.50", "98.50")], None),
    ("never reached by these bars", [(4, "99", "98.80"), (5, "99", "98.90")], None),
    ("no bars", [], None),
]


@pytest.mark.parametrize(
    ("bars", "expected"), [row[1:] for row in JUMPS], ids=[str(row[0]) for row in JUMPS]
)
def test_a_gap_is_a_minute_that_opens_beyond_the_stop(
    bars: list[tuple[int, str, str]], expected: str | None
) -> None:
    by_start = {at(minute): a_bar(minute, opened, low) for minute, opened, low in bars}
    found = gap_price(D("98.50"), at(5.4), by_start)
    assert found == (None if expected is None else D(expected))


def test_trips_come_by_exit_time() -> None:
    trips = round_trips(
        [
            bought(1, "10", 1, "A"),
            bought(1, "10", 2, "B"),
            sold(1, "11", 3, "B"),
            sold(1, "9", 4, "A"),
        ],
        {},
    )
    assert [trip.symbol for trip in trips] == ["B", "A"]
    assert trips[0].entry_at > OPEN
