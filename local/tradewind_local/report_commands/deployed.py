"""What the sessions of a database were traded by: the template's parameters, as a deployment sets
them. The database does not hold them; strategies carry their parameters in their names, so that a
report tells where these are not the ones that decided."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tradewind import bootstrap
from tradewind.errors import InvalidInputError
from tradewind.use_cases.reference_backtest import Deployed

from tradewind_local.twin.template import load_template

# The checkout: local/tradewind_local/report_commands/deployed.py is three folders below it.
_TEMPLATE = Path(__file__).resolve().parents[3] / "template.yaml"
_FUNCTION = "DailyReport"


def deployed_by(given: Sequence[str], symbols: Sequence[str]) -> Deployed:
    """``given``: parameters as NAME=VALUE in place of the template's defaults; ``symbols``: those
    that were decided on. Raises InvalidInputError for what no deployment would take."""
    template = load_template(_TEMPLATE)
    variables = template["Resources"][_FUNCTION]["Properties"]["Environment"]["Variables"]
    parameters = {
        name: str(parameter["Default"])
        for name, parameter in template["Parameters"].items()
        if "Default" in parameter
    }
    used = {
        name: value["Ref"]
        for name, value in variables.items()
        if isinstance(value, Mapping) and value.get("Ref") in parameters
    }
    if symbols:
        parameters["Symbols"] = ",".join(symbols)
    parameters |= _parsed(given, sorted(used.values()))
    # The wiring reads the environment, which is the function's here.
    os.environ |= {name: parameters[parameter] for name, parameter in used.items()}
    os.environ["DEPLOYMENT"] = "tradewind report"
    return bootstrap.deployed()


def _parsed(given: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    parsed = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or name not in known:
            raise InvalidInputError(
                f"--parameter {text}: give NAME=VALUE with one of {', '.join(known)}"
            )
        parsed[name] = value
    return parsed
