"""What is known when an entry is asked for, and what a check answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tradewind.market.bar import MINUTE
from tradewind.market.corporate_actions import CorporateAction
from tradewind.market.session import Session
from tradewind.orders.control import SwitchState
from tradewind.orders.model import BrokerAccount, BrokerOrder, BrokerPosition, OrderIntent
from tradewind.portfolio.differences import QuantityDifference
from tradewind.prediction.model import Prediction
from tradewind.risk.limits import RiskLimits
from tradewind.risk.locks import Lock


@dataclass(frozen=True, slots=True)
class Refusal:
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class EntryRequest:
    """``run_at`` is the start of the run's minute (T: one minute after the decided bar's start);
    ``newest_bar`` the symbol's newest bar; ``missing`` the minutes without a bar, not known to be
    without trades, among those the decision looks back over. ``differences`` (quantities that
    nothing explains) and ``strangers`` (a second deployment's orders) are the account's, of
    whatever symbol.

    ``switch`` is None when the trading switch could not be read. ``bar_starts`` are the symbol's
    bars in ``recent_minutes``, the session's and the last session's regular minutes up to the
    decided one, oldest first; without the latter nothing is called halted. ``decided_before``: a
    decision on this symbol, strategy and minute is on record. ``restriction`` says why the symbol
    may not be entered in this session; ``action_due`` is the corporate action that keeps it from
    being entered. ``configuration_faults``: what is wrong with the account's
    configuration, as last read.
    """

    symbol: str
    bar_time: datetime
    newest_bar: datetime
    missing: Sequence[datetime]
    session: Session
    account: BrokerAccount | None
    broker_as_of: datetime | None
    open_orders: Sequence[BrokerOrder]
    unresolved: Sequence[OrderIntent]
    foreign: BrokerPosition | None
    limits: RiskLimits
    mode: str = "paper"
    differences: Sequence[QuantityDifference] = ()
    strangers: Sequence[BrokerOrder] = ()
    switch: SwitchState | None = SwitchState.ACTIVE
    locks: Sequence[Lock] = ()
    bar_starts: Sequence[datetime] = ()
    recent_minutes: Sequence[datetime] = ()
    needs_prediction: bool = False
    prediction: Prediction | None = None
    decided_before: bool = False
    restriction: str | None = None
    action_due: CorporateAction | None = None
    tradable: bool = True
    configuration_faults: Sequence[str] = ()

    @property
    def run_at(self) -> datetime:
        return self.bar_time + MINUTE


@dataclass(frozen=True, slots=True)
class SizedEntry:
    """An entry whose size is known. Money is USD. ``capital_today`` and ``entries_today`` count
    what was committed in this session before this run, ``entries_in_run`` what this run has decided
    to enter; ``capital_in_run`` likewise."""

    symbol: str
    quantity: Decimal
    limit_price: Decimal
    last_price: Decimal
    buying_power: Decimal
    limits: RiskLimits
    capital_today: Decimal = Decimal(0)
    capital_in_run: Decimal = Decimal(0)
    entries_today: int = 0
    entries_in_run: int = 0

    @property
    def notional(self) -> Decimal:
        return self.quantity * self.limit_price
