"""Own time from a snapshot of the broker's truth to the books: what one new execution costs.

``record_broker_state`` over a PostgreSQL on this machine, from the snapshot's bytes to the commit.
The snapshot lists orders and executions that are known already, and one of each that is not.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from tradewind.adapters.postgres.connection import DatabaseAddress, Session, open_session
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.adapters.postgres.migrate import migrate
from tradewind.market.bar import MINUTE
from tradewind.market.cycle import Cycle, execution_name
from tradewind.market.session import Session as TradingSession
from tradewind.orders.ids import intent_id
from tradewind.orders.model import (
    BrokerAccount,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    BrokerState,
    IntentKind,
    OrderClass,
    OrderIntent,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from tradewind.orders.snapshot import dump_state
from tradewind.use_cases.ports import PayloadRef
from tradewind.use_cases.record import record_broker_state
from tradewind_local.postgres_server import PostgresServer

RUNS = 40
HISTORIES = (0, 100, 800)  # known orders listed; a day has at most 200 by default

OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
SESSION = TradingSession(date(2020, 11, 12), OPEN, OPEN + timedelta(minutes=390))
PRICE, SIZE = Decimal("119.58"), Decimal(10)


@dataclass
class _Snapshots:
    """Payloads in memory: what is measured begins at their bytes."""

    bodies: dict[str, bytes] = field(default_factory=dict)

    def put(self, key: str, body: bytes, count: int) -> PayloadRef:
        self.bodies[key] = body
        return PayloadRef(key, "", count)

    def get(self, ref: PayloadRef) -> bytes:
        return self.bodies[ref.key]

    def newest(self, key: str) -> bytes | None:
        return self.bodies.get(key)


def table() -> str:
    """A Markdown table; takes about half a minute."""
    lines = [
        "| orders and executions in the snapshot | one new execution ms (median) | slowest ms |",
        "|---|---|---|",
    ]
    with (
        tempfile.TemporaryDirectory(prefix="tradewind-bench-") as folder,
        PostgresServer(folder) as server,
    ):
        owner = DatabaseAddress(
            server.host, server.port, server.database, server.user, "off", lambda: server.password
        )
        migrate(owner, server.password)
        committing = PostgresDatabase(replace(owner, user="tw_trade"), "benchmark")
        recording = PostgresDatabase(replace(owner, user="tw_record"), "benchmark")
        session = open_session(owner, "benchmark")
        for orders in HISTORIES:
            times = list(_times(f"account-{orders}", orders, committing, recording, session))
            lines.append(
                f"| {orders} | {statistics.median(times) * 1000:.1f} | {max(times) * 1000:.1f} |"
            )
        session.close()
        committing.close()
        recording.close()
    return "\n".join(lines)


def _times(
    account: str,
    history: int,
    committing: PostgresDatabase,
    recording: PostgresDatabase,
    session: Session,
) -> Iterator[float]:
    """Seconds of each run; each shows one more filled order than the one before."""
    entries = [_intent(account, number) for number in range(history + RUNS)]
    with committing.transaction() as stores:
        stores.intents.add(entries)
    cycle = Cycle("benchmark", account, "paper", execution_name(account, OPEN), OPEN, SESSION)
    snapshots = _Snapshots()
    for run in range(-1, RUNS):
        # The first one brings the history, and the connection with its prepared statements.
        state = _state(entries[: history + run + 1], run)
        ref = snapshots.put("snapshot", dump_state(state), len(state.orders))
        began = time.perf_counter()
        recorded = record_broker_state(cycle, ref, payloads=snapshots, database=recording)
        took = time.perf_counter() - began
        if run < 0:
            # On a server that runs for longer than this, autovacuum has done it.
            session.rows("ANALYZE")
            continue
        if recorded.fills != 1:
            raise RuntimeError(f"a run is to book one execution, not {recorded.fills}")
        yield took


def _intent(account: str, number: int) -> OrderIntent:
    bar_time = OPEN - (number + 1) * MINUTE
    return OrderIntent(
        intent_id=intent_id(
            deployment="benchmark",
            account=account,
            strategy="benchmark",
            mode="paper",
            session=SESSION.date,
            bar_time=bar_time,
            symbol=_symbol(number),
            side=Side.BUY,
            kind=IntentKind.ENTRY,
            revision=0,
        ),
        account=account,
        strategy="benchmark",
        mode="paper",
        session=SESSION.date,
        bar_time=bar_time,
        symbol=_symbol(number),
        kind=IntentKind.ENTRY,
        side=Side.BUY,
        quantity=SIZE,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        order_class=OrderClass.OTO,
        limit_price=PRICE,
        stop_price=Decimal("117.74"),
        decision_price=PRICE,
        revision=0,
        target_order_id=None,
        expires_at=bar_time + MINUTE,
        reason="measured",
    )


def _symbol(number: int) -> str:
    return f"S{number % 20:02}"


def _state(entries: list[OrderIntent], run: int) -> BrokerState:
    held: dict[str, Decimal] = {}
    for entry in entries:
        held[entry.symbol] = held.get(entry.symbol, Decimal(0)) + SIZE
    cash = Decimal(1_000_000) - len(entries) * SIZE * PRICE
    return BrokerState(
        as_of=OPEN + (run + 2) * MINUTE,
        account=BrokerAccount(
            "PA1", "ACTIVE", Decimal(1_000_000), Decimal(1_000_000), cash, cash, False
        ),
        orders=tuple(_order(entry) for entry in entries),
        positions=tuple(
            BrokerPosition(symbol, quantity, PRICE, PRICE, Decimal(0))
            for symbol, quantity in sorted(held.items())
        ),
        fills=tuple(_fill(entry) for entry in entries),
    )


def _order(entry: OrderIntent) -> BrokerOrder:
    return BrokerOrder(
        order_id=f"order-of-{entry.intent_id}",
        client_order_id=entry.intent_id,
        symbol=entry.symbol,
        side=Side.BUY,
        order_type="limit",
        order_class="oto",
        status=OrderStatus.FILLED,
        quantity=SIZE,
        filled_quantity=SIZE,
        filled_avg_price=PRICE,
        limit_price=PRICE,
        stop_price=None,
        time_in_force="gtc",
        parent_order_id=None,
        replaces=None,
        submitted_at=entry.bar_time,
        updated_at=entry.bar_time,
    )


def _fill(entry: OrderIntent) -> BrokerFill:
    return BrokerFill(
        f"fill-of-{entry.intent_id}",
        f"order-of-{entry.intent_id}",
        entry.symbol,
        Side.BUY,
        SIZE,
        PRICE,
        entry.bar_time,
        SIZE,
    )
