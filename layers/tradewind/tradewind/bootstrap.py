"""The only wiring: settings and adapters, built when first asked for and reused while warm.

Each builder imports its adapter inside, so that a function pays at cold start only for what it
uses, and importing this module needs no environment and no network.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from tradewind import settings
from tradewind.errors import InvalidInputError

if TYPE_CHECKING:
    from tradewind.adapters.alpaca.credentials import Credentials
    from tradewind.adapters.postgres.connection import DatabaseAddress
    from tradewind.adapters.postgres.database import PostgresDatabase
    from tradewind.adapters.secrets import Secrets
    from tradewind.alerts.model import Channel
    from tradewind.market.bar_months import BarArchive
    from tradewind.market.ports import (
        CorporateActionProvider,
        MarketDataProvider,
        RequestBudget,
    )
    from tradewind.orders.control import TradingControl
    from tradewind.orders.ports import Broker
    from tradewind.reports.ports import ReportStore
    from tradewind.risk.allocation import Allotment
    from tradewind.risk.limits import RiskLimits
    from tradewind.strategies.configuration import Assignment, Entry
    from tradewind.strategies.protocol import Strategy
    from tradewind.use_cases.assess_risk import RiskRules
    from tradewind.use_cases.backtest_runs import Engine
    from tradewind.use_cases.backtesting import BacktestRegistry
    from tradewind.use_cases.migrate_schema import Migrator
    from tradewind.use_cases.place_order import Submitter
    from tradewind.use_cases.ports import AlertPublisher, Clock, Payloads, TradingCycleStarter
    from tradewind.use_cases.predict_trend import TrendModel
    from tradewind.use_cases.reference_backtest import Deployed
    from tradewind.use_cases.refresh_broker_token import BrokerSecret, TokenIssuer

# Every AWS call has its own time limits; the SDK's own retries are few and jittered.
CONNECT_TIMEOUT = 2
READ_TIMEOUT = 5
ATTEMPTS = 3
# The control table answers in milliseconds. One that stalls is asked up to twice on the way
# of an exit, which has to be sold within its function's 30 s.
CONTROL_READ_TIMEOUT = 3
CONTROL_ATTEMPTS = 2
# A statement of the nightly maintenance; its function may take 900 in all.
MAINTENANCE_SECONDS = 300.0
# One that hashes years of a symbol's bars, for which somebody waits at the API.
RESEARCH_SECONDS = 20.0
# A function that is called by another one answers before the API gives up at 29 s; called once.
CALL_TIMEOUT = 25


@cache
def environment() -> settings.Environment:
    return settings.Environment(os.environ)


@cache
def account() -> settings.AccountSettings:
    return settings.AccountSettings.read(environment())


@cache
def client(service: str) -> Any:
    """A boto3 client with explicit timeouts."""
    import boto3
    from botocore.config import Config

    read_timeout, attempts = {
        "dynamodb": (CONTROL_READ_TIMEOUT, CONTROL_ATTEMPTS),
        "lambda": (CALL_TIMEOUT, 1),
    }.get(service, (READ_TIMEOUT, ATTEMPTS))
    return boto3.client(
        service,
        config=Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=read_timeout,
            retries={"mode": "standard", "total_max_attempts": attempts},
            # What we pass by reference carries a SHA-256 of our own, which is checked on reading.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


@cache
def clock() -> Clock:
    from tradewind.adapters.clock import ReplayClock, SystemClock

    url = settings.clock_url(environment())
    return ReplayClock(url) if url else SystemClock()


@cache
def _secrets() -> Secrets:
    from tradewind.adapters.secrets import Secrets

    return Secrets(client("secretsmanager"))


def _credentials(secret: str, *, anew: bool = False) -> Credentials:
    from tradewind.adapters.alpaca.credentials import credentials_of

    return credentials_of(secret, _secrets().values(secret, anew=anew))


def broker() -> Broker:
    where = settings.BrokerSettings.read(environment())
    return _broker(where, _credentials(where.secret))


def paper_broker() -> Broker | None:
    """Where a live account's entries go while its circuit breaker is open; None: nowhere."""
    where = settings.BrokerSettings.paper(environment())
    return _broker(where, _credentials(where.secret)) if where is not None else None


@lru_cache(maxsize=2)
def _broker(where: settings.BrokerSettings, credentials: Credentials) -> Broker:
    """Made anew when the credentials have changed."""
    from tradewind.adapters.alpaca.broker import AlpacaBroker

    return AlpacaBroker(
        where.trading_url, credentials, lambda: _credentials(where.secret, anew=True)
    )


@cache
def token_issuer() -> TokenIssuer:
    from tradewind.adapters.alpaca.tokens import AlpacaTokens

    return AlpacaTokens(environment().text("TOKEN_URL"))


@cache
def broker_secret() -> BrokerSecret:
    from tradewind.adapters.secrets import StoredSecret

    return StoredSecret(_secrets(), environment().text("BROKER_SECRET"))


def market_data() -> MarketDataProvider:
    """The provider that DATA_PROVIDER names, paced together with all other functions."""
    where = settings.MarketDataSettings.read(environment())
    if where.provider == "alpha_vantage":
        return _alpha_vantage(where, *_secrets().read(where.secret, "api_key"))
    return _alpaca_data(where, _credentials(where.secret))


@lru_cache(maxsize=1)
def _alpha_vantage(where: settings.MarketDataSettings, key: str) -> MarketDataProvider:
    """Made anew when the key has changed."""
    from tradewind.adapters.alpha_vantage.market_data import AlphaVantageMarketData

    return AlphaVantageMarketData(where.url, key, clock(), _request_budget(where))


@lru_cache(maxsize=1)
def _alpaca_data(
    where: settings.MarketDataSettings, credentials: Credentials
) -> MarketDataProvider:
    """Made anew when the credentials have changed."""
    from tradewind.adapters.alpaca.market_data import AlpacaMarketData

    return AlpacaMarketData(where.url, where.feed, credentials, clock(), _request_budget(where))


def corporate_actions() -> CorporateActionProvider | None:
    """Alpaca's corporate actions; None with a provider that tells of none."""
    where = settings.MarketDataSettings.read(environment())
    if where.provider != "alpaca":
        return None
    return _corporate_actions(where, _credentials(where.secret))


@lru_cache(maxsize=1)
def _corporate_actions(
    where: settings.MarketDataSettings, credentials: Credentials
) -> CorporateActionProvider:
    from tradewind.adapters.alpaca.corporate_actions import AlpacaCorporateActions

    return AlpacaCorporateActions(where.url, credentials, clock(), _request_budget(where))


@cache
def _request_budget(where: settings.MarketDataSettings) -> RequestBudget:
    from tradewind.adapters.request_budget import ControlTableBudget

    table = environment().text("CONTROL_TABLE")
    return ControlTableBudget(client("dynamodb"), table, {where.provider: where.limits})


@cache
def payloads() -> Payloads:
    from tradewind.adapters.s3 import S3Objects

    return S3Objects(client("s3"), environment().text("PAYLOAD_BUCKET"))


@cache
def bar_archive() -> BarArchive:
    from tradewind.adapters.bar_archive import S3BarArchive

    return S3BarArchive(client("s3"), environment().text("ARCHIVE_BUCKET"))


@cache
def report_store() -> ReportStore:
    from tradewind.adapters.report_store import S3ReportStore

    return S3ReportStore(client("s3"), environment().text("ARCHIVE_BUCKET"))


def bar_retention_months() -> int:
    """Whole months of bars before the current one that stay in PostgreSQL; 0: all."""
    return environment().integer("BAR_RETENTION_MONTHS", 0)


@cache
def control() -> TradingControl:
    from tradewind.adapters.dynamodb import ControlTable

    return ControlTable(client("dynamodb"), environment().text("CONTROL_TABLE"))


@cache
def trading_cycles() -> TradingCycleStarter:
    from tradewind.adapters.step_functions import TradingCycles

    return TradingCycles(client("stepfunctions"), environment().text("TRADING_CYCLE_ARN"))


@cache
def reconciliations() -> TradingCycleStarter:
    from tradewind.adapters.step_functions import TradingCycles

    return TradingCycles(client("stepfunctions"), environment().text("RECONCILIATION_ARN"))


@cache
def backtest_runs() -> TradingCycleStarter:
    from tradewind.adapters.step_functions import TradingCycles

    return TradingCycles(client("stepfunctions"), environment().text("BACKTEST_ARN"))


@cache
def backtest_registry() -> BacktestRegistry:
    from tradewind.adapters.backtest_registry import RegistryFunction

    return RegistryFunction(client("lambda"), environment().text("REGISTER_BACKTEST_ARN"))


@cache
def backtest_engine() -> Engine:
    """In the research image alone: numba is in no layer."""
    from tradewind.backtest.chunk_engine import CompiledEngine

    return CompiledEngine()


def webhook_secret() -> str:
    """What the broker's hints are signed with."""
    return _secrets().read(environment().text("WEBHOOK_SECRET"), "signing_secret")[0]


@cache
def alerts_topic() -> AlertPublisher:
    from tradewind.adapters.sns import Topic

    return Topic(client("sns"), environment().text("ALERTS_TOPIC_ARN"))


def channel() -> Channel:
    return _channel(*_secrets().read(environment().text("SLACK_SECRET"), "webhook_url"))


@lru_cache(maxsize=1)
def _channel(url: str) -> Channel:
    """Made anew when the address has changed."""
    from tradewind.adapters.slack import SlackChannel

    return SlackChannel(url)


@cache
def trend_model() -> TrendModel:
    from tradewind.adapters.champion import ChampionModel
    from tradewind.adapters.s3 import S3Objects

    return ChampionModel(S3Objects(client("s3"), environment().text("MODEL_BUCKET")))


def submitter() -> Submitter:
    """Made for each call: the paper account's keys may have changed since the last one."""
    from tradewind.use_cases.place_order import Submitter

    ours = account()
    limits = settings.HardLimits.read(environment())
    return Submitter(ours.deployment, ours.account, ours.mode, symbols(), limits, paper_broker())


@cache
def _strategy_entries() -> tuple[Entry, ...]:
    from tradewind.strategies.configuration import entries_of, shipped_text

    return entries_of(shipped_text(), account().symbols)


@cache
def symbols() -> tuple[str, ...]:
    """Every symbol that is watched and may be traded: the parameter's and the configured ones."""
    from tradewind.strategies.configuration import symbols_of

    return symbols_of(_strategy_entries(), account().symbols)


@cache
def _assignments() -> tuple[Assignment, ...]:
    from tradewind.strategies.configuration import assignments_of

    crossover = settings.StrategySettings.read(environment())
    usual = {"sma_crossover": {"fast": crossover.sma_fast, "slow": crossover.sma_slow}}
    return assignments_of(_strategy_entries(), usual)


@cache
def risk_limits() -> RiskLimits:
    from tradewind.risk.limits import RiskLimits

    return RiskLimits(hold_overnight=settings.hold_overnight(environment()))


@cache
def strategies() -> Mapping[str, Strategy]:
    """By symbol: one symbol belongs to one strategy, or is not traded."""
    return {symbol: one.strategy for one in _assignments() for symbol in one.symbols}


@cache
def allotments() -> Mapping[str, Allotment]:
    """By symbol: its strategy's part of the account."""
    from tradewind.risk.allocation import Allotment

    by_symbol: dict[str, Allotment] = {}
    for one in _assignments():
        allotment = Allotment(frozenset(one.symbols), one.capital)
        by_symbol.update(dict.fromkeys(one.symbols, allotment))
    return by_symbol


@cache
def risk_rules() -> RiskRules:
    from tradewind.risk.limits import RiskLimits
    from tradewind.risk.protections import ProtectionSettings
    from tradewind.risk.restrictions import parse_restrictions
    from tradewind.use_cases.assess_risk import RiskRules

    told = settings.RiskSettings.read(environment())
    return RiskRules(
        limits=RiskLimits(
            max_notional=told.max_notional_per_order,
            max_capital_per_day=told.max_notional_per_day,
            max_entries_per_day=told.max_orders_per_day,
            hold_overnight=settings.hold_overnight(environment()),
        ),
        protections=ProtectionSettings.without(told.protections_off),
        restrictions=parse_restrictions(told.restricted_symbols),
    )


def deployed() -> Deployed:
    """What a session is traded by, for the backtest beside it."""
    from tradewind.backtest.book import RulesInForce
    from tradewind.use_cases.reference_backtest import Deployed

    rules = risk_rules()
    return Deployed(
        strategies(),
        RulesInForce(rules.limits, rules.protections, rules.restrictions, allotments()),
    )


def sets_account_configuration() -> bool:
    """Shadow mode changes nothing at the broker, that neither."""
    return account().mode != "shadow" and settings.sets_account_configuration(environment())


@cache
def database() -> PostgresDatabase:
    from tradewind.adapters.postgres.database import PostgresDatabase

    function = environment().optional("AWS_LAMBDA_FUNCTION_NAME") or "tradewind"
    return PostgresDatabase(database_address(), function)


@cache
def maintained_database() -> PostgresDatabase:
    """For statements that read a whole month of bars."""
    from tradewind.adapters.postgres.database import PostgresDatabase

    return PostgresDatabase(
        database_address(), "maintain_database", statement_seconds=MAINTENANCE_SECONDS
    )


@cache
def research_database() -> PostgresDatabase:
    """For statements that read years of bars."""
    from tradewind.adapters.postgres.database import PostgresDatabase

    function = environment().optional("AWS_LAMBDA_FUNCTION_NAME") or "tradewind"
    return PostgresDatabase(database_address(), function, statement_seconds=RESEARCH_SECONDS)


def database_address() -> DatabaseAddress:
    """Where PostgreSQL is and how to log in: an IAM token made locally for each new connection, or
    the twin's password."""
    from tradewind.adapters.postgres.connection import DatabaseAddress

    where = settings.DatabaseSettings.read(environment())
    password = where.password

    def iam_token() -> str:
        token = client("rds").generate_db_auth_token(
            DBHostname=where.host, Port=where.port, DBUsername=where.user
        )
        if not isinstance(token, str):
            raise InvalidInputError("the IAM database token is not a string")
        return token

    return DatabaseAddress(
        host=where.host,
        port=where.port,
        name=where.name,
        user=where.user,
        tls=where.tls,
        password_source=(lambda: password) if password is not None else iam_token,
    )


def migrator() -> Migrator:
    """Alembic is imported here only: no other function carries it."""
    from importlib.resources import files

    from tradewind.adapters.postgres.migrate import migrate
    from tradewind.adapters.s3 import S3Objects
    from tradewind.use_cases.migrate_schema import Migrator, StarterModel

    address = database_address()
    # The twin's roles log in with the twin's password; on AWS there is none, and they use IAM.
    role_password = settings.DatabaseSettings.read(environment()).password
    starter = files("tradewind.prediction") / "starter"
    return Migrator(
        migrate=lambda: migrate(address, role_password),
        database=database(),
        models=S3Objects(client("s3"), environment().text("MODEL_BUCKET")),
        starter=StarterModel(
            model=(starter / "model.onnx").read_bytes(),
            card=(starter / "card.json").read_bytes(),
            champion=(starter / "champion.json").read_bytes(),
        ),
    )
