"""The check between paper and live: each demand alone, at its boundary."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from tradewind.orders.control import SwitchChange, SwitchState
from tradewind.portfolio.differences import QuantityDifference
from tradewind.risk.going_live import (
    LiveRequest,
    LiveThresholds,
    OpenAlert,
    PaperEvidence,
    check_going_live,
)

NOW = datetime(2020, 12, 14, 22, 0, tzinfo=UTC)
ACTIVE, REDUCING, HALTED = SwitchState.ACTIVE, SwitchState.REDUCING, SwitchState.HALTED
ENOUGH = PaperEvidence(sessions=20, round_trips=50)


def request(**changes: Any) -> LiveRequest:
    plain = LiveRequest("live", ENOUGH, D("0.01"), (), ACTIVE, ())
    return replace(plain, **changes)


def alert(severity: int) -> OpenAlert:
    return OpenAlert("position_difference", severity, "10 and 11", NOW - timedelta(days=3))


def change(days: float, to: SwitchState = REDUCING, previous: SwitchState = ACTIVE) -> SwitchChange:
    at = NOW - timedelta(days=days)
    return SwitchChange("paper", 1, to, previous, "alarm", "three runs failed", at)


DIFFERENCE = QuantityDifference("AAPL", D(10), D(11), NOW)
CASES = [
    # (what is shown, what is missing: a word of the sentence, None when nothing)
    ("just enough of everything", {}, None),
    ("deployed for paper", {"mode": "paper"}, "TradingMode=live"),
    ("deployed for shadow", {"mode": "shadow"}, "mode shadow"),
    ("a session short", {"evidence": replace(ENOUGH, sessions=19)}, "19 sessions"),
    ("a round trip short", {"evidence": replace(ENOUGH, round_trips=49)}, "49 positions"),
    ("no divergence measured", {"divergence": None}, "was not measured"),
    ("a hair too far from the backtest", {"divergence": D("0.0101")}, "1.01 %"),
    ("as far below it", {"divergence": D("-0.0101")}, "1.01 %"),
    ("below it, and near enough", {"divergence": D("-0.01")}, None),
    ("an open alert of severity 4", {"evidence": replace(ENOUGH, open_alerts=(alert(4),))},
     "position_difference of 2020-12-11T22:00:00Z"),
    ("an open alert of severity 3", {"evidence": replace(ENOUGH, open_alerts=(alert(3),))}, None),
    ("five of them are counted", {"evidence": replace(ENOUGH, open_alerts=(alert(5),) * 5)},
     "and 2 more"),
    ("a difference", {"differences": (DIFFERENCE,)}, "our books hold 10, the broker 11"),
    ("trading is halted", {"switch": HALTED}, "switch is HALTED"),
    ("lowered six days ago", {"switch_changes": (change(6.99),)}, "three runs failed"),
    ("lowered a week ago", {"switch_changes": (change(7),)}, None),
    ("raised yesterday", {"switch_changes": (change(1, ACTIVE, REDUCING),)}, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "missing"), [row[1:] for row in CASES], ids=[str(row[0]) for row in CASES]
)
def test_what_is_missing(changes: dict[str, Any], missing: str | None) -> None:
    verdict = check_going_live(request(**changes), NOW)
    assert verdict.passed == (missing is None)
    assert len(verdict.missing) == (0 if missing is None else 1)
    assert missing is None or missing in verdict.missing[0]


def test_everything_that_is_missing_is_told_at_once() -> None:
    nothing = LiveRequest(
        "paper", PaperEvidence(0, 0, (alert(5),)), None, (DIFFERENCE,), REDUCING, (change(1),)
    )
    assert len(check_going_live(nothing, NOW).missing) == 8


def test_the_demands_can_be_changed() -> None:
    less = LiveThresholds(sessions=1, round_trips=0)
    shown = request(evidence=PaperEvidence(1, 0))
    assert check_going_live(shown, NOW, less).passed
    assert not check_going_live(shown, NOW).passed
