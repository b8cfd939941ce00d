"""The whole chain of risk, minute by minute, against a small broker: whatever prices, fills and
faults come, what leaves stays within its limits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal as D

from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.cycle import Cycle, execution_name
from tradewind.market.session_table import default_table
from tradewind.orders.control import SwitchState
from tradewind.orders.model import (
    BrokerAccount,
    BrokerOrder,
    BrokerPosition,
    IntentKind,
    OrderIntent,
    OrderStatus,
    Side,
)
from tradewind.portfolio.model import Holding
from tradewind.risk.allocation import exposure_by_symbol
from tradewind.risk.assessment import Assessment, StrategyWish, assess
from tradewind.risk.book import Book
from tradewind.risk.equity import EquityMark, change_since_close, next_mark
from tradewind.risk.limits import RiskLimits
from tradewind.risk.live_ramp import SizeStep
from tradewind.risk.locks import Lock
from tradewind.risk.permission import Permission
from tradewind.risk.protections import (
    ClosedTrip,
    EquityChange,
    Protected,
    ProtectionSettings,
    protect,
)
from tradewind.risk.sizing import entry_size
from tradewind.strategies.decision import Action

from tests.fakes import an_account, an_order

SESSIONS = default_table().between(date(2020, 11, 12), date(2020, 11, 16))
SESSION = SESSIONS[0]
START = SESSION.open + timedelta(minutes=10)
SYMBOLS = ("AAPL", "MSFT", "SPY")
LAST_EQUITY = D(100_000)
LIMITS = RiskLimits(
    max_entries_per_minute=2, max_entries_per_day=5, max_capital_per_day=D(90_000)
)  # fmt: skip
SETTINGS = ProtectionSettings()
TICK = D("0.01")


@dataclass(frozen=True)
class Step:
    """What one minute brings. ``moves`` are each symbol's price change in percent; ``fates`` what
    becomes of each symbol's order: filled, half filled, left open, or lost on its way (the intent
    stays without outcome, and the order may have been filled all the same)."""

    moves: tuple[int, ...]
    wishes: tuple[Action, ...]
    fates: tuple[str, ...]
    switch: SwitchState | None
    stale: bool
    moved: int  # USD in or out
    size: D = D(1)  # the part of its size that live trading has reached


FATES = ("filled", "filled", "half", "open", "lost", "lost_filled")
STEPS = st.lists(
    st.builds(
        Step,
        moves=st.tuples(*[st.sampled_from((-12, -4, -1, 0, 0, 1, 3))] * len(SYMBOLS)),
        wishes=st.tuples(
            *[st.sampled_from((Action.ENTER, Action.ENTER, Action.EXIT))] * len(SYMBOLS)
        ),
        fates=st.tuples(*[st.sampled_from(FATES)] * len(SYMBOLS)),
        switch=st.sampled_from((*[SwitchState.ACTIVE] * 6, SwitchState.REDUCING, None)),
        stale=st.sampled_from((False,) * 7 + (True,)),
        moved=st.sampled_from((0,) * 6 + (30_000, -20_000)),
    ),
    min_size=3,
    max_size=25,
)


@dataclass
class Market:
    """A broker, and the books that its executions make."""

    cash: D = LAST_EQUITY
    moved: D = D(0)
    prices: dict[str, D] = field(default_factory=lambda: dict.fromkeys(SYMBOLS, D(100)))
    held: dict[str, Holding] = field(default_factory=dict)
    orders: dict[str, BrokerOrder] = field(default_factory=dict)
    unresolved: list[OrderIntent] = field(default_factory=list)
    trips: list[ClosedTrip] = field(default_factory=list)
    locks: tuple[Lock, ...] = ()
    mark: EquityMark | None = None
    foreign: D = D(0)  # USD of somebody else's shares on the account
    entries: list[OrderIntent] = field(default_factory=list)
    revision: int = 0

    def move(self, step: Step, at: datetime) -> None:
        for symbol, percent in zip(SYMBOLS, step.moves, strict=True):
            price = self.prices[symbol] * (100 + percent) / 100
            self.prices[symbol] = max(price.quantize(TICK), D(1))
        self.cash += step.moved
        self.moved += step.moved
        for order in list(self.orders.values()):
            stop = order.stop_price
            if stop is not None and self.prices[order.symbol] <= stop:
                self.sell(order.symbol, order.quantity, at, by_stop=True)
                del self.orders[order.order_id]

    def buy(self, symbol: str, quantity: D, at: datetime) -> None:
        cost = quantity * self.prices[symbol]
        self.cash -= cost
        old = self.held.get(symbol) or Holding(symbol, "s", D(0), D(0), D(0), at)
        self.held[symbol] = replace(old, quantity=old.quantity + quantity, cost=old.cost + cost)

    def sell(self, symbol: str, quantity: D, at: datetime, *, by_stop: bool) -> None:
        holding = self.held[symbol]
        assert quantity <= holding.quantity, "sold short"
        self.cash += quantity * self.prices[symbol]
        left = holding.quantity - quantity
        if left == 0:
            profit = self.prices[symbol] / holding.avg_price - 1
            self.trips.append(ClosedTrip(symbol, at, profit, by_stop))
            del self.held[symbol]
        else:
            cost = holding.avg_price * left
            self.held[symbol] = replace(holding, quantity=left, cost=cost)

    @property
    def account(self) -> BrokerAccount:
        value = sum((h.quantity * self.prices[s] for s, h in self.held.items()), self.foreign)
        return an_account(
            equity=self.cash + value,
            last_equity=LAST_EQUITY,
            cash=self.cash,
            buying_power=max(self.cash, D(0)),
        )

    def book(self, cycle: Cycle, step: Step) -> Book:
        account = self.account
        self.mark = next_mark(
            self.mark,
            session=SESSION.date,
            as_of=cycle.run_at,
            equity=account.equity,
            transfers=self.moved,
        )
        change = EquityChange(
            change_since_close(account.equity, account.last_equity, self.moved),
            self.mark.from_peak,
            self.mark.peak_at,
        )
        protected = protect(cycle.run_at, self.trips, change, SESSIONS, SETTINGS, self.locks)
        self.locks = protected.locks
        foreign = BrokerPosition("KO", self.foreign, D(1), D(1), D(0))
        return Book(
            account=account,
            broker_as_of=cycle.run_at - MINUTE if step.stale else cycle.run_at,
            holdings=dict(self.held),
            positions={
                s: BrokerPosition(s, h.quantity, h.avg_price, self.prices[s], D(0))
                for s, h in self.held.items()
            }
            | ({"KO": foreign} if self.foreign else {}),
            open_orders=tuple(self.orders.values()),
            orders_of_ours=dict.fromkeys(self.orders, "tw"),
            unresolved=tuple(self.unresolved),
            highs={},
            daily={},
            revisions=dict.fromkeys(SYMBOLS, self.revision),
            missing={},
            switch=step.switch,
            protected=protected,
            entries_today=len(self.entries),
            capital_today=sum((notional(one) for one in self.entries), D(0)),
            permission=Permission(size=SizeStep(step.size, f"{step.size} of the size")),
        )

    def execute(self, intents: tuple[OrderIntent, ...], step: Step, cycle: Cycle) -> None:
        """Outcomes of what was lost are known a minute later, as resolution would have it."""
        self.unresolved = []
        fates = dict(zip(SYMBOLS, step.fates, strict=True))
        for intent in intents:
            self.revision = max(self.revision, intent.revision)
            if intent.target_order_id is not None:
                self.orders.pop(intent.target_order_id, None)
            fate = fates[intent.symbol]
            if intent.kind is IntentKind.ENTRY:
                self.entries.append(intent)
                self._enter(intent, fate, cycle)
            elif intent.kind is IntentKind.EXIT:
                for order in [o for o in self.orders.values() if o.symbol == intent.symbol]:
                    del self.orders[order.order_id]
                self.sell(intent.symbol, intent.quantity, cycle.run_at, by_stop=False)
            elif intent.kind in (IntentKind.PROTECT, IntentKind.REPRICE):
                self._rest(intent, intent.quantity, intent.stop_price)

    def _enter(self, intent: OrderIntent, fate: str, cycle: Cycle) -> None:
        if fate.startswith("lost"):
            self.unresolved.append(intent)
        bought = {"filled": intent.quantity, "lost_filled": intent.quantity,
                  "half": intent.quantity // 2}.get(fate, D(0))  # fmt: skip
        if bought:
            self.buy(intent.symbol, bought, cycle.run_at)
        if bought == intent.quantity:
            self._rest(intent, bought, intent.stop_price)
        elif fate != "lost":
            left = replace(
                an_order(order_id=intent.intent_id, client_order_id=intent.intent_id),
                symbol=intent.symbol, side=Side.BUY, order_type="limit",
                quantity=intent.quantity, filled_quantity=bought,
                limit_price=intent.limit_price, stop_price=None,
                status=OrderStatus.PARTIALLY_FILLED if bought else OrderStatus.NEW,
            )  # fmt: skip
            self.orders[left.order_id] = left

    def _rest(self, intent: OrderIntent, quantity: D, stop: D | None) -> None:
        order_id = f"stop-{intent.intent_id}"
        self.orders[order_id] = an_order(
            order_id=order_id,
            client_order_id=order_id,
            symbol=intent.symbol,
            quantity=quantity,
            stop_price=stop,
        )


def notional(intent: OrderIntent) -> D:
    return intent.quantity * (intent.limit_price or D(0))


def cycle_at(minute: int) -> Cycle:
    bar_time = START + minute * MINUTE
    return Cycle("here", "paper", "paper", execution_name("paper", bar_time), bar_time, SESSION)


def decide(market: Market, step: Step, cycle: Cycle) -> tuple[Book, Assessment]:
    wishes = []
    for symbol, action in zip(SYMBOLS, step.wishes, strict=True):
        price = market.prices[symbol]
        bar = Bar(symbol, cycle.bar_time, price, price, price, price, 100, "sim")
        held = symbol in market.held
        wished = action if held == (action is Action.EXIT) else Action.HOLD if held else Action.WAIT
        wishes.append(StrategyWish(symbol, "s", wished, "wish", "as told", bar))
    book = market.book(cycle, step)
    return book, assess(cycle, wishes, book, LIMITS)


@settings(max_examples=150)
@given(STEPS)
def test_nothing_leaves_beyond_its_limits(steps: list[Step]) -> None:
    market = Market()
    stopped_for_the_day = False
    for minute, step in enumerate(steps):
        cycle = cycle_at(minute)
        market.move(step, cycle.run_at)
        book, assessment = decide(market, step, cycle)
        account = book.account
        assert account is not None
        day = (account.equity - market.moved) / LAST_EQUITY - 1
        stopped_for_the_day = stopped_for_the_day or day <= D("-0.10")
        entries = [one for one in assessment.intents if one.kind is IntentKind.ENTRY]
        spent = sum((notional(one) for one in entries), D(0))

        if step.switch is not SwitchState.ACTIVE or step.stale or stopped_for_the_day:
            assert entries == []
        assert len(entries) <= LIMITS.max_entries_per_minute
        assert len(market.entries) + len(entries) <= LIMITS.max_entries_per_day
        assert spent + book.capital_today <= LIMITS.max_capital_per_day
        assert spent <= account.buying_power
        if entries:
            before = exposure_by_symbol(
                tuple(book.positions.values()), book.open_orders, book.unresolved
            )
            assert sum(before.values()) + spent <= account.equity
        for entry in entries:
            factor = book.protected.size_factor
            assert 0 < notional(entry) <= D("0.25") * account.equity * factor
            assert entry.symbol not in market.held
            assert entry.stop_price is not None
            assert entry.stop_price < (entry.limit_price or D(0))
        if market.mark is not None and market.mark.from_peak <= D("-0.075"):
            assert book.protected.size_factor == D("0.5")
        for sale in assessment.intents:
            if sale.kind in (IntentKind.EXIT, IntentKind.PROTECT, IntentKind.REPRICE):
                assert sale.quantity <= market.held[sale.symbol].quantity
        market.execute(assessment.intents, step, cycle)


RAMPING = STEPS.flatmap(
    lambda steps: st.lists(
        st.sampled_from((D("0.10"), D("0.10"), D("0.20"), D("0.40"), D("0.80"), D(1))),
        min_size=len(steps),
        max_size=len(steps),
    ).map(lambda sizes: [replace(s, size=z) for s, z in zip(steps, sizes, strict=True)])
)


@settings(max_examples=150)
@given(RAMPING, st.sampled_from((0, 0, 40_000)))
def test_what_trades_live_stays_within_the_size_it_has_reached(
    steps: list[Step], foreign: int
) -> None:
    """Whatever rises, falls, is lost or breached on the way: after each entry all that is ours,
    bought, being bought or perhaps bought, is worth no more than that part of the equity."""
    market = Market(cash=LAST_EQUITY - foreign, foreign=D(foreign))
    for minute, step in enumerate(steps):
        cycle = cycle_at(minute)
        market.move(step, cycle.run_at)
        book, assessment = decide(market, step, cycle)
        account = book.account
        assert account is not None
        entries = [one for one in assessment.intents if one.kind is IntentKind.ENTRY]
        if entries:
            there = exposure_by_symbol(
                tuple(book.positions.values()), book.open_orders, book.unresolved
            )
            ours = sum((usd for symbol, usd in there.items() if symbol != "KO"), D(0))
            spent = sum((notional(one) for one in entries), D(0))
            assert ours + spent <= step.size * account.equity
            assert ours + spent + market.foreign <= account.equity
        for entry in entries:
            assert notional(entry) <= D("0.25") * step.size * account.equity
        market.execute(assessment.intents, step, cycle)


@given(STEPS)
def test_the_same_history_decides_the_same(steps: list[Step]) -> None:
    def history() -> list[Assessment]:
        market, found = Market(), []
        for minute, step in enumerate(steps):
            market.move(step, cycle_at(minute).run_at)
            found.append(decide(market, step, cycle_at(minute))[1])
            market.execute(found[-1].intents, step, cycle_at(minute))
        return found

    assert history() == history()


MONEY = st.decimals(0, 10**7, places=2)
PRICES = st.decimals(D("0.5"), D(5000), places=2)


@given(
    equity=MONEY,
    more=MONEY,
    exposure=MONEY,
    buying_power=MONEY,
    price=PRICES,
    stop=st.decimals(D("0.80"), D("1.01"), places=3),
    atr=st.none() | PRICES,
)
def test_a_size_stays_below_its_caps_and_grows_with_equity(
    equity: D, more: D, exposure: D, buying_power: D, price: D, stop: D, atr: D | None
) -> None:
    def sized(of: D) -> D:
        return entry_size(
            equity=of,
            exposure=exposure,
            buying_power=buying_power,
            limit_price=price,
            stop_price=price * stop,
            atr=atr,
            limits=LIMITS,
        ).quantity

    quantity = sized(equity)
    assert quantity >= 0
    assert quantity == quantity.to_integral_value()
    assert quantity * price <= D("0.25") * equity
    assert quantity * price <= buying_power
    assert quantity == 0 or quantity * price + exposure <= equity
    assert quantity * (price - price * stop) <= D("0.02") * equity
    assert sized(equity + more) >= quantity


def test_the_model_trades_at_all() -> None:
    """The properties above would hold of a chain that never enters."""
    quiet = Step((0, 0, 0), (Action.ENTER,) * 3, ("filled",) * 3, SwitchState.ACTIVE, False, 0)
    market = Market()
    for minute in range(3):
        _, assessment = decide(market, quiet, cycle_at(minute))
        market.execute(assessment.intents, quiet, cycle_at(minute))
    assert len(market.entries) == 3
    small = Market()
    for minute in range(3):
        _, assessment = decide(small, replace(quiet, size=D("0.10")), cycle_at(minute))
        small.execute(assessment.intents, quiet, cycle_at(minute))
    assert [one.quantity for one in small.entries] == [24, 24, 24]
    crash = replace(quiet, moves=(-12, -12, -12))
    market.move(crash, cycle_at(3).run_at)
    book, assessment = decide(market, crash, cycle_at(3))
    assert [trip.by_stop for trip in market.trips] == [True] * 3
    assert assessment.intents == ()
    assert isinstance(book.protected, Protected)
    assert {lock.code for lock in book.protected.locks} == {"cooldown"}
