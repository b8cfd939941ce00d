"""Which outcomes count, when the breaker opens, and that only a person closes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tradewind.orders.breaker import (
    FAILURES_TO_OPEN,
    KEPT_NOTES,
    WHO,
    EntryNote,
    entry_failed,
    failures_in_a_row,
    is_open,
    noted,
    opens,
)
from tradewind.orders.control import SwitchChange, SwitchState
from tradewind.orders.model import IntentKind, IntentOutcome, IntentStatus

from tests.fakes import FakeControl

NOW = datetime(2020, 11, 12, 15, 0, tzinfo=UTC)
ENTRY, EXIT, PROTECT = IntentKind.ENTRY, IntentKind.EXIT, IntentKind.PROTECT


@pytest.mark.parametrize(
    ("kind", "status", "code", "failed"),
    [
        (ENTRY, IntentStatus.UNKNOWN, "no_clear_answer", True),
        (ENTRY, IntentStatus.SUBMITTED, "accepted", False),
        (ENTRY, IntentStatus.SUBMITTED, "found_by_lookup", False),
        # the broker answered, and clearly
        (ENTRY, IntentStatus.REJECTED, "rejected", None),
        # ours: switch, limits, budgets, too late
        (ENTRY, IntentStatus.BLOCKED, "switch", None),
        (ENTRY, IntentStatus.EXPIRED_UNSENT, "expired", None),
        # it is the other run's entries that tell how the broker answers
        (ENTRY, IntentStatus.UNKNOWN, "another_run_is_sending", None),
        (EXIT, IntentStatus.UNKNOWN, "no_clear_answer", None),
        (PROTECT, IntentStatus.UNKNOWN, "no_clear_answer", None),
        (EXIT, IntentStatus.SUBMITTED, "accepted", None),
    ],
)
def test_which_outcomes_count(
    kind: IntentKind, status: IntentStatus, code: str, failed: bool | None
) -> None:
    assert entry_failed(kind, IntentOutcome("tw-1", status, None, code, "", NOW)) is failed


@pytest.mark.parametrize(
    ("told", "row", "opened"),
    [
        # one letter per minute: f a failure, s a success, . nothing
        ("f", 1, False),
        ("ffff", 4, False),
        ("fffff", 5, True),
        ("ffffff", 6, True),
        ("ffffs", 0, False),
        ("ffffsf", 1, False),
        ("ffffsfffff", 5, True),
        # the ten minutes: the first of five is ten minutes old, or just short of it
        ("f......ffff", 4, False),
        ("f.....ffff", 5, True),
        ("fffff...............f", 1, False),
    ],
)
def test_when_it_opens(told: str, row: int, opened: bool) -> None:
    notes: list[EntryNote] = []
    for minute, letter in enumerate(told):
        at = NOW + timedelta(minutes=minute)
        if letter != ".":
            notes = noted(notes, EntryNote(f"tw-{minute}", letter == "f", at))
    found = failures_in_a_row(notes, NOW + timedelta(minutes=len(told) - 1))
    assert (found, opens(found)) == (row, opened)


@pytest.mark.parametrize(
    ("told", "row"),
    [
        (["f1", "f2", "f1"], 2),  # a retry that failed again
        (["f1", "f2", "s1"], 1),  # the retry found it: the failure after it stands
        (["f1", "f2", "s2"], 0),
        (["s1", "f2", "f1"], 1),  # a success is not taken back, nor does it move
        (["f1", "s2", "f3", "s2"], 1),  # told of the same success again
    ],
)
def test_an_intent_has_one_note(told: list[str], row: int) -> None:
    notes: list[EntryNote] = []
    for each in told:
        notes = noted(notes, EntryNote(each[1], each[0] == "f", NOW))
    assert failures_in_a_row(notes, NOW) == row
    assert len({note.intent_id for note in notes}) == len(notes)


def test_a_failure_from_a_clock_that_is_ahead_counts() -> None:
    ahead = EntryNote("tw-1", failed=True, at=NOW + timedelta(minutes=30))
    assert failures_in_a_row([ahead], NOW) == 1


def test_no_more_notes_are_kept_than_needed() -> None:
    notes: list[EntryNote] = []
    for n in range(KEPT_NOTES + 5):
        notes = noted(notes, EntryNote(str(n), failed=True, at=NOW))
    assert [note.intent_id for note in notes] == [str(n) for n in range(5, KEPT_NOTES + 5)]
    assert opens(failures_in_a_row(notes, NOW))
    assert KEPT_NOTES > FAILURES_TO_OPEN


@pytest.mark.parametrize(
    ("state", "who", "opened"),
    [
        (SwitchState.REDUCING, WHO, True),
        (SwitchState.REDUCING, "ada", False),
        (SwitchState.HALTED, "ada", False),
        (SwitchState.ACTIVE, WHO, False),
    ],
)
def test_open_means_reduced_by_the_breaker(state: SwitchState, who: str, opened: bool) -> None:
    change = SwitchChange("live", 1, state, SwitchState.ACTIVE, who, "", NOW)
    assert is_open(change) is opened


def test_only_a_person_closes_it() -> None:
    control = FakeControl()
    lower = SwitchState.REDUCING
    control.change_switch("live", lower, WHO, "5 entries failed", NOW, only_lower=True)
    # Neither the breaker nor an alarm can ask for more than stands.
    back = control.change_switch("live", SwitchState.ACTIVE, WHO, "fine", NOW, only_lower=True)
    assert is_open(back)
    assert not is_open(control.change_switch("live", SwitchState.ACTIVE, "ada", "fixed", NOW))
