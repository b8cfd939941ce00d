"""Fixtures of the exchange's unit tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tests.unit.exchange.desk import Candle, Desk


@pytest.fixture
def desk() -> Callable[..., Desk]:
    """Build a desk from candles of AAPL, or from candles by symbol."""

    def build(*aapl: Candle, **others: Sequence[Candle]) -> Desk:
        return Desk({**({"AAPL": aapl} if aapl else {}), **others})

    return build
