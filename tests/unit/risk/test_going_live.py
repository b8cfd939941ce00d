"""The check between paper and live: each demand alone, at its boundary."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
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
    SessionDistance,
    check_going_live,
)

NOW = datetime(2020, 12, 14, 22, 0, tzinfo=UTC)
ACTIVE, REDUCING, HALTED = SwitchState.ACTIVE, SwitchState.REDUCING, SwitchState.HALTED
FIRST = date(2020, 11, 2)


def distances(*fractions: str | None, share: str = "1") -> list[SessionDistance]:
    return [
        SessionDistance(FIRST + timedelta(days=n), None if one is None else D(one), D(share))
        for n, one in enumerate(fractions)
    ]


NEAR = distances(*["0.001", "-0.001"] * 10)
ENOUGH = PaperEvidence(sessions=20, round_trips=50, distances=NEAR)


def request(**changes: Any) -> LiveRequest:
    plain = LiveRequest("live", ENOUGH, (), ACTIVE, ())
    return replace(plain, **changes)


def alert(severity: int) -> OpenAlert:
    return OpenAlert("position_difference", severity, "10 and 11", NOW - timedelta(days=3))


def change(days: float, to: SwitchState = REDUCING, previous: SwitchState = ACTIVE) -> SwitchChange:
    at = NOW - timedelta(days=days)
    return SwitchChange("paper", 1, to, previous, "alarm", "three runs failed", at)


def measured(distances: list[SessionDistance]) -> dict[str, Any]:
    return {"evidence": replace(ENOUGH, distances=distances)}


DIFFERENCE = QuantityDifference("AAPL", D(10), D(11), NOW)
CASES = [
    # (what is shown, what is missing: a word of the sentence, None when nothing)
    ("just enough of everything", {}, None),
    ("deployed for paper", {"mode": "paper"}, "TradingMode=live"),
    ("deployed for shadow", {"mode": "shadow"}, "mode shadow"),
    ("a session short", {"evidence": replace(ENOUGH, sessions=19)}, "19 sessions"),
    ("a round trip short", {"evidence": replace(ENOUGH, round_trips=49)}, "49 positions"),
    ("no divergence measured", measured([]), "was not measured"),
    ("no session compared", measured(distances(*[None] * 20)), "was not measured"),
    ("all compared in part", measured(distances(*["0"] * 20, share="0.8999")), "was not measured"),
    ("compared for the most part", measured(distances(*["0"] * 20, share="0.9")), None),
    ("a compared session short", measured(distances(*["0"] * 19, None)), "19 sessions on paper"),
    ("a session compared in part short",
     measured([*distances(*["0"] * 19), *distances("0", share="0.5")]), "19 sessions on paper"),
    # in sum they are as good as nothing
    ("5 % up, 5 % down", measured(distances(*["0.05", "-0.05"] * 10)), "lies 5.00 % of equity"),
    ("a hair too far on average", measured(distances(*["0.0011", "-0.0011"] * 10)),
     "0.11 % of equity from its backtest on average, allowed are 0.10 %"),
    ("one session at the bound", measured(distances("-0.005", *["0"] * 19)), None),
    ("one session beyond it", measured(distances("0", "-0.0051", *["0"] * 18)),
     "lies -0.51 % on 2020-11-03 away, allowed are 0.50 %"),
    ("an open alert of severity 4", {"evidence": replace(ENOUGH, open_alerts=(alert(4),))},
     "position_difference of 2020-12-11T22:00:00Z"),
    ("an open alert of severity 3", {"evidence": replace(ENOUGH, open_alerts=(alert(3),))}, None),
    ("five of them are counted", {"evidence": replace(ENOUGH, open_alerts=(alert(5),) * 5)},
     "and 2 more"),
    ("a difference", {"differences": (DIFFERENCE,)}, "our books hold 10, the broker 11"),
    ("trading is halted", {"switch": HALTED}, "switch is HALTED"),
    ("lowered six days ago", {"switch_changes": (change(6.99),)}, "three runs failed"),
    ("lowered long ago and again yesterday", {"switch_changes": (
        change(30), change(29, ACTIVE, REDUCING), change(1), change(0.5, ACTIVE, REDUCING))},
     "at 2020-12-13T22:00:00Z"),
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
        "paper", PaperEvidence(0, 0, (), (alert(5),)), (DIFFERENCE,), REDUCING, (change(1),)
    )
    verdict = check_going_live(nothing, NOW)
    assert len(verdict.missing) == len(verdict.demands) == 8
    assert [(one.name, one.shown) for one in verdict.demands] == [
        ("deployment", "mode paper"), ("sessions", "0"), ("round_trips", "0"),
        ("divergence", "not measured"), ("alerts", "1 open"), ("books", "1 differ"),
        ("switch", "REDUCING"), ("quiet", "lowered at 2020-12-13T22:00:00Z"),
    ]  # fmt: skip


def test_a_demand_that_is_met_shows_its_figure_too() -> None:
    verdict = check_going_live(request(switch_changes=(change(30),)), NOW)
    assert [(one.shown, one.needed) for one in verdict.demands[1:5]] == [
        ("20", "at least 20"),
        ("50", "at least 50"),
        (
            "mean 0.10 %, worst 0.10 % on 2020-11-02, over 20 sessions",
            "mean at most 0.10 %, worst at most 0.50 % of equity, over at least 20 sessions",
        ),
        ("0 open", "none of severity 4 and above"),
    ]
    assert all(one.met for one in verdict.demands)
    some = replace(ENOUGH, distances=[*NEAR, *distances(None), *distances("1", share="0.2")])
    shown = check_going_live(request(evidence=some), NOW).demands[3].shown
    assert shown.endswith("over 20 sessions, 2 not compared")


def test_the_demands_can_be_changed() -> None:
    less = LiveThresholds(sessions=1, round_trips=0)
    shown = request(evidence=PaperEvidence(1, 0, distances("0")))
    assert check_going_live(shown, NOW, less).passed
    assert not check_going_live(shown, NOW).passed
