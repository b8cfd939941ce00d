"""What outlives every killed process: PostgreSQL, the exchange, the control table, the payloads.

Each is a process (or a folder) of its own, so a worker that is killed leaves behind exactly what a
killed function leaves behind on AWS: what was committed, accepted or written, and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pg8000.native
from tradewind.adapters.alpaca.broker import AlpacaBroker
from tradewind.adapters.alpaca.credentials import ApiKey
from tradewind.adapters.dynamodb import ControlTable
from tradewind.adapters.postgres.connection import DatabaseAddress
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.adapters.postgres.migrate import migrate
from tradewind.errors import PayloadMismatchError
from tradewind.market.adjustment import SplitFactor
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.session import Session
from tradewind_local.exchange.control import ExchangeControl
from tradewind_local.exchange.process import ExchangeProcess
from tradewind_local.postgres_server import PostgresServer
from tradewind_local.twin.cloud import LocalCloud
from tradewind_local.twin.supervisor import Supervisor

DAY = date(2020, 11, 12)
OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
SESSION = Session(DAY, OPEN, OPEN + timedelta(minutes=390))
CASH = Decimal(100_000)
CONTROL = "control"

# Puts something around an adapter: given what it is called and the adapter itself.
Watch = Callable[[str, Any], Any]

# Of the tables that a run writes, those with keys between them: children first.
_CHILDREN_FIRST = ("trades", "orders", "order_intents", "fills", "outbox")

# Puts something around an adapter: given what it is called and the adapter itself.
Watch = Callable[[str, Any], Any]

# Tables that a run writes; bars stay.
_WRITTEN = """
cycles decisions orders trades order_intents fills positions paper_trades account_snapshots
trade_events alerts_log alerts outbox cash_activities switch_changes
"""


class MarketClock:
    """The exchange's clock, which stands still but for sleeping. Only one process at a time moves
    it, so its instant is remembered instead of asked for each time."""

    def __init__(self, control: ExchangeControl) -> None:
        self._control = control
        self._now = self.ask()

    def ask(self) -> datetime:
        """The instant that the exchange itself has: another process may have moved it."""
        now = self._control.clock()
        assert now is not None, "the ground sets the clock before anybody asks"
        self._now = now
        return now

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self.go_to(self._now + timedelta(seconds=seconds))

    def go_to(self, moment: datetime) -> None:
        """Forward only: a run that took longer than its minute delays the next one."""
        if moment > self._now:
            self._now = self._control.set_clock(moment, running=False)


class FolderPayloads:
    """The payload bucket: a name shows a whole object or none, as S3 promises."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, body: bytes, count: int) -> Any:
        from tradewind.use_cases.ports import PayloadRef

        file = self._folder / key.replace("/", "!")
        draft = file.with_suffix(".draft")
        draft.write_bytes(body)
        draft.replace(file)
        return PayloadRef(key, hashlib.sha256(body).hexdigest(), count)

    def get(self, ref: Any) -> bytes:
        body = self.newest(ref.key)
        if body is None or hashlib.sha256(body).hexdigest() != ref.sha256:
            raise PayloadMismatchError(f"{ref.key} is not what was put there")
        return body

    def newest(self, key: str) -> bytes | None:
        file = self._folder / key.replace("/", "!")
        return file.read_bytes() if file.exists() else None


@dataclass(frozen=True)
class Hands:
    """The adapters of one process, opened by it and by nobody else."""

    broker: Any
    control: Any
    payloads: Any
    trading: Any  # the store of record as assess_risk logs in
    recording: Any  # ... and as the record functions do
    clock: MarketClock


class Ground:
    """One account's world. ``new_case`` empties it in a few milliseconds."""

    def __init__(
        self,
        folder: Path,
        bars: Sequence[Bar],
        symbols: Sequence[str],
        factors: Sequence[SplitFactor] = (),
    ) -> None:
        self._folder = folder
        self._bars = bars
        self._factors = factors
        self.symbols = tuple(symbols)
        self._stack = ExitStack()
        self._cases = 0
        self.account = ""

    def __enter__(self) -> Ground:
        with ExitStack() as opening:
            # Nothing of this outlives the tests, so nothing has to survive a power cut.
            quick = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
            self._server = opening.enter_context(PostgresServer(self._folder / "postgres", quick))
            migrate(self.address(self._server.user), self._server.password)
            self.exchange = opening.enter_context(
                ExchangeProcess(self._folder / "exchange", seed=7, cash=CASH)
            )
            self.exchange.control.load_bars(self._bars)
            self._open_control_table(opening)
            self._payloads = self._folder / "payloads"
            self._payloads.mkdir()
            self.owner = pg8000.native.Connection(
                self._server.user, self._server.host, self._server.database,
                self._server.port, self._server.password,
            )  # fmt: skip
            opening.callback(self.owner.close)
            self._trading = PostgresDatabase(self.address("tw_trade"), "assess_risk")
            self._recording = PostgresDatabase(self.address("tw_record"), "record_orders")
            opening.callback(self._trading.close)
            opening.callback(self._recording.close)
            self._written = self._tables()
            self._store_bars()
            self._stack = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def address(self, user: str) -> DatabaseAddress:
        server = self._server
        return DatabaseAddress(
            server.host, server.port, server.database, user, "off", lambda: server.password
        )

    def new_case(self, now: datetime) -> str:
        """An empty account at an instant; its name, which is new each time, so that nothing that
        the control table keeps of other cases is of this one."""
        self._cases += 1
        self.account = f"case{self._cases}"
        self.exchange.control.reset(CASH, now)
        self.owner.run(self._written)
        for file in self._payloads.iterdir():
            file.unlink()
        return self.account

    def own_hands(self, watch: Watch) -> Hands:
        """Adapters of this process, which keeps its connections from case to case. ``watch`` puts
        something around each of them."""
        return self._hands(
            self._dynamodb, self.exchange.control, self._trading, self._recording, watch
        )

    @contextmanager
    def workers_hands(self, watch: Watch) -> Iterator[Hands]:
        """Adapters of a forked worker, which shares no connection with the process it comes
        from."""
        control = ExchangeControl(self.exchange.url)
        trading = PostgresDatabase(self.address("tw_trade"), "assess_risk")
        recording = PostgresDatabase(self.address("tw_record"), "record_orders")
        try:
            yield self._hands(self._workers_dynamodb, control, trading, recording, watch)
        finally:
            trading.close()
            recording.close()
            control.close()

    def _hands(
        self,
        dynamodb: Any,
        control: ExchangeControl,
        trading: PostgresDatabase,
        recording: PostgresDatabase,
        watch: Watch,
    ) -> Hands:
        return Hands(
            broker=watch("broker", AlpacaBroker(self.exchange.url, ApiKey("key", "secret"))),
            control=watch("control", ControlTable(dynamodb, CONTROL)),
            payloads=watch("payloads", FolderPayloads(self._payloads)),
            trading=watch("database", trading),
            recording=watch("database", recording),
            clock=MarketClock(control),
        )

    def _open_control_table(self, opening: ExitStack) -> None:
        folder = self._folder / "cloud"
        folder.mkdir()
        cloud = LocalCloud(folder, Supervisor(folder))
        cloud.start(0)
        opening.callback(cloud.kill)
        # Made once and before any fork: reading the SDK's models takes longer than a whole run, and
        # a client that was never used holds no connection.
        cloud.client("dynamodb").create_table(
            TableName=CONTROL,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self._dynamodb = cloud.client("dynamodb")
        self._workers_dynamodb = cloud.client("dynamodb")

    def _tables(self) -> str:
        """Empties every table that belongs to an account, and the outbox."""
        of_accounts = self.owner.run(
            "SELECT table_name::text FROM information_schema.columns"
            " WHERE column_name = 'account' AND table_schema = 'public'"
        )
        others = sorted({row[0] for row in of_accounts} - set(_CHILDREN_FIRST))
        return "; ".join(f"DELETE FROM {name}" for name in [*_CHILDREN_FIRST, *others])  # noqa: S608

    def _store_bars(self) -> None:
        """The market's bars and splits as the pipeline before the order path would have stored
        them; a split counts from when it became known."""
        database = PostgresDatabase(self.address(self._server.user), "tests")
        with database.transaction() as stores:
            stores.bars.upsert(list(self._bars), [True] * len(self._bars), OPEN - MINUTE)
            stores.factors.learn(list(self._factors))
        database.close()
