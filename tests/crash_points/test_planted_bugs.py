"""The harness can fail: bugs planted in the order path turn it red."""

from __future__ import annotations

import pytest
from tradewind.orders import exits, submission

from tests.crash_points.combinations import Combination, try_out
from tests.crash_points.faults import FAULTS
from tests.crash_points.ground import Ground
from tests.crash_points.scenarios import SCENARIOS

pytestmark = pytest.mark.crash_points


def _combination(scenario: str, fault: str) -> Combination:
    return Combination(
        next(known for known in SCENARIOS if known.name == scenario),
        next(known for known in FAULTS if known.name == fault),
    )


def _remove_the_lookup() -> None:
    """Submission takes "not there" for granted and sends again."""
    submission.look_up = lambda *_args: (None, True)


def _forget_the_stop() -> None:
    """An exit whose sale was refused leaves the shares as they are."""

    def forget(intent, _quantity, why, status, _broker, pacing, _sale=None):  # type: ignore[no-untyped-def]
        return submission.outcome(intent.intent_id, status, "sale_failed", why, pacing.now())

    exits._put_back = forget


@pytest.mark.parametrize(
    ("scenario", "fault", "plant", "seen"),
    [
        ("entry", "504 after accepting", _remove_the_lookup, "sent again without a lookup"),
        ("reprice", "reset after accepting", _remove_the_lookup, "sent again without a lookup"),
        ("exit whose sale is refused", "none", _forget_the_stop, "without protection"),
    ],
)
def test_a_planted_bug_is_seen(
    ground: Ground, scenario: str, fault: str, plant: object, seen: str
) -> None:
    combination = _combination(scenario, fault)
    assert try_out(ground, combination).violations == []
    found = try_out(ground, combination, plant).violations  # type: ignore[arg-type]
    assert any(seen in violation for violation in found), found
