"""The harness can fail: bugs planted in the order path turn it red."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from tradewind.orders import exits, procedures, submission

from tests.crash_points.combinations import Combination, try_out
from tests.crash_points.faults import FAULTS
from tests.crash_points.ground import Ground
from tests.crash_points.protection import Cover, Market, Trade
from tests.crash_points.scenarios import SCENARIOS
from tests.crash_points.splits import CONVERTED, NEXT_OPEN

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


def _wait_for_no_cancellation() -> None:
    """A renewed stop is sent while the old one may still be in the market."""
    procedures.cancel_and_wait = lambda *_args: None


def _forget_what_was_sold() -> None:
    """A renewed stop is for what was held before the old one sold."""

    def as_decided(intent, target, _shares, _working, broker, pacing):  # type: ignore[no-untyped-def]
        procedures.cancel_and_wait(target.order_id, broker, pacing)
        return procedures.place_stop(intent.intent_id, intent, intent.quantity, broker, pacing)

    procedures._in_its_place = as_decided


@pytest.mark.parametrize(
    ("scenario", "fault", "plant", "seen"),
    [
        ("entry", "504 after accepting", _remove_the_lookup, "sent again without a lookup"),
        ("reprice", "reset after accepting", _remove_the_lookup, "sent again without a lookup"),
        ("exit whose sale is refused", "none", _forget_the_stop, "without protection"),
        ("renew a stop that sells", "none", _wait_for_no_cancellation, "without protection"),
        ("renew a stop that sells", "429", _forget_what_was_sold, "without protection"),
    ],
)
def test_a_planted_bug_is_seen(
    ground: Ground, scenario: str, fault: str, plant: object, seen: str
) -> None:
    combination = _combination(scenario, fault)
    assert try_out(ground, combination).violations == []
    found = try_out(ground, combination, plant).violations  # type: ignore[arg-type]
    assert any(seen in violation for violation in found), found


@pytest.mark.parametrize(
    ("sold", "renewed_for", "seen"),
    [
        (0, 693, None),  # beside the 7 of the old stop, which still rests
        (7, 693, None),
        (0, 694, "701 shares were for sale and 700 held"),
        (7, 694, "694 shares were for sale and 693 held"),
        (701, 0, "1 shares more were sold than were held"),
    ],
)
def test_orders_for_more_than_is_held_are_seen(
    sold: int, renewed_for: int, seen: str | None
) -> None:
    """The exchange refuses them, so that no scenario shows one. 100 shares became 700 in the night,
    and the stop of before it is for 7."""
    end = NEXT_OPEN + timedelta(minutes=9)
    bought = Trade("entry", CONVERTED - timedelta(hours=12), Decimal(100), is_buy=True)
    sale = Trade("old", NEXT_OPEN, Decimal(sold), is_buy=False)
    old_until = NEXT_OPEN if sold else end
    covers = [Cover("old", bought.at, old_until, Decimal(7))]
    if renewed_for:
        covers.append(Cover("new", NEXT_OPEN + timedelta(minutes=1), end, Decimal(renewed_for)))
    market = Market("FORWARD", [bought, sale], covers)
    found = market.too_much([CONVERTED, NEXT_OPEN, NEXT_OPEN + timedelta(minutes=1)])
    assert [text.partition(" at ")[0] for text in found] == ([seen] if seen else [])
