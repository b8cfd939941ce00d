"""Our books against the broker's: quantities and cash, to the share and to the cent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.orders.model import (
    BrokerActivity,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    BrokerState,
    OrderIntent,
    OrderStatus,
    Side,
)

from tests.fakes import an_account, an_order
from tests.integration.use_cases.books import (
    NOON,
    READ_AT,
    SESSION,
    Books,
    cycle_at,
    decided,
    leg_of,
    order_of,
    state,
)

Ask = Callable[..., list[list[Any]]]


def after(seconds: float) -> datetime:
    return READ_AT + timedelta(seconds=seconds)


@dataclass
class Account:
    """A broker's account as it tells of itself: what orders filled, what is held and was paid.

    ``sizes``: the orders by name. "entry" is the intent's own; the others are of its family, and
    "stop" rests when it has sold nothing.
    """

    intent: OrderIntent
    sizes: dict[str, int] = field(default_factory=lambda: {"entry": 100, "stop": 100})
    cash: D = D(100_000)
    held: D = D(0)
    fills: list[BrokerFill] = field(default_factory=list)
    paid: list[BrokerActivity] = field(default_factory=list)

    def filled(self, name: str) -> D:
        return sum((fill.quantity for fill in self.fills if fill.order_id == name), D(0))

    def trades(self, name: str, quantity: str, price: str, second: float) -> None:
        side, sign = (Side.SELL, -1) if name == "stop" else (Side.BUY, 1)
        done = self.filled(name) + D(quantity)
        self.fills.append(
            BrokerFill(
                f"{name}-{done}", name, "AAPL", side, D(quantity), D(price), after(second), done
            )
        )
        self.held += sign * D(quantity)
        self.cash -= sign * D(quantity) * D(price)

    def pays(self, kind: str, amount: str) -> None:
        name = f"{kind}-{len(self.paid)}"
        self.paid.append(BrokerActivity(name, kind, D(amount), SESSION.date, "AAPL", kind))
        self.cash += D(amount)

    def told(self, second: float, price: str = "100", **changes: Any) -> BrokerState:
        """A snapshot in which a share is worth ``price``."""
        position = BrokerPosition("AAPL", self.held, D(price), D(price), D(0))
        snapshot = state(
            *(self._order(name) for name in self.sizes),
            account=an_account(cash=self.cash, equity=self.cash + self.held * D(price)),
            positions=(position,) if self.held else (),
            fills=tuple(self.fills),
            activities=tuple(self.paid),
            as_of=after(second),
        )
        return replace(snapshot, **changes)

    def _order(self, name: str) -> BrokerOrder:
        filled, size = self.filled(name), D(self.sizes[name])
        status = OrderStatus.PARTIALLY_FILLED if filled else OrderStatus.NEW
        standing: dict[str, Any] = {
            "quantity": size,
            "filled_quantity": filled,
            "status": OrderStatus.FILLED if filled == size else status,
        }
        if name == "entry":
            return order_of(self.intent, **standing)
        side = Side.SELL if name == "stop" else Side.BUY
        return leg_of(self.intent, order_id=name, side=side, **standing)


@pytest.fixture
def account(books: Books) -> Account:
    """100 shares bought at 100 in the first seconds after the minute's decision."""
    made = Account(decided(books))
    made.trades("entry", "100", "100", 1)
    books.sync(made.told(7))
    return made


def held(quantity: int, symbol: str = "AAPL") -> BrokerPosition:
    return BrokerPosition(symbol, D(quantity), D(100), D(100), D(0))


# -- quantities -----------------------------------------------------------------------------------

# The broker's quantity of AAPL (our books hold 100) at these seconds -> whether it is told of.
STORIES = [
    ("they agree", [(60, 100), (120, 100)], False),
    ("seen once", [(60, 90)], False),
    ("twice, ten seconds apart", [(60, 90), (70, 90)], False),
    ("twice, 29 seconds apart", [(60, 90), (89, 90)], False),
    ("twice, 31 seconds apart", [(60, 90), (91, 90)], True),
    ("gone in between", [(60, 90), (75, 100), (91, 90)], False),
    ("the shares are not there at all", [(60, 0), (91, 0)], True),
    ("more than we know of", [(60, 110), (91, 110)], True),
    ("the second one told twice", [(60, 90), (60, 90), (61, 90)], False),
    ("an older one in between", [(60, 90), (30, 90), (61, 90)], False),
]


@pytest.mark.parametrize(
    ("seen", "told"), [row[1:] for row in STORIES], ids=[row[0] for row in STORIES]
)
def test_a_quantity_that_differs_is_told_when_it_stays(
    books: Books, account: Account, seen: list[tuple[int, int]], told: bool
) -> None:
    for second, quantity in seen:
        positions = (held(quantity),) if quantity else ()
        books.sync(account.told(second, positions=positions))
    messages = books.told("position_difference")
    assert len(messages) == told
    if told:
        ours_and_theirs = f"AAPL: our books hold 100, the broker {seen[-1][1]}, since "
        assert messages[0].startswith(ours_and_theirs)


def differing(account: Account, second: float, **changes: Any) -> BrokerState:
    return account.told(second, positions=(held(90),), **changes)


def test_while_something_is_at_work_nothing_differs(books: Books, account: Account) -> None:
    at_work = an_order(
        order_id="x", client_order_id="by-hand", order_type="limit", limit_price=D(105)
    )
    for second in (60, 91, 122):
        snapshot = differing(account, second)
        books.sync(replace(snapshot, orders=(*snapshot.orders, at_work)))
    assert books.told("position_difference") == []
    # From then on it counts anew.
    books.sync(differing(account, 150))
    assert books.told("position_difference") == []
    books.sync(differing(account, 180))
    assert len(books.told("position_difference")) == 1


def test_foreign_shares_do_not_differ_from_books_that_never_held_them(
    books: Books, account: Account
) -> None:
    for second in (60, 120):
        books.sync(account.told(second, positions=(held(100), held(7, "MSFT"))))
    assert books.told("position_difference") == []


def test_an_unexplained_difference_stops_all_entries_until_it_is_gone(
    books: Books, account: Account, ask: Ask
) -> None:
    def decision_on_msft(minute: int, snapshot: BrokerState) -> str:
        cycle = cycle_at(NOON + timedelta(minutes=minute))
        books.bar(cycle.bar_time)
        books.bar(cycle.bar_time, "MSFT")
        books.sync(snapshot, cycle)
        books.decide(cycle=cycle, symbols=("AAPL", "MSFT"))
        (row,) = ask(
            "SELECT reason_code FROM decisions WHERE bar_time = :at AND symbol = 'MSFT'",
            at=cycle.bar_time,
        )
        return str(row[0])

    # The difference is in AAPL: one sight of it stops nothing, the second one everything.
    assert decision_on_msft(1, differing(account, 60)) == "told"
    ask("UPDATE order_intents SET status = 'blocked' WHERE certainty < 2")
    assert decision_on_msft(2, differing(account, 120)) == "unexplained_difference"
    # What was committed for AAPL's stop, which covers more than the broker holds, has its outcome.
    ask("UPDATE order_intents SET status = 'blocked' WHERE certainty < 2")
    assert decision_on_msft(3, differing(account, 180)) == "unexplained_difference"
    assert decision_on_msft(4, account.told(240)) == "told"


# What somebody else sold of our 100 shares (seconds, quantities) -> what our books hold at the end.
SOLD_ELSEWHERE = [
    ("all at once", [(20, "100")], 0),
    ("in two parts", [(20, "60"), (21, "40")], 0),
    ("with shares of their own before", [(19, "30"), (20, "100")], 0),
    ("and some of their own", [(20, "130")], 0),
    ("before we bought", [(-60, "100")], 100),
    ("less than is gone", [(20, "60")], 100),
]


@pytest.mark.parametrize(
    ("sales", "left"), [row[1:] for row in SOLD_ELSEWHERE], ids=[row[0] for row in SOLD_ELSEWHERE]
)
def test_a_position_that_somebody_else_sold_is_closed_in_our_books_too(
    books: Books, account: Account, ask: Ask, sales: list[tuple[int, str]], left: int
) -> None:
    # As after flattening the account: the position is gone, and the sale has no id of ours.
    theirs = [
        BrokerFill(f"x-{second}", "x", "AAPL", Side.SELL, D(quantity), D("99.50"), after(second))
        for second, quantity in sales
    ]
    for second in (60, 120, 120):
        told = account.told(second, positions=())
        books.sync(replace(told, fills=(*told.fills, *theirs)))
        if second == 60:  # it may still be about to be explained
            assert books.holdings()["AAPL"].quantity == D(100)
    holding = books.holdings()["AAPL"]
    assert holding.quantity == D(left)
    if left:
        assert len(books.told("position_difference")) == 1
    else:
        assert holding.realised_pnl == D("-50.00")
        assert books.told("position_difference") == []
        assert all("which is not ours" in said for said in books.told("position_closed_elsewhere"))
        assert ask("SELECT sum(fill_qty), count(intent_id) FROM trades WHERE side = 'sell'") == [
            [D(100), 0]
        ]
        assert ask("SELECT differs_since FROM positions") == [[None]]


# -- cash -----------------------------------------------------------------------------------------


def expected_cash(ask: Ask) -> D:
    (row,) = ask("SELECT expected FROM cash_reckonings")
    cash: D = row[0]
    return cash


def test_cash_equity_and_profit_are_the_exchanges_to_the_cent(
    books: Books, account: Account, ask: Ask
) -> None:
    # Worked out by hand, by average cost:
    #   100 at 100.00                        cost 10,000.00            (the fixture's)
    #   + 37 at 101.0350                     cost 13,738.295,          average 100.2795...
    #   - 50 at 102.4701  realised 50 x 102.4701 - 50 x 13,738.295 / 137 = +109.5287...
    #   - 87 at  98.4000  realised 87 x 98.40 - the rest of the cost     = -163.52...
    # Both together: 5,123.505 + 8,560.80 - 13,738.295 = -53.99, whatever the rounding between.
    account.sizes |= {"more": 37, "stop": 137}
    account.trades("more", "37", "101.0350", 20)
    account.pays("FEE", "-0.02")
    books.sync(account.told(60, "101.5"))
    account.trades("stop", "50", "102.4701", 70)
    account.pays("DIV", "24.65")
    books.sync(account.told(120, "102.4"))
    partly = books.holdings()["AAPL"]
    assert round(partly.realised_pnl, 2) == D("109.53")
    account.trades("stop", "87", "98.40", 130)
    account.pays("INT", "-1.07")
    account.pays("JNLC", "500")
    final = account.told(180)
    for _ in range(2):
        books.sync(final)
    flat = books.holdings()["AAPL"]
    assert (flat.quantity, flat.cost, flat.realised_pnl) == (D(0), D(0), D("-53.990"))
    # 100,000 - 53.99 of trading + 523.56 of fee, dividend, interest and transfer
    assert expected_cash(ask) == account.cash == D("100469.5700")
    (snapshot,) = ask("SELECT cash, equity FROM account_snapshots ORDER BY as_of DESC LIMIT 1")
    assert snapshot == [account.cash, account.cash]
    assert sum(row[0] for row in ask("SELECT realised_pnl FROM trades WHERE side = 'sell'")) == (
        flat.realised_pnl
    )
    assert books.told("cash_difference") == []


# What the broker's cash is off by at these seconds -> whether it is told of.
CASH_STORIES = [
    ("a cent is rounding", [(60, "-0.01"), (120, "-0.01")], False),
    ("two cents, once", [(60, "-0.02")], False),
    ("two cents, ten seconds apart", [(60, "-0.02"), (70, "-0.02")], False),
    ("two cents, 31 seconds apart", [(60, "-0.02"), (91, "-0.02")], True),
    ("gone in between", [(60, "-0.02"), (75, "0"), (91, "-0.02")], False),
]


@pytest.mark.parametrize(
    ("seen", "told"), [row[1:] for row in CASH_STORIES], ids=[row[0] for row in CASH_STORIES]
)
def test_cash_that_differs_is_told_when_it_stays(
    books: Books, account: Account, seen: list[tuple[int, str]], told: bool
) -> None:
    for second, off in seen:
        cash = account.cash + D(off)
        books.sync(account.told(second, account=an_account(cash=cash)))
    messages = books.told("cash_difference")
    assert len(messages) == told
    if told:
        assert messages[0].startswith(
            "cash should be 90000.00 USD, the broker says 89999.98 USD (-0.02), since "
        )


def test_a_foreign_execution_moves_the_cash_and_not_our_books(
    books: Books, account: Account, ask: Ask
) -> None:
    theirs = an_order(
        order_id="x",
        client_order_id="by-hand",
        symbol="MSFT",
        status=OrderStatus.FILLED,
        filled_quantity=D(10),
    )
    bought = BrokerFill("x-1", "x", "MSFT", Side.BUY, D(10), D("210.5"), after(50), D(10))
    account.cash -= D("2105")
    snapshot = account.told(60)
    for second in (60, 120):
        books.sync(
            replace(
                snapshot,
                orders=(*snapshot.orders, theirs),
                fills=(*snapshot.fills, bought),
                positions=(*snapshot.positions, held(10, "MSFT")),
                as_of=after(second),
            )
        )
    assert expected_cash(ask) == D("87895")
    assert set(books.holdings()) == {"AAPL"}
    assert books.told("cash_difference") == []


def test_the_reckoning_starts_from_a_snapshot_that_no_execution_is_as_new_as(
    books: Books, ask: Ask
) -> None:
    # Whether the cash of such a snapshot holds the execution or not, nobody can say.
    theirs = BrokerFill("x-1", "x", "MSFT", Side.BUY, D(10), D("10"), after(0), D(10))
    books.sync(state(fills=(theirs,), account=an_account(cash=D(99_900)), as_of=after(1)))
    assert ask("SELECT * FROM cash_reckonings") == []
    books.sync(state(fills=(theirs,), account=an_account(cash=D(99_900)), as_of=after(6)))
    assert expected_cash(ask) == D(99_900)
    # What is told late of the time before is in the baseline.
    before = BrokerFill("x-0", "x0", "MSFT", Side.BUY, D(5), D("10"), after(-60), D(5))
    fee = BrokerActivity("f-1", "FEE", D("-0.03"), SESSION.date, None, "")
    books.sync(
        state(
            fills=(before, theirs),
            account=an_account(cash=D("99899.97")),
            activities=(fee,),
            as_of=after(60),
        )
    )
    assert expected_cash(ask) == D("99899.97")
