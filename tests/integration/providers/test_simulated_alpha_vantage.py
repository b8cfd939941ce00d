"""The exchange's other tongue: Alpha Vantage's answers and refusals, byte for byte where known."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from tradewind.market.bar import MINUTE

from tests.integration.providers.conftest import SESSIONS, Venue

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "data" / "fixtures_alphavantage"


@pytest.fixture
def provider_name() -> str:
    return "alpha_vantage"


def ask(venue: Venue, **query: str) -> Any:
    parameters = {
        "function": "TIME_SERIES_INTRADAY",
        "symbol": "MSFT",
        "interval": "1min",
        "apikey": "key",
        "entitlement": "realtime",
        "extended_hours": "false",
        **query,
    }
    response = requests.get(venue.exchange.url + "/query", parameters, timeout=10)
    assert response.status_code == 200
    return response.json()


def labels(body: Any) -> list[str]:
    return list(body["Time Series (1min)"])


# Date; the labels of the regular session's first and last minute, and of the newest one.
ERAS = [
    (SESSIONS[0], ("2020-11-11 09:31:00", "2020-11-11 16:00:00"), "2020-11-12 11:40:00"),
    (SESSIONS[1], ("2026-07-14 09:30:00", "2026-07-14 15:59:00"), "2026-07-15 11:39:00"),
]


@pytest.mark.parametrize(("session_date", "yesterday", "newest"), ERAS)
def test_labels_are_those_of_their_years(
    venue: Venue, yesterday: tuple[str, str], newest: str
) -> None:
    found = labels(ask(venue, outputsize="full"))
    assert found[0] == newest
    assert found == sorted(found, reverse=True)
    day = [label for label in found if label.startswith(yesterday[0][:10])]
    assert (day[-1], day[0]) == yesterday


def test_the_body_has_the_recorded_form(venue: Venue) -> None:
    """Keys and formats of the body recorded in 2020, which is the same but for its interval."""
    file = RECORDED / "TIME_SERIES_INTRADAY_5min_IBM_2020.json"
    if not file.is_file():
        pytest.skip("../shared/data is absent")
    recorded = json.loads(file.read_text().replace("5min", "1min"))
    body = ask(venue, outputsize="full")
    assert body.keys() == recorded.keys()
    assert body["Meta Data"].keys() == recorded["Meta Data"].keys()
    for name in ("1. Information", "4. Interval", "5. Output Size", "6. Time Zone"):
        assert body["Meta Data"][name] == recorded["Meta Data"][name]
    ours, theirs = (next(iter(each["Time Series (1min)"].values())) for each in (body, recorded))
    assert ours.keys() == theirs.keys()
    assert ours["1. open"] == "216.4134"


def test_what_is_left_out(venue: Venue) -> None:
    assert len(labels(ask(venue))) == 100  # compact
    full = labels(ask(venue, outputsize="full"))
    assert len(full) == 3 * 390 + 130
    by_month = labels(ask(venue, outputsize="full", month="2026-07"))
    assert by_month == full
    assert labels(ask(venue, month="2026-06")) == []
    # Extended hours are there unless they are not wanted.
    extended = set(labels(ask(venue, outputsize="full", extended_hours="true")))
    assert "2026-07-15 09:00:00" in extended - set(full)
    # Without real time in the plan the day's bars are not out yet.
    delayed = labels(ask(venue, outputsize="full", entitlement=""))
    assert delayed[0] == "2026-07-14 15:59:00"


def test_refusals_are_the_recorded_ones(venue: Venue) -> None:
    file = RECORDED / "notice_bodies.json"
    if not file.is_file():
        pytest.skip("../shared/data is absent")
    recorded = {row["kind"]: row["body"] for row in json.loads(file.read_text())}
    assert ask(venue, apikey="") == recorded["bad_key"]
    for wrong in ({"symbol": "NOPE"}, {"interval": "5min"}, {"function": "X"}, {"month": "2026"}):
        assert ask(venue, **wrong) == recorded["bad_symbol_or_call"]


def test_other_refusals_are_scripted(venue: Venue) -> None:
    said = {"Information": "Please consider spreading out your free API requests"}
    venue.fault(status=200, body=said)
    assert ask(venue) == said
    assert len(labels(ask(venue))) == 100


def test_half_an_answer_and_the_one_before(venue: Venue) -> None:
    whole = requests.get(venue.exchange.url + "/query", timeout=10).content
    venue.fault(truncate=True)
    half = requests.get(venue.exchange.url + "/query", timeout=10).content
    assert half == whole[: len(whole) // 2]
    before = ask(venue)
    venue.fault(repeat=True)
    assert ask(venue, symbol="AAPL") == before
    assert ask(venue, symbol="AAPL") != before


def test_a_repeat_with_nothing_before_is_the_true_answer(venue: Venue) -> None:
    venue.fault(repeat=True)
    assert len(labels(ask(venue))) == 100


def test_the_clock_moves_the_newest_label(venue: Venue) -> None:
    venue.exchange.control.set_clock(venue.clock.now() + timedelta(minutes=2), running=False)
    newest = venue.last + 2 * MINUTE
    assert labels(ask(venue))[0] == f"2026-07-15 {newest.hour - 4}:{newest.minute}:00"
