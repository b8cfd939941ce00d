"""Which corporate action keeps a symbol from being entered and held, and when it was known."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from tradewind.errors import InvalidInputError
from tradewind.market.corporate_actions import CorporateAction, actions_due
from tradewind.market.session_table import default_table

WED, THU, FRI, MON, TUE = (date(2020, 11, day) for day in (11, 12, 13, 16, 17))
SATURDAY = date(2020, 11, 14)
NOON = datetime(2020, 11, 9, 17, 0, tzinfo=UTC)  # Monday before
LATER = NOON + timedelta(hours=1)


def spin_off(
    effective: date, action_id: str = "a", symbol: str = "T", known_at: datetime = NOON
) -> CorporateAction:
    return CorporateAction(action_id, symbol, "spin_off", effective, known_at)


CASES = [
    # (the case, what was learnt, the session, known by, symbol -> the action's date)
    ("two sessions before", [spin_off(FRI)], WED, LATER, {}),
    ("the session before", [spin_off(FRI)], THU, LATER, {"T": FRI}),
    ("its own session", [spin_off(FRI)], FRI, LATER, {"T": FRI}),
    ("the session after", [spin_off(FRI)], MON, LATER, {}),
    ("on a Monday: the Friday before", [spin_off(MON)], FRI, LATER, {"T": MON}),
    ("on a Saturday: the Friday before", [spin_off(SATURDAY)], FRI, LATER, {"T": SATURDAY}),
    ("on a Saturday: the Monday after", [spin_off(SATURDAY)], MON, LATER, {"T": SATURDAY}),
    ("on a Saturday: not the Tuesday", [spin_off(SATURDAY)], TUE, LATER, {}),
    ("known from the moment it was learnt", [spin_off(FRI)], THU, NOON, {"T": FRI}),
    ("and not before", [spin_off(FRI)], THU, NOON - timedelta(seconds=1), {}),
    ("it has moved away", [spin_off(FRI), spin_off(TUE, known_at=LATER)], THU, LATER, {}),
    ("which was not known yet", [spin_off(FRI), spin_off(TUE, known_at=LATER)], THU, NOON,
     {"T": FRI}),
    ("it has moved here", [spin_off(TUE), spin_off(FRI, known_at=LATER)], THU, LATER, {"T": FRI}),
    ("the last knowledge counts, however told", [spin_off(TUE, known_at=LATER), spin_off(FRI)],
     THU, LATER, {}),
    ("two of a symbol: the first", [spin_off(FRI, "b"), spin_off(THU, "c")], THU, LATER,
     {"T": THU}),
    ("two symbols", [spin_off(FRI), spin_off(FRI, "b", "GE")], THU, LATER, {"T": FRI, "GE": FRI}),
    ("none", [], THU, LATER, {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("actions", "session", "known_by", "expected"), [row[1:] for row in CASES],
    ids=[str(row[0]) for row in CASES],
)  # fmt: skip
def test_what_is_due(
    actions: list[CorporateAction], session: date, known_by: datetime, expected: dict[str, date]
) -> None:
    calendar = default_table()
    previous, following = calendar.previous(session).date, calendar.following(session).date
    found = actions_due(actions, previous, following, known_by)
    assert {symbol: action.effective for symbol, action in found.items()} == expected


def test_the_sentence_names_the_action_and_its_date() -> None:
    merger = CorporateAction("m", "FOXA", "stock_and_cash_merger", MON, NOON)
    assert str(merger) == "stock and cash merger of FOXA with effect from 2020-11-16"


def test_when_it_was_learnt_needs_a_time_zone() -> None:
    with pytest.raises(InvalidInputError, match="time zone"):
        spin_off(FRI, known_at=datetime(2020, 11, 9, 17, 0))  # noqa: DTZ001
