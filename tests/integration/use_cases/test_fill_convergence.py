"""However executions are dropped, doubled, renamed and reordered: in the end the books hold what
the order says, each share once and to the cent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal as D
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tradewind.orders.model import BrokerFill, BrokerState, OrderStatus, Side

from tests.integration.conftest import EMPTY
from tests.integration.use_cases.books import NOON, Books, decided, order_of, state
from tests.integration.use_cases.test_snapshots import after

APART = 40  # seconds: far enough for what is missing to be concluded


@dataclass(frozen=True)
class Story:
    """The parts that an order fills in, and for each snapshot how many of them had happened and
    which of these it tells (a part may be told twice, and under another id)."""

    parts: list[tuple[int, D]]
    told: list[tuple[int, list[tuple[int, str]]]]

    @property
    def quantity(self) -> D:
        return D(sum(quantity for quantity, _ in self.parts))

    @property
    def worth(self) -> D:
        return sum((quantity * price for quantity, price in self.parts), D(0))

    def executions(self) -> list[BrokerFill]:
        made, reached = [], D(0)
        for number, (quantity, price) in enumerate(self.parts):
            reached += quantity
            made.append(
                BrokerFill(
                    f"x-{number}", "entry", "AAPL", Side.BUY, D(quantity), price,
                    after(number), reached,
                )
            )  # fmt: skip
        return made


@st.composite
def stories(draw: st.DrawFn) -> Story:
    prices = st.integers(9_900, 10_100).map(lambda cents: D(cents) / 100)
    parts = draw(st.lists(st.tuples(st.integers(1, 60), prices), min_size=1, max_size=4))
    told = []
    for happened in sorted(draw(st.lists(st.integers(0, len(parts)), max_size=4))):
        pieces = st.tuples(st.integers(0, max(happened - 1, 0)), st.sampled_from(["", "-again"]))
        told.append((happened, draw(st.lists(pieces, max_size=5)) if happened else []))
    # The order has come to rest; its executions may still be told in part, or not at all. What the
    # last but one snapshot tells for the first time starts the waiting for the rest anew.
    pieces = st.tuples(st.integers(0, len(parts) - 1), st.sampled_from(["", "-again"]))
    told += 2 * [(len(parts), draw(st.lists(pieces, max_size=5)))]
    return Story(parts, told)


def snapshots(story: Story, intent: Any) -> list[BrokerState]:
    executions = story.executions()
    made = []
    for number, (happened, told) in enumerate(story.told):
        reached = executions[:happened]
        filled = sum((fill.quantity for fill in reached), D(0))
        worth = sum((fill.quantity * fill.price for fill in reached), D(0))
        whole = happened == len(executions)
        order = order_of(
            intent,
            quantity=story.quantity,
            status=OrderStatus.FILLED if whole else OrderStatus.PARTIALLY_FILLED,
            filled_quantity=filled,
            filled_avg_price=worth / filled if filled else None,
            updated_at=after(happened),
        )
        fills = tuple(
            BrokerFill(
                fill.execution_id + suffix, fill.order_id, fill.symbol, fill.side, fill.quantity,
                fill.price, fill.at, fill.cumulative,
            )
            for piece, suffix in told
            for fill in [executions[piece]]
        )  # fmt: skip
        made.append(state(order, fills=fills, as_of=after(100 + number * APART)))
    return made


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(stories(), st.data())
def test_the_books_end_with_what_the_order_says(
    books: Books, ask: Callable[..., Any], story: Story, data: st.DataObject
) -> None:
    ask(EMPTY)
    books.bar(NOON)
    told = snapshots(story, decided(books))
    early, resting = told[:-2], told[-2:]
    for snapshot in [*data.draw(st.permutations(early * 2)), *resting]:
        books.sync(snapshot)
        (booked,) = ask("SELECT coalesce(sum(quantity), 0) FROM fills")
        assert booked[0] <= story.quantity
    holding = books.holdings()["AAPL"]
    assert holding.quantity == story.quantity
    assert abs(holding.cost - story.worth) < D("0.01")
    # Everything that was ever told, told again: nothing changes.
    for snapshot in told:
        assert books.sync(snapshot).fills == 0
    assert books.holdings()["AAPL"] == holding
    assert ask("SELECT sum(quantity) FROM fills") == [[story.quantity]]
    assert ask("SELECT count(*) FROM fills") == ask("SELECT count(*) FROM trades")
