"""AAPL's split 7:1 of 9 June 2014, lived through with the steps that record, decide and send.

The simulated exchange leaves orders in the old units, as the broker does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from pathlib import Path

import pytest
from tradewind.adapters.alpaca.broker import AlpacaBroker
from tradewind.adapters.alpaca.credentials import ApiKey
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.market.adjustment import SplitFactor
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.csv_bars import read_bars
from tradewind.market.cycle import Cycle, execution_name, reconciliation_name
from tradewind.market.session import Session
from tradewind.market.session_table import default_table
from tradewind.orders.model import IntentKind, OrderIntent, Side
from tradewind.portfolio.executions import holdings_at
from tradewind.portfolio.round_trips import round_trips
from tradewind.portfolio.statement import unrealised
from tradewind.portfolio.tax_lots import tax_lots
from tradewind.reports.daily import daily_report
from tradewind.reports.ports import Period
from tradewind.risk.limits import RiskLimits
from tradewind.settings import HardLimits
from tradewind.strategies.decision import Action
from tradewind.strategies.protocol import MarketView, Strategy
from tradewind.strategies.sma_crossover import SmaCrossover
from tradewind.use_cases.assess_risk import Assessed, RiskRules, assess_risk
from tradewind.use_cases.hard_limits import Submitter
from tradewind.use_cases.place_order import place_order
from tradewind.use_cases.read_broker import read_broker_state
from tradewind.use_cases.reconcile import assess_protection
from tradewind_local.exchange.process import ExchangeProcess

from tests.fakes import FakeClock, FakeControl
from tests.integration.conftest import Ask
from tests.integration.use_cases.books import Books, Wisher
from tests.unit.reports.trading_day import NO_BACKTEST

FILE = Path(__file__).resolve().parents[4] / "shared/data/bars_1min/lean"
FILE = FILE / "AAPL_20140605_20140609_split7for1.csv"
FRIDAY, MONDAY = date(2014, 6, 6), date(2014, 6, 9)
BEFORE_OPEN = datetime(2014, 6, 9, 13, 14, tzinfo=UTC)  # the run of 09:15 New York
AT_TWO = datetime(2014, 6, 6, 18, 0, tzinfo=UTC)
NIGHT = RiskLimits(hold_overnight=True)
SPLIT = SplitFactor("AAPL", MONDAY, D(7), D(1), datetime(2014, 6, 5, 12, 0, tzinfo=UTC))


@pytest.fixture(scope="module")
def bars() -> list[Bar]:
    """Regular hours of the three sessions."""
    if not FILE.is_file():
        pytest.skip("the recorded bars (../shared/data) are not on this machine")
    sessions = default_table()
    return [bar for bar in read_bars(FILE, "AAPL") if sessions.in_session(bar.start)]


def cycle_at(bar_time: datetime) -> Cycle:
    session = default_table().session_on(bar_time.date())
    assert session is not None
    return Cycle("here", "paper", "paper", execution_name("paper", bar_time), bar_time, session)


class MarketClock(FakeClock):
    """Waiting moves the exchange's market on."""

    def __init__(self, process: ExchangeProcess, now: datetime) -> None:
        super().__init__(now)
        self._process = process
        process.control.set_clock(now, running=False)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self._process.control.set_clock(self.now(), running=False)


class Desk:
    """The steps of a run over one database and one exchange, at the exchange's own time."""

    def __init__(self, database: PostgresDatabase, process: ExchangeProcess) -> None:
        self.books = Books(database)
        self.process = process
        self.broker = AlpacaBroker(process.url, ApiKey("key", "secret"))

    def at(self, cycle: Cycle) -> MarketClock:
        return MarketClock(self.process, cycle.run_at + timedelta(seconds=4))

    def sync(self, cycle: Cycle) -> None:
        clock = self.at(cycle)
        state = read_broker_state(self.broker, clock, clock.now() - timedelta(days=10))
        self.books.sync(state, cycle)

    def send(self, cycle: Cycle, intents: tuple[OrderIntent, ...]) -> None:
        limits = HardLimits(250, 200, 200, D(30000), D(2000000))
        submitter = Submitter("here", "paper", "paper", ("AAPL",), limits)
        clock = self.at(cycle)
        outcomes = [
            place_order(cycle, intent, submitter=submitter, broker=self.broker,
                        control=FakeControl(), clock=clock)
            for intent in intents
        ]  # fmt: skip
        self.books.close(*outcomes)

    def run(
        self, bar_time: datetime, action: Action = Action.HOLD, strategy: Strategy | None = None
    ) -> Assessed:
        """One minute of the trading cycle."""
        cycle = cycle_at(bar_time)
        self.sync(cycle)
        traded = {"AAPL": strategy or Wisher(action)}
        assessed = assess_risk(
            cycle, [], strategies=traded, rules=RiskRules(limits=NIGHT),
            sessions=default_table(), database=self.books.database, control=FakeControl(),
        )  # fmt: skip
        self.send(cycle, assessed.intents)
        return assessed

    def reconcile(self, bar_time: datetime) -> tuple[OrderIntent, ...]:
        cycle = replace(cycle_at(bar_time), execution=reconciliation_name("paper", bar_time))
        self.sync(cycle)
        intents = assess_protection(
            cycle, deployment="here", account="paper", mode="paper", limits=NIGHT,
            sessions=default_table(), database=self.books.database,
        )  # fmt: skip
        self.send(cycle, intents)
        return intents

    def learn(self, factor: SplitFactor) -> None:
        with self.books.database.transaction() as stores:
            stores.factors.learn([factor])

    def stops(self) -> list[tuple[D, D | None]]:
        return [(order.quantity, order.stop_price) for order in self.broker.open_orders("AAPL")]


@pytest.fixture
def desk(database: PostgresDatabase, bars: list[Bar], tmp_path: Path) -> Iterator[Desk]:
    with database.transaction() as stores:
        stores.bars.upsert(bars, [True] * len(bars), bars[-1].start)
    with ExchangeProcess(tmp_path / "exchange") as process:
        process.control.load_bars(bars)
        yield Desk(database, process)


def bought(desk: Desk) -> D:
    """Bought on Friday at two, stop resting; the shares held."""
    (entry,) = desk.run(AT_TWO, Action.ENTER).intents
    desk.run(AT_TWO + MINUTE)
    holding = desk.books.holdings()["AAPL"]
    assert holding.quantity == entry.quantity
    return holding.quantity


def sold(assessed: Assessed) -> bool:
    return any(intent.kind is IntentKind.EXIT for intent in assessed.intents)


def test_a_position_is_carried_over_a_split(desk: Desk, ask: Ask) -> None:
    """Known too late to close before it: shares, cost and stop go over into the new units, and
    nothing is sold."""
    shares = bought(desk)
    before = desk.books.holdings()["AAPL"]
    ((_, old_stop),) = desk.stops()
    assert old_stop is not None
    assert old_stop > 600
    desk.run(default_table().session_on(FRIDAY).close - 3 * MINUTE)  # type: ignore[union-attr]

    desk.learn(replace(SPLIT, known_at=BEFORE_OPEN - timedelta(hours=1)))
    desk.at(cycle_at(BEFORE_OPEN - MINUTE))
    desk.process.control.split("AAPL", D(7), D(1))
    value = desk.broker.positions()[0]

    (renewed,) = desk.reconcile(BEFORE_OPEN)
    assert (renewed.kind, renewed.quantity) == (IntentKind.RENEW_STOP, shares * 7)
    ((covered, stop),) = desk.stops()
    assert covered == shares * 7
    assert stop is not None
    assert 85 < stop < 95
    after = desk.books.holdings()["AAPL"]
    assert (after.quantity, after.cost) == (shares * 7, before.cost)
    assert (after.opened_at, after.realised_pnl) == (before.opened_at, before.realised_pnl)
    assert value.quantity == after.quantity
    assert desk.reconcile(BEFORE_OPEN + MINUTE) == ()

    start = default_table().session_on(MONDAY)
    assert start is not None
    kinds = set()
    for minute in range(12):
        assessed = desk.run(start.open + minute * MINUTE)
        kinds |= {intent.kind for intent in assessed.intents}
    assert kinds <= {IntentKind.REPRICE}
    assert desk.books.holdings()["AAPL"].quantity == shares * 7
    assert desk.books.told("position_difference") == []
    assert len(desk.books.told("position_split")) == 1
    assert ask(
        "SELECT symbol, effective, quantity_before, quantity_after FROM position_splits"
    ) == [["AAPL", MONDAY, shares, shares * 7]]


def test_a_split_that_is_known_closes_the_position_the_evening_before(desk: Desk) -> None:
    bought(desk)
    desk.learn(SPLIT)
    session = default_table().session_on(FRIDAY)
    assert session is not None
    assert not sold(desk.run(session.close - 7 * MINUTE))
    (sale,) = desk.run(session.close - 6 * MINUTE).intents
    assert sale.kind is IntentKind.EXIT
    assert sale.reason.startswith("split_due: a split takes effect on 2014-06-09")
    desk.run(session.close - 5 * MINUTE)
    assert desk.books.holdings()["AAPL"].quantity == 0
    assert desk.stops() == []


def test_what_the_old_stop_sells_before_any_snapshot_is_booked_in_new_units(
    desk: Desk, ask: Ask
) -> None:
    """Nobody reconciled before the open, where the stop at over 600 sells a seventh at about 92."""
    shares = bought(desk)
    before = desk.books.holdings()["AAPL"]
    desk.run(session_of(FRIDAY).last_bar - 2 * MINUTE)
    desk.learn(replace(SPLIT, known_at=BEFORE_OPEN - timedelta(hours=1)))
    desk.at(cycle_at(BEFORE_OPEN - MINUTE))
    desk.process.control.split("AAPL", D(7), D(1))
    desk.run(session_of(MONDAY).open)

    after = desk.books.holdings()["AAPL"]
    (position,) = desk.broker.positions()
    assert (after.quantity, position.quantity) == (shares * 6, shares * 6)
    ((quantity, price, earned),) = ask(
        "SELECT fill_qty, fill_price, realised_pnl FROM trades WHERE side = 'sell'"
    )
    assert quantity == shares
    assert earned.quantize(D("0.01")) == (quantity * price - before.cost / 7).quantize(D("0.01"))
    assert ask(
        "SELECT quantity_before, quantity_after, cost_before = cost_after FROM position_splits"
    ) == [[shares, shares * 7, True]]
    assert ask("SELECT count(*) FROM trades, position_splits WHERE timestamp >= seen_at") == [[1]]
    assert desk.stops() == [(shares * 6, desk.stops()[0][1])]
    assert desk.books.told("position_difference") == []


def test_a_factor_that_the_broker_never_carried_out_keeps_no_execution_waiting(desk: Desk) -> None:
    """A wrong one: the position is sold, and the books say so."""
    bought(desk)
    desk.run(session_of(FRIDAY).last_bar - 2 * MINUTE)
    desk.learn(replace(SPLIT, known_at=BEFORE_OPEN - timedelta(hours=1)))
    desk.run(session_of(MONDAY).open)  # at about 92 the stop at over 600 sells
    assert desk.broker.positions() == []
    assert desk.books.holdings()["AAPL"].quantity == 0


def test_without_a_known_factor_the_new_quantity_is_a_difference(desk: Desk) -> None:
    """Nothing is guessed: the books stay, entries stop, people are told."""
    shares = bought(desk)
    desk.at(cycle_at(BEFORE_OPEN - MINUTE))
    desk.process.control.split("AAPL", D(7), D(1))
    desk.sync(cycle_at(BEFORE_OPEN))
    desk.sync(cycle_at(BEFORE_OPEN + MINUTE))
    assert desk.books.holdings()["AAPL"].quantity == shares
    assert len(desk.books.told("position_difference")) == 1


def carried_over(desk: Desk) -> D:
    """Bought on Friday, held over the night in which the split came; the shares of before it."""
    shares = bought(desk)
    desk.run(session_of(FRIDAY).last_bar - 2 * MINUTE)
    desk.learn(replace(SPLIT, known_at=BEFORE_OPEN - timedelta(hours=1)))
    desk.at(cycle_at(BEFORE_OPEN - MINUTE))
    desk.process.control.split("AAPL", D(7), D(1))
    desk.reconcile(BEFORE_OPEN)
    return shares


def session_of(day: date) -> Session:
    session = default_table().session_on(day)
    assert session is not None
    return session


def in_small_shares(bars: list[Bar]) -> list[Bar]:
    """As if a share had always been a seventh, in prices times seven: exact, and no split in it."""
    return [
        replace(bar, open=bar.open * 7, high=bar.high * 7, low=bar.low * 7, close=bar.close * 7)
        if bar.start.date() == MONDAY
        else bar
        for bar in bars
    ]


def test_a_strategy_leaves_when_it_would_have_without_the_split(
    desk: Desk, bars: list[Bar], ask: Ask
) -> None:
    """The crossover holds over the split and sells where the same prices without one would make it
    sell; trip, lots, paper row and statements earn what the prices did, and no lock begins."""
    shares = carried_over(desk)
    friday_close = [bar for bar in bars if bar.start.date() == FRIDAY][-1].close
    before = desk.books.holdings()["AAPL"]
    value_before = shares * friday_close
    strategy = SmaCrossover(5, 20)
    smooth = in_small_shares(bars)
    places = [place for place, bar in enumerate(bars) if bar.start.date() == MONDAY]
    left_at = None
    for place in places:
        minute = bars[place].start
        view = MarketView("AAPL", minute, smooth[place - 20 : place + 1], None, holding=True)
        wished = strategy.decide(view).action
        assessed = desk.run(minute, strategy=strategy)
        (newest,) = ask("SELECT bar_time, wanted FROM decisions ORDER BY bar_time DESC LIMIT 1")
        assert newest == [minute, str(wished)]
        assert sold(assessed) is (wished is Action.EXIT)
        if wished is Action.EXIT:
            left_at = minute
            break
    assert left_at is not None
    desk.run(left_at + MINUTE)
    assert desk.books.holdings()["AAPL"].quantity == 0

    period = Period(session_of(MONDAY), session_of(FRIDAY).close)
    with desk.books.database.reporting() as reads:
        records = reads.session_records("paper", period)
    (sale,) = [one for one in records.executions if one.side is Side.SELL]
    earned = shares * 7 * sale.price - before.cost
    (trip,) = round_trips(records.executions, {}, records.splits)
    (closed,), still_open = tax_lots(records.executions, records.splits)
    cents = D("0.01")
    assert trip.quantity == closed.quantity == shares * 7
    assert trip.profit_loss.quantize(cents) == closed.gain.quantize(cents) == earned.quantize(cents)
    assert (closed.acquired_on, closed.sold_on, closed.cost) == (FRIDAY, MONDAY, before.cost)
    assert still_open == []
    assert ask("SELECT count(*) FROM locks WHERE code <> 'cooldown'") == [[0]]
    (row,) = ask("SELECT entry_price, exit_price, profit_loss FROM paper_trades")
    assert [one.quantize(cents) for one in row] == [
        (before.cost / shares / 7).quantize(cents), sale.price, earned.quantize(cents),
    ]  # fmt: skip

    held_at_open = holdings_at(records.executions, period.since, records.splits)
    statement = daily_report("paper", period, records, NO_BACKTEST).statement
    assert statement is not None
    assert unrealised(held_at_open.values(), records.close_before) == value_before - before.cost
    assert statement.realised == earned.quantize(cents)
    assert statement.realised + statement.unrealised_change == (
        shares * 7 * sale.price - value_before
    ).quantize(cents)
    assert abs(statement.unexplained) <= cents


def test_what_is_still_held_is_valued_in_the_new_units(
    desk: Desk, bars: list[Bar], ask: Ask
) -> None:
    shares = carried_over(desk)
    cost = desk.books.holdings()["AAPL"].cost
    minute = session_of(MONDAY).open
    desk.run(minute)
    (row,) = ask("SELECT entry_price, exit_price FROM paper_trades")
    assert row[0].quantize(D("0.01")) == (cost / shares / 7).quantize(D("0.01"))
    assert row[1] is None
    period = Period(session_of(MONDAY), session_of(FRIDAY).close)
    with desk.books.database.reporting() as reads:
        records = reads.session_records("paper", period)
    report = daily_report("paper", period, records, NO_BACKTEST)
    (left,) = report.positions_left
    last = [bar for bar in bars if bar.start.date() == MONDAY][-1].close
    assert (left.quantity, left.price, report.trades) == (shares * 7, last, [])
    assert left.unrealised == shares * 7 * last - cost


def test_a_split_alone_makes_no_signal(bars: list[Bar], database: PostgresDatabase) -> None:
    """The crossover decides on Monday's bars as it would had the shares always been small ones."""
    with database.transaction() as stores:
        stores.bars.upsert(bars, [True] * len(bars), bars[-1].start)
        stores.factors.learn([SPLIT])
        factors = stores.factors.table(["AAPL"])
    strategy = SmaCrossover(5, 20)
    smooth = in_small_shares(bars)
    monday = [place for place, bar in enumerate(bars) if bar.start.date() == MONDAY]
    for holding in (False, True):
        for place in monday[:60]:
            minute = bars[place].start
            seen = factors.adjusted(bars[place - 20 : place + 1], minute + MINUTE)
            told, expected = (
                strategy.decide(MarketView("AAPL", minute, view, None, holding)).action
                for view in (seen, smooth[place - 20 : place + 1])
            )
            assert told is expected
