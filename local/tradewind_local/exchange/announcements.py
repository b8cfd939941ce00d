"""Corporate actions as the broker's data API tells of them; what they do is another matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from tradewind.errors import InvalidInputError


class Announcements:
    """By type, in the order they were told; one told of again under its id takes its place. Not
    kept by an exchange that is started again."""

    def __init__(self) -> None:
        self._told: dict[str, dict[str, Mapping[str, Any]]] = {}

    def add(self, kind: str, action: Mapping[str, Any]) -> None:
        """``kind`` as in ``spin_off``; InvalidInputError without an id or a process date."""
        try:
            _processed(action)
            self._told.setdefault(kind, {})[str(action["id"])] = action
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInputError(
                f"a corporate action needs id and process_date (YYYY-MM-DD): {error!r}"
            ) from error

    def of(
        self, symbols: Sequence[str] | None, kinds: Sequence[str] | None, first: date, last: date
    ) -> dict[str, list[Mapping[str, Any]]]:
        """Those processed in ``first..last`` that name one of the symbols, as the broker groups
        them (``spin_offs``); None: all."""
        found = {
            f"{kind}s": [
                action
                for action in told.values()
                if first <= _processed(action) <= last
                and (symbols is None or not _symbols(action).isdisjoint(symbols))
            ]
            for kind, told in self._told.items()
            if kinds is None or kind in kinds
        }
        return {name: actions for name, actions in found.items() if actions}


def _processed(action: Mapping[str, Any]) -> date:
    return date.fromisoformat(action["process_date"])


def _symbols(action: Mapping[str, Any]) -> set[str]:
    return {value for name, value in action.items() if name.endswith("symbol")}
