"""Round trips, lots, holdings, protections and paper rows of a position held over a split: nothing
is earned, lost, taxed or locked by the split itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.errors import InvalidInputError
from tradewind.orders.model import Side
from tradewind.portfolio.accounting import apply_fill, flat, trade_of
from tradewind.portfolio.executions import Execution, holdings_at
from tradewind.portfolio.model import Holding, Trade
from tradewind.portfolio.paper_trades import closed_paper_trade
from tradewind.portfolio.round_trips import round_trips
from tradewind.portfolio.splits import PositionSplit, after_split, conversions
from tradewind.portfolio.tax_lots import tax_lots
from tradewind.risk.closed_trips import RecentTrade, closed_trips

from tests.property.test_portfolio_properties import histories
from tests.unit.reports.trading_day import DAY, at, bought, sold, stopped

# Ten shares of AAPL at 645.57, its price before the split of 9 June 2014; 92.22 after it.
TEN = bought(10, "645.57", 1)


def split(
    minute: float, before: str, after: str, new: int = 7, old: int = 1, symbol: str = "AAPL"
) -> PositionSplit:
    return PositionSplit(
        symbol, DAY, D(new), D(old), D(before), D(after), D(6455), D(6455), at(minute)
    )


SEVEN = split(2, "10", "70")


def test_a_trip_is_told_in_the_units_of_its_exit() -> None:
    exit_ = stopped(70, "91.00", "91.05", 3)
    (trip,) = round_trips([TEN, exit_], {}, [SEVEN])
    assert trip.quantity == D(70)
    assert trip.entry_price.quantize(D("0.0001")) == D("92.2243")  # 645.57 / 7
    assert trip.entry_decision_price.quantize(D("0.0001")) == D("92.2243")
    assert (trip.exit_price, trip.stop_price) == (D("91.00"), D("91.05"))
    assert trip.profit_loss == D("-85.70")  # 70 x 91 - 6455.70
    assert trip.exit_slippage == D("3.50")


TRIPS = [
    # (what was traded, the splits; shares, entry, exit, profit)
    ("sold in part before", [TEN, sold(4, "650.00", 1.5), sold(42, "92.00", 3)],
     [split(2, "6", "42")], ("70", "92.2243", "92.3429", "8.30")),
    ("bought more after it", [TEN, bought(30, "93.00", 3), sold(100, "94.00", 4)], [SEVEN],
     ("100", "92.4570", "94.0000", "154.30")),
    ("a reverse split", [bought(100, "1.50", 1), sold(2, "76.00", 3)],
     [split(2, "100", "2", 1, 50)], ("2", "75.0000", "76.0000", "2.00")),
    ("one for three", [bought(30, "1.00", 1), sold(10, "3.00", 3)],
     [split(2, "30", "10", 1, 3)], ("10", "3.0000", "3.0000", "0.00")),
    ("two, one after the other", [TEN, sold(140, "46.11", 5)],
     [SEVEN, split(3, "70", "140", 2)], ("140", "46.1121", "46.1100", "-0.30")),
    ("two that were seen at once", [TEN, sold(140, "46.11", 5)],
     [split(2, "10", "140"), replace(split(2, "10", "140", 2), effective=DAY.replace(day=13))],
     ("140", "46.1121", "46.1100", "-0.30")),
    ("0.8 of a share paid out, at its cost", [bought(38, "10.00", 1), sold(3, "110.00", 3)],
     [split(2, "38", "3", 1, 10)], ("3", "100.0000", "110.0000", "30.00")),
    ("the same, sold in part before", [bought(50, "10.00", 1), sold(12, "11.00", 1.5),
                                       sold(3, "110.00", 3)],
     [split(2, "38", "3", 1, 10)], ("4.2", "100.0000", "110.0000", "42.00")),
    ("a third of a share paid out", [bought(10, "1.00", 1), sold(3, "3.00", 3)],
     [split(2, "10", "3", 1, 3)], ("3", "3.0000", "3.0000", "0.00")),
    ("of an earlier position", [TEN, sold(70, "92.00", 3), bought(1, "92.00", 4),
                                sold(1, "93.00", 5)], [SEVEN], ("1", "92.0000", "93.0000", "1.00")),
    ("of another symbol", [TEN, sold(10, "646.57", 3)], [split(2, "5", "35", symbol="MSFT")],
     ("10", "645.5700", "646.5700", "10.00")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("traded", "splits", "told"),
    [row[1:] for row in TRIPS],
    ids=[str(row[0]) for row in TRIPS],
)
def test_a_split_makes_no_profit_and_no_loss(
    traded: list[Execution], splits: list[PositionSplit], told: tuple[str, ...]
) -> None:
    trip = round_trips(traded, {}, splits)[-1]
    shares, entry, exit_, profit = map(D, told)
    cent = D("0.0001")
    assert (trip.quantity, trip.entry_price.quantize(cent), trip.exit_price.quantize(cent)) == (
        shares, entry, exit_,
    )  # fmt: skip
    assert trip.profit_loss.quantize(D("0.01")) == profit


def test_more_than_a_split_left_cannot_be_sold() -> None:
    with pytest.raises(InvalidInputError, match="sells 1 AAPL more than are held"):
        round_trips([TEN, sold(71, "92", 3)], {}, [SEVEN])
    with pytest.raises(InvalidInputError, match="sells 1 AAPL more than was bought"):
        tax_lots([TEN, sold(71, "92", 3)], [SEVEN])


def test_lots_keep_their_purchase_their_date_and_their_cost() -> None:
    traded = [TEN, bought(5, "640.00", 1.5), sold(80, "92.00", 3), sold(25, "93.00", 4)]
    closed, left = tax_lots(traded, [split(2, "15", "105")])
    assert [(lot.quantity, lot.acquired_at, lot.cost) for lot in closed] == [
        (D(70), at(1), D("6455.70")),
        (D(10), at(1.5), D(3200) * 10 / 35),
        (D(25), at(1.5), D(3200) - D(3200) * 10 / 35),
    ]
    assert left == []
    gain = sum((lot.gain for lot in closed), D(0))
    assert round(gain, 9) == 80 * D(92) + 25 * D(93) - D("9655.70")


def test_open_lots_are_told_in_the_new_units() -> None:
    closed, (lot,) = tax_lots([TEN], [SEVEN])
    assert (closed, lot.quantity, lot.cost) == ([], D(70), D("6455.70"))


def test_what_was_paid_out_leaves_the_lots_by_the_same_part() -> None:
    """38 shares at 10 and 12 USD; 0.8 of the 3.8 shares are paid out: no lot is closed by it."""
    traded = [bought(13, "10", 1), bought(25, "12", 1.5), sold(3, "120", 3)]
    closed, left = tax_lots(traded, [split(2, "38", "3", 1, 10)])
    assert left == []
    assert sum(lot.quantity for lot in closed) == D(3)
    assert sum(lot.cost for lot in closed).quantize(D("0.0001")) == (  # type: ignore[union-attr]
        D(430) * 30 / 38
    ).quantize(D("0.0001"))


def test_holdings_are_in_the_units_of_their_moment() -> None:
    traded = [TEN, sold(70, "92.00", 3)]
    shares = [holdings_at(traded, at(minute), [SEVEN])["AAPL"].quantity for minute in (1, 2, 3)]
    assert shares == [D(10), D(70), D(0)]
    assert holdings_at(traded, at(2), [SEVEN])["AAPL"].cost == D("6455.70")
    assert holdings_at([], at(2), [SEVEN]) == {}


def recent(execution: Execution, pnl: str | None = None) -> RecentTrade:
    return RecentTrade(
        execution.symbol, execution.at, str(execution.side), execution.quantity, execution.price,
        None if pnl is None else D(pnl), by_stop=False,
    )  # fmt: skip


WINDOWS = [
    # (the trades in the window, held after them, splits; profits of the trips that ended)
    ("all of it", [recent(TEN), recent(sold(70, "91.00", 3), "-85.70")], 0, [SEVEN],
     ["-0.013275"]),
    ("bought before the window", [recent(sold(4, "650", 1.5), "17.72"),
                                  recent(sold(42, "92.00", 3), "-9.42")], 0,
     [split(2, "6", "42")], ["0.001286"]),
    ("the split before the window too", [recent(sold(70, "91.00", 3), "-85.70")], 0, [SEVEN],
     ["-0.013275"]),
    ("the split before the window, and more bought between", [
        recent(sold(100, "92.00", 4), "44.30")], 0, [SEVEN], ["0.004839"]),
    ("still held", [recent(TEN), recent(sold(30, "91.00", 3), "-36.70")], 40, [SEVEN], []),
    ("not sold since the split", [recent(sold(2, "645.57", 1), "0")], 70,
     [split(2, "10", "70")], []),
    ("closed before, and bought again after it",
     [recent(TEN), recent(sold(10, "639.00", 1.5), "-65.70"), recent(bought(10, "92", 3))], 10, [],
     ["-0.010177"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("trades", "held", "splits", "profits"),
    [row[1:] for row in WINDOWS],
    ids=[str(row[0]) for row in WINDOWS],
)
def test_protections_see_no_loss_in_a_split(
    trades: list[RecentTrade], held: int, splits: list[PositionSplit], profits: list[str]
) -> None:
    trips = closed_trips(trades, {"AAPL": D(held)}, splits)
    assert [str(trip.profit.quantize(D("0.000001"))) for trip in trips] == profits


def test_the_paper_row_has_its_averages_in_the_last_units() -> None:
    """Bought ten at 645.57, four sold at 650 before the split, 42 at 92 after it."""
    changes = booked([TEN, sold(4, "650.00", 1.5)])
    before = after_split(changes[-1][0], conversions([SEVEN])[0].factor, D(42))
    assert before is not None
    last, realised = apply_fill(before, sold(42, "92.00", 3).as_fill())
    sales = [changes[-1][1], trade_of(sold(42, "92.00", 3).as_fill(), None, realised)]
    row = closed_paper_trade("paper", before, sales, [split(2, "6", "42")])
    assert row is not None
    assert row.exit_price is not None
    assert last.quantity == 0
    cent = D("0.0001")
    assert (row.entry_price.quantize(cent), row.exit_price.quantize(cent)) == (
        D("92.2243"), D("92.3429"),  # (2600 + 3864) / 70
    )  # fmt: skip
    assert row.profit_loss == D("8.30")


def booked(executions: list[Execution]) -> list[tuple[Holding, Trade]]:
    """What each leaves, and its trade."""
    held, found = flat("AAPL", "sma_crossover"), []
    for one in executions:
        held, realised = apply_fill(held, one.as_fill())
        found.append((held, trade_of(one.as_fill(), None, realised)))
    return found


def after(executions: list[Execution], moment: datetime, factor: D) -> list[Execution]:
    """The same history with AAPL traded in other units after the moment."""
    return [
        replace(one, quantity=one.quantity * factor, price=one.price / factor)
        if one.symbol == "AAPL" and one.at > moment
        else one
        for one in executions
    ]


@given(histories(), st.integers(0, 14), st.sampled_from((2, 4, 5, 8, 10)), st.booleans())
def test_the_same_trades_earn_the_same_with_a_split_among_them(
    executions: list[Execution], minute: int, ratio: int, reverse: bool
) -> None:
    """All money is what it is without the split, to fractions of a cent; no lot and no trip is more
    or fewer."""
    moment = at(minute + 0.5)
    before = holdings_at(executions, moment).get("AAPL")
    quantity = before.quantity if before is not None else D(0)
    factor = 1 / D(ratio) if reverse else D(ratio)
    splits = (
        [split(minute + 0.5, str(quantity), str(quantity * factor),
               *((1, ratio) if reverse else (ratio, 1)))]
        if quantity
        else []
    )  # fmt: skip
    told = after(executions, moment, factor)

    plain, converted = round_trips(executions, {}), round_trips(told, {}, splits)
    assert [(t.symbol, t.entry_at, t.exit_at, round(t.profit_loss, 9)) for t in converted] == [
        (t.symbol, t.entry_at, t.exit_at, round(t.profit_loss, 9)) for t in plain
    ]
    assert [round(t.quantity * t.entry_price, 9) for t in converted] == [
        round(t.quantity * t.entry_price, 9) for t in plain
    ]
    (closed, left), (closed_too, left_too) = tax_lots(executions), tax_lots(told, splits)
    assert [(one.acquired_at, round(one.gain, 9)) for one in closed_too] == [
        (one.acquired_at, round(one.gain, 9)) for one in closed
    ]
    assert [(one.acquired_at, round(one.cost, 9)) for one in left_too] == [
        (one.acquired_at, round(one.cost, 9)) for one in left
    ]

    def trips(history: list[Execution], known: list[PositionSplit]) -> list[tuple[str, D]]:
        held: dict[str, Holding] = {}
        trades = []
        for one in history:
            moments = holdings_at(history, one.at, known)
            sale = one.side is Side.SELL
            earned = moments[one.symbol].realised_pnl - (
                held[one.symbol].realised_pnl if one.symbol in held else D(0)
            )
            trades.append(recent(one, str(earned) if sale else None))
            held = moments
        now = {symbol: holding.quantity for symbol, holding in held.items()}
        return [(t.symbol, round(t.profit, 9)) for t in closed_trips(trades, now, known)]

    assert trips(told, splits) == trips(executions, [])
