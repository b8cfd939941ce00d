"""Ids that count up from a seed: the same calls give the same ids."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_OID, uuid5

from tradewind_local.exchange.wire import NEW_YORK


@dataclass(frozen=True, slots=True)
class Ids:
    """By what is counted and its number; ``at`` is aware UTC."""

    seed: int

    def order(self, number: int) -> str:
        return self._uuid("order", number)

    def client_order(self, number: int) -> str:
        """For an order that came without the client's own."""
        return self._uuid("client order", number)

    def fill(self, number: int, at: datetime) -> str:
        return f"{_new_york_stamp(at)}::{self._uuid('fill', number)}"

    def activity(self, number: int, at: datetime) -> str:
        return f"{_new_york_stamp(at)}::{self._uuid('activity', number)}"

    def _uuid(self, kind: str, number: int) -> str:
        return str(uuid5(NAMESPACE_OID, f"tradewind exchange/{self.seed}/{kind}/{number}"))


def _new_york_stamp(at: datetime) -> str:
    """``20201112143105123``: activity ids begin with New York's wall clock, in milliseconds."""
    local = at.astimezone(NEW_YORK)
    return f"{local:%Y%m%d%H%M%S}{local.microsecond // 1_000:03d}"
