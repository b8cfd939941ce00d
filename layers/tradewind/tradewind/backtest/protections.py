"""The protections of a backtest: the locks and the size that its own past leaves it."""

from __future__ import annotations

from decimal import Decimal

from tradewind.backtest.broker import SimulatedBroker
from tradewind.market.cycle import Cycle
from tradewind.market.session import Session
from tradewind.market.session_table import SessionTable
from tradewind.risk.closed_trips import closed_trips
from tradewind.risk.equity import EquityMark, change_since_close, next_mark
from tradewind.risk.locks import Lock
from tradewind.risk.protections import (
    EquityChange,
    Protected,
    ProtectionSettings,
    protect,
    sessions_around,
)

# Deposits and withdrawals: a backtest has none.
NOTHING_MOVED = Decimal(0)


class StandingProtections:
    """What was locked stays locked until its end; the peak is the highest since the start, or
    since that of ``mark``."""

    def __init__(
        self,
        settings: ProtectionSettings,
        calendar: SessionTable,
        mark: EquityMark | None = None,
        locks: tuple[Lock, ...] = (),
    ) -> None:
        self._settings = settings
        self._calendar = calendar
        self._mark = mark
        self._standing = Protected(locks)
        self._around: tuple[Session, ...] = ()

    def begin(self, session: Session) -> None:
        """Before a session."""
        self._around = tuple(sessions_around(session, self._settings, self._calendar))

    def of(self, cycle: Cycle, broker: SimulatedBroker) -> Protected:
        """What holds when a run decides."""
        account = broker.account()
        self._mark = next_mark(
            self._mark,
            session=cycle.session.date,
            as_of=cycle.run_at,
            equity=account.equity,
            transfers=NOTHING_MOVED,
        )
        change = EquityChange(
            since_close=change_since_close(account.equity, account.last_equity, NOTHING_MOVED),
            from_peak=self._mark.from_peak,
            peak_at=self._mark.peak_at,
        )
        recent = [one for one in broker.trades if one.timestamp >= self._around[0].open]
        held = {symbol: holding.quantity for symbol, holding in broker.holdings.items()}
        trips = closed_trips(recent, held)
        self._standing = protect(
            cycle.run_at, trips, change, self._around, self._settings, self._standing.locks
        )
        return self._standing
