"""All for one: what two members make of their wishes together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from tradewind.errors import InvalidInputError
from tradewind.strategies.decision import Action
from tradewind.strategies.ensemble import EnsembleAll
from tradewind.strategies.protocol import MarketView, Wish
from tradewind.strategies.sma_crossover import SmaCrossover

NOW = datetime(2020, 11, 12, 17, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Told:
    """A member that wishes what it is told to."""

    name: str
    action: Action
    bars_needed: int = 1
    needs_prediction: bool = False

    def decide(self, view: MarketView) -> Wish:
        return Wish(self.action, f"{self.name}_{self.action}", f"told to {self.action}")


ENTER, WAIT, HOLD, EXIT = Action.ENTER, Action.WAIT, Action.HOLD, Action.EXIT

WISHES = [
    # -- flat: all have to want it
    (ENTER, ENTER, ENTER, "all_enter"),
    (ENTER, WAIT, WAIT, "b_wait"),
    (WAIT, ENTER, WAIT, "a_wait"),
    (WAIT, WAIT, WAIT, "a_wait"),
    # -- long: one is enough
    (HOLD, HOLD, HOLD, "all_hold"),
    (HOLD, EXIT, EXIT, "b_exit"),
    (EXIT, HOLD, EXIT, "a_exit"),
    (EXIT, EXIT, EXIT, "a_exit"),
]


@pytest.mark.parametrize(("one", "other", "action", "reason_code"), WISHES)
def test_wish(one: Action, other: Action, action: Action, reason_code: str) -> None:
    both = EnsembleAll((Told("a", one), Told("b", other)))
    wish = both.decide(MarketView("AAPL", NOW, [], None, holding=one in (HOLD, EXIT)))
    assert (wish.action, wish.reason_code) == (action, reason_code)


def test_the_sentence_names_who_said_it() -> None:
    flat = MarketView("AAPL", NOW, [], None, holding=False)
    wish = EnsembleAll((Told("a", ENTER), Told("b", WAIT))).decide(flat)
    assert wish.reason == "b: told to wait"
    wish = EnsembleAll((Told("a", ENTER), Told("b", ENTER))).decide(flat)
    assert wish.reason == "a: told to enter; b: told to enter"


def test_it_tells_its_name_and_what_it_needs() -> None:
    both = EnsembleAll((SmaCrossover(20, 50), Told("b", ENTER, bars_needed=60)))
    assert both.name == "ensemble_all(sma_crossover_20_50,b)"
    assert both.bars_needed == 60
    assert not both.needs_prediction
    trend = Told("b", ENTER, needs_prediction=True)
    assert EnsembleAll((SmaCrossover(20, 50), trend)).needs_prediction


@pytest.mark.parametrize("members", [(), ("a",), ("a", "a"), ("a", "b", "a")])
def test_one_member_or_the_same_twice_is_refused(members: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInputError, match="two or more different members"):
        EnsembleAll(tuple(Told(name, ENTER) for name in members))
