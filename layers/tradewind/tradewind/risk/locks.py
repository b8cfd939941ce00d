"""A lock: entries stand still for a while, in one symbol or in all, for a reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID, uuid5

LOCK_NAMESPACE = UUID("3f0e7b52-60a4-5c0b-9a1d-6c2f8d4f7e15")


@dataclass(frozen=True, slots=True)
class Lock:
    """Entries are refused while ``since <= run_at < until`` (aware UTC); exits and protection never
    are. ``symbol`` None locks all. ``key`` names what the lock came of: told twice, it is one."""

    symbol: str | None
    since: datetime
    until: datetime
    code: str
    reason: str
    key: str

    def lock_id(self, account: str) -> UUID:
        return uuid5(LOCK_NAMESPACE, f"{account}|{self.code}|{self.symbol or '*'}|{self.key}")

    def holds(self, at: datetime) -> bool:
        return self.since <= at < self.until

    def stops(self, symbol: str) -> bool:
        return self.symbol is None or self.symbol == symbol


def in_force(standing: Iterable[Lock], found: Iterable[Lock], at: datetime) -> tuple[Lock, ...]:
    """The locks that hold at a moment, the longest first. ``standing`` are those stored earlier: of
    two that came of the same, the one stored first counts, whatever is found now."""
    by_origin: dict[tuple[str, str | None, str], Lock] = {}
    for lock in (*standing, *found):
        by_origin.setdefault((lock.code, lock.symbol, lock.key), lock)
    holding = [lock for lock in by_origin.values() if lock.holds(at)]
    return tuple(sorted(holding, key=lambda one: (-one.until.timestamp(), one.code, one.key)))


class LockStore(Protocol):
    """The ``locks`` table."""

    def add(self, account: str, locks: Sequence[Lock]) -> list[Lock]:
        """Insert locks not recorded yet; the answer is those. Rows are never changed."""
        ...
