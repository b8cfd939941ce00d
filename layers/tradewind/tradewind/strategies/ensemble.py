"""Several strategies as one: long only on what all of them want.

- flat: enter in the minute in which every member would enter. One member's event is the moment,
  the others confirm it; two members that both wait for a cross must see theirs in the same minute.
- long: leave while any member would leave.
"""

from __future__ import annotations

from dataclasses import dataclass

from tradewind.errors import InvalidInputError
from tradewind.strategies.decision import Action
from tradewind.strategies.protocol import MarketView, Strategy, Wish


@dataclass(frozen=True, slots=True)
class EnsembleAll:
    """``members``: two or more different strategies, none of them an ensemble."""

    members: tuple[Strategy, ...]

    def __post_init__(self) -> None:
        names = {member.name for member in self.members}
        if len(names) < 2 or len(names) != len(self.members):
            raise InvalidInputError("an ensemble needs two or more different members")

    @property
    def name(self) -> str:
        return f"ensemble_all({','.join(member.name for member in self.members)})"

    @property
    def bars_needed(self) -> int:
        return max(member.bars_needed for member in self.members)

    @property
    def needs_prediction(self) -> bool:
        return any(member.needs_prediction for member in self.members)

    def decide(self, view: MarketView) -> Wish:
        wishes = [(member.name, member.decide(view)) for member in self.members]
        for name, wish in wishes:
            # One member is enough to leave, while long, and to stay out, while flat.
            if wish.action in (Action.EXIT, Action.WAIT):
                return Wish(wish.action, wish.reason_code, f"{name}: {wish.reason}")
        reasons = "; ".join(f"{name}: {wish.reason}" for name, wish in wishes)
        if view.holding:
            return Wish(Action.HOLD, "all_hold", reasons)
        return Wish(Action.ENTER, "all_enter", reasons)
