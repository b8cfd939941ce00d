"""What a provider was asked and what it answered, as JSON, for the way from edge to core."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from tradewind.errors import InvalidInputError
from tradewind.market.adjustment import SplitFactor
from tradewind.market.bar import MINUTE, Bar, from_iso, to_iso
from tradewind.market.corporate_actions import CorporateAction
from tradewind.market.gap_ledger import ProviderAnswer

# Late trades recalculate a bar for a while: the last ten minutes are read again by each run.
REREAD = 10 * MINUTE
# Older gaps are asked for again in every fifth run.
BACKFILL_EVERY = 5


def plan_key(account: str) -> str:
    """Where core leaves the questions that would fill its gaps, and edge finds them."""
    return f"backfill/{account}/plan.json"


@dataclass(frozen=True, slots=True)
class Question:
    """Bars of these symbols that start in ``first..last`` (both included, aware UTC)."""

    symbols: tuple[str, ...]
    first: datetime
    last: datetime

    def as_payload(self) -> dict[str, Any]:
        return {
            "symbols": list(self.symbols),
            "first": to_iso(self.first),
            "last": to_iso(self.last),
        }

    @classmethod
    def from_payload(cls, raw: Mapping[str, Any]) -> Question:
        return cls(tuple(raw["symbols"]), from_iso(raw["first"]), from_iso(raw["last"]))


@dataclass(frozen=True, slots=True)
class Answer:
    """``bars`` are all that came, believable or not; ``asked_at`` is when the question was sent."""

    question: Question
    asked_at: datetime
    bars: tuple[Bar, ...]

    def for_the_ledger(self) -> ProviderAnswer:
        came: dict[str, set[datetime]] = {}
        for bar in self.bars:
            came.setdefault(bar.symbol, set()).add(bar.start)
        asked = self.question
        return ProviderAnswer(asked.symbols, asked.first, asked.last, self.asked_at, came)


@dataclass(frozen=True, slots=True)
class Fetched:
    """Everything one run fetched: the answers, and the split factors and other corporate actions
    learnt with them."""

    answers: tuple[Answer, ...]
    factors: tuple[SplitFactor, ...]
    actions: tuple[CorporateAction, ...] = ()

    @property
    def count(self) -> int:
        return sum(len(answer.bars) for answer in self.answers)


def dump_fetched(fetched: Fetched) -> bytes:
    plain = {
        "answers": [
            {
                **answer.question.as_payload(),
                "asked_at": to_iso(answer.asked_at),
                "bars": [bar.as_payload() for bar in answer.bars],
            }
            for answer in fetched.answers
        ],
        "factors": [
            {
                "symbol": factor.symbol,
                "effective": factor.effective.isoformat(),
                "new_rate": str(factor.new_rate),
                "old_rate": str(factor.old_rate),
                "known_at": to_iso(factor.known_at),
            }
            for factor in fetched.factors
        ],
        "actions": [
            {
                "action_id": action.action_id,
                "symbol": action.symbol,
                "kind": action.kind,
                "effective": action.effective.isoformat(),
                "known_at": to_iso(action.known_at),
            }
            for action in fetched.actions
        ],
    }
    return json.dumps(plain, separators=(",", ":")).encode()


def load_fetched(body: bytes) -> Fetched:
    """The reverse of :func:`dump_fetched`; InvalidInputError when it is not one."""
    try:
        raw = json.loads(body)
        return Fetched(
            tuple(
                Answer(
                    Question.from_payload(item),
                    from_iso(item["asked_at"]),
                    tuple(Bar.from_payload(bar) for bar in item["bars"]),
                )
                for item in raw["answers"]
            ),
            tuple(
                SplitFactor(
                    item["symbol"],
                    date.fromisoformat(item["effective"]),
                    Decimal(item["new_rate"]),
                    Decimal(item["old_rate"]),
                    from_iso(item["known_at"]),
                )
                for item in raw["factors"]
            ),
            tuple(
                CorporateAction(
                    item["action_id"],
                    item["symbol"],
                    item["kind"],
                    date.fromisoformat(item["effective"]),
                    from_iso(item["known_at"]),
                )
                # A minute that was fetched before a deployment has none.
                for item in raw.get("actions", ())
            ),
        )
    except (AttributeError, KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise InvalidInputError(f"not a provider's answers: {error!r}") from error


def dump_questions(questions: Sequence[Question]) -> bytes:
    return json.dumps([question.as_payload() for question in questions]).encode()


def load_questions(body: bytes) -> list[Question]:
    """The reverse of :func:`dump_questions`; InvalidInputError when it is not one."""
    try:
        return [Question.from_payload(item) for item in json.loads(body)]
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInputError(f"not a backfill plan: {error!r}") from error
