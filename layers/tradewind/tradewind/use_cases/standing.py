"""What a run knows before it decides, and what it leaves behind: read at once, written at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from tradewind.market.corporate_actions import CorporateAction
from tradewind.market.cycle import Cycle
from tradewind.market.session import Session
from tradewind.orders.configuration import AccountConfiguration
from tradewind.orders.life import KnownOrder
from tradewind.orders.model import BrokerAccount, BrokerOrder, BrokerPosition, OrderIntent
from tradewind.portfolio.differences import QuantityDifference
from tradewind.portfolio.model import Holding
from tradewind.portfolio.splits import PositionSplit
from tradewind.prediction.model import Prediction
from tradewind.risk.closed_trips import RecentTrade
from tradewind.risk.equity import EquityMark
from tradewind.risk.locks import Lock
from tradewind.risk.modes import LiveApproval, PaperRun, RampRecord
from tradewind.strategies.decision import Decision
from tradewind.tradelog.model import OutboxMessage


@dataclass(frozen=True, slots=True)
class StandingQuestion:
    """``symbols``: those that have a strategy. ``session_since``: from when protective intents
    count as this session's. ``trades_since``: from when executions are told. ``predicted``: the
    symbols whose last good prediction since ``predicted_since`` is wanted. ``ramp``: the sessions
    before this one that may count towards the size of live trading; none in other modes."""

    symbols: Sequence[str]
    session_since: datetime
    trades_since: datetime
    predicted: Sequence[str]
    predicted_since: datetime
    ramp: Sequence[Session] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """All that the store of record says of an account, but for bars. As the single stores' methods
    answer it; ``holdings`` holds flat ones too. ``entries_today`` and ``capital_today`` (USD) are
    what this session has committed to entries, ``transfers`` (USD) what was moved in or out on its
    day. ``trades`` are oldest first. ``splits``: those of what is held, and those seen since the
    oldest trade. ``ramp`` is of the newest approval, None without one. ``actions``: the corporate
    actions of the question's symbols and of what is held, whenever learnt."""

    newest_decided: datetime | None
    holdings: Sequence[Holding]
    positions: Sequence[BrokerPosition]
    open_orders: Sequence[KnownOrder]
    orders_of_ours: Mapping[str, str]
    unresolved: Sequence[OrderIntent]
    broker_as_of: datetime | None
    account: BrokerAccount | None
    differences: Sequence[QuantityDifference]
    strangers: Sequence[BrokerOrder]
    failed_protection: Mapping[str, int]
    revisions: Mapping[str, int]
    decided: Collection[tuple[str, str]]
    entries_today: int
    capital_today: Decimal
    locks: Sequence[Lock]
    equity: EquityMark | None
    transfers: Decimal
    trades: Sequence[RecentTrade]
    configuration: AccountConfiguration | None
    paper_runs: Sequence[PaperRun]
    approval: LiveApproval | None
    ramp: RampRecord | None
    splits: Sequence[PositionSplit]
    predictions: Sequence[Prediction]
    actions: Sequence[CorporateAction]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a decided minute writes; whatever of it is there already is left alone."""

    predictions: Sequence[Prediction]
    decisions: Sequence[Decision]
    intents: Sequence[OrderIntent]
    messages: Sequence[OutboxMessage]
    locks: Sequence[Lock]


class RunStore(Protocol):
    """One statement each, whatever the number of symbols."""

    def standing(self, cycle: Cycle, question: StandingQuestion) -> Standing:
        """To be asked with the account's lock held."""
        ...

    def leave(self, cycle: Cycle, outcome: Outcome) -> None:
        """Write all of it, and that the minute is decided."""
        ...
