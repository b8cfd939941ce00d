"""CloudFormation's custom resource: the schema, its roles, and the starter model.

Called directly, with ``{"RequestType": "Create"}`` and no ResponseURL, it just answers.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from tradewind import bootstrap
from tradewind.errors import InvalidInputError

# The same for ever: CloudFormation deletes the resource behind an id that changes.
PHYSICAL_ID = "tradewind-schema"
ANSWER_SECONDS = 10
ANSWER_ATTEMPTS = 3
# An answer may have 4096 bytes in all.
REASON_CHARACTERS = 500

logger = Logger(service="migrate_schema")


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Create and Update migrate, Delete leaves everything as it is."""
    answer_url = event.get("ResponseURL")
    try:
        data = {} if event["RequestType"] == "Delete" else bootstrap.migrator().run()
    except Exception as error:
        logger.exception("migration failed")
        if answer_url is None:
            raise
        # Unanswered, CloudFormation would wait an hour; raised, Lambda would run it all again.
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:REASON_CHARACTERS]
        return _answer(answer_url, event, {"Status": "FAILED", "Reason": reason})
    logger.info("migrated", extra=data)
    if answer_url is None:
        return data
    return _answer(answer_url, event, {"Status": "SUCCESS", "Data": data})


def _answer(url: str, event: dict[str, Any], outcome: dict[str, Any]) -> dict[str, Any]:
    """Put the outcome where CloudFormation waits for it."""
    where = urlsplit(url)
    if where.scheme != "https" and where.hostname not in ("127.0.0.1", "localhost"):
        raise InvalidInputError(f"ResponseURL is not https: {where.scheme}://{where.hostname}")
    answer = {
        **outcome,
        "PhysicalResourceId": event.get("PhysicalResourceId", PHYSICAL_ID),
        "StackId": event.get("StackId"),
        "RequestId": event.get("RequestId"),
        "LogicalResourceId": event.get("LogicalResourceId"),
    }
    request = Request(  # noqa: S310 (the scheme is checked above)
        url,
        data=json.dumps(answer).encode(),
        method="PUT",
        # The address is signed for no content type, and urllib would add one.
        headers={"Content-Type": ""},
    )
    for attempt in range(1, ANSWER_ATTEMPTS + 1):
        try:
            with urlopen(request, timeout=ANSWER_SECONDS):  # noqa: S310 (likewise)
                return answer
        except (URLError, TimeoutError) as error:
            logger.warning("CloudFormation was not reached", extra={"error": str(error)})
            if attempt == ANSWER_ATTEMPTS:
                raise
    return answer
