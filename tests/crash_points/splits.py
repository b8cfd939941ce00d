"""The night of a split: the broker changes what is held and leaves orders as they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from tradewind.market.adjustment import SplitFactor
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session import Session

from tests.crash_points.ground import Ground

NEXT_DAY = date(2020, 11, 13)
NEXT_OPEN = datetime(2020, 11, 13, 14, 30, tzinfo=UTC)
NEXT_SESSION = Session(NEXT_DAY, NEXT_OPEN, NEXT_OPEN + timedelta(minutes=390))
# The minute that the schedule's reconciliation before the open names.
BEFORE_OPEN = NEXT_OPEN - 16 * MINUTE
# When the broker converts the position and the split becomes known: too late to sell before it.
CONVERTED = datetime(2020, 11, 13, 9, 0, tzinfo=UTC)
MINUTES = 20


@dataclass(frozen=True)
class Split:
    """``price``: what a share is traded at from the next session on (USD), which is what the split
    makes of the price before it."""

    new_rate: Decimal
    old_rate: Decimal
    price: Decimal

    @property
    def factor(self) -> Fraction:
        return Fraction(self.new_rate) / Fraction(self.old_rate)


SPLITS = {
    # The stop of before it, at 137.90, sells with the first trade.
    "FORWARD": Split(Decimal(7), Decimal(1), Decimal(20)),
    # The stop of before it, at 98.50 and for three times the shares, never sells.
    "REVERSE": Split(Decimal(1), Decimal(3), Decimal(300)),
}


def next_session() -> list[Bar]:
    return [
        Bar(symbol, NEXT_OPEN + n * MINUTE, *(split.price,) * 4, volume=1000, feed="iex")
        for symbol, split in SPLITS.items()
        for n in range(MINUTES)
    ]


def factors() -> list[SplitFactor]:
    return [
        SplitFactor(symbol, NEXT_DAY, split.new_rate, split.old_rate, CONVERTED)
        for symbol, split in SPLITS.items()
    ]


def convert(ground: Ground) -> None:
    """The night passes, and with it every position's split."""
    ground.exchange.control.set_clock(CONVERTED, running=False)
    for symbol, split in SPLITS.items():
        ground.exchange.control.split(symbol, split.new_rate, split.old_rate)


def of_conversion(ground: Ground, split: Split) -> list[str]:
    """What a split did to our books that it may not: it changes shares once, and no value."""
    told_before = ground.owner.run(
        "SELECT count(*) FROM trades JOIN position_splits USING (account, symbol)"
        " WHERE account = :account AND timestamp < seen_at AND timestamp > :converted",
        account=ground.account,
        converted=CONVERTED,
    )
    if told_before != [[0]]:
        return [f"{told_before} executions in new units count as of before the split"]
    rows = ground.owner.run(
        "SELECT quantity_before, quantity_after, cost_before, cost_after FROM position_splits"
        " WHERE account = :account",
        account=ground.account,
    )
    if len(rows) != 1:
        return [f"the books carried out {len(rows)} splits where there was one"]
    ((before, after, cost_before, cost_after),) = rows
    found = []
    if Fraction(after) != Fraction(before) * split.factor:
        found.append(f"{before} shares became {after} in the books, times {split.factor}")
    if cost_after != cost_before:
        found.append(f"the split changed the cost from {cost_before} to {cost_after}")
    return found
