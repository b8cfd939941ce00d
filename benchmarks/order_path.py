"""Our own time from an intent to the bytes of its order leaving, warm.

The real use case and the real client; the control table is in memory, so neither DynamoDB's nor the
broker's time is in it but for the loopback. A server process of its own notes when the first byte
of POST /v2/orders has come (the monotonic clock is the machine's).

An entry asks for the symbol's open orders first. The server answers that at once; what the answer
took on the server's side, from the question's last byte to the answer's, is taken off.
"""

from __future__ import annotations

import json
import multiprocessing
import socket
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from multiprocessing.connection import Connection
from statistics import quantiles

from tradewind.adapters.alpaca.broker import AlpacaBroker
from tradewind.adapters.alpaca.credentials import ApiKey
from tradewind.market.bar import MINUTE
from tradewind.market.cycle import Cycle, execution_name
from tradewind.market.session import Session
from tradewind.orders.ids import intent_id
from tradewind.orders.model import (
    IntentKind,
    IntentStatus,
    OrderClass,
    OrderIntent,
    OrderType,
    Side,
    TimeInForce,
)
from tradewind.settings import HardLimits
from tradewind.use_cases.place_order import Submitter, place_order

from tests.fakes import FakeClock, FakeControl

ORDERS = 500
WARM_UP = 50
OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
CYCLE = Cycle(
    "bench", "paper", "paper", execution_name("paper", OPEN), OPEN,
    Session(date(2020, 11, 12), OPEN, OPEN + 390 * MINUTE),
)  # fmt: skip
LIMITS = HardLimits(10_000, 1_000, 10_000, Decimal(30_000), Decimal(200_000_000))
ANSWER = {
    "id": "o-1", "client_order_id": "", "created_at": "2020-11-12T14:31:04.123456789Z",
    "updated_at": "2020-11-12T14:31:04.123456789Z", "submitted_at": "2020-11-12T14:31:04.1234Z",
    "symbol": "AAPL", "qty": "10", "filled_qty": "0", "filled_avg_price": None,
    "order_class": "oto", "order_type": "limit", "type": "limit", "side": "buy",
    "time_in_force": "gtc", "limit_price": "100.30", "stop_price": None, "status": "new",
    "replaces": None, "legs": None,
}  # fmt: skip


def table() -> str:
    """A Markdown table of both percentiles, in milliseconds."""
    took = sorted(measure())
    cuts = quantiles(took, n=20)
    return "\n".join(
        [
            "| from intent to the order's bytes | p50 ms | p95 ms | orders |",
            "|---|---|---|---|",
            f"| entry, OTO, with its look for other deployments | {cuts[9]:.2f} | {cuts[18]:.2f} "
            f"| {len(took)} |",
        ]
    )


def measure() -> list[float]:
    """Milliseconds, one per order."""
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=_serve, args=(there,), daemon=True)
    server.start()
    try:
        broker = AlpacaBroker(f"http://127.0.0.1:{here.recv()}", ApiKey("key", "secret"))
        control = FakeControl(budget=10_000, reserve=1_000)
        submitter = Submitter("bench", "paper", "paper", ("AAPL",), LIMITS)
        took = []
        for number in range(WARM_UP + ORDERS):
            intent = _intent(number)
            started = time.monotonic_ns()
            placed = place_order(CYCLE, intent, submitter=submitter, broker=broker,
                                 control=control, clock=FakeClock(OPEN + MINUTE))  # fmt: skip
            if placed.status is not IntentStatus.SUBMITTED:
                raise RuntimeError(f"the order did not leave: {placed}")
            arrived, answering = here.recv()
            took.append((arrived - started - answering) / 1e6)
        return took[WARM_UP:]
    finally:
        server.kill()
        server.join()


def _intent(revision: int) -> OrderIntent:
    intent = OrderIntent(
        intent_id="", account="paper", strategy="sma", mode="paper", session=date(2020, 11, 12),
        bar_time=OPEN, symbol="AAPL", kind=IntentKind.ENTRY, side=Side.BUY, quantity=Decimal(10),
        order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC, order_class=OrderClass.OTO,
        limit_price=Decimal("100.30"), stop_price=Decimal("98.50"), decision_price=Decimal(100),
        revision=revision, target_order_id=None, expires_at=OPEN + MINUTE + timedelta(seconds=45),
        reason="measured",
    )  # fmt: skip
    identity = intent_id(
        deployment="bench", account=intent.account, strategy=intent.strategy, mode=intent.mode,
        session=intent.session, bar_time=intent.bar_time, symbol=intent.symbol, side=intent.side,
        kind=intent.kind, revision=revision,
    )  # fmt: skip
    return replace(intent, intent_id=identity)


def _serve(told: Connection) -> None:
    """Answer over one kept connection; tell, for each order, when its first byte had come and how
    long the answers before it took."""
    listener = socket.create_server(("127.0.0.1", 0))
    told.send(listener.getsockname()[1])
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    answering = 0
    while True:
        raw = connection.recv(65536)
        came = time.monotonic_ns()
        if not raw:
            return
        while not _is_whole(raw):
            raw += connection.recv(65536)
        read = time.monotonic_ns()
        is_order = raw.startswith(b"POST ")
        body = json.dumps(ANSWER if is_order else []).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        connection.sendall(head + body)
        if is_order:
            told.send((came, answering))
            answering = 0
        else:
            answering += time.monotonic_ns() - read


def _is_whole(raw: bytes) -> bool:
    head, found, body = raw.partition(b"\r\n\r\n")
    if not found:
        return False
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return True


if __name__ == "__main__":
    print(table())
