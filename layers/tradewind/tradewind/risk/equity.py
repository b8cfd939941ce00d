"""How the account has done, with deposits and withdrawals taken out. USD, times aware UTC.

Two figures: the change since the previous close (the promise's own formula), and the change from
the peak. The peak is one of an index that starts at 1 and grows with each step's return, so that a
deposit neither makes a peak nor heals a drawdown (time-weighted return, as GIPS has it).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

_PLACES = Decimal("1e-12")


@dataclass(frozen=True, slots=True)
class EquityMark:
    """Where an account stands. ``transfers`` is what was moved in (out: negative) in ``session``
    so far; ``index`` is 1 at the first mark; ``peak_before`` is the peak before this session."""

    session: date
    as_of: datetime
    equity: Decimal
    transfers: Decimal
    index: Decimal
    peak: Decimal
    peak_at: datetime
    peak_before: Decimal

    @property
    def from_peak(self) -> Decimal:
        """The change from the peak as a fraction, zero at the peak."""
        return self.index / self.peak - 1


def first_mark(session: date, as_of: datetime, equity: Decimal, transfers: Decimal) -> EquityMark:
    one = Decimal(1)
    return EquityMark(session, as_of, equity, transfers, one, one, as_of, one)


def next_mark(
    before: EquityMark | None,
    *,
    session: date,
    as_of: datetime,
    equity: Decimal,
    transfers: Decimal,
) -> EquityMark:
    """The mark after another look at the account; an older look than the last changes nothing.

    A transfer may be told after the equity already holds it. What looked like a gain until then
    must not stay the peak: with each transfer the peak falls back to the one before the session.
    """
    if before is None:
        return first_mark(session, as_of, equity, transfers)
    if as_of < before.as_of:
        return before
    same = session == before.session
    moved = transfers - before.transfers if same else transfers
    peak_before = before.peak_before if same else before.peak
    index = before.index
    if before.equity > 0:
        step = max(equity - moved, Decimal(0)) / before.equity
        index = (before.index * step).quantize(_PLACES)
    peak, peak_at = before.peak, before.peak_at
    if moved and same:
        peak = peak_before
    if index > peak:
        peak, peak_at = index, as_of
    return replace(
        before,
        session=session,
        as_of=as_of,
        equity=equity,
        transfers=transfers,
        index=index,
        peak=peak,
        peak_at=peak_at,
        peak_before=peak_before,
    )


def change_since_close(
    equity: Decimal, previous_close: Decimal, transfers: Decimal
) -> Decimal | None:
    """Equity now / equity at the previous close - 1, as a fraction, unrealised profit included and
    ``transfers`` since then taken out; None where there was no equity to compare with."""
    if previous_close <= 0:
        return None
    return (equity - transfers) / previous_close - 1


class EquityStore(Protocol):
    """The ``equity_marks`` table: one row a session, its newest mark."""

    def newest(self, account: str) -> EquityMark | None: ...

    def save(self, account: str, mark: EquityMark) -> None:
        """Insert the session's mark, or replace it."""
        ...

    def transfers(self, account: str, day: date) -> Decimal:
        """What was moved in (out: negative) on a New York day, as far as it is told (USD)."""
        ...
