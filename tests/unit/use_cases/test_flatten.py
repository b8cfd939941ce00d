"""Flatten: cancel all, close all, verify; nothing is sold twice, and only flat is called flat."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from tradewind.errors import BrokerRejectedError, OutcomeUnknownError, ThrottledError
from tradewind.market.session_table import default_table
from tradewind.orders.model import BrokerOrder, OrderStatus, Side
from tradewind.use_cases.flatten import (
    CLOSE_ATTEMPTS,
    GIVE_UP,
    LONGEST_PAUSE,
    POLL,
    SETTLED,
    Flattened,
    flatten,
)

from tests.fakes import START, UNREACHABLE, FakeBroker, FakeClock, Fault, an_order

EVENING = datetime(2020, 11, 12, 23, 0, tzinfo=UTC)


@dataclass
class StrictBroker(FakeBroker):
    """Refuses to close what an open order stands in the way of, as the broker does. Closing orders
    rest (``resting``) or fill at once."""

    resting: bool = False
    closings: int = 0

    def _close(self, symbol: str) -> BrokerOrder:
        if self.open_orders(symbol):
            raise BrokerRejectedError("insufficient qty available", 40310000, 403)
        self.closings += 1
        if not self.resting:
            return super()._close(symbol)
        order = closing(
            symbol=symbol,
            order_id=f"closing-{self.closings}",
            side=Side.SELL if self.held[symbol] > 0 else Side.BUY,
            quantity=abs(self.held[symbol]),
        )
        self.orders_by_id[order.order_id] = order
        return order


def closing(**changes: object) -> BrokerOrder:
    usual: dict[str, object] = {
        "order_id": "closing",
        "client_order_id": "by-whoever",
        "order_type": "market",
        "stop_price": None,
        "time_in_force": "day",
    }
    return an_order(**{**usual, **changes})


def with_orders(*orders: BrokerOrder, **held: int) -> StrictBroker:
    return StrictBroker(
        orders_by_id={order.order_id: order for order in orders},
        held={symbol: Decimal(quantity) for symbol, quantity in held.items()},
    )


def run(
    broker: FakeBroker, clock: FakeClock | None = None, say: Callable[[str], None] = print
) -> Flattened:
    return flatten(broker, clock or FakeClock(), default_table(), say)


def is_flat(broker: FakeBroker) -> bool:
    return not broker.positions() and all(
        order.status.is_final for order in broker.orders_by_id.values()
    )


def test_everything_is_cancelled_and_closed_and_looked_at_again() -> None:
    broker = with_orders(
        an_order(),
        an_order(order_id="foreign", client_order_id="by-hand", symbol="TSLA", side=Side.BUY),
        AAPL=10,
        MSFT=-3,
    )
    clock, said = FakeClock(), []
    done = run(broker, clock, said.append)
    assert done.flat
    assert is_flat(broker)
    assert {order.order_id for order in done.cancelled} == {"order-1", "foreign"}
    assert {order.symbol for order in done.closed} == {"AAPL", "MSFT"}
    assert done.left is not None
    assert done.left.flat
    assert done.troubles == ()
    assert clock.now() - START >= SETTLED
    assert any("closing 10 AAPL" in line for line in said)
    json.dumps(done.as_payload())


def test_a_flat_account_is_left_alone_and_running_again_does_nothing() -> None:
    broker = with_orders(AAPL=10)
    assert run(broker).flat
    assert run(broker).flat
    assert broker.closings == 1


def test_a_closing_order_that_works_is_not_sent_again() -> None:
    broker = with_orders(closing(), an_order(order_id="foreign", symbol="TSLA"), AAPL=10)
    done = run(broker)
    assert broker.closings == 0
    assert broker.orders_by_id["closing"].status is OrderStatus.NEW
    assert broker.orders_by_id["foreign"].status is OrderStatus.CANCELED
    assert not done.flat  # it never filled
    assert done.left is not None
    assert [order.order_id for order in done.left.orders] == ["closing"]


@pytest.mark.parametrize(
    "order",
    [
        closing(quantity=Decimal(11)),  # would turn the position round
        closing(side=Side.BUY),
        closing(order_type="limit"),
        closing(time_in_force="cls"),  # only at the close
    ],
)
def test_another_order_is_no_closing_order(order: BrokerOrder) -> None:
    broker = with_orders(order, AAPL=10)
    assert run(broker).flat
    assert broker.orders_by_id["closing"].status is OrderStatus.CANCELED
    assert broker.closings == 1


def test_a_short_position_is_bought_back() -> None:
    broker = with_orders(closing(side=Side.BUY, quantity=Decimal(3)), AAPL=-3)
    run(broker)
    assert broker.closings == 0


def test_outside_of_regular_hours_it_ends_with_orders_that_wait_for_the_open() -> None:
    broker = with_orders(an_order(), AAPL=10)
    broker.resting = True
    clock = FakeClock(EVENING)
    done = run(broker, clock)
    assert not done.flat
    assert done.opens_at == datetime(2020, 11, 13, 14, 30, tzinfo=UTC)
    assert done.left is not None
    assert set(done.left.closing()) == {"AAPL"}
    assert clock.now() - EVENING < GIVE_UP
    again = run(broker, FakeClock(EVENING))  # an hour later, by another hand
    assert again.opens_at == done.opens_at
    assert broker.closings == 1


def test_on_a_day_without_a_session_it_waits_for_the_next_one() -> None:
    saturday = datetime(2020, 11, 14, 15, 0, tzinfo=UTC)
    broker = with_orders(AAPL=10)
    broker.resting = True
    assert run(broker, FakeClock(saturday)).opens_at == datetime(2020, 11, 16, 14, 30, tzinfo=UTC)


def test_beyond_the_calendar_it_does_its_work_all_the_same() -> None:
    far = datetime(2099, 1, 5, 15, 0, tzinfo=UTC)
    assert run(with_orders(an_order(), AAPL=10), FakeClock(far)).flat


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_closing_order_without_a_clear_answer_is_sent_again_only_if_it_did_not_arrive(
    after_effect: bool,
) -> None:
    broker = with_orders(AAPL=10)
    broker.faults = [
        Fault("close_position", OutcomeUnknownError("ReadTimeout"), after_effect=after_effect)
    ]
    assert run(broker).flat
    assert broker.closings == 1


def test_a_closing_order_that_no_list_shows_yet_is_not_sent_again() -> None:
    class Lagging(StrictBroker):
        """The list of orders is late by all of this run; a question by id is not."""

        def orders(self, since: datetime) -> list[BrokerOrder]:
            return []

        def _close(self, symbol: str) -> BrokerOrder:
            order = closing(symbol=symbol, order_id=f"closing-{self.closings}")
            self.closings += 1
            self.orders_by_id[order.order_id] = order
            return order

    broker = Lagging(held={"AAPL": Decimal(10)})
    assert not run(broker).flat
    assert broker.closings == 1


def test_a_closing_order_that_was_rejected_later_is_sent_again_a_few_times() -> None:
    class Rejects(StrictBroker):
        def _close(self, symbol: str) -> BrokerOrder:
            self.closings += 1
            order = closing(symbol=symbol, order_id=f"closing-{self.closings}")
            self.orders_by_id[order.order_id] = replace(order, status=OrderStatus.REJECTED)
            return order

    broker = Rejects(held={"AAPL": Decimal(10)})
    done = run(broker)
    assert not done.flat
    assert broker.closings == CLOSE_ATTEMPTS
    assert {order.status for order in done.closed[:-1]} == {OrderStatus.REJECTED}


def test_a_refusal_is_told() -> None:
    broker = with_orders(AAPL=10)
    refusal = BrokerRejectedError("asset AAPL is halted", 40310000, 403)
    broker.faults = [Fault("close_position", refusal, times=1000)]
    clock = FakeClock()
    done = run(broker, clock)
    assert not done.flat
    assert done.troubles == ("closing 10 AAPL: asset AAPL is halted",)
    assert done.left is not None
    assert [position.symbol for position in done.left.positions] == ["AAPL"]
    assert done.opens_at is None
    assert clock.now() - START < GIVE_UP + 2 * SETTLED


def test_a_cancellation_that_is_stuck_leaves_its_shares_and_is_told() -> None:
    broker = with_orders(an_order(), AAPL=10, MSFT=3)
    broker.stuck_cancels = True
    done = run(broker)
    assert not done.flat
    assert done.troubles == ("1 cancellations are not confirmed yet",)
    assert broker.closings == 1  # MSFT's, which nothing stands in the way of
    assert done.left is not None
    assert [position.symbol for position in done.left.positions] == ["AAPL"]


def test_an_order_that_arrives_after_it_looked_flat_is_found() -> None:
    clock = FakeClock()

    class Late(StrictBroker):
        def orders(self, since: datetime) -> list[BrokerOrder]:
            if (clock.now() - START).total_seconds() > 3 * POLL:
                late = an_order(order_id="late", side=Side.BUY)
                self.orders_by_id.setdefault("late", late)
            return list(self.orders_by_id.values())

    broker = Late()
    assert run(broker, clock).flat
    assert broker.orders_by_id["late"].status is OrderStatus.CANCELED


def test_a_broker_that_is_away_for_a_while_is_asked_again() -> None:
    broker = with_orders(an_order(), AAPL=10)
    broker.faults = [Fault("positions", UNREACHABLE, times=4)]
    done = run(broker)
    assert done.flat
    assert done.troubles == ()


def test_a_broker_that_stays_away_is_told() -> None:
    broker = with_orders(AAPL=10)
    broker.faults = [Fault("positions", UNREACHABLE, times=1000)]
    done = run(broker)
    assert not done.flat
    assert done.left is None
    assert "ReadTimeout" in done.troubles[0]


def test_the_brokers_wish_to_wait_is_met_within_reason() -> None:
    broker = with_orders(AAPL=10)
    broker.faults = [Fault("close_position", ThrottledError("429", retry_after=3600))]
    clock = FakeClock()
    assert run(broker, clock).flat
    assert max(clock.slept) == LONGEST_PAUSE


def test_wrong_keys_are_an_error_at_once() -> None:
    broker = with_orders(AAPL=10)
    broker.faults = [Fault("positions", BrokerRejectedError("unauthorized", 40110000, 401))]
    with pytest.raises(BrokerRejectedError, match="unauthorized"):
        run(broker)


def test_a_clock_that_stands_still_keeps_nobody_for_ever() -> None:
    """The replayed market's clock does not enter the next minute by being waited for."""

    class Still(FakeClock):
        def sleep(self, seconds: float) -> None:
            self.slept.append(seconds)

    assert run(with_orders(an_order(), AAPL=10), Still()).flat
    stuck, clock = with_orders(an_order(), AAPL=10), Still()
    stuck.stuck_cancels = True
    assert not run(stuck, clock).flat
    assert sum(clock.slept) <= GIVE_UP.total_seconds()
