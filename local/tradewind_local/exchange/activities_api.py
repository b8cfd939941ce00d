"""Account activities under ``/v2/account/activities``, and what may go wrong with their list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tradewind.errors import InvalidInputError

from tradewind_local.exchange import refusals
from tradewind_local.exchange.bodies import activity_body, fill_body
from tradewind_local.exchange.engine import Exchange
from tradewind_local.exchange.http_messages import Request, Response
from tradewind_local.exchange.model import Activity, Fill
from tradewind_local.exchange.wire import NEW_YORK

MOST_ACTIVITIES = 100


@dataclass(frozen=True, slots=True)
class FillFaults:
    """What is wrong with the list of the next fills, each counted from the same one.

    ``drop``: so many are not listed, ever, or until the list was read ``reads`` times without
    them. ``double``: so many are listed twice. ``reorder``: so many are listed in the reverse
    order among themselves.
    """

    drop: int = 0
    reads: int | None = None
    double: int = 0
    reorder: int = 0

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> FillFaults:
        """InvalidInputError when they are none."""
        try:
            faults = cls(**given)
        except TypeError as error:
            raise InvalidInputError(f"not faults of fills: {error}") from error
        counts = (faults.drop, faults.reads or 0, faults.double, faults.reorder)
        if not all(isinstance(count, int) and count >= 0 for count in counts):
            raise InvalidInputError(f"faults of fills are counts: {dict(given)}")
        return faults


class ActivitiesApi:
    def __init__(self) -> None:
        self._faults: FillFaults | None = None
        self._first = 0
        self._missed: Counter[int] = Counter()

    def set_faults(self, faults: FillFaults | None, fills_so_far: int = 0) -> None:
        """Faults of the fills that come after so many."""
        self._faults, self._first = faults, fills_so_far + 1
        self._missed.clear()

    def get(
        self, exchange: Exchange, request: Request, activity_type: str | None = None
    ) -> Response:
        """Newest first unless asked otherwise; ``date`` is New York's."""
        types = [activity_type] if activity_type else request.names("activity_types")
        after, until = request.time("after"), request.time("until")
        day = request.query.get("date")
        fills = self._listed(exchange.fills) if types is None or "FILL" in types else []
        others = [
            activity for activity in exchange.activities if types is None or activity.kind in types
        ]
        # Fills of an instant come before what else happened in it: a fee follows its sale.
        listed: list[Fill | Activity] = [*fills, *others]
        if others:
            listed.sort(key=lambda one: one.at)
        found = [
            one
            for one in listed
            if (after is None or one.at > after)
            and (until is None or one.at < until)
            and (day is None or one.at.astimezone(NEW_YORK).date().isoformat() == day)
        ]
        if request.choice("direction", ("desc", "asc")) == "desc":
            found.reverse()
        token = request.query.get("page_token")
        if token is not None:
            # The page after the activity with this id.
            places = [index for index, one in enumerate(found) if one.id == token]
            if not places:
                raise refusals.unprocessable(f"invalid page_token: {token}")
            found = found[places[-1] + 1 :]
        page = found[: request.count("page_size", MOST_ACTIVITIES, MOST_ACTIVITIES)]
        return Response.json(
            [fill_body(one) if isinstance(one, Fill) else activity_body(one) for one in page]
        )

    def _listed(self, fills: list[Fill]) -> list[Fill]:
        faults = self._faults
        if faults is None:
            return fills.copy()
        listed = fills[: self._first - 1]
        troubled = fills[self._first - 1 :]
        in_order = troubled[: faults.reorder][::-1] + troubled[faults.reorder :]
        for fill in in_order:
            place = fill.number - self._first
            if place < faults.drop and self._is_missing(fill, faults.reads):
                continue
            listed += [fill, fill] if place < faults.double else [fill]
        return listed

    def _is_missing(self, fill: Fill, reads: int | None) -> bool:
        self._missed[fill.number] += 1
        return reads is None or self._missed[fill.number] <= reads
