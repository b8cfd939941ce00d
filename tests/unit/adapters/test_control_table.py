"""The control table's conditional writes, against moto's DynamoDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from itertools import pairwise
from threading import Barrier, Lock
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws
from tradewind.adapters.dynamodb import RACES, ControlTable
from tradewind.adapters.switch_item import KEPT_CHANGES
from tradewind.errors import ControlUnavailableError, InvalidInputError
from tradewind.orders.control import LEASE_SECONDS, LONGEST_WHY, RequestPurpose, SwitchState

NOW = datetime(2020, 11, 12, 14, 31, 5, tzinfo=UTC)
DAY = "2020-11-12"
ACTIVE, REDUCING, HALTED = SwitchState.ACTIVE, SwitchState.REDUCING, SwitchState.HALTED
ENTRY, PROTECTION = RequestPurpose.ENTRY, RequestPurpose.PROTECTION


class OneAtATime:
    """Carries requests out one after another, as DynamoDB does on an item and moto does not."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = Lock()
        self.exceptions = client.exceptions

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(**request: Any) -> Any:
            with self._lock:
                return method(**request)

        return call


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        dynamodb.create_table(
            TableName="control",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield OneAtATime(dynamodb)


@pytest.fixture
def control(client: Any) -> ControlTable:
    return ControlTable(client, "control")


def seconds(n: float) -> datetime:
    return NOW + timedelta(seconds=n)


class InBetween:
    """A client during whose next reads somebody else does something, once after each read."""

    def __init__(self, client: Any, *others: Callable[[], object]) -> None:
        self._client = client
        self._others = list(others)
        self.exceptions = client.exceptions

    def get_item(self, **request: Any) -> Any:
        answer = self._client.get_item(**request)
        if self._others:
            self._others.pop(0)()
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class AnswersLost:
    """A client whose writes arrive twice, as the SDK sends them again when an answer is lost."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.exceptions = client.exceptions

    def put_item(self, **request: Any) -> Any:
        self._client.put_item(**request)
        return self._client.put_item(**request)

    def update_item(self, **request: Any) -> Any:
        self._client.update_item(**request)
        return self._client.update_item(**request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


# -- the switch ------------------------------------------------------------------------------


def put(client: Any, state: str) -> None:
    client.put_item(TableName="control", Item={"pk": {"S": "switch#paper"}, "state": {"S": state}})


def test_the_switch_is_active_until_it_is_set(control: ControlTable) -> None:
    stands = control.switch("paper")
    assert (stands.state, stands.number, stands.at) == (ACTIVE, 0, None)
    assert control.switch_changes("paper") == []


def test_a_change_says_who_why_and_when_and_what_stood_before(control: ControlTable) -> None:
    change = control.change_switch("paper", HALTED, "ada", "odd prices", NOW)
    assert (change.number, change.previous, change.state) == (1, ACTIVE, HALTED)
    assert (change.who, change.why, change.at) == ("ada", "odd prices", NOW)
    assert control.switch("paper") == change
    assert control.switch("live").state is ACTIVE
    back = control.change_switch("paper", ACTIVE, "ada", "prices are right", seconds(60))
    assert (back.number, back.previous) == (2, HALTED)
    assert control.switch_changes("paper") == [change, back]


def test_setting_what_stands_changes_nothing(control: ControlTable) -> None:
    first = control.change_switch("paper", REDUCING, "ada", "first", NOW)
    assert control.change_switch("paper", REDUCING, "bob", "second", seconds(9)) == first
    assert control.change_switch("live", ACTIVE, "bob", "it is", NOW).number == 0
    assert control.switch_changes("paper") == [first]
    assert control.switch_changes("live") == []


@pytest.mark.parametrize(
    ("stands", "to", "then"),
    [
        (ACTIVE, REDUCING, REDUCING),
        (ACTIVE, HALTED, HALTED),
        (REDUCING, HALTED, HALTED),
        (REDUCING, ACTIVE, REDUCING),
        (HALTED, REDUCING, HALTED),
        (HALTED, ACTIVE, HALTED),
    ],
)
def test_alarms_and_the_breaker_only_lower(
    control: ControlTable, stands: SwitchState, to: SwitchState, then: SwitchState
) -> None:
    control.change_switch("paper", stands, "ada", "set up", NOW)
    answer = control.change_switch("paper", to, "alarm", "errors", NOW, only_lower=True)
    assert answer.state is control.switch("paper").state is then


def test_the_history_keeps_the_newest_changes(control: ControlTable) -> None:
    for n in range(KEPT_CHANGES + 3):
        to = (HALTED, ACTIVE)[n % 2]
        control.change_switch("paper", to, "ada", f"change {n + 1}", seconds(n))
    changes = control.switch_changes("paper")
    assert [change.number for change in changes] == list(range(4, KEPT_CHANGES + 4))
    assert changes[-1] == control.switch("paper")


def test_a_long_history_of_long_reasons_fits_into_the_item(control: ControlTable) -> None:
    for n in range(KEPT_CHANGES + 1):
        control.change_switch("paper", (HALTED, ACTIVE)[n % 2], "✗" * 999, "✗" * 9999, NOW)
    changes = control.switch_changes("paper")
    assert len(changes) == KEPT_CHANGES
    assert {len(change.why) for change in changes} == {LONGEST_WHY}


def test_a_switch_in_no_known_state_is_an_error_that_a_person_repairs(
    control: ControlTable, client: Any
) -> None:
    put(client, "halted")
    with pytest.raises(InvalidInputError, match="'halted', not one of ACTIVE"):
        control.switch("paper")
    with pytest.raises(InvalidInputError, match="'halted'"):
        control.change_switch("paper", REDUCING, "alarm", "errors", NOW, only_lower=True)
    repaired = control.change_switch("paper", REDUCING, "ada", "typing error", NOW)
    assert (repaired.number, repaired.previous, repaired.state) == (1, HALTED, REDUCING)


def test_a_state_put_in_place_by_hand_is_obeyed(control: ControlTable, client: Any) -> None:
    put(client, "HALTED")
    stands = control.switch("paper")
    assert (stands.state, stands.number, stands.who, stands.at) == (HALTED, 0, "", None)
    change = control.change_switch("paper", ACTIVE, "ada", "all is well", NOW)
    assert (change.number, change.previous) == (1, HALTED)


def test_a_change_made_in_between_is_seen(client: Any) -> None:
    """A person's HALT between the breaker's read and its write stays HALT."""
    other = ControlTable(client, "control")
    race = InBetween(client, lambda: other.change_switch("paper", HALTED, "ada", "stop", NOW))
    answer = ControlTable(race, "control").change_switch(
        "paper", REDUCING, "circuit breaker", "5 failures", NOW, only_lower=True
    )
    assert (answer.state, answer.who) == (HALTED, "ada")
    assert len(other.switch_changes("paper")) == 1


def test_a_change_that_always_loses_says_so(client: Any) -> None:
    other = ControlTable(client, "control")

    def toggle() -> None:
        now = other.switch("paper").state
        other.change_switch("paper", HALTED if now is ACTIVE else ACTIVE, "bob", "again", NOW)

    race = InBetween(client, *[toggle] * RACES)
    with pytest.raises(ControlUnavailableError, match="written by others"):
        ControlTable(race, "control").change_switch("paper", REDUCING, "ada", "why", NOW)


def test_two_at_once_both_leave_their_change(client: Any) -> None:
    """Different people at the same moment: every change is recorded once, in one order."""
    start = Barrier(2)

    def changes(who: str) -> None:
        mine = ControlTable(client, "control")
        start.wait()
        for n in range(10):
            mine.change_switch("paper", (HALTED, ACTIVE)[n % 2], who, f"{who} {n}", seconds(n))

    with ThreadPoolExecutor(2) as people:
        list(people.map(changes, ("ada", "bob")))
    found = ControlTable(client, "control").switch_changes("paper")
    assert [change.number for change in found] == list(range(1, len(found) + 1))
    assert all(later.previous is earlier.state for earlier, later in pairwise(found))
    assert len({change.why for change in found}) == len(found) >= 10


def test_a_change_whose_answer_was_lost_is_made_once(client: Any) -> None:
    answer = ControlTable(AnswersLost(client), "control").change_switch(
        "paper", HALTED, "ada", "stop", NOW
    )
    assert (answer.number, answer.who) == (1, "ada")
    assert len(ControlTable(client, "control").switch_changes("paper")) == 1


# -- lease and claims ------------------------------------------------------------------------


def test_a_lease_has_one_holder_until_it_runs_out(control: ControlTable) -> None:
    assert control.lease("paper", "run-1", NOW) == 1
    assert control.lease("paper", "run-1", seconds(20)) == 1  # renewed
    assert control.lease("paper", "run-2", seconds(20 + LEASE_SECONDS - 1)) is None
    assert control.lease("live", "run-2", NOW) == 1  # another account
    assert control.lease("paper", "run-2", seconds(20 + LEASE_SECONDS)) == 2
    assert control.lease("paper", "run-1", seconds(21 + LEASE_SECONDS)) is None


def test_a_lease_given_back_is_free_at_once(control: ControlTable) -> None:
    first = control.lease("paper", "run-1", NOW)
    assert first is not None
    control.release("paper", first)
    second = control.lease("paper", "run-2", seconds(1))
    assert second == first + 1
    control.release("paper", first)  # too late: it is another one's by now
    assert control.holds_lease("paper", second)
    assert control.lease("paper", "run-1", seconds(2)) is None


def test_who_was_overtaken_holds_the_lease_no_more(control: ControlTable) -> None:
    first = control.lease("paper", "run-1", NOW)
    assert first is not None
    assert control.holds_lease("paper", first)
    # Run out, but nobody has taken it over: still the only submitter.
    second = control.lease("paper", "run-2", seconds(LEASE_SECONDS))
    assert second is not None
    assert not control.holds_lease("paper", first)
    assert control.holds_lease("paper", second)
    assert not control.holds_lease("live", 1)


def test_the_fencing_number_never_falls_whatever_the_clocks_say(control: ControlTable) -> None:
    """Holders whose clocks are an hour apart, in turns."""
    fences = []
    for n in range(6):
        clock = seconds(3600 if n % 2 else 0) + timedelta(hours=2 * n)
        fence = control.lease("paper", f"run-{n}", clock)
        if fence is not None:
            fences.append(fence)
        control.lease("paper", f"run-{n}", seconds(-3600))  # renewed by a clock that is behind
    assert fences == sorted(set(fences))
    assert len(fences) > 2


def test_a_lease_whose_answer_was_lost_is_held(client: Any) -> None:
    assert ControlTable(AnswersLost(client), "control").lease("paper", "run-1", NOW) == 1


def test_of_two_at_once_one_gets_the_lease(client: Any) -> None:
    start = Barrier(2)

    def take(holder: str) -> int | None:
        mine = ControlTable(client, "control")
        start.wait()
        return mine.lease("paper", holder, NOW)

    with ThreadPoolExecutor(2) as runs:
        taken = list(runs.map(take, ("run-1", "run-2")))
    assert sorted(taken, key=str) == [1, None]


def test_a_claim_is_given_once_and_keeps_the_fence(control: ControlTable, client: Any) -> None:
    assert control.claim("tw-1", 7, NOW) is True
    assert control.claim("tw-1", 8, NOW) is False
    assert control.claim("tw-2", None, NOW) is True
    item = client.get_item(TableName="control", Key={"pk": {"S": "claim#tw-1"}})["Item"]
    assert item["fence"] == {"N": "7"}


# -- request budgets -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("budget", "reserve", "requests", "given"),
    [
        # entries stop at their budget, however much reserve there is
        (2, 2, "EEE", "yyn"),
        # protection has the reserve although entries have used everything of theirs
        (2, 2, "EEPPP", "yyyyn"),
        # protection first uses the reserve: entries keep their budget
        (2, 2, "PPEE", "yyyy"),
        # then what entries have left, which entries do not get any more
        (2, 2, "PPPEE", "yyyyn"),
        (2, 2, "PPPPPE", "yyyynn"),
        # no reserve, no budget
        (1, 0, "PPE", "ynn"),
        (0, 1, "EPP", "nyn"),
    ],
)
def test_a_request_by_purpose(
    control: ControlTable, budget: int, reserve: int, requests: str, given: str
) -> None:
    purposes = {"E": ENTRY, "P": PROTECTION}
    taken = [
        control.take_request("paper", purposes[letter], NOW, budget, reserve) for letter in requests
    ]
    assert "".join("y" if each else "n" for each in taken) == given


def test_a_new_quarter_of_an_hour_has_a_new_budget(control: ControlTable) -> None:
    late = timedelta(minutes=13, seconds=54)
    assert control.take_request("paper", ENTRY, NOW, 1, 0) is True
    assert control.take_request("paper", ENTRY, NOW + late, 1, 0) is False
    assert control.take_request("live", ENTRY, NOW + late, 1, 0) is True
    assert control.take_request("paper", ENTRY, NOW + late + timedelta(seconds=1), 1, 0) is True


def test_requests_at_once_are_all_counted(client: Any) -> None:
    def take(_: int) -> bool:
        return ControlTable(client, "control").take_request("paper", ENTRY, NOW, 7, 3)

    with ThreadPoolExecutor(4) as runs:
        assert sum(runs.map(take, range(12))) == 7


# -- the day's limits ------------------------------------------------------------------------


def test_a_day_counts_orders_and_money_and_each_intent_once(control: ControlTable) -> None:
    assert control.count_entry("paper", DAY, "tw-1", D("40.50"), 3, D(100)) is True
    assert control.count_entry("paper", DAY, "tw-1", D("40.50"), 3, D(100)) is True  # a retry
    assert control.count_entry("paper", DAY, "tw-2", D("59.51"), 3, D(100)) is False  # a cent over
    assert control.count_entry("paper", DAY, "tw-2", D("59.50"), 3, D(100)) is True
    assert control.count_entry("paper", "2020-11-13", "tw-3", D(100), 3, D(100)) is True


def test_a_day_has_a_last_order(control: ControlTable) -> None:
    counted = [control.count_entry("paper", DAY, f"tw-{n}", D(1), 2, D(100)) for n in range(3)]
    assert counted == [True, True, False]


def test_a_first_entry_above_the_days_money_is_refused(control: ControlTable) -> None:
    assert control.count_entry("paper", DAY, "tw-1", D("100.01"), 2, D(100)) is False


# -- the breaker's row -----------------------------------------------------------------------


def test_failures_are_counted_in_a_row(control: ControlTable) -> None:
    row = [
        control.note_entry("paper", f"tw-{n}", failed=True, at=seconds(60 * n)) for n in range(3)
    ]
    assert row == [1, 2, 3]
    assert control.note_entry("live", "tw-9", failed=True, at=NOW) == 1
    assert control.note_entry("paper", "tw-3", failed=False, at=seconds(180)) == 0
    assert control.note_entry("paper", "tw-4", failed=True, at=seconds(240)) == 1


def test_an_intent_counts_once(control: ControlTable) -> None:
    assert control.note_entry("paper", "tw-1", failed=True, at=NOW) == 1
    assert control.note_entry("paper", "tw-1", failed=True, at=seconds(5)) == 1


def test_failures_noted_at_once_are_all_counted(client: Any) -> None:
    def fail(n: int) -> int:
        return ControlTable(client, "control").note_entry("paper", f"tw-{n}", failed=True, at=NOW)

    with ThreadPoolExecutor(2) as runs:
        assert sorted(runs.map(fail, range(8))) == list(range(1, 9))


def test_failures_older_than_ten_minutes_do_not_count(control: ControlTable) -> None:
    control.note_entry("paper", "tw-1", failed=True, at=NOW)
    control.note_entry("paper", "tw-2", failed=True, at=seconds(300))
    assert control.note_entry("paper", "tw-3", failed=True, at=seconds(600)) == 2


# -- unreachable -----------------------------------------------------------------------------


def test_an_unreachable_table_is_retryable() -> None:
    nowhere = boto3.client(
        "dynamodb",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:9",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(connect_timeout=1, retries={"total_max_attempts": 1}),
    )
    with pytest.raises(ControlUnavailableError, match="table control"):
        ControlTable(nowhere, "control").switch("paper")
