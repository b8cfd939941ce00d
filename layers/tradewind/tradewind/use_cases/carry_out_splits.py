"""Our books into the units of after a split, when the broker shows the position in them.

The broker converts the position before the open of the split's session and leaves orders as they
are. Until a snapshot shows it converted, our books stay as they were, so that both sides always
speak of the same shares; what was executed since waits so long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from tradewind.alerts.rules import alert_of_split
from tradewind.market.adjustment import FactorTable, begin_of, new_york_date
from tradewind.market.cycle import Cycle
from tradewind.orders.model import BrokerFill, BrokerState
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
    held = [holding for holding in stores.holdings.all(account) if holding.symbol in differing]
    outstanding = _outstanding(stores, account, held, state.as_of)
    seen_at = dict.fromkeys(outstanding, state.as_of)
    converted = _carry_out(stores, cycle, state, held, brokers, outstanding, seen_at)
    return [
        replace(one, quantity=converted[one.symbol].quantity) if one.symbol in converted else one
        for one in ours
    ]


def convert_before_booking(
    stores: Stores,
    cycle: Cycle,
    state: BrokerState,
    holdings: Sequence[Holding],
    fills: Sequence[BrokerFill],
    unbooked: Mapping[str, Decimal],
    *,
    newest: bool,
) -> tuple[dict[str, Holding], dict[str, date]]:
    """The holdings that had to be converted before ``fills`` are booked, by symbol; and for the
    symbols whose split no snapshot has shown in the position yet the date it takes effect: fills
    from then on are in other units than the books and have to wait.

    ``fills``: executions without a trade; ``unbooked``: shares by symbol (sales below zero) that
    the broker has carried out and our books have not. The broker's position holds these already, so
    that it is compared without them; only the ``newest`` snapshot shows it. A position that was
    never split, whatever the factor says, keeps nothing waiting.
    """
    newest_fill = {fill.symbol: new_york_date(fill.at) for fill in sorted(fills, key=_when)}
    held = [
        one
        for one in holdings
        if one.quantity > 0
        and one.opened_at is not None
        and new_york_date(one.opened_at) < newest_fill.get(one.symbol, date.min)
    ]
    if not held:
        return {}, {}
    outstanding = {
        symbol: steps
        for symbol, steps in _outstanding(stores, cycle.account, held, state.as_of).items()
        if steps[0][0] <= newest_fill[symbol]
    }
    converted: dict[str, Holding] = {}
    if newest:
        brokers = {position.symbol: position.quantity for position in state.positions}
        before = {
            symbol: brokers.get(symbol, Decimal(0)) - unbooked.get(symbol, Decimal(0))
            for symbol in outstanding
        }
        # The executions showed the new units before the snapshot did, and some may be told later.
        seen_at = {symbol: begin_of(steps[-1][0]) for symbol, steps in outstanding.items()}
        converted = _carry_out(stores, cycle, state, held, before, outstanding, seen_at)
        unsplit = {one.symbol for one in held if before.get(one.symbol) == one.quantity}
        outstanding = {s: steps for s, steps in outstanding.items() if s not in unsplit}
    return converted, {s: steps[0][0] for s, steps in outstanding.items() if s not in converted}


def _when(fill: BrokerFill) -> datetime:
    return fill.at


def _carry_out(
    stores: Stores,
    cycle: Cycle,
    state: BrokerState,
    held: Sequence[Holding],
    brokers: Mapping[str, Decimal],
    outstanding: Mapping[str, Sequence[tuple[date, Fraction]]],
    seen_at: Mapping[str, datetime],
) -> dict[str, Holding]:
    """What became of the holdings that the broker's quantities show converted, by symbol."""
    account = cycle.account
    converted: dict[str, Holding] = {}
    splits: list[PositionSplit] = []
    for before in held:
        steps = outstanding.get(before.symbol)
        after = after_split(before, _product(steps), brokers[before.symbol]) if steps else None
        if steps and after is not None:
            converted[before.symbol] = after
            splits += _rows(before, after, steps, seen_at[before.symbol])
    if converted:
        stores.holdings.save(account, list(converted.values()), state.as_of)
        stores.position_splits.add(account, splits)
        if cycle.mode == "paper":
            stores.paper_trades.save(open_paper_trades(account, list(converted.values())))
        tell(stores, account, [alert_of_split(account, split, state.as_of) for split in splits])
    return converted


def _outstanding(
    stores: Stores, account: str, held: Sequence[Holding], as_of: datetime
) -> dict[str, list[tuple[date, Fraction]]]:
    """The splits that the books have not carried out, by symbol, oldest first; no empty ones."""
    symbols = [holding.symbol for holding in held]
    factors = stores.factors.table(symbols)
    done = carried_out(stores.position_splits.of(account, symbols))
    return {
        holding.symbol: steps
        for holding in held
        if (steps := _steps(holding, factors, as_of, done))
    }


def _steps(
    holding: Holding, factors: FactorTable, as_of: datetime, done: set[tuple[str, date]]
) -> list[tuple[date, Fraction]]:
    if holding.opened_at is None:
        return []
    opened, today = new_york_date(holding.opened_at), new_york_date(as_of)
    return [
        (effective, factor)
        for effective, factor in factors.steps(holding.symbol, opened, today, as_of)
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
