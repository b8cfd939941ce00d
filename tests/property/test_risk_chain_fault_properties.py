"""The whole chain of risk where the data and the shares themselves go wrong: halts, holes, splits,
symbols that people stopped, accounts that nobody approved. Its limits hold all the same.

The market and the limits are those of ``test_risk_chain_properties``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal as D

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.cycle import Cycle
from tradewind.orders.control import SwitchState
from tradewind.orders.model import IntentKind, OrderIntent, Side
from tradewind.risk.allocation import exposure_by_symbol
from tradewind.risk.assessment import Assessment, StrategyWish, assess
from tradewind.risk.book import Book
from tradewind.risk.data_checks import LIQUID_MINUTES
from tradewind.risk.permission import Permission
from tradewind.strategies.decision import Action

from tests.property.test_risk_chain_properties import (
    LIMITS,
    START,
    STEPS,
    SYMBOLS,
    TICK,
    Market,
    Step,
    cycle_at,
    notional,
)

# A share becomes so many: forward, and in reverse.
SPLITS = (D(2), D(7), D("0.25"))
SALES = (IntentKind.EXIT, IntentKind.PROTECT, IntentKind.REPRICE, IntentKind.RENEW_STOP)
BEFORE_START = [START - n * MINUTE for n in range(LIQUID_MINUTES + 5, 0, -1)]
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Faults:
    """What else one minute brings: symbols without a bar, holes among the bars before, a split of
    the first symbol, symbols that people have stopped, and whether live trading is approved."""

    step: Step
    silent: tuple[bool, ...]
    holes: tuple[bool, ...]
    stopped: tuple[bool, ...]
    split: D | None
    approved: bool


def each(*values: bool) -> st.SearchStrategy[tuple[bool, ...]]:
    return st.tuples(*[st.sampled_from(values)] * len(SYMBOLS))


FAULTS = STEPS.flatmap(
    lambda steps: st.tuples(
        *(
            st.builds(
                Faults,
                step=st.just(step),
                silent=each(False, False, True),
                holes=each(False, False, False, True),
                stopped=each(False, False, False, False, True),
                split=st.sampled_from((None, None, None, None, *SPLITS)),
                approved=st.sampled_from((True, True, True, True, False)),
            )
            for step in steps
        )
    )
)
CALM = Step((0, 0, 0), (Action.ENTER,) * 3, ("filled",) * 3, SwitchState.ACTIVE, False, 0)
NONE = (False,) * len(SYMBOLS)


def calm(**changes: object) -> Faults:
    quiet = Faults(CALM, NONE, NONE, NONE, None, approved=True)
    return replace(quiet, **changes)  # type: ignore[arg-type]


@dataclass
class FaultyMarket(Market):
    """``traded``: the minutes in which each symbol had a bar."""

    traded: dict[str, list[datetime]] = field(
        default_factory=lambda: {symbol: list(BEFORE_START) for symbol in SYMBOLS}
    )
    split_since: bool = False

    def happen(self, faults: Faults, cycle: Cycle) -> None:
        """A symbol that is silent does not trade, and neither does one in the night in which it is
        split; the others do."""
        asleep = [
            silent or (faults.split is not None and symbol == SYMBOLS[0])
            for symbol, silent in zip(SYMBOLS, faults.silent, strict=True)
        ]
        moves = [0 if a else m for a, m in zip(asleep, faults.step.moves, strict=True)]
        self.move(replace(faults.step, moves=tuple(moves)), cycle.run_at)
        for symbol, silent in zip(SYMBOLS, faults.silent, strict=True):
            if not silent:
                self.traded[symbol].append(cycle.bar_time)
        if faults.split is not None:
            self.split(SYMBOLS[0], faults.split)

    def split(self, symbol: str, factor: D) -> None:
        """Broker and books convert the shares, a fraction is paid out; orders stay as they are."""
        self.prices[symbol] = max((self.prices[symbol] / factor).quantize(TICK), TICK)
        for order in list(self.orders.values()):
            if order.symbol != symbol:
                continue
            if order.side is Side.BUY:
                # The broker's entries are for the day, and over by then.
                del self.orders[order.order_id]
            else:
                self.orders[order.order_id] = replace(order, submitted_at=START - DAY)
                self.split_since = True
        self.unresolved = [one for one in self.unresolved if one.symbol != symbol]
        if symbol not in self.held:
            return
        holding = self.held[symbol]
        exact = holding.quantity * factor
        whole = exact // 1
        self.cash += (exact - whole) * self.prices[symbol]
        if whole:
            cost = holding.cost * whole / exact
            self.held[symbol] = replace(holding, quantity=whole, cost=cost)
        else:
            del self.held[symbol]

    def known(self, cycle: Cycle, faults: Faults) -> Book:
        minutes = [*BEFORE_START, *(START + n * MINUTE for n in range(400))]
        stopped = {
            symbol: "anna stopped it"
            for symbol, is_so in zip(SYMBOLS, faults.stopped, strict=True)
            if is_so
        }
        return replace(
            self.book(cycle, faults.step),
            bar_starts=dict(self.traded),
            recent_minutes=[minute for minute in minutes if minute <= cycle.bar_time],
            missing={
                symbol: [cycle.bar_time - MINUTE]
                for symbol, hole in zip(SYMBOLS, faults.holes, strict=True)
                if hole
            },
            split_since={SYMBOLS[0]: START.date()} if self.split_since else {},
            permission=Permission(
                live_refusal=None if faults.approved else "nobody approved it", stopped=stopped
            ),
        )

    def decide(self, cycle: Cycle, faults: Faults) -> tuple[Book, Assessment]:
        wishes = []
        for symbol, action in zip(SYMBOLS, faults.step.wishes, strict=True):
            price = self.prices[symbol]
            bar = Bar(symbol, self.traded[symbol][-1], price, price, price, price, 100, "sim")
            held = symbol in self.held
            usual = Action.HOLD if held else Action.WAIT
            wished = action if held == (action is Action.EXIT) else usual
            wishes.append(StrategyWish(symbol, "s", wished, "wish", "as told", bar))
        book = self.known(cycle, faults)
        return book, assess(cycle, wishes, book, LIMITS)

    def carry_out(self, intents: Sequence[OrderIntent], faults: Faults, cycle: Cycle) -> None:
        """A renewed stop rests in the new units from now on. A halted symbol is not traded: what is
        sent in it stays without effect here."""
        silent = dict(zip(SYMBOLS, faults.silent, strict=True))
        sent = [
            one
            for one in intents
            if not silent[one.symbol] or one.kind not in (IntentKind.ENTRY, IntentKind.EXIT)
        ]
        self.execute(tuple(sent), faults.step, cycle)
        for intent in sent:
            if intent.kind is IntentKind.RENEW_STOP:
                self._rest(intent, intent.quantity, intent.stop_price)
        for order_id, order in self.orders.items():
            if order.submitted_at > START - DAY:
                self.orders[order_id] = replace(order, submitted_at=cycle.run_at)


def assert_limits(market: FaultyMarket, book: Book, found: Assessment, stopped: bool) -> None:
    account = book.account
    assert account is not None
    entries = [one for one in found.intents if one.kind is IntentKind.ENTRY]
    spent = sum((notional(one) for one in entries), D(0))
    assert len(entries) <= LIMITS.max_entries_per_minute
    assert len(market.entries) + len(entries) <= LIMITS.max_entries_per_day
    assert spent + book.capital_today <= LIMITS.max_capital_per_day
    if stopped:
        assert entries == []
    if entries:
        before = exposure_by_symbol(
            tuple(book.positions.values()), book.open_orders, book.unresolved
        )
        assert sum(before.values()) + spent <= account.equity
        assert spent <= account.buying_power


@settings(max_examples=200)
@given(FAULTS)
def test_limits_hold_through_halts_holes_splits_and_stops(minutes: Sequence[Faults]) -> None:
    market = FaultyMarket()
    over_for_today = False
    for number, faults in enumerate(minutes):
        cycle = cycle_at(number)
        if not faults.approved:
            cycle = replace(cycle, mode="live")
        market.happen(faults, cycle)
        book, found = market.decide(cycle, faults)
        account = book.account
        assert account is not None
        day = (account.equity - market.moved) / account.last_equity - 1
        over_for_today = over_for_today or day <= D("-0.10")
        stopped = (
            over_for_today
            or not faults.approved
            or faults.step.stale
            or faults.step.switch is not SwitchState.ACTIVE
        )
        assert_limits(market, book, found, stopped)
        for place, symbol in enumerate(SYMBOLS):
            own = [one for one in found.intents if one.symbol == symbol]
            if faults.silent[place] or faults.holes[place] or faults.stopped[place]:
                assert [one for one in own if one.kind is IntentKind.ENTRY] == []
            for sale in own:
                if sale.kind in SALES:
                    # In the units of after the split, whatever rests from before it.
                    assert sale.quantity <= market.held[symbol].quantity
                if sale.kind is IntentKind.RENEW_STOP:
                    assert sale.stop_price is not None
                    assert sale.stop_price < market.prices[symbol]
        market.carry_out(found.intents, faults, cycle)


@given(st.sampled_from(SPLITS), st.integers(-1, 3))
def test_a_split_alone_sells_nothing_and_its_stop_follows(factor: D, move: int) -> None:
    """Bought, moved a little, and split over the night: in the next run the old stop gives way to
    one for all of the shares in the new units, below the price, and none is sold."""
    market = FaultyMarket()
    for number, moves in enumerate(((0, 0, 0), (0, 0, 0), (move, 0, 0))):
        faults = calm(step=replace(CALM, moves=moves))
        market.happen(faults, cycle_at(number))
        market.carry_out(
            market.decide(cycle_at(number), faults)[1].intents, faults, cycle_at(number)
        )
    symbol = SYMBOLS[0]
    assume(symbol in market.held)
    faults = calm(split=factor)
    market.happen(faults, cycle_at(3))
    # Rounding to the tick takes no part of what lies between price and stop.
    assume(market.prices[symbol] > market.held[symbol].avg_price * D("0.985") + 2 * TICK)
    _, found = market.decide(cycle_at(3), faults)
    (renewed,) = (one for one in found.intents if one.symbol == symbol)
    assert renewed.kind is IntentKind.RENEW_STOP
    assert renewed.quantity == market.held[symbol].quantity
    market.carry_out(found.intents, faults, cycle_at(3))
    assert [one.quantity for one in market.orders.values() if one.symbol == symbol] == [
        market.held[symbol].quantity
    ]
    after = calm()
    market.happen(after, cycle_at(4))
    _, found = market.decide(cycle_at(4), after)
    kinds = [one.kind for one in found.intents if one.symbol == symbol]
    assert set(kinds) <= {IntentKind.REPRICE}


def test_the_faults_are_refused_by_name() -> None:
    """Otherwise the properties would hold of a chain that refuses for something else."""
    market = FaultyMarket()
    faults = calm(silent=(True, False, False), holes=(False, True, False),
                  stopped=(False, False, True))  # fmt: skip
    for number in range(4):
        market.happen(faults, cycle_at(number))
        _, found = market.decide(cycle_at(number), faults)
        codes = {one.symbol: one.reason_code for one in found.decisions}
        first = "stale_bar" if number < 2 else "halted"
        assert codes == dict(zip(SYMBOLS, (first, "hole", "trading_stopped"), strict=True))
    live = replace(cycle_at(4), mode="live")
    unapproved = calm(approved=False)
    market.happen(unapproved, live)
    _, found = market.decide(live, unapproved)
    assert {one.reason_code for one in found.decisions} == {"live_not_approved"}
    # Allowed again: it enters, and what is stopped then is sold.
    market.happen(calm(), cycle_at(5))
    _, found = market.decide(cycle_at(5), calm())
    market.carry_out(found.intents, calm(), cycle_at(5))
    assert sorted(market.held) == sorted(SYMBOLS)[: LIMITS.max_entries_per_minute]
    stop_all = calm(stopped=(True,) * len(SYMBOLS))
    market.happen(stop_all, cycle_at(6))
    _, found = market.decide(cycle_at(6), stop_all)
    sold = {one.symbol for one in found.intents if one.kind is IntentKind.EXIT}
    assert sold == set(market.held)
