"""``tradewind flatten``: nothing without the account's number, and never flat unless it is."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tradewind.errors import BrokerRejectedError
from tradewind.orders.control import SwitchState
from tradewind.orders.ids import deployment_tag
from tradewind.orders.model import Side
from tradewind_local.switch_commands.brokerage import LIVE, PAPER, brokerage

from tests.fakes import UNREACHABLE, Fault, an_order
from tests.unit.switch_commands.conftest import Hand

OURS = f"tw-{deployment_tag('any')}-380968753458b472ddd0506a"


@pytest.fixture
def hand(hand: Hand) -> Hand:
    """10 AAPL with our stop, and a foreign order. The account's number is PA1."""
    broker = hand.broker
    broker.held["AAPL"] = Decimal(10)
    for order in (
        an_order(order_id="stop", client_order_id=OURS),
        an_order(order_id="foreign", client_order_id="by-hand", symbol="TSLA", side=Side.BUY),
    ):
        broker.orders_by_id[order.order_id] = order
    return hand


def untouched(hand: Hand) -> bool:
    return hand.broker.held == {"AAPL": Decimal(10)} and not any(
        order.status.is_final for order in hand.broker.orders_by_id.values()
    )


def test_it_says_what_it_will_do_before_it_asks(hand: Hand) -> None:
    result = hand.types("flatten", keyboard="PA1\n")
    assert result.exit_code == 0
    before, after = result.output.split("Type the account's number")
    for shown in ("account PA1", "AAPL", "TSLA", "Tradewind", "foreign", "2 orders", "1 positions"):
        assert shown in before
    assert "closing 10 AAPL at the market" in after
    assert "account PA1 is FLAT" in after
    assert hand.broker.positions() == []
    assert hand.control.switch("paper").state is SwitchState.HALTED


@pytest.mark.parametrize(
    ("options", "keyboard", "code"),
    [
        ((), "yes\n", 2),
        ((), "\n", 2),
        ((), "", 2),  # nobody there
        (("--yes-flatten", "PA2"), None, 2),
        (("--dry-run",), None, 0),
        (("--dry-run", "--yes-flatten", "PA1"), None, 0),
    ],
)
def test_unconfirmed_nothing_is_done(
    hand: Hand, options: tuple[str, ...], keyboard: str | None, code: int
) -> None:
    assert hand.types("flatten", *options, keyboard=keyboard).exit_code == code
    assert untouched(hand)
    assert hand.control.switch("paper").state is SwitchState.ACTIVE


def test_the_report(hand: Hand) -> None:
    code, report = hand.report("flatten", "--yes-flatten", "PA1", "--why", "moving house")
    assert (code, report["flat"], report["account_number"]) == (0, True, "PA1")
    assert report["before"]["positions"] == [{"symbol": "AAPL", "quantity": "10"}]
    assert len(report["cancelled"]) == 2
    assert [order["symbol"] for order in report["closed"]] == ["AAPL"]
    assert report["left"] == {"orders": [], "positions": []}
    assert (report["switch"]["set"], report["switch"]["why"]) == (True, "moving house")


@pytest.mark.usefixtures("aws_down")
def test_without_aws_it_goes_on_and_says_so(hand: Hand) -> None:
    result = hand.types("flatten", "--yes-flatten", "PA1", "--table", "control")
    assert result.exit_code == 0
    assert "THE SWITCH IS NOT SET, going on without it: table control" in result.output
    assert hand.broker.positions() == []


def test_without_a_stack_it_goes_on_too(hand: Hand) -> None:
    result = hand.types("flatten", "--yes-flatten", "PA1", "--stack", "nowhere")
    assert result.exit_code == 0
    assert "THE SWITCH IS NOT SET" in result.output


def test_what_is_left_is_told(hand: Hand) -> None:
    halted = BrokerRejectedError("asset AAPL is halted", 40310000, 403)
    hand.broker.faults = [Fault("close_position", halted, times=1000)]
    result = hand.types("flatten", "--yes-flatten", "PA1")
    assert result.exit_code == 1
    assert "account PA1 is NOT FLAT" in result.output
    assert "10 AAPL: NOTHING CLOSES IT" in result.output
    assert "asset AAPL is halted" in result.output


def test_running_it_again_sends_nothing(hand: Hand) -> None:
    assert hand.types("flatten", "--yes-flatten", "PA1").exit_code == 0
    code, report = hand.report("flatten", "--yes-flatten", "PA1")
    assert (code, report["flat"], report["closed"], report["cancelled"]) == (0, True, [], [])


def test_a_broker_that_cannot_be_asked_ends_it_before_anything_is_done(hand: Hand) -> None:
    hand.broker.faults = [Fault("positions", UNREACHABLE)]
    result = hand.types("flatten", "--yes-flatten", "PA1")
    assert result.exit_code == 1
    assert result.output == "tradewind flatten: failed: GET /v2/orders: ReadTimeout\n"
    assert untouched(hand)


KEYS = {"APCA_API_KEY_ID": "key", "APCA_API_SECRET_KEY": "secret"}


@pytest.mark.parametrize(
    ("address", "live", "url"),
    [
        (None, None, PAPER),
        (None, True, LIVE),
        (None, False, PAPER),
        ("https://api.alpaca.markets/v2", None, LIVE),  # as in Alpaca's own examples
        ("http://127.0.0.1:8080/", None, "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080", False, PAPER),
    ],
)
def test_which_account_the_keys_are_for(address: str | None, live: bool | None, url: str) -> None:
    variables = KEYS if address is None else {**KEYS, "APCA_API_BASE_URL": address}
    assert brokerage(variables, live=live).url == url


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({}, "APCA_API_KEY_ID and APCA_API_SECRET_KEY not set"),
        ({"APCA_API_KEY_ID": "key"}, "APCA_API_SECRET_KEY not set"),
        ({**KEYS, "APCA_API_BASE_URL": "paper"}, "is not like https://paper-api"),
        ({**KEYS, "APCA_API_BASE_URL": "http://example.com"}, "would travel unencrypted"),
    ],
)
def test_keys_that_cannot_be_used(variables: dict[str, str], says: str) -> None:
    from tradewind.errors import InvalidInputError

    with pytest.raises(InvalidInputError, match=says):
        brokerage(variables, live=None)
