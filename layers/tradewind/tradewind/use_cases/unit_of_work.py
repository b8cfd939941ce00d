"""A transaction over the store of record: all of it is written, or none."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from tradewind.alerts.model import AlertStore
from tradewind.features.ports import IndicatorStore
from tradewind.market.bar_months import BarMonths
from tradewind.market.ports import (
    BarLoad,
    BarStore,
    BarTraceStore,
    CorporateActionStore,
    FactorStore,
    GapStore,
)
from tradewind.orders.configuration import ConfigurationStore
from tradewind.orders.ports import FillStore, IntentStore, OrderStore, SwitchChangeStore
from tradewind.portfolio.ports import (
    AccountStore,
    ActivityStore,
    CashStore,
    HoldingStore,
    PaperTradeStore,
    PositionSplitStore,
    TradeStore,
)
from tradewind.prediction.model import ModelCard, Prediction
from tradewind.reports.ports import DivergenceStore
from tradewind.risk.equity import EquityStore
from tradewind.risk.locks import LockStore
from tradewind.risk.modes import TradingModeStore
from tradewind.strategies.decision import Decision
from tradewind.tradelog.model import Outbox, TradeEventStore
from tradewind.use_cases.standing import RunStore


class CycleStore(Protocol):
    """The ``cycles`` table: one row per account and decided minute."""

    def lock_account(self, account: str) -> None:
        """Wait for, then hold, the account's lock until the transaction ends."""
        ...

    def newest_decided(self, account: str) -> datetime | None: ...

    def first_decided(self, account: str) -> datetime | None: ...

    def newest_finished(self, account: str) -> datetime | None:
        """The newest decided minute whose run was recorded to its end."""
        ...

    def decided(self, account: str, bar_time: datetime, session: date, execution: str) -> None: ...

    def finished(self, account: str, bar_time: datetime) -> None: ...


class PredictionStore(Protocol):
    def save(self, predictions: Sequence[Prediction]) -> None:
        """Insert; a prediction already there is left alone."""
        ...


class DecisionStore(Protocol):
    def save(self, decisions: Sequence[Decision]) -> None:
        """Insert; a decision already there is left alone."""
        ...


class ModelStore(Protocol):
    def register(self, card: ModelCard) -> None:
        """Insert or leave; a version never changes its hash (InvalidInputError)."""
        ...


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores of one open transaction."""

    bars: BarStore
    bar_load: BarLoad
    bar_months: BarMonths
    bar_traces: BarTraceStore
    gaps: GapStore
    factors: FactorStore
    corporate_actions: CorporateActionStore
    indicators: IndicatorStore
    predictions: PredictionStore
    cycles: CycleStore
    decisions: DecisionStore
    intents: IntentStore
    orders: OrderStore
    fills: FillStore
    holdings: HoldingStore
    trades: TradeStore
    paper_trades: PaperTradeStore
    position_splits: PositionSplitStore
    accounts: AccountStore
    activities: ActivityStore
    cash: CashStore
    switch_changes: SwitchChangeStore
    trading_modes: TradingModeStore
    alerts: AlertStore
    trade_events: TradeEventStore
    outbox: Outbox
    models: ModelStore
    locks: LockStore
    equity: EquityStore
    configurations: ConfigurationStore
    divergences: DivergenceStore
    runs: RunStore


class Database(Protocol):
    """The store of record. ``with database.transaction() as stores:`` commits at the end of the
    block and rolls back when it is left by an exception (DatabaseUnavailableError when the
    connection was lost: the whole block may be run again)."""

    def transaction(self) -> AbstractContextManager[Stores]: ...
