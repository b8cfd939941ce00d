"""The store of record: transactions on one connection per warm environment."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tradewind.adapters.postgres.bar_load import PostgresBarLoad
from tradewind.adapters.postgres.bar_months import PostgresBarMonths
from tradewind.adapters.postgres.bar_traces import PostgresBarTraces
from tradewind.adapters.postgres.bars import PostgresBars, PostgresIndicators
from tradewind.adapters.postgres.cash import PostgresActivities, PostgresCash
from tradewind.adapters.postgres.connection import (
    STATEMENT_SECONDS,
    DatabaseAddress,
    Session,
    open_session,
)
from tradewind.adapters.postgres.corporate_actions import PostgresCorporateActions
from tradewind.adapters.postgres.decisions import (
    PostgresCycles,
    PostgresDecisions,
    PostgresModels,
    PostgresPredictions,
)
from tradewind.adapters.postgres.divergences import PostgresDivergences
from tradewind.adapters.postgres.fills import PostgresFills, PostgresTrades
from tradewind.adapters.postgres.gaps import PostgresGaps
from tradewind.adapters.postgres.intents import PostgresIntents
from tradewind.adapters.postgres.messages import (
    PostgresAlerts,
    PostgresOutbox,
    PostgresTradeEvents,
)
from tradewind.adapters.postgres.orders import PostgresOrders
from tradewind.adapters.postgres.portfolio import PostgresAccounts, PostgresHoldings
from tradewind.adapters.postgres.position_history import (
    PostgresPaperTrades,
    PostgresPositionSplits,
)
from tradewind.adapters.postgres.queries import PostgresQueries
from tradewind.adapters.postgres.report_reads import PostgresReportReads
from tradewind.adapters.postgres.risk import (
    PostgresConfigurations,
    PostgresEquity,
    PostgresLocks,
)
from tradewind.adapters.postgres.runs import PostgresRuns
from tradewind.adapters.postgres.schema import check_schema
from tradewind.adapters.postgres.splits import PostgresFactors
from tradewind.adapters.postgres.switch_changes import PostgresSwitchChanges
from tradewind.adapters.postgres.trading_modes import PostgresTradingModes
from tradewind.errors import DatabaseUnavailableError, TradewindError
from tradewind.use_cases.unit_of_work import Stores

if TYPE_CHECKING:
    from tradewind.use_cases.backtesting import ResearchBooks


class PostgresDatabase:
    """Implements ``Database``; connects at the first transaction and keeps the connection.

    Each transaction's BEGIN is the test of a kept connection: one that is gone is replaced once,
    unseen. One older than ``max_age`` seconds is replaced anyway, so that a failover or a changed
    address is noticed. ``statement_seconds``: how long a statement may take before the server ends
    it. Not for use by several threads at once.
    """

    def __init__(
        self,
        address: DatabaseAddress,
        application_name: str,
        max_age: float = 900.0,
        statement_seconds: float = STATEMENT_SECONDS,
    ) -> None:
        self._address = address
        self._application_name = application_name
        self._max_age = max_age
        self._statement_seconds = statement_seconds
        self._session: Session | None = None
        self._opened_at = 0.0
        self._schema_checked = False

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Stores]:
        """All of the block is written, or nothing. Raises SchemaMismatchError (at the first use)
        and, from any statement, DatabaseUnavailableError or a PermanentError."""
        with self._transaction(read_only=False) as session:
            yield Stores(
                bars=PostgresBars(session),
                bar_load=PostgresBarLoad(session),
                bar_months=PostgresBarMonths(session),
                bar_traces=PostgresBarTraces(session),
                gaps=PostgresGaps(session),
                factors=PostgresFactors(session),
                corporate_actions=PostgresCorporateActions(session),
                indicators=PostgresIndicators(session),
                predictions=PostgresPredictions(session),
                cycles=PostgresCycles(session),
                decisions=PostgresDecisions(session),
                intents=PostgresIntents(session),
                orders=PostgresOrders(session),
                fills=PostgresFills(session),
                holdings=PostgresHoldings(session),
                trades=PostgresTrades(session),
                paper_trades=PostgresPaperTrades(session),
                position_splits=PostgresPositionSplits(session),
                accounts=PostgresAccounts(session),
                activities=PostgresActivities(session),
                cash=PostgresCash(session),
                switch_changes=PostgresSwitchChanges(session),
                trading_modes=PostgresTradingModes(session),
                alerts=PostgresAlerts(session),
                trade_events=PostgresTradeEvents(session),
                outbox=PostgresOutbox(session),
                models=PostgresModels(session),
                locks=PostgresLocks(session),
                equity=PostgresEquity(session),
                configurations=PostgresConfigurations(session),
                divergences=PostgresDivergences(session),
                runs=PostgresRuns(session),
            )

    @contextlib.contextmanager
    def reading(self) -> Iterator[PostgresQueries]:
        """A read-only transaction; errors as in :meth:`transaction`."""
        with self._transaction(read_only=True) as session:
            yield PostgresQueries(session)

    @contextlib.contextmanager
    def reporting(self) -> Iterator[PostgresReportReads]:
        """A read-only transaction; errors as in :meth:`transaction`."""
        with self._transaction(read_only=True) as session:
            yield PostgresReportReads(session)

    @contextlib.contextmanager
    def researching(self) -> Iterator[ResearchBooks]:
        """What backtests read and write; errors as in :meth:`transaction`."""
        # Here, because the functions that trade are not to load it.
        from tradewind.adapters.postgres.backtests import PostgresBacktests, PostgresBarHistory
        from tradewind.use_cases.backtesting import ResearchBooks

        with self._transaction(read_only=False) as session:
            yield ResearchBooks(PostgresBacktests(session), PostgresBarHistory(session))

    def close(self) -> None:
        """Close the connection; the next transaction opens another."""
        if self._session is not None:
            self._session.close()
            self._session = None

    @contextlib.contextmanager
    def _transaction(self, read_only: bool) -> Iterator[Session]:
        session = self._begun(read_only)
        try:
            yield session
            session.commit()
        except BaseException:
            if session.broken:
                self.close()
            else:
                # The first error is the one to tell.
                with contextlib.suppress(TradewindError):
                    session.rollback()
            raise

    def _begun(self, read_only: bool) -> Session:
        if self._session is not None and time.monotonic() - self._opened_at > self._max_age:
            self.close()
        if self._session is not None:
            try:
                self._session.begin(read_only)
                return self._session
            except DatabaseUnavailableError:
                self.close()
        session = self._session = open_session(
            self._address, self._application_name, self._statement_seconds
        )
        self._opened_at = time.monotonic()
        if not self._schema_checked:
            check_schema(session)
            self._schema_checked = True
        session.begin(read_only)
        return session
