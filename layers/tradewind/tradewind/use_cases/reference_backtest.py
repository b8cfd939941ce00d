"""The backtest of a session that was traded: the same bars, rules, money and positions.

What cannot be run again is left out of both sides, with its reason; what only live trading knew is
named, because its effect is part of the difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tradewind.backtest.beginning import Beginning
from tradewind.backtest.book import RulesInForce
from tradewind.backtest.run import BacktestResult, run
from tradewind.errors import InvalidInputError
from tradewind.market.adjustment import new_york_date
from tradewind.market.bar import to_iso
from tradewind.market.session_table import SessionTable
from tradewind.orders.model import Side
from tradewind.portfolio.executions import holdings_at
from tradewind.portfolio.model import Holding
from tradewind.portfolio.round_trips import closed_out, round_trips
from tradewind.reports.daily import compared
from tradewind.reports.divergence import ComparedTrade, Reference, Remark
from tradewind.reports.ports import (
    DecidedSymbol,
    Period,
    ReferenceRecords,
    ReportReads,
    SessionRecords,
)
from tradewind.risk.data_checks import LIQUID_MINUTES
from tradewind.risk.protections import sessions_around
from tradewind.strategies.protocol import Strategy
from tradewind.use_cases.session_units import daily_in_session_units

# A symbol's session takes about half a second of the function's two minutes, which are for the
# report, too. What was traded or wished for comes first.
MOST_SYMBOLS = 60

WHOLE_SESSION = "the session"
_ONLY_LIVE = frozenset(
    {
        "switch_reducing", "switch_halted", "switch_unreadable", "no_broker_state",
        "stale_broker_state", "account_blocked", "account_configuration", "second_deployment",
        "unexplained_difference", "not_tradable", "unresolved_intent", "foreign_position",
        "duplicate_decision", "live_not_approved", "trading_stopped", "no_prediction",
        "stale_prediction",
    }
)  # fmt: skip
_BY_RISK = "risk"


@dataclass(frozen=True, slots=True)
class Deployed:
    """What an account trades by: strategies by symbol, and the rules of risk."""

    strategies: Mapping[str, Strategy]
    rules: RulesInForce


def reference_backtest(
    account: str,
    period: Period,
    records: SessionRecords,
    reads: ReportReads,
    deployed: Deployed,
    sessions: SessionTable,
) -> Reference:
    """To be asked in the transaction that ``records`` were read in."""
    decided = reads.decided_symbols(account, period)
    if not decided:
        return _none(None, "no minute of it was decided")
    modes = {mode for one in decided for mode in one.modes}
    mode = modes.pop() if len(modes) == 1 else None
    holdings = {
        symbol: one
        for symbol, one in holdings_at(records.executions, period.since, records.splits).items()
        if one.quantity
    }
    left_out = dict(_not_comparable(decided, records, deployed))
    chosen = _chosen([one for one in decided if one.symbol not in left_out], records, holdings)
    left_out |= {
        one.symbol: f"more than the {MOST_SYMBOLS} symbols that a report has time for"
        for one in decided
        if one.symbol not in left_out and one.symbol not in chosen
    }
    if not chosen:
        return Reference(mode, None, not_compared=_remarks(left_out))
    more = _records(account, period, reads, chosen, holdings, deployed, sessions)
    split = _held_over_splits(chosen, holdings, more, period)
    left_out |= split
    chosen = [symbol for symbol in chosen if symbol not in split]
    remarks = _remarks(left_out)
    if more.cash is None:
        return _none(mode, "the broker was not read in it: its money is unknown", remarks)
    if not chosen:
        return Reference(mode, None, not_compared=remarks)
    try:
        result = _run(period, records, more, chosen, holdings, deployed, sessions)
        trades = _trades(period, more, result)
    except InvalidInputError as error:
        return _none(mode, f"its backtest cannot be run: {error}", remarks)
    ours = {key: told for key, told in more.decided.items() if key[1] in chosen}
    theirs = {
        (one.bar_time, one.symbol): (str(one.action), str(one.reason_code))
        for one in result.decisions
    }
    return Reference(
        mode=mode,
        trades=trades,
        symbols=frozenset(chosen),
        left_out=frozenset(left_out),
        not_compared=remarks,
        unlike=(
            *_unlike(mode, records, more, holdings, chosen),
            *_learnt_in_it(period, more, chosen),
        ),
        decisions=len(ours),
        alike=sum(1 for key, told in ours.items() if theirs.get(key) == told),
    )


def _none(mode: str | None, why: str, besides: Sequence[Remark] = ()) -> Reference:
    return Reference(mode, None, not_compared=(Remark(WHOLE_SESSION, why), *besides))


def _remarks(left_out: Mapping[str, str]) -> tuple[Remark, ...]:
    """One remark for each reason, with its symbols."""
    symbols: dict[str, list[str]] = {}
    for symbol, why in sorted(left_out.items()):
        symbols.setdefault(why, []).append(symbol)
    return tuple(Remark(", ".join(own), why) for why, own in symbols.items())


def _not_comparable(
    decided: Sequence[DecidedSymbol], records: SessionRecords, deployed: Deployed
) -> Iterator[tuple[str, str]]:
    foreign = {one.symbol for one in records.foreign}
    for one in decided:
        strategy = deployed.strategies.get(one.symbol)
        if strategy is None:
            yield one.symbol, "no strategy trades it by the present configuration"
        elif set(one.strategies) != {strategy.name}:
            names = ", ".join(sorted(one.strategies))
            yield one.symbol, f"decided by {names}; configured is {strategy.name}"
        elif strategy.needs_prediction:
            yield one.symbol, f"{strategy.name} needs predictions, and a backtest has none"
        elif one.symbol in foreign:
            yield one.symbol, "shares of it are held that are not ours"


def _chosen(
    comparable: Sequence[DecidedSymbol],
    records: SessionRecords,
    holdings: Mapping[str, Holding],
) -> list[str]:
    traded = {one.symbol for one in records.executions}
    ranked = sorted(
        comparable,
        key=lambda one: (
            one.symbol not in traded and one.symbol not in holdings,
            not one.wished,
            one.symbol,
        ),
    )
    return sorted(one.symbol for one in ranked[:MOST_SYMBOLS])


def _records(
    account: str,
    period: Period,
    reads: ReportReads,
    chosen: Sequence[str],
    holdings: Mapping[str, Holding],
    deployed: Deployed,
    sessions: SessionTable,
) -> ReferenceRecords:
    needed = max(deployed.strategies[symbol].bars_needed for symbol in chosen)
    rules = deployed.rules
    return reads.reference_records(
        account,
        period,
        chosen,
        bars_before=max(LIQUID_MINUTES, needed),
        daily_before=rules.limits.daily_atr_sessions + 1,
        held_since={
            symbol: opened
            for symbol in chosen
            if symbol in holdings and (opened := holdings[symbol].opened_at) is not None
        },
        trades_since=sessions_around(period.session, rules.protections, sessions)[0].open,
    )


def _held_over_splits(
    chosen: Sequence[str],
    holdings: Mapping[str, Holding],
    more: ReferenceRecords,
    period: Period,
) -> dict[str, str]:
    today, known_by = period.session.date, period.session.close
    return {
        symbol: "it was held over a split: it was bought in other units than its bars have"
        for symbol in chosen
        if symbol in holdings
        and (opened := holdings[symbol].opened_at) is not None
        and more.factors.steps(symbol, new_york_date(opened), today, known_by)
    }


def _run(
    period: Period,
    records: SessionRecords,
    more: ReferenceRecords,
    chosen: Sequence[str],
    holdings: Mapping[str, Holding],
    deployed: Deployed,
    sessions: SessionTable,
) -> BacktestResult:
    session = period.session
    carried = {symbol for symbol in chosen if symbol in holdings}
    return run(
        (
            bar
            for symbol in chosen
            for bar in more.factors.adjusted(more.bars.get(symbol, ()), session.close)
        ),
        [session],
        {symbol: deployed.strategies[symbol] for symbol in chosen},
        deployed.rules,
        _cash(period, records, more) + _value_of_others(records, holdings, carried),
        calendar=sessions,
        minutes=more.minutes,
        factors=more.factors,
        actions=more.actions,
        beginning=Beginning(
            executions=[
                one
                for one in records.executions
                if one.symbol in carried and one.at <= period.since
            ],
            trades=more.trades,
            locks=more.locks,
            mark=more.mark,
            daily=daily_in_session_units(more.daily, more.factors, session.date, session.close),
        ),
    )


def _cash(period: Period, records: SessionRecords, more: ReferenceRecords) -> Decimal:
    """At the session's start: what was traded before the first snapshot is taken back."""
    if more.cash is None or more.cash_at is None:
        return Decimal(0)
    return more.cash + sum(
        (
            one.notional if one.side is Side.BUY else -one.notional
            for one in records.executions
            if period.since < one.at <= more.cash_at
        ),
        Decimal(0),
    )


def _value_of_others(
    records: SessionRecords, holdings: Mapping[str, Holding], carried: set[str]
) -> Decimal:
    """What is held and not compared counts as cash: sizes follow the equity."""
    ours = sum(
        (
            one.quantity * records.close_before.get(symbol, one.avg_price)
            for symbol, one in holdings.items()
            if symbol not in carried
        ),
        Decimal(0),
    )
    return ours + sum((one.quantity * one.price for one in records.foreign), Decimal(0))


def _trades(
    period: Period, more: ReferenceRecords, result: BacktestResult
) -> Sequence[ComparedTrade]:
    prices = {symbol: bars[-1].close for symbol, bars in more.bars.items() if bars}
    valued = closed_out(result.executions, prices, period.session.last_bar)
    return compared(round_trips(valued, {}), Decimal(0))


def _unlike(
    mode: str | None,
    records: SessionRecords,
    more: ReferenceRecords,
    holdings: Mapping[str, Holding],
    chosen: Sequence[str],
) -> Iterator[Remark]:
    never = more.minutes - records.cycles.decided
    if never > 0:
        yield Remark(f"{never} minutes", "were never decided, and are in the backtest")
    for one in records.refusals:
        if one.by != _BY_RISK:
            told = f"were {one.by} ({one.code}); the backtest's broker takes everything"
            yield Remark(f"{one.count} orders ({one.what})", told)
        elif one.code in _ONLY_LIVE:
            yield Remark(f"{one.count} refusals ({one.code})", "for what a backtest does not know")
    if any(flow.is_transfer for flow in records.flows):
        yield Remark("deposits and withdrawals", "sizes follow the equity, which they change")
    if mode == "live":
        yield Remark("the size of a live account", "may be a part of the backtest's: it rises")
    others = sorted({*holdings, *(one.symbol for one in records.foreign)} - set(chosen))
    if others:
        yield Remark(", ".join(others), "held and not compared; counts as cash in the backtest")


def _learnt_in_it(
    period: Period, more: ReferenceRecords, chosen: Sequence[str]
) -> Iterator[Remark]:
    """The backtest adjusts its bars once, by what was known at the close."""
    session = period.session
    for symbol in chosen:
        days = [
            *(new_york_date(bar.start) for bar in more.bars.get(symbol, ())[:1]),
            *(bar.session for bar in more.daily.get(symbol, ())),
        ]
        learnt = days and more.factors.learnt(
            symbol, min(days), session.date, session.open, session.close
        )
        if learnt:
            yield Remark(
                symbol,
                f"a split of it was told at {to_iso(learnt)}; until then its bars were not "
                "adjusted, or held back, and in the backtest they are adjusted from the open on",
            )
