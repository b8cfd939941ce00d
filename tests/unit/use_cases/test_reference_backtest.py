"""The backtest beside a traded session: what it begins with, what it leaves out, and why.

"Live" trading is a backtest here: run again from what it left in the records, it has to give the
same trades to the cent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.backtest.book import RulesInForce
from tradewind.backtest.protections import NOTHING_MOVED
from tradewind.backtest.run import BacktestResult, run
from tradewind.market.adjustment import FactorTable, SplitFactor
from tradewind.market.bar import Bar
from tradewind.market.session import Session
from tradewind.orders.model import Side
from tradewind.portfolio.executions import Execution, Purpose
from tradewind.portfolio.round_trips import round_trips
from tradewind.reports.daily import compared, daily_report
from tradewind.reports.divergence import Reference
from tradewind.reports.ports import (
    CycleCounts,
    DecidedSymbol,
    ForeignPosition,
    Period,
    ReferenceRecords,
    RefusalCount,
    SessionRecords,
)
from tradewind.risk.closed_trips import RecentTrade
from tradewind.risk.equity import EquityMark, next_mark
from tradewind.risk.limits import RiskLimits
from tradewind.risk.locks import Lock
from tradewind.strategies.protocol import Strategy
from tradewind.use_cases import reference_backtest as subject
from tradewind.use_cases.reference_backtest import Deployed, reference_backtest

from tests.unit.backtest.invented import (
    CALENDAR,
    CASH,
    FULL_DAY,
    NEXT_DAY,
    Candle,
    Told,
    at,
    day,
    told,
)

DAY_AFTER = CALENDAR.following(NEXT_DAY.date)


@dataclass
class Records:
    """The store of record, as far as a reference backtest reads it."""

    decided: list[DecidedSymbol]
    more: ReferenceRecords
    asked: tuple[str, ...] = ()

    def decided_symbols(self, account: str, period: Period) -> list[DecidedSymbol]:
        return self.decided

    def reference_records(
        self, account: str, period: Period, symbols: Sequence[str], **_: Any
    ) -> ReferenceRecords:
        self.asked = tuple(symbols)
        return self.more

    def session_records(self, account: str, period: Period) -> SessionRecords:
        raise NotImplementedError

    def executions(self, account: str, since: datetime, until: datetime) -> list[Execution]:
        raise NotImplementedError

    def accounts(self) -> list[str]:
        raise NotImplementedError


def period_of(session: Session) -> Period:
    return Period(session, CALENDAR.previous(session.date).close)


def live(
    bars: Sequence[Bar], strategy: Told, *sessions: Session, rules: RulesInForce
) -> BacktestResult:
    strategies: dict[str, Strategy] = {bar.symbol: strategy for bar in bars}
    return run(bars, sessions, strategies, rules, CASH, calendar=CALENDAR)


def cash_after(executions: Sequence[Execution]) -> D:
    return CASH - sum((x.notional if x.side is Side.BUY else -x.notional for x in executions), D(0))


def mark_after(result: BacktestResult, until: datetime) -> EquityMark | None:
    mark = None
    for one in result.equity:
        session = CALENDAR.session_of(one.at - timedelta(minutes=1))
        assert session is not None
        if one.at <= until:
            mark = next_mark(
                mark, session=session.date, as_of=one.at, equity=one.equity, transfers=NOTHING_MOVED
            )
    return mark


def records_of(
    bars: Sequence[Bar], result: BacktestResult, session: Session
) -> tuple[SessionRecords, Records]:
    """What a session of ``result`` would have left behind; "told" decided it, on paper."""
    period = period_of(session)
    before = [one for one in result.executions if one.at <= period.since]
    symbols = sorted({bar.symbol for bar in bars})
    held = {s: sum(x.quantity if x.side is Side.BUY else -x.quantity
                   for x in before if x.symbol == s) for s in symbols}  # fmt: skip
    closes = {
        symbol: max((bar for bar in bars if bar.symbol == symbol and bar.start < session.close),
                    key=lambda bar: bar.start).close
        for symbol in symbols
    }  # fmt: skip
    known = SessionRecords(
        cycles=CycleCounts(session.minutes, session.minutes),
        # from flat on, as the store tells them
        executions=[
            one for one in result.executions
            if one.at <= period.until and (one.at > period.since or held[one.symbol])
        ],
        realised_ever=D(0), refusals=(), readings=(), closed_days=(), flows=(), foreign=(),
        alerts=(), bars={}, close_before=closes, last_price=closes,
    )  # fmt: skip
    more = ReferenceRecords(
        minutes=session.minutes,
        cash=cash_after(before),
        cash_at=session.open,
        bars={s: [bar for bar in bars if bar.symbol == s and bar.start < session.close]
              for s in symbols},
        daily={},
        factors=FactorTable(()),
        actions=(),
        trades=[
            RecentTrade(x.symbol, x.at, x.side, x.quantity, x.price,
                        None if x.side is Side.BUY else D(0), x.purpose is Purpose.STOP)
            for x in before
        ],
        locks=(),
        mark=mark_after(result, period.since),
        decided={
            (x.bar_time, x.symbol): (str(x.action), str(x.reason_code)) for x in result.decisions
            if x.bar_time >= session.open
        },
    )  # fmt: skip
    names = [DecidedSymbol(symbol, ["told"], ["paper"], wished=True) for symbol in symbols]
    return known, Records(names, more)


def reference(
    known: SessionRecords,
    reads: Records,
    strategies: Mapping[str, Strategy],
    session: Session = FULL_DAY,
    rules: RulesInForce | None = None,
) -> Reference:
    deployed = Deployed(strategies, rules or RulesInForce())
    return reference_backtest("paper", period_of(session), known, reads, deployed, CALENDAR)


FALLING: Candle = ("99", "99.20", "98.90", "99")
HIGH: Candle = ("104", "104", "103.90", "104")
LOW: Candle = ("97", "97.20", "96.90", "97")
OVERNIGHT = RulesInForce(RiskLimits(hold_overnight=True))
BUY_ONCE, BUY_TWICE = told([30]), told([30, 80, 81], [50])

# What happened (bars, strategy, sessions, rules); the last session is run again.
SESSIONS = [
    ("bought and sold", day({}), BUY_TWICE, (FULL_DAY,), RulesInForce()),
    ("stopped", day(dict.fromkeys(range(60, 390), LOW)), BUY_ONCE, (FULL_DAY,), RulesInForce()),
    ("two symbols", day({}) + day({40: FALLING}, "MSFT"), BUY_TWICE, (FULL_DAY,), RulesInForce()),
    ("held overnight and kept", day({}) + day({}, session=NEXT_DAY), BUY_ONCE,
     (FULL_DAY, NEXT_DAY), OVERNIGHT),
    ("held overnight and stopped in the gap", day({}) + day({}, session=NEXT_DAY, otherwise=LOW),
     BUY_ONCE, (FULL_DAY, NEXT_DAY), OVERNIGHT),
    ("held over two nights, its stop raised in the first",
     day({60: ("104", "105", "104", "104")}, otherwise=HIGH)
     + day({}, session=NEXT_DAY, otherwise=HIGH)
     + day({20: LOW}, session=DAY_AFTER, otherwise=HIGH),
     BUY_ONCE, (FULL_DAY, NEXT_DAY, DAY_AFTER), OVERNIGHT),
]  # fmt: skip


@pytest.mark.parametrize(
    ("bars", "strategy", "sessions", "rules"),
    [row[1:] for row in SESSIONS],
    ids=[str(row[0]) for row in SESSIONS],
)
def test_run_again_from_its_records_a_session_is_the_same(
    bars: list[Bar], strategy: Told, sessions: tuple[Session, ...], rules: RulesInForce
) -> None:
    result = live(bars, strategy, *sessions, rules=rules)
    last = sessions[-1]
    known, reads = records_of(bars, result, last)
    assert known.executions
    symbols = {bar.symbol for bar in bars}
    found = reference(known, reads, dict.fromkeys(symbols, strategy), last, rules)
    assert (found.mode, found.symbols, found.not_compared) == ("paper", symbols, ())
    assert found.decisions == found.alike == last.minutes * len(symbols)
    report = daily_report("paper", period_of(last), known, found)
    assert report.divergence is not None
    assert report.divergence.total == 0
    assert {(one.signal, one.fill, one.timing) for one in report.divergence.trades} == {(0, 0, 0)}
    assert report.divergence.matched == len(report.divergence.trades) > 0


def test_a_lock_of_the_evening_before_holds_in_the_morning() -> None:
    bars = day({}) + day({}, session=NEXT_DAY)
    strategy = told([30], session=NEXT_DAY)
    known, reads = records_of(bars, live(bars, strategy, NEXT_DAY, rules=RulesInForce()), NEXT_DAY)
    lock = Lock("AAPL", at(380), at(60, NEXT_DAY), "stop_guard", "as it was", "key")
    reads.more = replace(reads.more, locks=(lock,))
    found = reference(known, reads, {"AAPL": strategy}, NEXT_DAY)
    assert found.trades == []
    assert found.alike < found.decisions


SMALL = RulesInForce()
NEEDY = replace(told([30]), needs_prediction=True)


def changed(known: SessionRecords, reads: Records, **more: Any) -> tuple[SessionRecords, Records]:
    return known, replace(reads, more=replace(reads.more, **more))


LEFT_OUT: list[tuple[str, Any, Any, str, str]] = [
    # (case, strategies, change of the records, what, why)
    ("no strategy", {}, None, "AAPL", "no strategy trades it by the present configuration"),
    ("another strategy", {"AAPL": replace(told([30]), name="other")}, None, "AAPL",
     "decided by told; configured is other"),
    ("predictions", {"AAPL": NEEDY}, None, "AAPL", "told needs predictions"),
    ("foreign shares", None,
     lambda known, reads: (replace(known, foreign=[ForeignPosition("AAPL", D(1), D(9), at(0))]),
                           reads), "AAPL", "shares of it are held that are not ours"),
    ("no broker", None, lambda known, reads: changed(known, reads, cash=None), "the session",
     "the broker was not read in it"),
    ("no decision", None, lambda known, reads: (known, replace(reads, decided=[])), "the session",
     "no minute of it was decided"),
    ("a bar that cannot be", None, lambda known, reads: changed(
        known, reads, bars={"AAPL": [replace(reads.more.bars["AAPL"][0], high=D(1))]}),
     "the session", "its backtest cannot be run: AAPL 2020-11-12T14:30:00Z"),
    ("nothing left to trade with", None, lambda known, reads: changed(known, reads, cash=D(0)),
     "the session", "its backtest cannot be run"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("strategies", "change", "what", "why"), [row[1:] for row in LEFT_OUT],
    ids=[row[0] for row in LEFT_OUT],
)  # fmt: skip
def test_what_cannot_be_compared_is_said(
    strategies: Mapping[str, Strategy] | None, change: Any, what: str, why: str
) -> None:
    bars, strategy = day({}), told([30])
    known, reads = records_of(bars, live(bars, strategy, FULL_DAY, rules=SMALL), FULL_DAY)
    if change is not None:
        known, reads = change(known, reads)
    found = reference(known, reads, {"AAPL": strategy} if strategies is None else strategies)
    assert found.trades is None
    (remark,) = found.not_compared
    assert remark.what == what
    assert remark.why.startswith(why)
    assert daily_report("paper", period_of(FULL_DAY), known, found).divergence is None


def test_a_position_over_a_split_is_left_out_and_the_rest_compared() -> None:
    bars = [*day({}), *day({}, "MSFT"), *day({}, session=NEXT_DAY),
            *day({}, "MSFT", session=NEXT_DAY)]  # fmt: skip
    result = live(bars, BUY_ONCE, FULL_DAY, NEXT_DAY, rules=OVERNIGHT)
    known, reads = records_of(bars, result, NEXT_DAY)
    split = SplitFactor("AAPL", NEXT_DAY.date, D(4), D(1), at(-100))
    reads.more = replace(reads.more, factors=FactorTable([split]))
    both: dict[str, Strategy] = dict.fromkeys(("AAPL", "MSFT"), BUY_ONCE)
    found = reference(known, reads, both, NEXT_DAY, OVERNIGHT)
    assert [one.what for one in found.not_compared] == ["AAPL"]
    assert "split" in found.not_compared[0].why
    assert (found.symbols, found.left_out) == ({"MSFT"}, {"AAPL"})
    # The shares that are not compared count as cash, and are named.
    assert [one.what for one in found.unlike] == ["AAPL"]


LEARNT = [
    # (case, minutes after the open at which it was told, first session at the new price, named)
    ("before the open", -1, FULL_DAY, False),
    ("in the session", 120, FULL_DAY, True),
    ("after the close", 391, FULL_DAY, False),
    ("in the session, of tomorrow", 120, NEXT_DAY, False),
]


@pytest.mark.parametrize(
    ("told_at", "effective", "named"), [row[1:] for row in LEARNT], ids=[row[0] for row in LEARNT]
)
def test_a_split_that_was_told_in_the_session_is_named(
    told_at: int, effective: Session, named: bool
) -> None:
    """A correction, or a jump answered by hand: trading saw other bars until then."""
    strategy, before = told([30]), CALENDAR.previous(FULL_DAY.date)
    bars = [*day({}, session=before), *day({})]
    known, reads = records_of(bars, live(bars, strategy, FULL_DAY, rules=SMALL), FULL_DAY)
    one = SplitFactor("AAPL", effective.date, D(1), D(1), at(told_at))
    reads.more = replace(reads.more, factors=FactorTable([one]))
    found = reference(known, reads, {"AAPL": strategy})
    assert [remark.what for remark in found.unlike] == (["AAPL"] if named else [])
    assert not named or "told at 2020-11-12T16:30:00Z" in found.unlike[0].why


def test_what_is_held_and_not_compared_counts_for_the_size_of_the_rest() -> None:
    """AAPL is held from the day before and has no strategy any more; MSFT is bought beside it."""
    bars = [*day({}), *day({}, session=NEXT_DAY), *day({}, "MSFT", session=NEXT_DAY)]
    strategy = replace(BUY_ONCE, enter=frozenset((at(30), at(60, NEXT_DAY))))
    result = live(bars, strategy, FULL_DAY, NEXT_DAY, rules=OVERNIGHT)
    bought = [one for one in result.executions if one.symbol == "MSFT"]
    assert len(bought) == 1
    known, reads = records_of(bars, result, NEXT_DAY)
    found = reference(known, reads, {"MSFT": strategy}, NEXT_DAY, OVERNIGHT)
    assert [one.what for one in found.not_compared] == ["AAPL"]
    assert found.trades is not None
    assert [(one.symbol, one.quantity) for one in found.trades] == [("MSFT", bought[0].quantity)]


def test_what_only_live_trading_knows_is_named() -> None:
    bars, strategy = day({}), told([30])
    known, reads = records_of(bars, live(bars, strategy, FULL_DAY, rules=SMALL), FULL_DAY)
    known = replace(
        known,
        cycles=CycleCounts(388, 388),
        refusals=[
            RefusalCount("risk", "enter", "switch_reducing", 12, "the switch is REDUCING"),
            RefusalCount("risk", "enter", "cooldown", 3, "a lock"),  # a backtest knows it, too
            RefusalCount("expired_unsent", "entry", "expired", 1, "too late"),
        ],
    )
    reads.decided = [replace(reads.decided[0], modes=["live"])]
    found = reference(known, reads, {"AAPL": strategy})
    assert [one.what for one in found.unlike] == [
        "2 minutes",
        "12 refusals (switch_reducing)",
        "1 orders (entry)",
        "the size of a live account",
    ]


def test_what_was_traded_before_the_first_reading_is_taken_back() -> None:
    """The broker was first read in the middle of the session, when AAPL was bought already."""
    bars, strategy = day({}), told([30])
    result = live(bars, strategy, FULL_DAY, rules=SMALL)
    known, reads = records_of(bars, result, FULL_DAY)
    reads.more = replace(
        reads.more, cash=cash_after(result.executions[:1]), cash_at=at(100)
    )  # fmt: skip
    found = reference(known, reads, {"AAPL": strategy})
    assert found.trades == compared(round_trips(result.executions, {}), D(0))


def test_traded_symbols_come_first_where_there_are_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subject, "MOST_SYMBOLS", 2)
    bars, strategy = day({}, "ZZ"), told([30])
    known, reads = records_of(bars, live(bars, strategy, FULL_DAY, rules=SMALL), FULL_DAY)
    wished = [DecidedSymbol(name, ["told"], ["paper"], name == "BB") for name in ("AA", "BB", "CC")]
    reads.decided = [*wished, *reads.decided]
    names = ("AA", "BB", "CC", "ZZ")
    found = reference(known, reads, dict.fromkeys(names, strategy))
    assert reads.asked == ("BB", "ZZ")
    assert [one.what for one in found.not_compared] == ["AA, CC"]


def test_a_session_of_two_modes_is_in_none() -> None:
    bars, strategy = day({}), told([30])
    known, reads = records_of(bars, live(bars, strategy, FULL_DAY, rules=SMALL), FULL_DAY)
    reads.decided = [replace(reads.decided[0], modes=["live", "paper"])]
    assert reference(known, reads, {"AAPL": strategy}).mode is None
