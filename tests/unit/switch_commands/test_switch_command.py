"""``tradewind switch``: what it says, what it does, and how it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tradewind.errors import ControlUnavailableError
from tradewind.orders.control import SwitchState
from tradewind.orders.ids import deployment_tag
from tradewind.orders.model import BrokerOrder, OrderStatus, Side

from tests.fakes import START, an_order
from tests.unit.switch_commands.conftest import Hand

ACTIVE, REDUCING, HALTED = SwitchState.ACTIVE, SwitchState.REDUCING, SwitchState.HALTED

NOTHING_OPEN = {
    "complete": True,
    "cancelled": [],
    "not_confirmed": [],
    "unprotected": [],
    "trouble": None,
}
DONE: dict[str, Any] = {"complete": True, "switch": None, "not_set": None, "entries": NOTHING_OPEN}


def an_entry(**changes: object) -> BrokerOrder:
    ours = f"tw-{deployment_tag('any')}-380968753458b472ddd0506a"
    return replace(an_order(client_order_id=ours, side=Side.BUY), **changes)  # type: ignore[arg-type]


def test_a_switch_that_was_never_set(hand: Hand) -> None:
    result = hand.types("switch")
    assert (result.exit_code, result.output) == (0, "paper is ACTIVE, never changed by a command\n")


def test_it_shows_who_why_when_and_the_last_changes(hand: Hand) -> None:
    hand.control.change_switch("paper", REDUCING, "circuit breaker", "5 entries failed", START)
    hand.control.change_switch("paper", HALTED, "bob", "[odd] prices", START)
    result = hand.types("switch")
    assert result.exit_code == 0
    first = "paper is HALTED since 2020-11-12 14:31:04 UTC by bob: [odd] prices"
    assert result.output.splitlines()[0] == first
    assert "circuit breaker" in result.output
    code, report = hand.report("switch")
    assert (code, report["switch"]["state"], len(report["changes"])) == (0, "HALTED", 2)


def test_a_change_takes_the_login_name(hand: Hand) -> None:
    code, report = hand.report("switch", "reducing", "--why", "quotes look stale")
    assert (code, report["switch"]["state"], report["switch"]["who"]) == (0, "REDUCING", "ada")
    assert hand.control.switch("paper").why == "quotes look stale"
    hand.types("switch", "reducing", "--why", "x", "--who", "bob", "--account", "live")
    assert hand.control.switch("live").who == "bob"


@pytest.mark.parametrize(
    ("keyboard", "options", "code", "then"),
    [
        ("y\n", (), 0, ACTIVE),
        ("n\n", (), 1, REDUCING),
        ("", (), 2, REDUCING),  # nobody there
        (None, ("--yes",), 0, ACTIVE),
    ],
)
def test_going_back_up_is_asked(
    hand: Hand, keyboard: str | None, options: tuple[str, ...], code: int, then: SwitchState
) -> None:
    hand.control.change_switch("paper", REDUCING, "circuit breaker", "5 entries failed", START)
    result = hand.types("switch", "active", "--why", "fixed", *options, keyboard=keyboard)
    assert result.exit_code == code
    assert hand.control.switch("paper").state is then
    assert options or "circuit breaker: 5 entries failed" in result.output


def test_active_that_is_active_asks_nothing(hand: Hand) -> None:
    assert hand.types("switch", "active", "--why", "to be sure").exit_code == 0


def test_a_halt_goes_through_the_function_when_there_are_no_keys(hand: Hand) -> None:
    hand.function = DONE
    code, report = hand.report("switch", "halted", "--why", "stop")
    assert (code, report["entries_by"], report["not_set"]) == (0, "function", None)
    assert hand.called == [{"state": "HALTED", "who": "ada", "why": "stop"}]
    assert hand.control.switch("paper").state is HALTED


@pytest.mark.usefixtures("keys")
def test_a_halt_whose_function_fails_uses_the_keys(hand: Hand) -> None:
    hand.function = ControlUnavailableError("function change-switch: timed out")
    hand.broker.orders_by_id["order-1"] = an_entry()
    code, report = hand.report("switch", "halted", "--why", "stop")
    assert (code, report["entries_by"]) == (0, "keys")
    assert hand.broker.orders_by_id["order-1"].status is OrderStatus.CANCELED


def test_a_halt_without_function_and_keys_says_what_was_not_done(hand: Hand) -> None:
    hand.function = ControlUnavailableError("function change-switch: timed out")
    result = hand.types("switch", "halted", "--why", "stop")
    assert result.exit_code == 1
    assert "the switch is HALTED" in result.output
    assert "NO ENTRY WAS CANCELLED: function change-switch: timed out" in result.output
    assert "APCA_API_KEY_ID" in result.output


@pytest.mark.usefixtures("keys")
def test_a_halt_that_the_broker_does_not_confirm_is_not_done(hand: Hand) -> None:
    hand.function = ControlUnavailableError("no answer")
    hand.broker.orders_by_id["order-1"] = an_entry()
    hand.broker.stuck_cancels = True
    result = hand.types("switch", "halted", "--why", "stop")
    assert result.exit_code == 1
    assert "NOT CONFIRMED, may still fill: buy 10 AAPL" in result.output


@pytest.mark.usefixtures("aws_down", "keys")
def test_a_halt_without_aws_cancels_entries_and_says_that_the_switch_is_not_set(
    hand: Hand,
) -> None:
    hand.broker.orders_by_id["order-1"] = an_entry()
    result = hand.types("switch", "halted", "--why", "stop", "--table", "control")
    assert result.exit_code == 1
    assert "THE SWITCH IS NOT SET: table control" in result.output
    assert "1 entries are gone" in result.output
    assert hand.broker.orders_by_id["order-1"].status is OrderStatus.CANCELED
    assert hand.called == []


@pytest.mark.usefixtures("aws_down")
@pytest.mark.parametrize("state", [(), ("reducing", "--why", "x"), ("active", "--why", "x")])
def test_without_aws_nothing_else_can_be_done(hand: Hand, state: tuple[str, ...]) -> None:
    result = hand.types("switch", *state, "--table", "control")
    assert result.exit_code == 1
    assert len(result.output.splitlines()) == 1
    assert "table control" in result.output
    assert not state or "the switch was not changed" in result.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["off", "--why", "x"], "'off' is not one of 'active', 'reducing', 'halted'"),
        (["halted"], 'say why: tradewind switch halted --why "..."'),
        (["halted", "--why", "  "], "say why"),
        (["--why", "x"], "--why and --who go with a state"),
        (["--stack", "nowhere"], "there is no stack nowhere: give --stack or --table"),
        (["reducing", "--why", "x", "--stack", "nowhere"], "there is no stack nowhere"),
        (["halted", "--why", "x", "--stack", "nowhere"], "there is no stack nowhere"),
        (["--endpoint", "nowhere"], "--endpoint 'nowhere' is not like http://127.0.0.1:4566"),
        (["--json", "/nowhere/report.json"], "there is no folder /nowhere"),
    ],
)
def test_a_mistake_is_told_in_one_line(hand: Hand, arguments: list[str], says: str) -> None:
    result = hand.types("switch", *arguments)
    assert result.exit_code == 2
    assert says in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert hand.control.switch_changes("paper") == []
