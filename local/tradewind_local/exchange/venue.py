"""One exchange with everything around it that a client can notice, and its way to the disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from tradewind.market.bar import to_iso
from tradewind.market.session_table import SessionTable

from tradewind_local.exchange.access import AccessDesk
from tradewind_local.exchange.account_api import AccountApi
from tradewind_local.exchange.activities_api import ActivitiesApi
from tradewind_local.exchange.bar_book import BarBook
from tradewind_local.exchange.clock import MarketClock
from tradewind_local.exchange.engine import Exchange
from tradewind_local.exchange.faults import FaultScript
from tradewind_local.exchange.ledger import Ledger
from tradewind_local.exchange.rate_limits import RateLimit
from tradewind_local.exchange.store import Saved, Store
from tradewind_local.exchange.update_feed import StreamFaults, UpdateFeed

NO_SKEW = timedelta(0)


class Venue:
    """The parts. Whoever calls makes sure that nobody else does at the same time."""

    def __init__(
        self, store: Store, sessions: SessionTable, seed: int, monotonic: Callable[[], float]
    ) -> None:
        self._sessions, self._seed, self._monotonic = sessions, seed, monotonic
        saved = store.load()
        self.store = store
        self.book = BarBook(store.connection, seed)
        self.clock = MarketClock(saved.now, saved.running, monotonic)
        self.exchange = self._exchange_of(saved)
        self.access = AccessDesk(seed, store.fact("access"))
        self.account = AccountApi(store.fact("configuration"))
        self.activities = ActivitiesApi()
        self.faults = FaultScript()
        self.updates = UpdateFeed()
        self.rate_limit = RateLimit()
        # How far the broker's clock, as its answers tell it, is ahead of the market's.
        self.skew = NO_SKEW
        self.requests = Counter[str](store.fact("requests") or {})

    def now(self) -> datetime | None:
        return self.clock.now()

    def move(self) -> None:
        """Bring the market to the clock's instant, trading every tick on the way."""
        now = self.now()
        if now is not None:
            self.exchange.advance(now)

    def clear_faults(self) -> None:
        self.faults.clear()
        self.activities.set_faults(None)
        self.updates.set_faults(StreamFaults())
        self.exchange.release_cancels()
        self.skew = NO_SKEW

    def reset(self, cash: Decimal | None, now: datetime | None) -> None:
        """A new account in the same market: bars stay, everything else begins anew.

        ``cash`` in USD, as at first when not given; ``now`` sets the clock, also back, and leaves
        it standing.
        """
        at, running = (self.now(), self.clock.running) if now is None else (now, False)
        self.store.reset(cash)
        self.clock = MarketClock(at, running, self._monotonic)
        self.exchange = self._exchange_of(self.store.load(), at)
        self.clear_faults()
        self.updates.forget()
        self.access.forget()
        self.account.forget()
        self.rate_limit.forget()
        self.requests.clear()

    def commit(self) -> None:
        """Put what changed on the disk, then tell those who listen."""
        now = self.exchange.now
        self.store.save(self.exchange.touched, self.exchange.ledger.account)
        self.store.put_fact("requests", self.requests)
        self.store.put_fact(
            "clock", {"now": None if now is None else to_iso(now), "running": self.clock.running}
        )
        self.store.put_fact("halted", sorted(self.exchange.halted))
        self.store.put_fact("access", self.access.saved())
        self.store.put_fact("configuration", self.account.configuration)
        self.store.connection.commit()
        self.updates.publish(self.exchange.events)

    def _exchange_of(self, saved: Saved, now: datetime | None = None) -> Exchange:
        return Exchange(
            book=self.book,
            sessions=self._sessions,
            ledger=Ledger(saved.account, saved.positions),
            seed=self._seed,
            now=now or saved.now,
            orders=saved.orders,
            fills=saved.fills,
            activities=saved.activities,
            halted=saved.halted,
        )
