"""The function that sets the trading switch: called directly, or told by alarms."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tradewind import bootstrap, settings
from tradewind.errors import InvalidInputError
from tradewind.orders.control import SwitchState
from tradewind.orders.ids import deployment_tag
from tradewind.orders.model import Side

from tests.fakes import FakeBroker, FakeClock, FakeControl, an_order

ROOT = Path(__file__).parents[2]


class Context:
    function_name = "change_switch"
    memory_limit_in_mb = 128
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:change_switch"
    aws_request_id = "1"


class World:
    def __init__(self, app: ModuleType) -> None:
        self._app = app
        self.control = FakeControl()
        self.broker = FakeBroker()

    def handle(self, event: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._app.handler(event, Context())
        return dict(json.loads(json.dumps(answer)))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    file = ROOT / "functions" / "change_switch" / "app.py"
    spec = importlib.util.spec_from_file_location("functions_change_switch", file)
    assert spec is not None
    assert spec.loader is not None
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    made = World(app)
    ours = settings.AccountSettings("here", "paper", "paper", ("AAPL",))
    for name, value in (
        ("account", ours),
        ("control", made.control),
        ("broker", made.broker),
        ("clock", FakeClock()),
    ):
        monkeypatch.setattr(bootstrap, name, lambda value=value: value)
    return made


def alarm(name: str, state: str, at: str = "2020-11-12T14:31:00.000+0000") -> dict[str, Any]:
    told = {
        "AlarmName": name,
        "NewStateValue": state,
        "NewStateReason": "Threshold Crossed",
        "StateChangeTime": at,
    }
    return {"EventSource": "aws:sns", "Sns": {"Message": json.dumps(told)}}


def test_the_sample_event(world: World) -> None:
    event = json.loads((ROOT / "events" / "change_switch.json").read_text())
    (lowered,) = world.handle(event)["alarms"]
    assert (lowered["state"], lowered["number"]) == ("REDUCING", 1)
    assert lowered["who"] in event["Records"][0]["Sns"]["Message"]
    assert world.handle(event)["alarms"] == [lowered]  # delivered again


def test_a_direct_call_says_what_stands_then(world: World) -> None:
    event = {"state": "REDUCING", "who": "ada", "why": "quotes look stale"}
    answer = world.handle(event)
    assert answer["complete"] is True
    assert answer["entries"] is None
    assert answer["switch"] == {
        "account": "paper",
        "number": 1,
        "state": "REDUCING",
        "previous": "ACTIVE",
        "who": "ada",
        "why": "quotes look stale",
        "at": "2020-11-12T14:31:04Z",
    }
    assert world.handle(event)["switch"]["number"] == 1  # delivered again


def test_a_halt_cancels_this_deployments_entries(world: World) -> None:
    entry = an_order(
        client_order_id=f"tw-{deployment_tag('here')}-380968753458b472ddd0506a", side=Side.BUY
    )
    world.broker.orders_by_id["order-1"] = entry
    answer = world.handle({"state": "HALTED", "who": "ada", "why": "stop"})
    assert answer["complete"] is True
    assert [order["status"] for order in answer["entries"]["cancelled"]] == ["canceled"]


def test_alarms_lower_and_the_end_of_one_says_nothing(world: World) -> None:
    answer = world.handle({"Records": [alarm("CyclesFailed", "OK"), alarm("Silence", "ALARM")]})
    assert [each["who"] for each in answer["alarms"]] == ["Silence"]
    assert world.control.state is SwitchState.REDUCING


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ({}, "no text for state, who, why"),
        ({"state": "HALTED", "who": "ada"}, "no text for why"),
        ({"state": "OFF", "who": "ada", "why": "x"}, "'OFF', only ACTIVE"),
        ({"state": "HALTED", "who": " ", "why": "x"}, "who: empty"),
        ({"Records": [{"Sns": {"Message": "hello"}}]}, "not a CloudWatch alarm"),
    ],
)
def test_an_event_that_says_too_little(world: World, event: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        world.handle(event)
    assert world.control.changes == []
