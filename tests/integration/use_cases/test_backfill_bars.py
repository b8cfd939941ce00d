"""Past sessions from a provider into a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.adapters import http
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.errors import (
    DailyQuotaError,
    KeyRefusedError,
    ProviderUnavailableError,
    ThrottledError,
    UnknownSymbolError,
)
from tradewind.market.adjustment import SplitFactor
from tradewind.market.bar import MINUTE, Bar
from tradewind.market.corporate_actions import Announced
from tradewind.market.session import Session
from tradewind.market.session_table import default_table
from tradewind.market.verdict import ValidationRules
from tradewind.use_cases.backfill_bars import Backfilled, Source, backfill_bars
from tradewind_local.bars.provider import source_of
from tradewind_local.exchange.process import ExchangeProcess
from tradewind_local.exchange.simulated_market import simulated_bars

from tests.fakes import FakeClock

SESSIONS = default_table().between(date(2020, 11, 9), date(2020, 11, 12))
NOW = datetime(2020, 12, 1, 12, tzinfo=UTC)
BOTH = ("AAPL", "MSFT")


def market(sessions: Sequence[Session] = SESSIONS, symbols: Sequence[str] = BOTH) -> list[Bar]:
    """A bar for each minute of each symbol."""
    return simulated_bars(symbols, sessions, 1)


@dataclass
class FakeProvider:
    """Hands out its bars; each call first meets the next entry of ``weather``."""

    market: list[Bar]
    weather: list[Exception | None] = field(default_factory=list)
    splits_known: list[SplitFactor] = field(default_factory=list)
    asked: list[tuple[tuple[str, ...], str]] = field(default_factory=list)

    def bars(self, symbols: Sequence[str], first: datetime, last: datetime) -> list[Bar]:
        self.asked.append((tuple(symbols), f"{first:%d}-{last:%d}"))
        if self.weather and (error := self.weather.pop(0)) is not None:
            raise error
        known = {bar.symbol for bar in self.market}
        if not known & set(symbols):
            raise UnknownSymbolError(f"{symbols[0]}: invalid symbol")
        return [b for b in self.market if b.symbol in symbols and first <= b.start <= last]

    def announced(self, symbols: Sequence[str], first: date, last: date) -> Announced:
        return Announced(tuple(s for s in self.splits_known if first <= s.effective <= last))


@dataclass
class Backfill:
    database: PostgresDatabase
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))

    def run(
        self,
        provider: FakeProvider,
        symbols: Sequence[str] = BOTH,
        sessions: Sequence[Session] = SESSIONS,
        again: bool = False,
        by_month: bool = False,
    ) -> Backfilled:
        source = Source(
            "fake",
            provider,
            provider,
            symbols_a_call=1 if by_month else 100,
            together=lambda s: (s.date.year, s.date.month) if by_month else s.date,
        )
        return self.run_on(source, symbols, sessions, again)

    def run_on(
        self,
        source: Source,
        symbols: Sequence[str] = BOTH,
        sessions: Sequence[Session] = SESSIONS,
        again: bool = False,
    ) -> Backfilled:
        return backfill_bars(
            symbols,
            sessions,
            source=source,
            database=self.database,
            sessions=default_table(),
            rules=ValidationRules(),
            clock=self.clock,
            again=again,
            progress=lambda _done, _what: None,
        )

    def gaps(self, symbols: Sequence[str] = BOTH) -> int:
        with self.database.transaction() as stores:
            return sum(len(gap.minutes) for gap in stores.gaps.open_gaps(symbols, SESSIONS, NOW))


@pytest.fixture
def backfill(database: PostgresDatabase) -> Backfill:
    return Backfill(database)


def counts(done: Backfilled) -> dict[str, tuple[int, int, int]]:
    return {s: (i.stored, i.corrected, i.unchanged) for s, i in done.intakes.items()}


# -- what is asked --------------------------------------------------------------------------------


def test_every_session_is_asked_once(backfill: Backfill, ask: Any) -> None:
    provider = FakeProvider(market())
    done = backfill.run(provider)
    assert provider.asked == [(BOTH, f"{day:02}-{day:02}") for day in (9, 10, 11, 12)]
    assert counts(done) == dict.fromkeys(BOTH, (4 * 390, 0, 0))
    assert (done.asked, done.skipped, done.stopped) == (8, 0, None)
    assert backfill.gaps() == 0
    assert ask("SELECT count(*) FROM bars WHERE in_session") == [[2 * 4 * 390]]
    again = FakeProvider(market())
    done = backfill.run(again)
    assert (again.asked, done.asked, done.skipped) == ([], 0, 8)
    # Asked all the same, nothing changes.
    done = backfill.run(again, again=True)
    assert (len(again.asked), counts(done)) == (4, dict.fromkeys(BOTH, (0, 0, 4 * 390)))


def test_by_month_and_symbol_where_that_is_one_request(backfill: Backfill) -> None:
    provider = FakeProvider(market())
    backfill.run(provider, by_month=True)
    assert provider.asked == [(("AAPL",), "09-12"), (("MSFT",), "09-12")]
    assert backfill.gaps() == 0


def test_only_what_is_missing_is_asked(backfill: Backfill, ask: Any) -> None:
    backfill.run(FakeProvider(market()))
    ask("DELETE FROM bars WHERE symbol = 'MSFT' AND start = :at", at=SESSIONS[2].open + MINUTE)
    provider = FakeProvider(market())
    done = backfill.run(provider)
    assert provider.asked == [(("MSFT",), "11-11")]
    assert counts(done) == {"AAPL": (0, 0, 0), "MSFT": (1, 0, 389)}
    assert (done.asked, done.skipped) == (1, 7)


def test_minutes_without_trades_are_told_from_missing_ones(backfill: Backfill) -> None:
    """One look long after is enough; the session is complete and not asked for again."""
    quiet = {SESSIONS[0].open + minute * MINUTE for minute in (0, 7, 8, 200, 389)}
    bars = [bar for bar in market() if bar.symbol != "AAPL" or bar.start not in quiet]
    backfill.run(FakeProvider(bars))
    assert backfill.gaps() == 0
    again = FakeProvider(bars)
    assert backfill.run(again).skipped == 8
    assert again.asked == []


def test_an_outage_of_the_provider_stays_a_gap(backfill: Backfill) -> None:
    lost = {SESSIONS[0].open + minute * MINUTE for minute in range(100, 130)}
    backfill.run(FakeProvider([bar for bar in market() if bar.start not in lost]))
    # The outermost minutes of the outage have bars nearby on one side only, so nothing is quiet.
    assert backfill.gaps() == 60
    done = backfill.run(FakeProvider(market()))
    assert counts(done) == dict.fromkeys(BOTH, (30, 0, 360))
    assert backfill.gaps() == 0


def test_a_symbol_without_any_bar_is_not_taken_for_quiet(backfill: Backfill) -> None:
    backfill.run(FakeProvider(market()), symbols=("AAPL", "NOPE"))
    assert backfill.gaps(("AAPL",)) == 0
    assert backfill.gaps(("NOPE",)) == 4 * 390


def test_an_unknown_symbol_is_named_and_asked_once(backfill: Backfill) -> None:
    provider = FakeProvider(market(symbols=("MSFT",)))
    done = backfill.run(provider, by_month=False, symbols=("NOPE",))
    assert list(done.unknown) == ["NOPE"]
    assert len(provider.asked) == 1
    done = backfill.run(provider, by_month=True, symbols=("NOPE", "MSFT"))
    assert list(done.unknown) == ["NOPE"]
    assert done.intakes["MSFT"].stored == 4 * 390


def test_the_running_session_as_far_as_it_is_over(backfill: Backfill) -> None:
    backfill.clock = FakeClock(SESSIONS[-1].open + timedelta(minutes=30, seconds=2))
    done = backfill.run(FakeProvider([b for b in market() if b.start < backfill.clock.now()]))
    # The minute that is still running is refused.
    assert counts(done)["AAPL"] == (3 * 390 + 30, 0, 0)
    assert dict(done.intakes["AAPL"].rejected) == {"future": 1}


# -- what goes wrong ------------------------------------------------------------------------------


def test_a_quota_ends_it_and_it_goes_on_from_there(backfill: Backfill) -> None:
    provider = FakeProvider(market(), [None, None, DailyQuotaError("25 a day", 40_000)])
    done = backfill.run(provider)
    assert done.stopped is not None
    assert (done.stopped.error, done.stopped.cause) == ("DailyQuotaError", "25 a day")
    assert done.stopped.go_on_at == NOW + timedelta(seconds=40_000)
    assert (done.asked, counts(done)["AAPL"]) == (4, (780, 0, 0))
    provider = FakeProvider(market())
    done = backfill.run(provider)
    assert [days for _, days in provider.asked] == ["11-11", "12-12"]
    assert (done.stopped, backfill.gaps()) == (None, 0)


def test_a_short_wait_is_waited_for(backfill: Backfill) -> None:
    provider = FakeProvider(market(), [ThrottledError("slow down", 60), None])
    assert backfill.run(provider).stopped is None
    assert backfill.clock.slept == [60]


def test_a_provider_that_comes_back_is_waited_for(backfill: Backfill) -> None:
    down = ProviderUnavailableError("503")
    provider = FakeProvider(market(), [down, down, down])
    assert backfill.run(provider).stopped is None
    assert backfill.clock.slept == [5, 10, 20]
    assert backfill.gaps() == 0


@pytest.mark.parametrize(
    ("weather", "cause", "slept"),
    [
        ([None, *[ProviderUnavailableError("503")] * 4], "503", [5, 10, 20]),
        ([None, KeyRefusedError("bad key")], "bad key", []),
    ],
)
def test_a_provider_that_stays_away_or_refuses_ends_it(
    backfill: Backfill, weather: list[Exception | None], cause: str, slept: list[float]
) -> None:
    done = backfill.run(FakeProvider(market(), weather))
    assert done.stopped is not None
    assert (done.stopped.cause, done.stopped.go_on_at) == (cause, None)
    assert backfill.clock.slept == slept
    assert counts(done) == dict.fromkeys(BOTH, (390, 0, 0))


# -- prices ---------------------------------------------------------------------------------------


def halved(bars: Sequence[Bar], since: Session) -> list[Bar]:
    return [
        bar
        if bar.start < since.open
        else Bar(bar.symbol, bar.start, bar.open / 2, bar.high / 2, bar.low / 2, bar.close / 2,
                 bar.volume, bar.feed)
        for bar in bars
    ]  # fmt: skip


def test_a_split_that_nobody_told_of_is_held_and_one_that_is_known_is_not(
    backfill: Backfill,
) -> None:
    bars = halved(market(), SESSIONS[2])
    done = backfill.run(FakeProvider(bars), symbols=("AAPL",))
    assert dict(done.intakes["AAPL"].held) == {"suspected_split": 780}
    # What came but is not believed yet is a gap, not a quiet minute.
    assert backfill.gaps(("AAPL",)) == 780
    known = SplitFactor("AAPL", SESSIONS[2].date, D(2), D(1), NOW)
    done = backfill.run(FakeProvider(bars, splits_known=[known]), symbols=("AAPL",))
    assert (done.intakes["AAPL"].stored, backfill.gaps(("AAPL",))) == (780, 0)


def test_a_jump_at_the_close_is_confirmed_by_the_next_session(backfill: Backfill) -> None:
    first, second = SESSIONS[:2]

    def bar(start: datetime, price: int) -> Bar:
        return Bar("AAPL", start, D(price), D(price), D(price), D(price), 100, "iex")

    bars = [bar(first.open + n * MINUTE, 100 if n < 389 else 125) for n in range(390)]
    bars += [bar(second.open + n * MINUTE, 125) for n in range(390)]
    done = backfill.run(FakeProvider(bars), symbols=("AAPL",), sessions=(first, second))
    assert (done.intakes["AAPL"].stored, done.intakes["AAPL"].complete) == (780, True)


# -- both real providers, against the simulated exchange ------------------------------------------

WEATHER: list[dict[str, Any]] = [
    {"status": 429, "times": 2},
    {"reset": True},
    {"truncate": True},
    {"status": 503, "times": 3},
    {"status": 429, "headers": {"Retry-After": "1"}},
    {"stall": 0.6},
]


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExchangeProcess]:
    with ExchangeProcess(tmp_path_factory.mktemp("exchange")) as process:
        process.control.load_bars(market())
        process.control.set_clock(NOW, running=False)
        yield process


@pytest.mark.parametrize("name", ["alpaca", "alpha_vantage"])
def test_through_bad_weather_every_bar_is_there_once(
    backfill: Backfill,
    exchange: ExchangeProcess,
    ask: Any,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setattr(http, "READ_TIMEOUT", 0.3)
    path = {"alpaca": "/v2/stocks/bars", "alpha_vantage": "/query"}[name]
    exchange.control.add_faults([{"method": "GET", "path": path, **fault} for fault in WEATHER])
    keys = {"APCA_API_KEY_ID": "k", "APCA_API_SECRET_KEY": "s", "ALPHAVANTAGE_API_KEY": "a"}
    source = source_of(name, "iex", "900/minute", exchange.url, keys, backfill.clock)
    done = backfill.run_on(source)
    assert done.stopped is None
    assert backfill.gaps() == 0
    assert ask("SELECT count(*), count(DISTINCT (symbol, start)) FROM bars") == [[3120, 3120]]
    expected = {(bar.symbol, bar.start): bar.close for bar in market()}
    assert {(s, at): close for s, at, close in ask("SELECT symbol, start, close FROM bars")} == (
        expected
    )
    assert backfill.run_on(source).asked == 0
