"""What every provider promises, held by each against the same simulated exchange."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

import pytest
from tradewind.adapters import http
from tradewind.errors import (
    ProviderRefusedError,
    ProviderUnavailableError,
    ThrottledError,
    UnknownSymbolError,
)
from tradewind.market.bar import MINUTE

from tests.integration.providers.conftest import NO_TRADE, SESSIONS, Venue, table

BOTH = ("AAPL", "MSFT")
both_eras = pytest.mark.parametrize("session_date", SESSIONS)


# -- what comes ------------------------------------------------------------------------------


@both_eras
def test_the_minutes_that_a_tick_reads(venue: Venue) -> None:
    """The last ten minutes, as each run reads them."""
    first = venue.last - 9 * MINUTE
    bars = venue.fetch(BOTH, first, venue.last)
    assert table(bars) == venue.expected(BOTH, first, venue.last)
    assert len(bars) == 20


@both_eras
def test_a_session_from_its_first_minute(venue: Venue) -> None:
    bars = venue.fetch(BOTH, venue.session.open, venue.last)
    assert table(bars) == venue.expected(BOTH, venue.session.open, venue.last)
    starts = sorted(bar.start for bar in bars if bar.symbol == "AAPL")
    assert starts[0] == venue.session.open
    assert starts[-1] == venue.last
    assert venue.session.open + NO_TRADE * MINUTE not in starts  # no trade, no bar
    assert all(bar.start.tzinfo is UTC and not bar.start.second for bar in bars)


@both_eras
def test_a_session_of_the_past(venue: Venue) -> None:
    """A whole day, closing minute included and nothing after it."""
    opened = min(bar.start for bar in venue.bars) + 30 * MINUTE
    closes = opened + timedelta(hours=6, minutes=29)
    bars = venue.fetch(BOTH, opened, closes)
    assert table(bars) == venue.expected(BOTH, opened, closes)
    assert len(bars) == 2 * 390 - 1


def test_each_bar_says_where_it_comes_from(venue: Venue) -> None:
    (bar,) = venue.fetch(("AAPL",), venue.last, venue.last)
    assert bar.feed == {"alpaca": "iex", "alpha_vantage": "alpha_vantage"}[venue.name]


def test_a_minute_that_is_not_over_is_not_given(venue: Venue) -> None:
    bars = venue.fetch(BOTH, venue.last, venue.last + 5 * MINUTE)
    assert {bar.start for bar in bars} == {venue.last}


def test_the_minute_is_given_as_soon_as_it_is_over(venue: Venue) -> None:
    running = venue.last + MINUTE
    assert venue.fetch(BOTH, running, running) == []
    venue.clock.sleep(60)
    venue.exchange.control.set_clock(venue.clock.now(), running=False)
    assert len(venue.fetch(BOTH, running, running)) == 2


def test_a_range_without_trades_is_empty(venue: Venue) -> None:
    quiet = venue.session.open + NO_TRADE * MINUTE
    assert venue.fetch(("AAPL",), quiet, quiet) == []
    night = venue.session.open - timedelta(hours=8)
    assert venue.fetch(BOTH, night, night + timedelta(hours=1)) == []


def test_an_unknown_symbol_does_not_cost_the_known_ones(venue: Venue) -> None:
    bars = venue.fetch(("AAPL", "NOPE", "MSFT"), venue.last, venue.last)
    assert [bar.symbol for bar in bars] == ["AAPL", "MSFT"]


def test_an_unknown_symbol_alone(venue: Venue) -> None:
    """Alpaca has no word for it: a symbol without bars. Alpha Vantage says so."""
    if venue.name == "alpaca":
        assert venue.fetch(("NOPE",), venue.last, venue.last) == []
    else:
        with pytest.raises(UnknownSymbolError, match="NOPE"):
            venue.fetch(("NOPE",), venue.last, venue.last)


def test_a_symbol_named_twice_comes_once(venue: Venue) -> None:
    assert len(venue.fetch(("AAPL", "AAPL"), venue.last, venue.last)) == 1


# -- what goes wrong and passes --------------------------------------------------------------

# What happens to a request. None of it may change what is given in the end.
PASSING: list[tuple[str, dict[str, Any]]] = [
    ("throttled", {"status": 429}),
    ("throttled with a time", {"status": 429, "headers": {"Retry-After": "1"}}),
    ("a server error", {"status": 500}),
    ("unavailable", {"status": 503}),
    ("a gateway's timeout", {"status": 504}),
    ("cut off", {"reset": True}),
    ("half an answer", {"truncate": True}),
    ("a stall", {"stall": 0.6}),
    ("two storms", {"status": 429, "times": 2}),
]


@pytest.mark.parametrize("fault", [row[1] for row in PASSING], ids=[row[0] for row in PASSING])
def test_what_passes_changes_nothing(
    venue: Venue, fault: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "READ_TIMEOUT", 0.3)
    venue.fault(**fault)
    first = venue.last - 9 * MINUTE
    assert table(venue.fetch(BOTH, first, venue.last)) == venue.expected(BOTH, first, venue.last)


def test_an_answer_that_comes_again(venue: Venue) -> None:
    """A cache hands out the answer before: the page before, or that of the symbol before."""
    provider = venue.provider()
    first = venue.last - 9 * MINUTE
    provider.bars(("MSFT",), first, venue.last)
    venue.fault(repeat=True)
    assert table(provider.bars(("AAPL",), first, venue.last)) == venue.expected(
        ("AAPL",), first, venue.last
    )


@pytest.mark.parametrize("provider_name", ["alpaca"])  # the other has no pages
def test_a_repeated_page(
    venue: Venue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A page once more instead of the next one: every bar is there once all the same."""
    monkeypatch.setattr("tradewind.adapters.alpaca.market_data.PAGE", 7)
    first = venue.last - 9 * MINUTE
    provider = venue.provider()
    provider.bars(BOTH, first, first + 3 * MINUTE)  # some page to begin with
    before = venue.requests()
    expected = venue.expected(BOTH, first, venue.last)
    assert table(provider.bars(BOTH, first, venue.last)) == expected
    assert venue.requests() - before == 3
    # Let the second request of three meet the first one's answer.
    monkeypatch.setattr(provider, "_transport", _RepeatsSecond(provider, venue))
    assert table(provider.bars(BOTH, first, venue.last)) == expected
    assert "a page came again instead of the next" in caplog.text


class _RepeatsSecond:
    """Scripts the fault between the first page and the second."""

    def __init__(self, provider: Any, venue: Venue) -> None:
        self._transport = provider._transport
        self._venue = venue
        self._pages = 0

    def get(self, url: str, query: Any, read: Any) -> Any:
        self._pages += 1
        if self._pages == 2:
            self._venue.fault(repeat=True)
        return self._transport.get(url, query, read)


# -- what does not pass ----------------------------------------------------------------------

LASTING: list[tuple[str, dict[str, Any], type[Exception]]] = [
    ("throttled", {"status": 429}, ThrottledError),
    ("down", {"status": 503}, ProviderUnavailableError),
    ("cut off", {"reset": True}, ProviderUnavailableError),
    ("half an answer", {"truncate": True}, ProviderUnavailableError),
    ("unauthorised", {"status": 401, "body": {"message": "x"}}, ProviderRefusedError),
    ("forbidden", {"status": 403, "body": {"message": "x"}}, ProviderRefusedError),
]


@pytest.mark.parametrize(
    ("fault", "error"), [row[1:] for row in LASTING], ids=[row[0] for row in LASTING]
)
def test_what_lasts_has_a_type(venue: Venue, fault: dict[str, Any], error: type[Exception]) -> None:
    venue.fault(**fault, times=99)
    with pytest.raises(error):
        venue.fetch(BOTH, venue.last, venue.last)


def test_a_time_beyond_our_patience_is_handed_on(venue: Venue) -> None:
    venue.fault(status=429, headers={"Retry-After": "30"})
    with pytest.raises(ThrottledError) as thrown:
        venue.fetch(BOTH, venue.last, venue.last)
    assert thrown.value.retry_after == 30
    # It was asked once, and asking later works.
    assert len(venue.fetch(BOTH, venue.last, venue.last)) == 2


def test_a_stall_without_end_is_given_up(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "READ_TIMEOUT", 0.2)
    venue.fault(stall=0.5, times=99)
    with pytest.raises(ProviderUnavailableError):
        venue.fetch(("AAPL",), venue.last, venue.last)


# -- an hour of bad weather ------------------------------------------------------------------


def test_each_minute_of_a_stormy_half_hour_arrives(venue: Venue) -> None:
    """A tick a minute, each reading the last ten; each meets another fault on its way."""
    begin = venue.session.open + MINUTES_BEFORE * MINUTE
    collected = {}
    provider = venue.provider()
    for minute in range(30):
        now = venue.last + MINUTE * (minute + 1)
        venue.clock.sleep((now + timedelta(seconds=3) - venue.clock.now()).total_seconds())
        venue.exchange.control.set_clock(venue.clock.now(), running=False)
        if minute < 29:  # at last the sun comes out
            venue.fault(**WEATHER[minute % len(WEATHER)])
        try:
            bars = provider.bars(BOTH, now - 10 * MINUTE, now - MINUTE)
        except (ProviderUnavailableError, ThrottledError):
            continue  # the next minute reads it again
        collected.update(table(bars))
    end = venue.last + 29 * MINUTE
    assert collected == venue.expected(BOTH, begin, end)


MINUTES_BEFORE = 120  # the first tick's ten minutes begin here
WEATHER: list[dict[str, Any]] = [
    {"status": 429, "times": 2},
    {"reset": True},
    {"truncate": True},
    {"status": 503},
    {"repeat": True},
    {"status": 429, "headers": {"Retry-After": "120"}},
]
