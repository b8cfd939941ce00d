"""The circuit breaker: when entries fail in a row, no more are tried until a person says so.

It only ever lowers the trading switch. Nothing closes it by itself: a person sets the switch to
ACTIVE again, which the switch's ``only_lower`` holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tradewind.orders.control import SwitchChange, SwitchState
from tradewind.orders.model import IntentKind, IntentOutcome, IntentStatus

FAILURES_TO_OPEN = 5
WINDOW = timedelta(minutes=10)

# Who the switch's history names when the breaker lowered it.
WHO = "circuit breaker"

# An UNKNOWN that is not the broker's: nothing was asked of it.
NOT_THE_BROKERS = frozenset({"another_run_is_sending"})

# More than are ever needed to see FAILURES_TO_OPEN, few enough for one item of the control table.
KEPT_NOTES = 20


@dataclass(frozen=True, slots=True)
class EntryNote:
    """How one entry ended, and when that was learnt."""

    intent_id: str
    failed: bool
    at: datetime


def entry_failed(kind: IntentKind, outcome: IntentOutcome) -> bool | None:
    """True for an outcome that counts against the broker, False for one that starts the row anew.

    None for one that says nothing about how the broker answers entries: another kind of intent,
    a refusal by rule (the broker's or ours), an entry that was not sent.
    """
    if kind is not IntentKind.ENTRY or outcome.reason_code in NOT_THE_BROKERS:
        return None
    if outcome.status is IntentStatus.UNKNOWN:
        return True
    if outcome.status is IntentStatus.SUBMITTED:
        return False
    return None


def noted(notes: Sequence[EntryNote], note: EntryNote) -> list[EntryNote]:
    """The notes with one more, oldest first.

    An intent has one note: noted again, it stays at its place, and a success is never taken back
    (the second look at an entry that got no clear answer may find it at the broker, not lose it).
    """
    for place, known in enumerate(notes):
        if known.intent_id == note.intent_id:
            better = known if note.failed or not known.failed else note
            return [*notes[:place], better, *notes[place + 1 :]]
    return [*notes, note][-KEPT_NOTES:]


def failures_in_a_row(notes: Sequence[EntryNote], at: datetime) -> int:
    """How many of the newest notes, without a success between them, failed less than WINDOW ago.

    Submitters' clocks differ: a note from "later" than ``at`` counts.
    """
    row = 0
    for note in reversed(notes):
        if not note.failed:
            break
        row += note.at > at - WINDOW
    return row


def opens(row: int) -> bool:
    """Whether this many failures in a row open the breaker.

    Every further one does, too: where a person has set the switch to ACTIVE within the ten minutes,
    the next entry is the trial, and its failure opens the breaker again.
    """
    return row >= FAILURES_TO_OPEN


def is_open(switch: SwitchChange) -> bool:
    """Whether trading is reduced by the breaker, and not by a person or an alarm."""
    return switch.state is SwitchState.REDUCING and switch.who == WHO
