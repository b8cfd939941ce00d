"""Each pre-trade check by itself: what passes, what does not, and where the boundary lies."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D
from typing import Any
from uuid import UUID

import pytest
from tradewind.errors import InvalidInputError
from tradewind.market.bar import MINUTE
from tradewind.orders.control import SwitchState
from tradewind.orders.model import BrokerPosition, IntentKind
from tradewind.portfolio.model import Holding
from tradewind.prediction.model import Prediction, Trend
from tradewind.risk.checks import ENTRY_CHECKS, SIZE_CHECKS, first_refusal, size_refusal
from tradewind.risk.entry_request import SizedEntry
from tradewind.risk.limits import RiskLimits
from tradewind.risk.locks import Lock
from tradewind.risk.order_checks import short_sale
from tradewind.risk.restrictions import Restriction, parse_restrictions, restriction_of

from tests.fakes import an_account, an_order
from tests.integration.postgres.rows import an_intent
from tests.unit.risk.test_assessment import MERGER
from tests.unit.risk.test_checks import ALLOWED, DIFFERENCE, NOON, OPEN, THEIRS

SESSION = ALLOWED.session
LOCK = Lock(None, NOON, NOON + 2 * MINUTE, "cooldown", "left a minute ago", "x")
PREDICTION = Prediction(UUID(int=1), "MSFT", Trend.UP, D("0.9"), NOON, "v", "f", stale=False)
# The last 33 regular minutes up to the decided one.
MINUTES = tuple(NOON - (32 - number) * MINUTE for number in range(33))


def at_open(minutes: int) -> dict[str, Any]:
    """The run that many minutes after the open."""
    bar_time = OPEN + timedelta(minutes=minutes - 1)
    return {"bar_time": bar_time, "newest_bar": bar_time, "broker_as_of": bar_time + MINUTE}


def quiet(minutes: int, bars: int = 30) -> dict[str, Any]:
    """Nothing in the last minutes, and bars in so many of the 30 before."""
    before = MINUTES[: 33 - minutes][-30:]
    return {
        "newest_bar": before[-1],
        "recent_minutes": MINUTES,
        "bar_starts": before[30 - bars :],
    }


CASES: list[tuple[str, dict[str, Any], str | None]] = [
    # (what, what is known, the refusal's code or None)
    ("all is well", {}, None),
    ("before the open", at_open(-1), "session_closed"),
    ("at the close", at_open(390), "session_closed"),
    ("at the open", at_open(0), "outside_entry_window"),
    ("4 minutes after it", at_open(4), "outside_entry_window"),
    ("5 minutes after it", at_open(5), None),
    ("16 minutes before the close", at_open(374), None),
    ("15 minutes before the close", at_open(375), "outside_entry_window"),
    ("the switch is active", {"switch": SwitchState.ACTIVE}, None),
    ("it is reducing", {"switch": SwitchState.REDUCING}, "switch_reducing"),
    ("it is halted", {"switch": SwitchState.HALTED}, "switch_halted"),
    ("nobody can read it", {"switch": None}, "switch_unreadable"),
    ("a liquid symbol is quiet for 3 minutes", quiet(3), "halted"),
    ("with bars in 29 of 30 minutes before", quiet(3, 29), "halted"),
    ("a thinner one is only late", quiet(3, 28), "stale_bar"),
    ("2 minutes are no halt", quiet(2), "stale_bar"),
    ("it trades again", {**quiet(3), "newest_bar": NOON}, None),
    ("data 5 minutes old", {"newest_bar": NOON - 5 * MINUTE}, "stale_bar"),
    ("data 6 minutes old", {"newest_bar": NOON - 6 * MINUTE}, "stale_data"),
    ("a hole", {"missing": [NOON - MINUTE]}, "hole"),
    ("no prediction, and none is needed", {"prediction": None}, None),
    ("no prediction where one is needed", {"needs_prediction": True}, "no_prediction"),
    ("one of this minute", {"needs_prediction": True, "prediction": PREDICTION}, None),
    ("one marked stale", {"needs_prediction": True, "prediction": replace(PREDICTION, stale=True)},
     "stale_prediction"),
    ("one of the minute before",
     {"needs_prediction": True, "prediction": replace(PREDICTION, timestamp=NOON - MINUTE)},
     "stale_prediction"),
    ("decided before", {"decided_before": True}, "duplicate_decision"),
    ("the broker was never read", {"broker_as_of": None}, "no_broker_state"),
    ("read at the start of the run", {"broker_as_of": NOON + MINUTE}, None),
    ("read before it", {"broker_as_of": NOON + MINUTE - timedelta(milliseconds=1)},
     "stale_broker_state"),
    ("the account is closed", {"account": an_account(status="ACCOUNT_CLOSED")}, "account_blocked"),
    ("trading is blocked", {"account": an_account(trading_blocked=True)}, "account_blocked"),
    ("a fault of the configuration on paper", {"configuration_faults": ["no_shorting is off"]},
     None),
    ("with real money", {"mode": "live", "configuration_faults": ["no_shorting is off"]},
     "account_configuration"),
    ("with real money and none", {"mode": "live"}, None),
    ("a second deployment", {"strangers": (THEIRS,)}, "second_deployment"),
    ("books that differ", {"differences": (DIFFERENCE,)}, "unexplained_difference"),
    ("a lock of all", {"locks": (LOCK,)}, "cooldown"),
    ("of this symbol", {"locks": (replace(LOCK, symbol="MSFT"),)}, "cooldown"),
    ("of another", {"locks": (replace(LOCK, symbol="AAPL"),)}, None),
    ("that ends with this minute's start", {"locks": (replace(LOCK, until=NOON + MINUTE),)}, None),
    ("that begins with it", {"locks": (replace(LOCK, since=NOON + MINUTE),)}, "cooldown"),
    ("earnings", {"restriction": "restricted on 2020-11-12"}, "restricted_symbol"),
    ("a corporate action tomorrow", {"action_due": MERGER}, "action_due"),
    ("not tradable", {"tradable": False}, "not_tradable"),
    ("an open order in the symbol", {"open_orders": (an_order(symbol="MSFT"),)}, "open_order"),
    ("in another", {"open_orders": (an_order(symbol="AAPL"),)}, None),
    ("an intent without outcome", {"unresolved": (an_intent(symbol="MSFT"),)},
     "unresolved_intent"),
    ("in another symbol", {"unresolved": (an_intent(symbol="AAPL"),)}, None),
    ("shares of somebody else", {"foreign": BrokerPosition("MSFT", D(1), D(1), D(1), D(0))},
     "foreign_position"),
    ("sold short", {"foreign": BrokerPosition("MSFT", D(-1), D(1), D(1), D(0))},
     "foreign_position"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("known", "code"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_checks_of_an_entry(known: dict[str, Any], code: str | None) -> None:
    refusal = first_refusal(replace(ALLOWED, **known))
    assert (refusal.code if refusal else None) == code
    assert refusal is None or refusal.reason


def test_every_check_has_a_case_that_it_stops() -> None:
    stopping = set()
    for _, known, _ in CASES:
        request = replace(ALLOWED, **known)
        stopping |= {check for check in ENTRY_CHECKS if check(request) is not None}
    assert stopping == set(ENTRY_CHECKS)


ENTRY = SizedEntry(
    symbol="MSFT",
    quantity=D(10),
    limit_price=D("100.30"),  # 1003.00 USD
    last_price=D("100.00"),
    buying_power=D(5000),
    limits=RiskLimits(max_notional=D("1500"), max_capital_per_day=D(10_000),
                      max_entries_per_minute=3, max_entries_per_day=20),
)  # fmt: skip
CENT = D("0.01")

SIZED: list[tuple[str, dict[str, Any], str | None]] = [
    ("all is well", {}, None),
    ("at the collar", {"limit_price": D("101.00")}, None),
    ("a cent beyond", {"limit_price": D("101.01")}, "price_collar"),
    ("at the collar below", {"limit_price": D("99.00")}, None),
    ("a cent beyond below", {"limit_price": D("98.99")}, "price_collar"),
    ("the least worth sending", {"quantity": D(1), "limit_price": D("100.00")}, None),
    ("a cent less", {"quantity": D(1), "limit_price": D("99.99")}, "below_minimum_notional"),
    ("the most", {"quantity": D(15), "limit_price": D("100.00")}, None),
    ("a cent more", {"quantity": D(1), "limit_price": D("1500.01"), "last_price": D(1500)},
     "above_maximum_notional"),
    ("the last of the day's capital", {"capital_today": D("8997.00")}, None),
    ("a cent more of it", {"capital_today": D("8997.01")}, "capital_per_day"),
    ("what this run spends counts", {"capital_today": D(8000), "capital_in_run": D("997.01")},
     "capital_per_day"),
    ("the minute's third entry", {"entries_in_run": 2}, None),
    ("its fourth", {"entries_in_run": 3}, "entries_per_minute"),
    ("the day's twentieth", {"entries_today": 18, "entries_in_run": 1}, None),
    ("its twenty-first", {"entries_today": 18, "entries_in_run": 2}, "entries_per_day"),
    ("all the buying power", {"buying_power": D("1003.00")}, None),
    ("a cent less than that", {"buying_power": D("1003.00") - CENT}, "buying_power"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "code"), [row[1:] for row in SIZED], ids=[row[0] for row in SIZED]
)
def test_checks_of_a_sized_entry(changes: dict[str, Any], code: str | None) -> None:
    refusal = size_refusal(replace(ENTRY, **changes))
    assert (refusal.code if refusal else None) == code


def test_every_check_of_a_sized_entry_has_a_case_that_it_stops() -> None:
    stopping = set()
    for _, changes, _ in SIZED:
        entry = replace(ENTRY, **changes)
        stopping |= {check for check in SIZE_CHECKS if check(entry) is not None}
    assert stopping == set(SIZE_CHECKS)


def test_without_a_most_an_entry_may_be_as_large_as_the_caps_allow() -> None:
    huge = replace(ENTRY, quantity=D(1000), buying_power=D(10**7),
                   limits=RiskLimits(max_notional=None))  # fmt: skip
    assert size_refusal(huge) is None


SALES = [
    # (what is to be done, shares, shares held, why it is not)
    (IntentKind.EXIT, 10, 10, None),
    (IntentKind.EXIT, 11, 10, "not_enough_shares"),
    (IntentKind.PROTECT, 11, 10, "not_enough_shares"),
    (IntentKind.REPRICE, 11, 10, "not_enough_shares"),
    (IntentKind.RENEW_STOP, 10, 10, None),
    (IntentKind.RENEW_STOP, 11, 10, "not_enough_shares"),
    (IntentKind.CANCEL_STOP, 10, 10, None),
    (IntentKind.CANCEL_STOP, 11, 10, "not_enough_shares"),  # leaves a stop for 11 behind
    (IntentKind.CANCEL_STOP, 11, 0, None),  # leaves nothing behind
    (IntentKind.CANCEL_ENTRY, 11, 10, None),  # asks what was bought, which nobody knows yet
]


@pytest.mark.parametrize(("kind", "quantity", "shares", "code"), SALES)
def test_nothing_is_sold_that_is_not_held(
    kind: IntentKind, quantity: int, shares: int, code: str | None
) -> None:
    held = Holding("AAPL", "sma", D(shares), D(1000), D(0), OPEN)
    refusal = short_sale(an_intent(kind=kind, quantity=D(quantity)), held)
    assert (refusal.code if refusal else None) == code


def test_restrictions_are_read_from_a_line() -> None:
    read = parse_restrictions("AAPL:2020-10-29, MSFT:2020-11-11/2020-11-12")
    assert [str(one) for one in read] == [
        "restricted on 2020-10-29",
        "restricted from 2020-11-11 to 2020-11-12",
    ]
    assert parse_restrictions("") == ()
    day = SESSION.date
    assert restriction_of(read, "MSFT", day) == str(read[1])
    assert restriction_of(read, "MSFT", day + timedelta(days=1)) is None
    assert restriction_of(read, "AAPL", day) is None
    assert read[1] == Restriction("MSFT", day - timedelta(days=1), day)


@pytest.mark.parametrize("text", ["AAPL", ":2020-11-12", "AAPL:soon", "A:2020-11-12/2020-11-11"])
def test_a_restriction_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match=f"restricted symbols: '{text}'"):
        parse_restrictions(text)
