"""The data provider of a backfill, with keys from the environment."""

from __future__ import annotations

from collections.abc import Mapping

from tradewind.adapters.alpaca.corporate_actions import AlpacaCorporateActions
from tradewind.adapters.alpaca.credentials import ApiKey
from tradewind.adapters.alpaca.market_data import AlpacaMarketData
from tradewind.adapters.alpha_vantage.market_data import AlphaVantageMarketData
from tradewind.errors import InvalidInputError
from tradewind.market.request_limits import RequestLimits
from tradewind.settings import USUAL_LIMITS
from tradewind.use_cases.backfill_bars import Source
from tradewind.use_cases.ports import Clock

from tradewind_local.address import checked_address
from tradewind_local.bars.budget import OwnBudget

_URLS = {"alpaca": "https://data.alpaca.markets", "alpha_vantage": "https://www.alphavantage.co"}
KEYS = {
    "alpaca": ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"),
    "alpha_vantage": ("ALPHAVANTAGE_API_KEY",),
}
# A session of so many symbols is four pages of Alpaca's.
_ALPACA_SYMBOLS = 100


def source_of(
    name: str,
    feed: str,
    requests: str | None,
    url: str | None,
    variables: Mapping[str, str],
    clock: Clock,
) -> Source:
    """``name`` is ``alpaca`` or ``alpha_vantage``. InvalidInputError names what is missing."""
    keys = _keys(name, variables)
    address = _URLS[name]
    if url is not None:
        address = checked_address(f"--url {url!r}", url, like=_URLS["alpaca"])
    budget = OwnBudget(RequestLimits.parse(requests or USUAL_LIMITS[name]))
    if name == "alpha_vantage":
        # A symbol's month costs one request, whatever is wanted of it.
        return Source(
            name=name,
            provider=AlphaVantageMarketData(address, keys[0], clock, budget),
            corporate_actions=None,
            symbols_a_call=1,
            together=lambda session: (session.date.year, session.date.month),
        )
    credentials = ApiKey(keys[0], keys[1])
    return Source(
        name=f"{name} {feed}",
        provider=AlpacaMarketData(address, feed, credentials, clock, budget),
        corporate_actions=AlpacaCorporateActions(address, credentials, clock, budget),
        symbols_a_call=_ALPACA_SYMBOLS,
        together=lambda session: session.date,
    )


def _keys(name: str, variables: Mapping[str, str]) -> list[str]:
    missing = [key for key in KEYS[name] if not variables.get(key, "").strip()]
    if missing:
        raise InvalidInputError(
            f"--provider {name} needs {' and '.join(missing)} in the environment"
        )
    return [variables[key].strip() for key in KEYS[name]]
