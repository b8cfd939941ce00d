"""The first read routes of the API, behind the user pool's authorizer."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.exceptions import BadRequestError, NotFoundError
from aws_lambda_powertools.utilities.typing import LambdaContext
from tradewind import bootstrap
from tradewind.errors import InvalidInputError
from tradewind.use_cases import answer_queries

logger = Logger(service="query_api")
# The stage is the version: /v1/status arrives here as /status.
app = APIGatewayRestResolver()


@app.get("/status")
def status() -> dict[str, Any]:
    ours = bootstrap.account()
    return answer_queries.status(
        ours.account,
        ours.mode,
        bootstrap.symbols(),
        database=bootstrap.database(),
        control=bootstrap.control(),
    )


@app.get("/prices")
def prices() -> dict[str, Any]:
    wanted = app.current_event.get_query_string_value("symbols")
    try:
        return answer_queries.prices(wanted, bootstrap.symbols(), database=bootstrap.database())
    except InvalidInputError as error:
        raise BadRequestError(str(error)) from error


@app.get("/positions")
def positions() -> dict[str, Any]:
    return answer_queries.positions(bootstrap.account().account, database=bootstrap.database())


@app.get("/locks")
def locks() -> dict[str, Any]:
    return answer_queries.locks(
        bootstrap.account().account, bootstrap.clock().now(), database=bootstrap.database()
    )


@app.get("/backtest/<backtest_id>")
def backtest(backtest_id: str) -> dict[str, Any]:
    # Here, because it would make each cold start of the other routes a third longer.
    from tradewind.use_cases.backtesting import read_backtest

    try:
        found = read_backtest(backtest_id, bootstrap.clock().now(), database=bootstrap.database())
    except InvalidInputError as error:
        raise BadRequestError(str(error)) from error
    if found is None:
        raise NotFoundError(f"nobody asked for a backtest {backtest_id}")
    return found


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
