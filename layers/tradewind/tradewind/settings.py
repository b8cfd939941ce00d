"""The environment, parsed once into typed settings. ``template.yaml`` sets every name used here.

Four names are set by the local twin only and never by the template: ``AWS_ENDPOINT_URL`` (read by
boto3), ``CLOCK_URL`` (the replayed market's clock), ``DATABASE_PASSWORD`` and ``DATABASE_TLS``.
The last three are refused unless they point to this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from urllib.parse import urlparse

from tradewind.errors import InvalidInputError
from tradewind.market.request_limits import RequestLimits

LIVE_TRADING_HOST = "api.alpaca.markets"
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
TRADING_MODES = ("shadow", "paper", "live")

# What each provider's smallest plan allows. Alpaca counts 200 a minute for data and 200 for orders;
# a quarter is left for orders all the same, should an account ever have both counted together.
USUAL_LIMITS = {"alpaca": "150/minute", "alpha_vantage": "1/second,25/day"}


class Environment:
    """Reads typed values out of environment variables; every error names the variable."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def text(self, name: str) -> str:
        value = self._variables.get(name, "").strip()
        if not value:
            raise InvalidInputError(f"environment variable {name} is not set")
        return value

    def optional(self, name: str) -> str | None:
        return self._variables.get(name, "").strip() or None

    def integer(self, name: str, least: int) -> int:
        text = self.text(name)
        try:
            value = int(text)
        except ValueError as error:
            raise InvalidInputError(
                f"environment variable {name}: {text!r} is not a whole number"
            ) from error
        if value < least:
            raise InvalidInputError(f"environment variable {name}: {value} is below {least}")
        return value

    def positive(self, name: str) -> Decimal:
        text = self.text(name)
        try:
            value = Decimal(text)
        except InvalidOperation as error:
            raise InvalidInputError(
                f"environment variable {name}: {text!r} is not a number"
            ) from error
        if not value.is_finite() or value <= 0:
            raise InvalidInputError(f"environment variable {name}: {text} is not above zero")
        return value

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name)
        if value not in allowed:
            raise InvalidInputError(
                f"environment variable {name}: {value!r} is none of {', '.join(allowed)}"
            )
        return value


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """Which account trades what, and how. ``deployment`` tells this stack from any other that may
    have been given the same account."""

    deployment: str
    account: str
    mode: str
    symbols: tuple[str, ...]

    @classmethod
    def read(cls, env: Environment) -> AccountSettings:
        symbols = tuple(part.strip() for part in env.text("SYMBOLS").split(",") if part.strip())
        if len(set(symbols)) != len(symbols):
            raise InvalidInputError("environment variable SYMBOLS names a symbol twice")
        return cls(
            env.text("DEPLOYMENT"),
            env.text("ACCOUNT"),
            env.choice("TRADING_MODE", TRADING_MODES),
            symbols,
        )


@dataclass(frozen=True, slots=True)
class StrategySettings:
    """Parameters of the SMA crossover, in bars."""

    sma_fast: int
    sma_slow: int

    @classmethod
    def read(cls, env: Environment) -> StrategySettings:
        return cls(env.integer("SMA_FAST", 2), env.integer("SMA_SLOW", 3))


def hold_overnight(env: Environment) -> bool:
    """Whether positions stay open when the session ends."""
    return env.choice("HOLD_OVERNIGHT", ("true", "false")) == "true"


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """Where the broker listens and where its keys are kept. The live market's address is refused
    unless the mode is live."""

    trading_url: str
    secret: str

    @classmethod
    def read(cls, env: Environment) -> BrokerSettings:
        url, mode = env.text("TRADING_URL"), env.optional("TRADING_MODE")
        if urlparse(url).hostname == LIVE_TRADING_HOST and mode != "live":
            raise InvalidInputError(
                f"TRADING_URL {url} trades with real money and TRADING_MODE is "
                f"{mode or 'not set'}, not live: use https://paper-api.alpaca.markets, "
                "or set the mode to live"
            )
        return cls(url, env.text("BROKER_SECRET"))

    @classmethod
    def paper(cls, env: Environment) -> BrokerSettings | None:
        """The paper account that takes a live account's entries while its circuit breaker is open;
        None without one."""
        url, secret = env.optional("PAPER_TRADING_URL"), env.optional("PAPER_BROKER_SECRET")
        if url is None or secret is None:
            return None
        if urlparse(url).hostname == LIVE_TRADING_HOST:
            raise InvalidInputError(f"PAPER_TRADING_URL {url} trades with real money")
        return cls(url, secret)


@dataclass(frozen=True, slots=True)
class MarketDataSettings:
    """Where bars come from. ``feed`` is Alpaca's and says nothing to Alpha Vantage."""

    provider: str
    url: str
    feed: str
    secret: str
    limits: RequestLimits

    @classmethod
    def read(cls, env: Environment) -> MarketDataSettings:
        provider = env.choice("DATA_PROVIDER", tuple(USUAL_LIMITS))
        limits = RequestLimits.parse(env.optional("DATA_REQUESTS") or USUAL_LIMITS[provider])
        if provider == "alpha_vantage":
            url, secret = env.text("ALPHA_VANTAGE_URL"), env.text("ALPHA_VANTAGE_SECRET")
            return cls(provider, url, "", secret, limits)
        url, secret = env.text("MARKET_DATA_URL"), env.text("BROKER_SECRET")
        return cls(provider, url, env.choice("DATA_FEED", ("iex", "sip")), secret, limits)


@dataclass(frozen=True, slots=True)
class HardLimits:
    """What ``place_order`` enforces whatever its input says; core functions cannot write these.

    Notionals in USD. Requests per 15 minutes: ``request_budget`` for entries and repricing, and
    ``request_reserve`` on top of it for exits, cancels and protection only.
    """

    request_budget: int
    request_reserve: int
    max_orders_per_day: int
    max_notional_per_order: Decimal
    max_notional_per_day: Decimal

    @classmethod
    def read(cls, env: Environment) -> HardLimits:
        return cls(
            env.integer("REQUEST_BUDGET", 1),
            env.integer("REQUEST_RESERVE", 0),
            env.integer("MAX_ORDERS_PER_DAY", 1),
            env.positive("MAX_NOTIONAL_PER_ORDER"),
            env.positive("MAX_NOTIONAL_PER_DAY"),
        )


@dataclass(frozen=True, slots=True)
class RiskSettings:
    """What risk is told. The first three are :class:`HardLimits`' own: what would be blocked later
    is refused with its reason."""

    max_orders_per_day: int
    max_notional_per_order: Decimal
    max_notional_per_day: Decimal
    restricted_symbols: str
    protections_off: tuple[str, ...]

    @classmethod
    def read(cls, env: Environment) -> RiskSettings:
        off = env.optional("PROTECTIONS_OFF") or ""
        return cls(
            env.integer("MAX_ORDERS_PER_DAY", 1),
            env.positive("MAX_NOTIONAL_PER_ORDER"),
            env.positive("MAX_NOTIONAL_PER_DAY"),
            env.optional("RESTRICTED_SYMBOLS") or "",
            tuple(part.strip() for part in off.split(",") if part.strip()),
        )


def sets_account_configuration(env: Environment) -> bool:
    """Whether a brokerage account that is set up wrongly is set right by us."""
    return env.choice("SET_ACCOUNT_CONFIGURATION", ("true", "false")) == "true"


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """``password`` None means an IAM token, made anew for each connection."""

    host: str
    port: int
    name: str
    user: str
    tls: str
    password: str | None

    @classmethod
    def read(cls, env: Environment) -> DatabaseSettings:
        host = env.text("DATABASE_HOST")
        password = env.optional("DATABASE_PASSWORD")
        tls = env.optional("DATABASE_TLS") or "verify-full"
        if tls not in ("verify-full", "off"):
            raise InvalidInputError(f"environment variable DATABASE_TLS: {tls!r} is unknown")
        if (password or tls == "off") and host not in LOOPBACK_HOSTS:
            raise InvalidInputError(
                f"DATABASE_PASSWORD and DATABASE_TLS=off are for this machine only, not {host!r}"
            )
        return cls(
            host,
            env.integer("DATABASE_PORT", 1),
            env.text("DATABASE_NAME"),
            env.text("DATABASE_USER"),
            tls,
            password,
        )


def clock_url(env: Environment) -> str | None:
    """The replayed market's clock, or None for the real one."""
    url = env.optional("CLOCK_URL")
    if url and urlparse(url).hostname not in LOOPBACK_HOSTS:
        raise InvalidInputError(f"CLOCK_URL is for this machine only, not {url!r}")
    return url
