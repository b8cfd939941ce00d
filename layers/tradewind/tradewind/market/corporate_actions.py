"""Corporate actions that change what a share is, other than splits: spin-offs, rights, mergers,
unit splits, reorganisations, redemptions, removals, and a new name.

Nothing is converted over them as over a split (:mod:`tradewind.market.adjustment`): what a share
becomes may be cash, another company's share, or two things. They are stayed out of instead. A cash
dividend changes no share and is none of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from tradewind.errors import InvalidInputError
from tradewind.market.adjustment import SplitFactor


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """``symbol``: the one whose share changes. ``effective``: the New York date of the first
    session after the change, which may be a day without a session. ``kind`` and ``action_id`` are
    the provider's. ``known_at`` (aware UTC): when it was learnt."""

    action_id: str
    symbol: str
    kind: str
    effective: date
    known_at: datetime

    def __post_init__(self) -> None:
        if self.known_at.tzinfo is None:
            raise InvalidInputError(f"{self.kind} of {self.symbol}: known_at has no time zone")

    def __str__(self) -> str:
        return f"{self.kind.replace('_', ' ')} of {self.symbol} with effect from {self.effective}"


@dataclass(frozen=True, slots=True)
class Announced:
    """What a provider tells of: the splits, and the other actions that change what a share is."""

    factors: tuple[SplitFactor, ...] = ()
    actions: tuple[CorporateAction, ...] = ()


def actions_due(
    actions: Iterable[CorporateAction], previous: date, following: date, known_by: datetime
) -> dict[str, CorporateAction]:
    """By symbol, the first action that took effect with this session or does so with the
    ``following`` one, by what was known then; ``previous`` is the session before this one.

    An action told of again under its id with another date has moved. Its own session counts too:
    what was decided on lies before the change, and a merger may be carried out during the day.
    """
    newest: dict[str, CorporateAction] = {}
    for action in sorted(actions, key=lambda one: one.known_at):
        if action.known_at <= known_by:
            newest[action.action_id] = action
    due = [one for one in newest.values() if previous < one.effective <= following]
    due.sort(key=lambda one: (one.effective, one.action_id), reverse=True)
    return {one.symbol: one for one in due}
