"""The two places where the cases run: the simulated exchange and Alpaca's paper account."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from tradewind.market.bar import MINUTE, Bar
from tradewind_local.exchange.control import ExchangeControl
from tradewind_local.exchange.process import ExchangeProcess

OPEN = datetime(2020, 11, 12, 14, 30, tzinfo=UTC)
START = OPEN + timedelta(seconds=3)
DAY = 390
PAPER_URL = "https://paper-api.alpaca.markets"
PAPER_DATA_URL = "https://data.alpaca.markets"
PAPER_KEYS = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY")
TIMEOUT = 30
CALLS_OF_A_CASE = 60
# How long a real broker may take to carry something out: so many looks, so many seconds apart.
TRIES, PAUSE = 20, 0.5


@dataclass
class Market:
    """One account, and what a case may know of the market it trades in.

    ``symbol`` is a liquid stock. Cases place orders of one share, far from ``price`` unless they
    mean to trade, and give every order an id of :meth:`new_id`. ``control`` steers the simulated
    market and is None elsewhere.
    """

    url: str
    data_url: str
    key: str
    secret: str
    symbol: str = "AAPL"
    control: ExchangeControl | None = None

    def __post_init__(self) -> None:
        # Clocks differ; what others did in that minute is told apart by its ids.
        self.begun = datetime.now(UTC) - MINUTE if self.control is None else OPEN - MINUTE
        self._run = f"conformance-{uuid4().hex[:12]}"
        self._ids = 0

    def new_id(self) -> str:
        self._ids += 1
        return f"{self._run}-{self._ids}"

    def is_ours(self, client_order_id: str) -> bool:
        return client_order_id.startswith(self._run)

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """What no client's nouns can say goes to the wire as it is."""
        headers = {"APCA-API-KEY-ID": self.key, "APCA-API-SECRET-KEY": self.secret}
        return requests.request(
            method, self.url + path, headers=headers, timeout=TIMEOUT, **options
        )

    @property
    def is_open(self) -> bool:
        return bool(self.call("GET", "/v2/clock").json()["is_open"])

    @cached_property
    def price(self) -> Decimal:
        """The last trade when it was first asked for, cut to whole cents: one for the case."""
        headers = {"APCA-API-KEY-ID": self.key, "APCA-API-SECRET-KEY": self.secret}
        answer = requests.get(
            f"{self.data_url}/v2/stocks/{self.symbol}/trades/latest?feed=iex",
            headers=headers,
            timeout=TIMEOUT,
        )
        price = Decimal(str(answer.json()["trade"]["p"]))
        return price.quantize(Decimal("0.01"), ROUND_DOWN)

    def far_below(self, share: str = "0.5") -> Decimal:
        """A price that the market will not come down to."""
        return (self.price * Decimal(share)).quantize(Decimal("0.01"))

    def far_above(self) -> Decimal:
        return (self.price * 2).quantize(Decimal("0.01"))

    @property
    def simulated(self) -> ExchangeControl:
        """The control of the simulated market; other markets skip the case."""
        if self.control is None:
            pytest.skip("needs a market whose clock and prices can be set")
        return self.control

    def at(self, minute: int, second: float = 3) -> None:
        """Move the simulated market to a moment of its session."""
        now = OPEN + minute * MINUTE + timedelta(seconds=second)
        self.simulated.set_clock(now, running=False)

    def needs_open_session(self) -> None:
        """For cases that trade: market orders wait for the opening otherwise."""
        if not self.is_open:
            pytest.skip("the market is closed, and this case trades")

    def wait_for_budget(self) -> None:
        """Begin a case with enough calls left in the broker's minute."""
        headers = self.call("GET", "/v2/clock").headers
        if int(headers.get("X-RateLimit-Remaining", CALLS_OF_A_CASE)) < CALLS_OF_A_CASE:
            time.sleep(max(0.0, int(headers["X-RateLimit-Reset"]) - time.time()) + 1)

    def until(self, true: Callable[[], bool]) -> bool:
        """Whether something comes true: at once in the simulated market, in a while elsewhere."""
        for _ in range(1 if self.control is not None else TRIES):
            if true():
                return True
            time.sleep(0 if self.control is not None else PAUSE)
        return False

    def clean_up(self) -> None:
        """Cancel what a case left, and sell what it bought."""
        for order in self._own_orders("open"):
            self.call("DELETE", f"/v2/orders/{order['id']}")
        self.until(lambda: not self._own_orders("open"))
        bought = sum(
            (
                Decimal(order["filled_qty"]) * (1 if order["side"] == "buy" else -1)
                for order in self._own_orders("all")
            ),
            Decimal(0),
        )
        if bought > 0:
            self.call("DELETE", f"/v2/positions/{self.symbol}", params={"qty": str(bought)})

    def _own_orders(self, status: str) -> list[dict[str, Any]]:
        after = self.begun.isoformat().replace("+00:00", "Z")
        query = {"status": status, "after": after, "limit": 500}
        found: list[dict[str, Any]] = self.call("GET", "/v2/orders", params=query).json()
        return [order for order in found if self.is_ours(order["client_order_id"])]


def simulated_bars() -> list[Bar]:
    """A whole session of two symbols, each minute flat: 100 for ten minutes, then 104, 96, and 100
    from the thirtieth on; a minute of the evening before."""

    def bar(symbol: str, start: datetime, price: int) -> Bar:
        return Bar(symbol, start, *(Decimal(price),) * 4, volume=500, feed="test")

    prices = [100] * 10 + [104] * 10 + [96] * 10 + [100] * (DAY - 30)
    evening = datetime(2020, 11, 11, 20, 59, tzinfo=UTC)
    return [
        bar(symbol, start, price)
        for symbol in ("AAPL", "MSFT")
        for start, price in [
            (evening, 100),
            *((OPEN + minute * MINUTE, price) for minute, price in enumerate(prices)),
        ]
    ]


def start_simulated(state: Path) -> ExchangeProcess:
    process = ExchangeProcess(state).start()
    process.control.load_bars(simulated_bars())
    process.control.set_clock(START, running=False)
    return process


def simulated_market(process: ExchangeProcess) -> Market:
    process.control.reset(now=START)
    return Market(process.url, process.url, "key", "secret", control=process.control)


def paper_market(environment: Callable[[str], str | None]) -> Market:
    """Alpaca's paper account; the case is skipped without its keys."""
    key, secret = (environment(name) for name in PAPER_KEYS)
    if not key or not secret:
        pytest.skip(f"the paper account needs {' and '.join(PAPER_KEYS)} in the environment")
    url = (environment("APCA_PAPER_URL") or PAPER_URL).rstrip("/")
    market = Market(url, PAPER_DATA_URL, key, secret)
    market.wait_for_budget()
    return market
