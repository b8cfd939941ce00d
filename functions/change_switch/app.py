"""Sets the trading switch: called directly, or told by CloudWatch's alarms, which only lower it.

Reads and writes the control table and the broker, nothing else: it works while the database is
down. Directly: ``{"state": "HALTED", "who": "...", "why": "..."}``.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from tradewind import bootstrap
from tradewind.errors import InvalidInputError
from tradewind.orders.ids import deployment_tag
from tradewind.use_cases.trading_switch import (
    alarm_of,
    change_payload,
    change_switch,
    lower_by_alarm,
    state_of,
)

logger = Logger(service="change_switch")


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    answer = _by_alarms(event["Records"]) if "Records" in event else _directly(event)
    logger.info("switch", extra={"answer": answer})
    return answer


def _directly(event: dict[str, Any]) -> dict[str, Any]:
    missing = [name for name in ("state", "who", "why") if not isinstance(event.get(name), str)]
    if missing:
        raise InvalidInputError(f"the event has no text for {', '.join(missing)}")
    ours = bootstrap.account()
    return change_switch(
        ours.account,
        state_of(event["state"]),
        event["who"],
        event["why"],
        control=bootstrap.control(),
        broker=bootstrap.broker,
        clock=bootstrap.clock(),
        tag=deployment_tag(ours.deployment),
    ).as_payload()


def _by_alarms(records: list[dict[str, Any]]) -> dict[str, Any]:
    account = bootstrap.account().account
    lowered = []
    for record in records:
        alarm = alarm_of(record["Sns"]["Message"])
        if alarm is not None:
            change = lower_by_alarm(
                account, alarm, control=bootstrap.control(), clock=bootstrap.clock()
            )
            lowered.append(change_payload(change))
    return {"alarms": lowered}
