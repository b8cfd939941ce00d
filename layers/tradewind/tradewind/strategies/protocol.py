"""What a strategy is: it looks at one symbol and says what it wishes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tradewind.market.bar import Bar
from tradewind.prediction.model import Prediction
from tradewind.strategies.decision import Action


@dataclass(frozen=True, slots=True)
class MarketView:
    """Everything a strategy may know when it decides on one symbol at one minute.

    ``bars``: closed regular-session bars of the symbol, oldest first, continued across nights;
    the last one is the decided minute and nothing later is there. There may be fewer than the
    strategy needs. ``prediction`` is None when there is none; ``holding`` says whether the
    strategy is long in the symbol.
    """

    symbol: str
    bars: Sequence[Bar]
    prediction: Prediction | None
    holding: bool


@dataclass(frozen=True, slots=True)
class Wish:
    """What the strategy wants, with why in a word and in a sentence. HOLD and EXIT only while
    holding, ENTER and WAIT only while flat."""

    action: Action
    reason_code: str
    reason: str


class Strategy(Protocol):
    """A pure function of the view: the same view gives the same wish, live, replayed, tested."""

    @property
    def name(self) -> str:
        """Name with parameters, as ``decisions`` keeps it: ``sma_crossover_20_50``."""
        ...

    @property
    def bars_needed(self) -> int:
        """How many bars a view must carry for every kind of wish; fewer never raise."""
        ...

    def decide(self, view: MarketView) -> Wish: ...
