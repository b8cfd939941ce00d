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
from tradewind.market.session_table import default_table
from tradewind.orders.model import IntentKind, OrderIntent
from tradewind.risk.limits import RiskLimits
from tradewind.settings import HardLimits
from tradewind.strategies.decision import Action
from tradewind.strategies.protocol import MarketView
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

    def run(self, bar_time: datetime, action: Action = Action.HOLD) -> Assessed:
        """One minute of the trading cycle."""
        cycle = cycle_at(bar_time)
        self.sync(cycle)
        assessed = assess_risk(
            cycle, [], strategies={"AAPL": Wisher(action)}, rules=RiskRules(limits=NIGHT),
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


def test_without_a_known_factor_the_new_quantity_is_a_difference(desk: Desk) -> None:
    """Nothing is guessed: the books stay, entries stop, people are told."""
    shares = bought(desk)
    desk.at(cycle_at(BEFORE_OPEN - MINUTE))
    desk.process.control.split("AAPL", D(7), D(1))
    desk.sync(cycle_at(BEFORE_OPEN))
    desk.sync(cycle_at(BEFORE_OPEN + MINUTE))
    assert desk.books.holdings()["AAPL"].quantity == shares
    assert len(desk.books.told("position_difference")) == 1


def test_a_split_alone_makes_no_signal(bars: list[Bar], database: PostgresDatabase) -> None:
    """The crossover decides on Monday's bars as it would had the shares always been small ones."""
    with database.transaction() as stores:
        stores.bars.upsert(bars, [True] * len(bars), bars[-1].start)
        stores.factors.learn([SPLIT])
        factors = stores.factors.table(["AAPL"])
    strategy = SmaCrossover(5, 20)
    small = {
        bar.start: bar.close * 7 if bar.start.date() == MONDAY else bar.close for bar in bars
    }  # exact: the other way round divisions would have to be rounded
    monday = [place for place, bar in enumerate(bars) if bar.start.date() == MONDAY]
    for holding in (False, True):
        for place in monday[:60]:
            raw = bars[place - 20 : place + 1]
            minute = raw[-1].start
            seen = factors.adjusted(raw, minute + MINUTE)
            plain = [replace(bar, close=small[bar.start]) for bar in raw]
            told, expected = (
                strategy.decide(MarketView("AAPL", minute, view, None, holding)).action
                for view in (seen, plain)
            )
            assert told is expected
