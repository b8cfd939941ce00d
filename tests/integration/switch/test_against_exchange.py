"""Halt and flatten against the simulated exchange's own process, through the real client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from tradewind.adapters.alpaca.broker import AlpacaBroker
from tradewind.adapters.alpaca.credentials import ApiKey
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session_table import default_table
from tradewind.orders.ids import deployment_tag, protect_id
from tradewind.orders.model import (
    BrokerOrder,
    OrderClass,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from tradewind.use_cases.cancel_entries import cancel_entries
from tradewind.use_cases.flatten import Flattened, flatten
from tradewind_local.cli import main
from tradewind_local.exchange.process import ExchangeProcess

from tests.fakes import FakeClock

OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
TAG = deployment_tag("here")
AAPL, MSFT = Decimal(100), Decimal(200)


class MarketClock(FakeClock):
    """Waiting moves the exchange's market on, minutes included."""

    def __init__(self, process: ExchangeProcess, now: datetime) -> None:
        super().__init__(now)
        self._process = process
        process.control.set_clock(now, running=False)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self._process.control.set_clock(self.now(), running=False)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[ExchangeProcess]:
    """Ten minutes of today and the evening before; AAPL stands at 100, MSFT at 200."""
    evening = datetime(2020, 11, 11, 20, 55, tzinfo=UTC)
    starts = [evening + n * MINUTE for n in range(5)] + [OPEN + n * MINUTE for n in range(10)]
    with ExchangeProcess(tmp_path / "exchange") as started:
        started.control.load_bars(
            [
                Bar(symbol, start, price, price, price, price, volume=500, feed="test")
                for start in starts
                for symbol, price in (("AAPL", AAPL), ("MSFT", MSFT))
            ]
        )
        yield started


@pytest.fixture
def clock(process: ExchangeProcess) -> MarketClock:
    return MarketClock(process, OPEN + timedelta(seconds=3))


@pytest.fixture
def broker(process: ExchangeProcess, clock: MarketClock) -> AlpacaBroker:
    return AlpacaBroker(process.url, ApiKey("key", "secret"))


def our_id(number: int) -> str:
    return f"tw-{TAG}-{number:024x}"


def entry(number: int, symbol: str, limit: Decimal) -> OrderRequest:
    return OrderRequest(
        client_order_id=our_id(number),
        symbol=symbol,
        side=Side.BUY,
        quantity=Decimal(10),
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        order_class=OrderClass.OTO,
        limit_price=limit,
        stop_loss=limit - 10,
    )


def filled(
    broker: AlpacaBroker, clock: MarketClock, number: int, symbol: str, price: Decimal
) -> None:
    """A position of ten, with the entry's stop resting behind it."""
    order = broker.submit(entry(number, symbol, price + 1))
    clock.sleep(1)
    told = broker.order(order.order_id)
    assert told is not None
    assert told.status is OrderStatus.FILLED


def still_open(broker: AlpacaBroker, clock: MarketClock) -> list[BrokerOrder]:
    return [order for order in broker.orders(clock.now()) if not order.status.is_final]


def run(broker: AlpacaBroker, clock: MarketClock) -> Flattened:
    return flatten(broker, clock, default_table(), lambda _text: None)


def test_a_halt_cancels_entries_and_keeps_protection(
    broker: AlpacaBroker, clock: MarketClock
) -> None:
    filled(broker, clock, 1, "AAPL", AAPL)
    waiting = broker.submit(entry(2, "MSFT", MSFT - 50))
    foreign = broker.submit(
        OrderRequest(
            client_order_id="by-hand",
            symbol="MSFT",
            side=Side.BUY,
            quantity=Decimal(1),
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.DAY,
            limit_price=MSFT - 60,
        )
    )
    done = cancel_entries(broker, clock, TAG)
    assert done.complete
    assert [order.order_id for order in done.cancelled] == [waiting.order_id]
    left = still_open(broker, clock)
    assert {order.symbol for order in left if order.order_type == "stop"} == {"AAPL"}
    assert foreign.order_id in {order.order_id for order in left}
    assert len(left) == 2


def test_a_halt_protects_what_a_cancelled_entry_had_bought(
    process: ExchangeProcess, broker: AlpacaBroker, clock: MarketClock
) -> None:
    process.control.limit_fills(Decimal(4))
    order = broker.submit(entry(1, "AAPL", AAPL + 1))
    process.control.halt("AAPL")
    told = broker.order(order.order_id)
    assert told is not None
    assert told.status is OrderStatus.PARTIALLY_FILLED
    done = cancel_entries(broker, clock, TAG)
    assert done.complete
    (stop,) = still_open(broker, clock)
    assert (stop.client_order_id, stop.quantity) == (protect_id(our_id(1)), told.filled_quantity)
    assert stop.stop_price == AAPL + 1 - 10


def test_flatten_cancels_and_closes_everything(broker: AlpacaBroker, clock: MarketClock) -> None:
    filled(broker, clock, 1, "AAPL", AAPL)
    filled(broker, clock, 2, "MSFT", MSFT)
    broker.submit(entry(3, "AAPL", AAPL - 50))
    done = run(broker, clock)
    assert done.troubles == ()
    assert done.flat
    assert still_open(broker, clock) == []
    assert broker.positions() == []
    assert {order.symbol for order in done.closed} == {"AAPL", "MSFT"}
    # And again: nothing is sent.
    again = run(broker, clock)
    assert again.flat
    assert again.closed == again.cancelled == ()


def test_flatten_in_the_evening_waits_for_the_open_and_never_sells_twice(
    process: ExchangeProcess,
) -> None:
    evening = MarketClock(process, datetime(2020, 11, 11, 20, 56, tzinfo=UTC))
    broker = AlpacaBroker(process.url, ApiKey("key", "secret"))
    filled(broker, evening, 1, "AAPL", AAPL)
    night = MarketClock(process, datetime(2020, 11, 11, 22, 0, tzinfo=UTC))
    first = run(broker, night)
    second = run(broker, night)
    for done in (first, second):
        assert not done.flat
        assert done.opens_at == OPEN
        assert done.left is not None
        assert set(done.left.closing()) == {"AAPL"}
    assert second.closed == second.cancelled == ()
    morning = MarketClock(process, OPEN + timedelta(seconds=5))
    assert run(broker, morning).flat
    sales = [order for order in process.control.summary()["orders"] if order["type"] == "market"]
    assert [order["filled_qty"] for order in sales] == ["10"]


@pytest.mark.parametrize(
    "fault",
    [
        # the sale arrived, its answer did not
        {"method": "DELETE", "path": "/v2/positions/AAPL", "kind": "504_after_accept"},
        # it did not arrive
        {"method": "DELETE", "path": "/v2/positions/AAPL", "status": 504},
        {"method": "DELETE", "path": "/v2/positions/AAPL", "status": 429},
        {"method": "DELETE", "path": "/v2/orders", "status": 503},
        {"method": "GET", "path": "/v2/positions", "status": 503, "times": 2},
        {"method": "GET", "path": "/v2/orders", "reset": True},
    ],
)
def test_flatten_goes_on_whatever_breaks_once(
    process: ExchangeProcess, broker: AlpacaBroker, clock: MarketClock, fault: dict[str, object]
) -> None:
    filled(broker, clock, 1, "AAPL", AAPL)
    process.control.add_faults([fault])
    assert run(broker, clock).flat
    sales = [order for order in process.control.summary()["orders"] if order["type"] == "market"]
    assert [order["filled_qty"] for order in sales] == ["10"]


def test_flatten_says_what_it_could_not_do(
    process: ExchangeProcess, broker: AlpacaBroker, clock: MarketClock
) -> None:
    filled(broker, clock, 1, "AAPL", AAPL)
    filled(broker, clock, 2, "MSFT", MSFT)
    process.control.halt("MSFT")
    done = run(broker, clock)
    assert not done.flat
    assert done.left is not None
    assert [position.symbol for position in done.left.positions] == ["MSFT"]
    assert set(done.left.closing()) == {"MSFT"}
    process.control.resume("MSFT")
    clock.sleep(60)
    assert run(broker, clock).flat


def test_a_halt_tells_of_a_cancellation_that_is_stuck(
    process: ExchangeProcess, broker: AlpacaBroker, clock: MarketClock
) -> None:
    order = broker.submit(entry(1, "AAPL", AAPL - 50))
    process.control.stick_cancels(1)
    done = cancel_entries(broker, clock, TAG)
    assert [stuck.order_id for stuck in done.not_confirmed] == [order.order_id]
    process.control.clear_faults()
    assert cancel_entries(broker, clock, TAG).complete


def test_the_command_needs_the_keys_alone(
    process: ExchangeProcess,
    broker: AlpacaBroker,
    clock: MarketClock,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    filled(broker, clock, 1, "AAPL", AAPL)
    monkeypatch.setenv("APCA_API_KEY_ID", "key")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "secret")
    monkeypatch.setenv("APCA_API_BASE_URL", process.url)
    monkeypatch.setenv("CLOCK_URL", f"{process.url}/_sim/clock")
    number = broker.account().account_number
    file = tmp_path / "flat.json"
    nowhere = ["--table", "control", "--endpoint", "http://127.0.0.1:9"]
    result = CliRunner().invoke(
        main, ["flatten", "--yes-flatten", number, "--json", str(file), *nowhere]
    )
    assert result.exit_code == 0, result.output
    assert "THE SWITCH IS NOT SET, going on without it" in result.output
    report = json.loads(file.read_text())
    assert report["flat"] is True
    assert report["switch"]["set"] is False
    assert broker.positions() == []
