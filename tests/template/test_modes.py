"""Real money needs an explicit parameter: what the template itself refuses to deploy."""

from __future__ import annotations

from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.template.stack import TEMPLATE

LIVE, PAPER = "https://api.alpaca.markets", "https://paper-api.alpaca.markets"


def value_of(expression: Any, parameters: dict[str, str]) -> Any:
    """CloudFormation's functions, as far as the rules use them."""
    if not isinstance(expression, dict):
        return expression
    ((function, given),) = expression.items()
    if function == "Ref":
        return parameters[given]
    values = [value_of(one, parameters) for one in given]
    return {"Fn::Equals": lambda: values[0] == values[1], "Fn::Not": lambda: not values[0]}[
        function
    ]()


def refused(**given: str) -> list[str]:
    """What the template's rules say to a deployment with these parameters."""
    template = yaml_parse(TEMPLATE.read_text())
    parameters = {
        name: str(told.get("Default", "")) for name, told in template["Parameters"].items()
    } | given
    return [
        assertion["AssertDescription"]
        for rule in template["Rules"].values()
        if value_of(rule.get("RuleCondition", True), parameters)
        for assertion in rule["Assertions"]
        if not value_of(assertion["Assert"], parameters)
    ]


DEPLOYMENTS = [
    ({}, None),  # by default it trades on paper
    ({"TradingUrl": LIVE}, "TradingMode is not live"),
    ({"TradingUrl": LIVE, "TradingMode": "paper"}, "TradingMode is not live"),
    ({"TradingUrl": LIVE, "TradingMode": "shadow"}, "TradingMode is not live"),
    ({"TradingUrl": LIVE, "TradingMode": "live"}, None),
    ({"TradingUrl": PAPER, "TradingMode": "shadow"}, None),
    ({"PaperTradingUrl": LIVE, "TradingMode": "live", "TradingUrl": LIVE}, "PaperTradingUrl"),
]


@pytest.mark.parametrize(("given", "said"), DEPLOYMENTS)
def test_the_live_market_needs_the_live_mode(given: dict[str, str], said: str | None) -> None:
    told = refused(**given)
    assert len(told) == (0 if said is None else 1)
    assert said is None or said in told[0]


def test_nothing_is_live_by_default() -> None:
    mode = yaml_parse(TEMPLATE.read_text())["Parameters"]["TradingMode"]
    assert (mode["Default"], mode["AllowedValues"]) == ("paper", ["shadow", "paper", "live"])
