"""Corporate actions as the simulated exchange tells of them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from tradewind.errors import InvalidInputError
from tradewind_local.exchange.announcements import Announcements

SPIN_OFF = {"id": "a", "source_symbol": "T", "new_symbol": "WBD", "process_date": "2026-04-08"}
MERGER = {"id": "b", "acquiree_symbol": "TWTR", "process_date": "2026-04-01"}
APRIL = (date(2026, 4, 1), date(2026, 4, 30))

CASES: list[tuple[str, tuple[Any, ...], dict[str, list[Any]]]] = [
    # (the case, what is asked: symbols, types, first, last; what is told)
    ("all", (None, None, *APRIL), {"spin_offs": [SPIN_OFF], "cash_mergers": [MERGER]}),
    ("of a symbol", (["T"], None, *APRIL), {"spin_offs": [SPIN_OFF]}),
    ("whatever its part in it", (["WBD", "X"], None, *APRIL), {"spin_offs": [SPIN_OFF]}),
    ("of a type", (None, ["cash_merger"], *APRIL), {"cash_mergers": [MERGER]}),
    ("of one day", (None, None, APRIL[0], APRIL[0]), {"cash_mergers": [MERGER]}),
    ("after both", (None, None, date(2026, 4, 9), APRIL[1]), {}),
    ("of another symbol", (["AAPL"], None, *APRIL), {}),
]


@pytest.mark.parametrize(
    ("asked", "told"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_what_is_told(asked: tuple[Any, ...], told: dict[str, list[Any]]) -> None:
    announcements = Announcements()
    announcements.add("spin_off", {**SPIN_OFF, "process_date": "2026-04-20"})
    announcements.add("spin_off", SPIN_OFF)  # it has moved
    announcements.add("cash_merger", MERGER)
    assert announcements.of(*asked) == told


@pytest.mark.parametrize("action", [{}, {"id": "a"}, {**MERGER, "process_date": "soon"}], ids=str)
def test_what_is_no_announcement(action: dict[str, str]) -> None:
    with pytest.raises(InvalidInputError, match="process_date"):
        Announcements().add("spin_off", action)
