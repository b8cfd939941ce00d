"""Positions in the units of the session that is decided: splits since they were opened, and the one
that is due.

Bars are stored as traded and adjusted on reading; a position is converted once the broker shows it
converted (:mod:`tradewind.use_cases.check_books`). Between the two its prices are measured in the
new units all the same, so that a split alone is never a reason to sell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import prod

from tradewind.market.adjustment import FactorTable, begin_of, divided, new_york_date
from tradewind.market.cycle import Cycle
from tradewind.market.ports import DailyBar
from tradewind.market.session_table import SessionTable
from tradewind.portfolio.model import Holding
from tradewind.portfolio.splits import priced_after_split
from tradewind.use_cases.unit_of_work import Stores

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SessionUnits:
    """Mappings by symbol. ``holdings`` keep their quantity as booked, and have their average price
    in the session's units; ``highs`` are the highest highs since entry (USD a share of the
    session). ``split_since``, ``split_due``: see ``Book``."""

    holdings: Mapping[str, Holding]
    highs: Mapping[str, Decimal]
    split_since: Mapping[str, date]
    split_due: Mapping[str, date]


def in_session_units(
    stores: Stores,
    cycle: Cycle,
    holdings: Mapping[str, Holding],
    factors: FactorTable,
    sessions: SessionTable,
    done: Set[tuple[str, date]],
) -> SessionUnits:
    """``holdings``: by symbol, those with shares; ``factors``: theirs at least. ``done``: the
    splits (symbol, effective) that the books have carried out for them."""
    today, known_by = cycle.session.date, cycle.run_at
    steps = {
        symbol: found
        for symbol, holding in holdings.items()
        if holding.opened_at is not None
        and (found := factors.steps(symbol, new_york_date(holding.opened_at), today, known_by))
    }
    return SessionUnits(
        holdings={**holdings, **_priced(holdings, steps, done)},
        highs=_highs(stores, cycle, holdings, steps),
        split_since={symbol: found[-1][0] for symbol, found in steps.items()},
        split_due=factors.due(holdings, today, sessions.following(today).date, known_by)
        if holdings
        else {},
    )


def daily_in_session_units(
    daily: Mapping[str, Sequence[DailyBar]],
    factors: FactorTable,
    session: date,
    known_by: datetime,
) -> dict[str, list[DailyBar]]:
    """Earlier sessions' bars at the price level of this one by what was known then, so that no
    range holds a split."""
    return {
        symbol: [_adjusted(bar, factors, session, known_by) for bar in bars]
        for symbol, bars in daily.items()
    }


def _adjusted(bar: DailyBar, factors: FactorTable, session: date, known_by: datetime) -> DailyBar:
    factor = factors.between(bar.symbol, bar.session, session, known_by)
    if factor == 1:
        return bar
    return replace(
        bar,
        open=divided(bar.open, factor),
        high=divided(bar.high, factor),
        low=divided(bar.low, factor),
        close=divided(bar.close, factor),
    )


def _highs(
    stores: Stores,
    cycle: Cycle,
    holdings: Mapping[str, Holding],
    steps: Mapping[str, Sequence[tuple[date, Fraction]]],
) -> dict[str, Decimal]:
    """Over each stretch between two splits by itself, all at the session's price level; one
    question, however many symbols."""
    stretches: list[tuple[str, datetime, datetime]] = []
    levels: list[Fraction] = []
    for symbol, holding in holdings.items():
        if holding.opened_at is None:
            continue
        since = holding.opened_at.replace(second=0, microsecond=0)
        found = steps.get(symbol, ())
        for place, (effective, _) in enumerate(found):
            begins = begin_of(effective)
            stretches.append((symbol, since, begins - _MINUTE))
            levels.append(prod((factor for _, factor in found[place:]), start=Fraction(1)))
            since = begins
        stretches.append((symbol, since, cycle.bar_time))
        levels.append(Fraction(1))
    highs: dict[str, Decimal] = {}
    for (symbol, _, _), level, high in zip(
        stretches, levels, stores.bars.highest(stretches), strict=True
    ):
        if high is not None:
            highs[symbol] = max(highs.get(symbol, Decimal(0)), divided(high, level))
    return highs


def _priced(
    holdings: Mapping[str, Holding],
    steps: Mapping[str, Sequence[tuple[date, Fraction]]],
    done: Set[tuple[str, date]],
) -> dict[str, Holding]:
    """The holdings whose shares the broker has not been seen to convert, priced in new units."""
    priced = {}
    for symbol, found in steps.items():
        outstanding = (factor for effective, factor in found if (symbol, effective) not in done)
        factor = prod(outstanding, start=Fraction(1))
        if factor != 1:
            priced[symbol] = priced_after_split(holdings[symbol], factor)
    return priced
