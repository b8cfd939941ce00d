"""Our books into the units of after a split, when the broker shows the position in them.

The broker converts the position before the open of the split's session and leaves orders as they
are. Until a snapshot shows it converted, our books stay as they were, so that both sides always
speak of the same shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from tradewind.alerts.rules import alert_of_split
from tradewind.market.adjustment import FactorTable, new_york_date
from tradewind.market.cycle import Cycle
from tradewind.orders.model import BrokerState
from tradewind.portfolio.model import BookedQuantity, Holding
from tradewind.portfolio.paper_trades import open_paper_trades
from tradewind.portfolio.splits import PositionSplit, after_split, carried_out
from tradewind.use_cases.tell import tell
from tradewind.use_cases.unit_of_work import Stores


def carry_out_splits(
    stores: Stores, cycle: Cycle, state: BrokerState, ours: Sequence[BookedQuantity]
) -> list[BookedQuantity]:
    """``ours`` as it stands afterwards. A difference that no known split explains exactly stays a
    difference."""
    account = cycle.account
    brokers = {position.symbol: position.quantity for position in state.positions}
    differing = [
        one.symbol
        for one in ours
        if one.quantity > 0 and brokers.get(one.symbol, one.quantity) != one.quantity
    ]
    if not differing:
        return list(ours)
    factors = stores.factors.table(differing)
    done = carried_out(stores.position_splits.of(account, differing))
    holdings: list[Holding] = []
    splits: list[PositionSplit] = []
    for before in stores.holdings.all(account):
        steps = _outstanding(before, factors, state, done) if before.symbol in differing else []
        after = after_split(before, _product(steps), brokers[before.symbol]) if steps else None
        if after is not None:
            holdings.append(after)
            splits += _rows(before, after, steps, state.as_of)
    if not holdings:
        return list(ours)
    stores.holdings.save(account, holdings, state.as_of)
    stores.position_splits.add(account, splits)
    if cycle.mode == "paper":
        stores.paper_trades.save(open_paper_trades(account, holdings))
    tell(stores, account, [alert_of_split(account, split, state.as_of) for split in splits])
    quantities = {holding.symbol: holding.quantity for holding in holdings}
    return [
        replace(one, quantity=quantities[one.symbol]) if one.symbol in quantities else one
        for one in ours
    ]


def _outstanding(
    holding: Holding, factors: FactorTable, state: BrokerState, done: set[tuple[str, date]]
) -> list[tuple[date, Fraction]]:
    if holding.opened_at is None:
        return []
    opened, today = new_york_date(holding.opened_at), new_york_date(state.as_of)
    return [
        (effective, factor)
        for effective, factor in factors.steps(holding.symbol, opened, today, state.as_of)
        if (holding.symbol, effective) not in done
    ]


def _product(steps: Sequence[tuple[date, Fraction]]) -> Fraction:
    product = Fraction(1)
    for _, factor in steps:
        product *= factor
    return product


def _rows(
    before: Holding, after: Holding, steps: Sequence[tuple[date, Fraction]], seen_at: datetime
) -> list[PositionSplit]:
    """One row a split; of several at once the broker shows only what all of them made."""
    return [
        PositionSplit(
            before.symbol,
            effective,
            Decimal(factor.numerator),
            Decimal(factor.denominator),
            before.quantity,
            after.quantity,
            before.cost,
            after.cost,
            seen_at,
        )
        for effective, factor in steps
    ]
