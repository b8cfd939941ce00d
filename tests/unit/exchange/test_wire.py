"""How values look on the wire."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind_local.exchange.wire import (
    decimal_text,
    read_json,
    read_time,
    time_text,
    write_json,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("10", "10"),
        ("10.0", "10"),
        ("1E+2", "100"),
        ("119.50", "119.5"),
        ("0.00010", "0.0001"),
        ("0.00", "0"),
        ("-30.813", "-30.813"),
    ],
)
def test_decimals_in_strings(value: str, text: str) -> None:
    assert decimal_text(Decimal(value)) == text


def test_decimals_as_numbers_keep_every_digit() -> None:
    assert write_json({"c": Decimal("119.10"), "bars": [Decimal("119.1234")]}) == (
        '{"c":119.10,"bars":[119.1234]}'
    )
    assert read_json(b'{"limit_price": 290.10}') == {"limit_price": Decimal("290.10")}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(-1000, 1000, places=4),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_what_is_written_is_json_and_reads_back(value: object) -> None:
    assert json.loads(write_json(value), parse_float=Decimal, parse_int=Decimal) == value


def test_times() -> None:
    noon = datetime(2021, 3, 16, 12, 0, tzinfo=UTC)
    assert time_text(noon) == "2021-03-16T12:00:00Z"
    assert time_text(noon + timedelta(microseconds=937_734)) == "2021-03-16T12:00:00.937734546Z"
    assert time_text(None) is None
    assert read_time("2021-03-16T12:00:00.937734546Z") == noon + timedelta(microseconds=937_734)
    assert read_time("2021-03-16T08:00:00-04:00") == noon
    assert read_time("2021-03-16") == noon - timedelta(hours=12)
    with pytest.raises(ValueError, match="without a zone"):
        read_time("2021-03-16T12:00:00")


@given(st.datetimes(timezones=st.just(timezone(timedelta(hours=-5)))))
def test_every_microsecond_comes_back(moment: datetime) -> None:
    text = time_text(moment)
    assert text is not None
    assert read_time(text) == moment
