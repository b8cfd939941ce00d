"""What a strategy is: it looks at one symbol and says what it wishes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from tradewind.errors import InvalidInputError
from tradewind.market.bar import Bar, to_iso
from tradewind.market.bar_series import closes_of
from tradewind.prediction.model import Prediction
from tradewind.strategies.decision import Action


@dataclass(frozen=True, slots=True)
class MarketView:
    """Everything a strategy may know when it decides on one symbol at one minute.

    ``minute``: start of the decided minute, aware UTC. ``bars``: closed regular-session bars of the
    symbol, oldest first, continued across nights; the last one is the decided minute's, or an
    earlier one where that is missing. There may be fewer than the strategy needs. ``prediction`` is
    the newest one, None when there is none; ``holding`` says whether the strategy is long in the
    symbol. A bar or prediction of a later minute is refused (InvalidInputError).
    """

    symbol: str
    minute: datetime
    bars: Sequence[Bar]
    prediction: Prediction | None
    holding: bool

    def __post_init__(self) -> None:
        known = [self.bars[-1].start] if self.bars else []
        if self.prediction is not None:
            known.append(self.prediction.timestamp)
        if any(moment > self.minute for moment in known):
            raise InvalidInputError(
                f"{self.symbol}: the decision of {to_iso(self.minute)} would see what is known "
                f"from {to_iso(max(known))} on: look back only"
            )

    @property
    def closes(self) -> list[Decimal]:
        """The closes of ``bars`` in USD, oldest first: cheaper than asking each bar."""
        return closes_of(self.bars)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the strategy wants, with why in a word and in a sentence. HOLD and EXIT only while
    holding, ENTER and WAIT only while flat."""

    action: Action
    reason_code: str
    reason: str


class Strategy(Protocol):
    """A pure function of the view: the same view gives the same wish, live, replayed, tested.

    Enters on an event at the decided minute, leaves on a state, however long that has lasted: a
    minute that was never decided delays an exit and cannot lose it.
    """

    @property
    def name(self) -> str:
        """Name with parameters, as ``decisions`` keeps it: ``sma_crossover_20_50``."""
        ...

    @property
    def bars_needed(self) -> int:
        """How many bars a view must carry for every kind of wish; fewer never raise. A hole among
        them refuses an entry."""
        ...

    @property
    def needs_prediction(self) -> bool:
        """Whether it enters only on a fresh prediction. Only then is it shown the last good one of
        earlier runs, where this run has none."""
        ...

    def decide(self, view: MarketView) -> Wish: ...
