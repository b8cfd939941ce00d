"""The fills of ``live_parity``, one candle table a rule, traded twice: by the compiled pass and by
the plain reference. Both have to fill as the table says.

A table begins with the bar that is decided on, at minute 30 of a day that stands still at 100; what
is wished is wished at its close. Its limit is then 100.30 and its stop 98.50. 2 bp of slippage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal as D

import pytest
from tradewind.backtest.settings import BacktestSettings, Fixed, HalfSpread, Slippage, VolumeShare
from tradewind.errors import InvalidInputError
from tradewind.market.bar import Bar
from tradewind.market.session import Session
from tradewind.risk.limits import RiskLimits
from tradewind.risk.protections import Protection, ProtectionSettings

from tests.unit.backtest.invented import (
    CALENDAR,
    FULL_DAY,
    HALF_DAY,
    NEXT_DAY,
    STILL,
    Candle,
    Told,
    at,
    day,
    told,
)
from tests.unit.backtest.live_beside_reference import Trip, arrays_by_symbol, assert_same
from tests.unit.backtest.live_beside_reference import trips_of_outcome as trips

FREE = BacktestSettings(regulatory_fees=False, protections=ProtectionSettings.without(Protection))


def traded(bars: Sequence[Bar], strategy: Told, settings: BacktestSettings = FREE) -> list[Trip]:
    arrays = arrays_by_symbol(bars, CALENDAR)
    return trips(assert_same(arrays, {own.symbol: strategy for own in arrays}, settings, CALENDAR))


def minute_of(seconds: int, session: Session = FULL_DAY) -> int:
    return (seconds - int(session.open.timestamp())) // 60


@dataclass(frozen=True)
class Case:
    """``bars`` from minute 31 on, the day stands still after them. ``filled``: minute and price of
    the purchase and of the sale, and why it was sold; None: no purchase."""

    rule: str
    bars: tuple[Candle, ...]
    filled: tuple[int, str, int, str, str] | None
    leave: tuple[int, ...] = ()


# minute 385 is 15:55, when positions are closed at the open: 100 less 2 bp.
CLOSED = (385, "99.98", "flat")
CASES = [
    Case("bought at the next open and 2 bp, rounded up to the tick",
         (("100.11", "100.20", "100", "100"),), (31, "100.14", *CLOSED)),
    Case("never above the limit",
         (("100.29", "100.40", "100", "100"),), (31, "100.3", *CLOSED)),
    Case("opened above the limit and came back to it",
         (("100.50", "101", "100.30", "100.40"),), (31, "100.3", *CLOSED)),
    Case("stayed above the limit: cancelled by the next run",
         (("100.50", "101", "100.31", "100.40"), STILL), None),
    Case("no bar, no fill, and the order is gone", (None, STILL), None),
    Case("the stop rests from the entry's fill on",
         (("100", "100.50", "98.50", "99"),), (31, "100.02", 31, "98.48", "stop")),
    Case("the worse of two things: bought on the way down, and stopped",
         (("100.50", "101", "98", "100"),), (31, "100.3", 31, "98.48", "stop")),
    Case("the stop is repriced to 1.5 % below the fill, for the next bar",
         (STILL, ("100", "100", "98.51", "99")), (31, "100.02", 32, "98.49", "stop")),
    Case("a stop that is not reached rests",
         (STILL, ("100", "100", "98.52", "99")), (31, "100.02", *CLOSED)),
    Case("the stop follows the highest high from the next bar on, not in its own",
         (STILL, ("100", "104", "99", "104"), ("104", "104", "102.44", "103")),
         (31, "100.02", 33, "102.41", "stop")),
    Case("the entry bar's own high counts for it",
         (("100", "104", "100", "104"), ("104", "104", "102.44", "103")),
         (31, "100.02", 32, "102.41", "stop")),
    Case("a close at the new trail or below it: sold at the next open",
         (STILL, ("100", "104", "99", "102.44"), ("103", "103", "103", "103")),
         (31, "100.02", 33, "102.97", "stop")),
    Case("a gap fills at the worse open",
         (STILL, ("90", "95", "89", "94")), (31, "100.02", 32, "89.98", "stop")),
    Case("a crash within a bar fills at the stop",
         (STILL, ("100", "100", "60", "100")), (31, "100.02", 32, "98.49", "stop")),
    Case("an exit is sold at the next open, though the bar would have reached the stop",
         (STILL, ("99.50", "99.50", "90", "91")), (31, "100.02", 32, "99.48", "signal"), (31,)),
    Case("an exit waits for the next bar, without a stop",
         (STILL, None, None, ("80", "80", "80", "80")),
         (31, "100.02", 34, "79.98", "signal"), (31,)),
    Case("wished on the entry's own bar, sold at the open after it",
         (STILL, STILL), (31, "100.02", 32, "99.98", "signal"), (31,)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.rule for case in CASES])
def test_one_round_trip(case: Case) -> None:
    changes = {31 + number: prices for number, prices in enumerate(case.bars)}
    found = [
        (
            minute_of(trip.entry_time), str(trip.entry_price), minute_of(trip.exit_time),
            str(trip.exit_price), trip.reason,
        )
        for trip in traded(day(changes), told([30], case.leave))
    ]  # fmt: skip
    assert found == ([] if case.filled is None else [case.filled])


# Minute of the wish in a session of 390, and in one of 210 -> whether it is bought.
WINDOW = [
    (FULL_DAY, 3, False), (FULL_DAY, 4, True), (FULL_DAY, 373, True), (FULL_DAY, 374, False),
    (HALF_DAY, 193, True), (HALF_DAY, 194, False),
]  # fmt: skip


@pytest.mark.parametrize(("session", "minute", "bought"), WINDOW)
def test_not_in_the_first_five_minutes_and_the_last_fifteen(
    session: Session, minute: int, bought: bool
) -> None:
    bars = day({}, session=session)
    found = traded(bars, told([minute], session=session))
    assert [minute_of(one.entry_time, session) for one in found] == ([minute + 1] if bought else [])
    # Five minutes before the close everything is sold, on half-days too.
    assert {minute_of(one.exit_time, session) for one in found} <= {session.minutes - 5}


def test_an_exit_without_a_market_has_its_stop_again_in_the_morning() -> None:
    """The stop of the night is the trail's; the morning opens below it."""
    gone: dict[int, Candle] = dict.fromkeys(range(100, 390))
    low: Candle = ("95", "95", "95", "95")
    (trip,) = traded(day(gone) + day({}, session=NEXT_DAY, otherwise=low), told([30]))
    assert (minute_of(trip.exit_time, NEXT_DAY), trip.exit_price, trip.reason) == (0, 94.98, "stop")
    assert trip.gap_loss == pytest.approx((98.51 - 95) * trip.quantity)


def test_the_evening_takes_a_stop_away_also_where_no_bar_tells_of_it() -> None:
    """Bought below the price decided on, the stop rests at 98.50, above where the trail belongs.
    From 15:55 on an exit waits in vain; the stop of the morning is the trail's, 97.53."""
    bought: dict[int, Candle] = dict.fromkeys(range(31, 100), ("99", "99", "99", "99"))
    gone: dict[int, Candle] = dict.fromkeys(range(100, 390))
    between: Candle = ("98", "98", "98", "98")
    bars = day({**bought, **gone}) + day({}, session=NEXT_DAY, otherwise=between)
    (trip,) = traded(bars, told([30]))
    assert (minute_of(trip.exit_time, NEXT_DAY), trip.exit_price, trip.reason) == (
        385, 97.98, "flat",
    )  # fmt: skip


# So many minutes from 60 on that nobody has -> the first minute whose wish to enter is heard, of a
# strategy that looks at five bars. Up to five count as minutes without trades when two runs have
# seen bars on either side; of more, those far from any bar are a hole until it is out of sight.
HOLES = [(1, 62), (4, 65), (5, 66), (6, 70), (7, 71), (12, 76)]


@pytest.mark.parametrize(("length", "heard"), HOLES)
def test_a_hole_among_the_bars_refuses_an_entry(length: int, heard: int) -> None:
    gone: dict[int, Candle] = dict.fromkeys(range(60, 60 + length))
    # What one symbol lacks and another has is no hole.
    bars = day(gone, session=HALF_DAY)
    wishes = told(range(60 + length, 100), session=HALF_DAY)
    for symbols, minute in ((bars, heard), (bars + day({}, "MSFT", HALF_DAY), 60 + length)):
        arrays = arrays_by_symbol(symbols, CALENDAR)
        strategies = {"AAPL": wishes, "MSFT": told([])}
        (trip,) = trips(
            assert_same(
                arrays, {own.symbol: strategies[own.symbol] for own in arrays}, FREE, CALENDAR
            )
        )
        assert minute_of(trip.entry_time, HALF_DAY) == minute + 1


def test_held_overnight_the_stop_stays() -> None:
    low: Candle = ("95", "95", "95", "95")
    settings = replace(FREE, limits=RiskLimits(hold_overnight=True))
    (trip,) = traded(day({}) + day({}, session=NEXT_DAY, otherwise=low), told([30]), settings)
    assert (minute_of(trip.exit_time, NEXT_DAY), trip.exit_price, trip.reason) == (0, 94.98, "stop")


# Slippage -> bought at an open of 100 and sold at one of 99; what the bar's volume leaves is not
# bought. 249 shares are wanted, 1,000 are traded a minute.
SLIPPAGES: list[tuple[Slippage, float, float, int]] = [
    (Fixed(), 100.0, 99.0, 249),
    (Fixed(D("0.001")), 100.1, 98.9, 249),
    (Fixed(D("0.01")), 100.3, 98.01, 249),
    (HalfSpread(D("0.015")), 100.02, 98.98, 249),
    # A quarter of the volume costs 0.1 x 0.249^2 of the price.
    (VolumeShare(D(1)), 100.3, 98.38, 249),
    (VolumeShare(D("0.1"), D("0.1")), 100.1, 98.9, 100),
    (VolumeShare(D("0.0005")), 0, 0, 0),
]  # fmt: skip


@pytest.mark.parametrize(("slippage", "bought", "sold", "quantity"), SLIPPAGES)
def test_slippage(slippage: Slippage, bought: float, sold: float, quantity: int) -> None:
    bars = day({32: ("99", "99", "99", "99")})
    found = traded(bars, told([30], [31]), replace(FREE, slippage=slippage))
    assert [(one.entry_price, one.exit_price, one.quantity) for one in found] == (
        [(bought, sold, quantity)] if quantity else []
    )


# Commission, fees, factor -> USD of a round trip of 249 shares, bought for 100 and sold for 99.
# The SEC takes 0.0000278 x 24,651 = 0.685 and FINRA 0.000166 x 249 = 0.041: 0.69 + 0.05.
FEES = [("0", False, "1", 0.0), ("0", True, "1", 0.74), ("0", True, "2.5", 1.85),
        ("0.0001", False, "1", 4.96), ("0.0001", True, "1", 5.70)]  # fmt: skip


@pytest.mark.parametrize(("commission", "fees", "factor", "paid"), FEES)
def test_commission_and_the_regulators_fees(
    commission: str, fees: bool, factor: str, paid: float
) -> None:
    settings = replace(
        FREE, slippage=Fixed(), commission=D(commission), regulatory_fees=fees, fee_factor=D(factor)
    )
    (trip,) = traded(day({32: ("99", "99", "99", "99")}), told([30], [31]), settings)
    assert (trip.quantity, trip.fees) == (249, paid)


def test_symbols_share_the_money_in_the_order_of_their_names() -> None:
    """Each may have six tenths; the second gets what the first, not yet bought, leaves."""
    limits = RiskLimits(max_symbol_exposure=D("0.6"))
    settings = replace(FREE, limits=limits, risk=D(1))
    bars = [bar for symbol in ("WMT", "AAPL") for bar in day({}, symbol)]
    found = traded(bars, told([30]), settings)
    assert {one.symbol: one.quantity for one in found} == {"AAPL": 598, "WMT": 399}


TOO_FINE = [
    (replace(FREE, stop=D("0.0150001")), "stop is 0.0150001: at most six decimals"),
    (replace(FREE, cash=D("1000.0000001")), "cash is"),
    (replace(FREE, cash=D(10**10)), "counts exactly up to 1,000,000,000 USD"),
]


@pytest.mark.parametrize(("settings", "says"), TOO_FINE)
def test_what_whole_numbers_cannot_hold_is_refused(settings: BacktestSettings, says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        traded(day({}), told([30]), settings)


def test_bars_outside_regular_hours_are_refused() -> None:
    from tradewind.backtest.arrays import arrays_of
    from tradewind.backtest.live import run_live
    from tradewind.backtest.signals import signals_of

    early = replace(day({})[0], start=at(-10))
    own = arrays_of("AAPL", [early, *day({})], CALENDAR, regular_only=False)
    with pytest.raises(InvalidInputError, match="regular sessions only"):
        run_live([own], [signals_of(own, told([30]))], FREE)
