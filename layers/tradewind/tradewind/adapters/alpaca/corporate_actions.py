"""The CorporateActionProvider Protocol over Alpaca's data API: GET /v1/corporate-actions.

Splits and stock dividends become factors; what else changes a share (spin-offs, mergers, ...) is
told as it is. Cash dividends are left out, and so is a name change that keeps the symbol (another
CUSIP, as after a reverse split). Alpaca does not say when an action was announced and promises no
time at which it appears, so what counts is when it was read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from tradewind.adapters.alpaca.credentials import Credentials
from tradewind.adapters.http import HttpAnswer, Transport, read_json, retry_after
from tradewind.errors import (
    InvalidInputError,
    KeyRefusedError,
    ProviderRefusedError,
    ProviderUnavailableError,
    ThrottledError,
    UnreadableAnswerError,
)
from tradewind.market.adjustment import SplitFactor
from tradewind.market.corporate_actions import Announced, CorporateAction
from tradewind.market.ports import RequestBudget
from tradewind.use_cases.ports import Clock

PROVIDER = "alpaca"
PAGE = 1_000
_ONE = Decimal(1)

# By kind: which field names the symbol whose share changes, and which the date.
_CHANGES = {
    "spin_offs": ("source_symbol", "ex_date"),
    "rights_distributions": ("source_symbol", "ex_date"),
    "cash_mergers": ("acquiree_symbol", "effective_date"),
    "stock_mergers": ("acquiree_symbol", "effective_date"),
    "stock_and_cash_mergers": ("acquiree_symbol", "effective_date"),
    "unit_splits": ("old_symbol", "effective_date"),
    "reorganizations": ("symbol", "effective_date"),
    "name_changes": ("old_symbol", "process_date"),
    "redemptions": ("symbol", "process_date"),
    "worthless_removals": ("symbol", "process_date"),
}


class AlpacaCorporateActions:
    """``url``: https://data.alpaca.markets; ``budget`` None: nobody else uses the key."""

    def __init__(
        self, url: str, credentials: Credentials, clock: Clock, budget: RequestBudget | None
    ) -> None:
        self._url = url.rstrip("/") + "/v1/corporate-actions"
        self._clock = clock
        self._transport = Transport(
            PROVIDER,
            clock,
            budget,
            credentials.headers(),
        )

    def announced(self, symbols: Sequence[str], first: date, last: date) -> Announced:
        """Actions processed from ``first`` to ``last`` (both included; ``last`` may lie ahead), of
        all types: a list of types that names one too many is refused as a whole."""
        if not symbols:
            return Announced()
        query: dict[str, str | int] = {
            "symbols": ",".join(dict.fromkeys(symbols)),
            "start": first.isoformat(),
            "end": last.isoformat(),
            "limit": PAGE,
        }
        bodies: list[Mapping[str, Any]] = []
        tokens: set[str] = set()
        while True:
            body = self._transport.get(self._url, query, partial(self._page, known=tokens))
            bodies.append(body["corporate_actions"] or {})
            token = body.get("next_page_token")
            if not token:
                now = self._clock.now()
                return Announced(tuple(factors_of(bodies, now)), tuple(actions_of(bodies, now)))
            tokens.add(token)
            query["page_token"] = token

    def _page(self, answer: HttpAnswer, known: set[str]) -> dict[str, Any]:
        if answer.status != 200:
            raise _refusal(answer, self._clock.now())
        body = read_json(answer)
        if not isinstance(body, dict) or not isinstance(
            body.get("corporate_actions", ()), dict | None
        ):
            raise UnreadableAnswerError(f"{self._url}: the body holds no corporate actions")
        token = body.get("next_page_token")
        if token is not None and (not isinstance(token, str) or token in known):
            raise UnreadableAnswerError(f"{self._url}: no way on from next_page_token {token!r}")
        return body


def factors_of(pages: Sequence[Mapping[str, Any]], known_at: datetime) -> list[SplitFactor]:
    """The factors in the ``corporate_actions`` objects of an answer's pages, by symbol and date.

    An action that is repeated (by its id) counts once; two actions of one symbol on one day are
    one factor. Raises UnreadableAnswerError for a body that is not as documented.
    """
    actions: dict[str, tuple[str, date, Decimal, Decimal]] = {}
    try:
        for page in pages:
            for kind in ("forward_splits", "reverse_splits"):
                for raw in page.get(kind) or ():
                    actions[raw["id"]] = (
                        raw["symbol"],
                        date.fromisoformat(raw["ex_date"]),
                        _rate(raw["new_rate"]),
                        _rate(raw["old_rate"]),
                    )
            for raw in page.get("stock_dividends") or ():
                # rate: new shares for each one held
                actions[raw["id"]] = (
                    raw["symbol"],
                    date.fromisoformat(raw["ex_date"]),
                    _ONE + _rate(raw["rate"]),
                    _ONE,
                )
        rates: dict[tuple[str, date], tuple[Decimal, Decimal]] = {}
        for symbol, ex_date, new, old in actions.values():
            known_new, known_old = rates.get((symbol, ex_date), (_ONE, _ONE))
            rates[symbol, ex_date] = (known_new * new, known_old * old)
        return [
            SplitFactor(symbol, ex_date, new, old, known_at)
            for (symbol, ex_date), (new, old) in sorted(rates.items())
        ]
    except (
        AttributeError, KeyError, TypeError, ValueError, InvalidOperation, InvalidInputError,
    ) as error:  # fmt: skip
        raise UnreadableAnswerError(f"not a corporate action: {error!r}") from error


def actions_of(pages: Sequence[Mapping[str, Any]], known_at: datetime) -> list[CorporateAction]:
    """The other actions that change what a share is, by symbol and date; as ``factors_of`` does.

    Where one has no ex or effective date yet, the day on which it is processed counts. One without
    a symbol is of a company that is not traded under any.
    """
    actions: dict[str, CorporateAction] = {}
    try:
        for page in pages:
            for kind, (whose, when) in _CHANGES.items():
                for raw in page.get(kind) or ():
                    symbol = raw.get(whose)
                    if not symbol or (kind == "name_changes" and raw.get("new_symbol") == symbol):
                        continue
                    effective = date.fromisoformat(raw.get(when) or raw["process_date"])
                    actions[raw["id"]] = CorporateAction(
                        raw["id"], symbol, kind.removesuffix("s"), effective, known_at
                    )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnreadableAnswerError(f"not a corporate action: {error!r}") from error
    return sorted(actions.values(), key=lambda one: (one.symbol, one.effective, one.action_id))


def _rate(value: object) -> Decimal:
    """A JSON number or its digits in a string; both are seen."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise TypeError(f"{value!r} is not a rate")
    return Decimal(value)


def _refusal(
    answer: HttpAnswer, now: datetime
) -> ProviderUnavailableError | ProviderRefusedError | ThrottledError:
    text = f"{answer.url}: status {answer.status}: {answer.text()}"
    if answer.status == 429:
        return ThrottledError(text, retry_after(answer, now))
    if answer.status >= 500 or answer.status == 408:
        return ProviderUnavailableError(text)
    if answer.status in (401, 403):
        return KeyRefusedError(f"{text} (put a good key into the broker's secret)")
    return ProviderRefusedError(text)
