"""Run the rules of live trading over recorded sessions, minute by minute.

The reference: slow and plain, with the very checks, sizes and protections that live trading has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from tradewind.backtest.beginning import MONEY_ALONE, Beginning
from tradewind.backtest.book import (
    RulesInForce,
    bars_seen,
    before_actions,
    book_of,
    over_splits,
    positions_of,
    symbols_entering,
    wishes_of,
)
from tradewind.backtest.broker import SimulatedBroker
from tradewind.backtest.costs import Costs
from tradewind.backtest.market import Market
from tradewind.backtest.protections import StandingProtections
from tradewind.errors import InvalidInputError
from tradewind.market.adjustment import FactorTable
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.corporate_actions import CorporateAction
from tradewind.market.cycle import Cycle, execution_name, reconciliation_name
from tradewind.market.session import Session
from tradewind.market.session_table import SessionTable
from tradewind.orders.model import BrokerFill, OrderIntent
from tradewind.portfolio.executions import Execution
from tradewind.portfolio.round_trips import RoundTrip, round_trips
from tradewind.risk.assessment import Assessment, assess, assess_positions
from tradewind.risk.protections import Protected
from tradewind.strategies.decision import Action, Decision
from tradewind.strategies.protocol import Strategy

MODE = "backtest"
# As the schedule has it: the account is put in order this long before the open.
BEFORE_OPEN = timedelta(minutes=15)
NO_SPLITS = FactorTable(())
_WISHES_TO_TRADE = (Action.ENTER, Action.EXIT)


@dataclass(frozen=True, slots=True)
class EquityAt:
    """USD at the end of a minute (aware UTC), what is held at its newest close."""

    at: datetime
    equity: Decimal


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """All in time order. ``equity`` has one point a regular minute. ``paid``: execution_id -> USD
    of commission and fees, which are not in ``round_trips``. ``refusals`` are the decisions in
    which risk left a wish to enter or leave unfulfilled, as the daily report counts them."""

    decisions: tuple[Decision, ...]
    intents: tuple[OrderIntent, ...]
    fills: tuple[BrokerFill, ...]
    executions: tuple[Execution, ...]
    round_trips: tuple[RoundTrip, ...]
    equity: tuple[EquityAt, ...]
    paid: Mapping[str, Decimal]

    @property
    def refusals(self) -> tuple[Decision, ...]:
        return tuple(
            decision
            for decision in self.decisions
            if decision.wanted in _WISHES_TO_TRADE and decision.action is not decision.wanted
        )


def run(
    bars: Iterable[Bar],
    sessions: Sequence[Session],
    strategies: Mapping[str, Strategy],
    rules: RulesInForce,
    cash: Decimal,
    *,
    calendar: SessionTable,
    costs: Costs | None = None,
    minutes: int | None = None,
    beginning: Beginning = MONEY_ALONE,
    factors: FactorTable = NO_SPLITS,
    actions: Sequence[CorporateAction] = (),
) -> BacktestResult:
    """Trade ``sessions`` (oldest first) with ``cash`` USD, and what ``beginning`` says of the time
    before, from their start.

    ``bars``: regular minutes of the symbols in ``strategies``, at one price level; those before the
    first session are history. ``costs``: 2 bp of slippage a side where none are given. ``minutes``:
    of each session only so many from its open, as a replay has it. ``factors``: the splits, each
    from when it was known; what is held overnight is closed before one, or has its stop put again
    after it. ``actions``: the other corporate actions likewise, before which nothing is entered and
    what is held overnight is closed. InvalidInputError for bars that cannot be true or are not at
    one price level, sessions out of order and amounts that make no sense.
    """
    if not sessions:
        raise InvalidInputError("a backtest needs a session to trade")
    if any(one.date >= other.date for one, other in pairwise(sessions)):
        raise InvalidInputError("sessions have to be in order, each once")
    market = Market(bars, strategies, calendar, beginning.daily)
    market.check_level(factors, overnight=rules.limits.hold_overnight)
    backtest = _Backtest(
        market,
        SimulatedBroker(cash, costs),
        strategies,
        rules,
        StandingProtections(rules.protections, calendar, beginning.mark, beginning.locks),
        factors,
        actions,
    )
    backtest.begin(beginning, sessions)
    for session in sessions:
        backtest.trade_session(session, session.minutes if minutes is None else minutes)
    return backtest.result()


class _Backtest:
    def __init__(
        self,
        market: Market,
        broker: SimulatedBroker,
        strategies: Mapping[str, Strategy],
        rules: RulesInForce,
        protections: StandingProtections,
        factors: FactorTable,
        actions: Sequence[CorporateAction],
    ) -> None:
        self._market = market
        self._broker = broker
        self._strategies = strategies
        self._rules = rules
        self._protections = protections
        self._factors = factors
        self._actions = actions
        self._decisions: list[Decision] = []
        self._intents: list[OrderIntent] = []
        self._equity: list[EquityAt] = []

    def begin(self, beginning: Beginning, sessions: Sequence[Session]) -> None:
        """Positions are worth their newest close before the first session."""
        closes = {
            symbol: bars[-1].close
            for symbol in {one.symbol for one in beginning.executions}
            if (bars := self._market.newest(symbol, sessions[0].open - MINUTE, 1))
        }
        self._broker.take_over(beginning.executions, beginning.trades, closes)

    def trade_session(self, session: Session, minutes: int) -> None:
        self._market.prepare(session)
        self._protections.begin(session)
        self._put_in_order(session)
        before = len(self._intents)
        for number in range(min(minutes, session.minutes)):
            self._minute(session, session.open + number * MINUTE, self._intents[before:])
        self._broker.end_session(session.close)

    def result(self) -> BacktestResult:
        broker = self._broker
        return BacktestResult(
            decisions=tuple(self._decisions),
            intents=tuple(self._intents),
            fills=broker.fills,
            executions=tuple(broker.executions),
            round_trips=tuple(
                round_trips(broker.executions, broker.gaps, overnight=broker.overnight)
            ),
            equity=tuple(self._equity),
            paid=broker.paid,
        )

    def _put_in_order(self, session: Session) -> None:
        """The reconciliation before the open: what a night left is cancelled or protected."""
        bar_time = session.open - BEFORE_OPEN - MINUTE
        cycle = _cycle(session, bar_time, reconciliation_name(MODE, bar_time))
        positions = positions_of(self._broker, self._market, bar_time)
        book = book_of(cycle, self._broker, self._market, self._rules, Protected(), (), {}, {}, ())
        book = over_splits(book, cycle, self._factors, self._market)
        assessment = assess_positions(cycle, positions, book, self._rules.limits, {})
        self._carry_out(assessment, cycle.run_at)

    def _minute(
        self, session: Session, bar_time: datetime, committed: Sequence[OrderIntent]
    ) -> None:
        """The market first, for orders of the runs before; then the run that decides on it."""
        market, broker = self._market, self._broker
        broker.trade(market.minute(bar_time))
        market.look(session, bar_time)
        cycle = _cycle(session, bar_time, execution_name(MODE, bar_time))
        seen = bars_seen(market, self._strategies, bar_time)
        wishes = wishes_of(bar_time, self._strategies, seen, broker)
        book = book_of(
            cycle,
            broker,
            market,
            self._rules,
            self._protections.of(cycle, broker),
            committed,
            self._strategies,
            seen,
            symbols_entering(wishes, broker),
        )
        book = over_splits(book, cycle, self._factors, market)
        book = before_actions(book, cycle, self._actions, market)
        self._carry_out(assess(cycle, wishes, book, self._rules.limits), cycle.run_at)
        self._equity.append(EquityAt(cycle.run_at, broker.equity))

    def _carry_out(self, assessment: Assessment, at: datetime) -> None:
        self._decisions += assessment.decisions
        self._intents += assessment.intents
        for intent in assessment.intents:
            self._broker.carry_out(intent, at)


def _cycle(session: Session, bar_time: datetime, execution: str) -> Cycle:
    return Cycle(MODE, MODE, MODE, execution, bar_time, session)
