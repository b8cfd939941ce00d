"""Pre-trade checks, in the order they are asked. Each says in a code and a sentence why it stopped
an entry; ``docs/risk.md`` lists them all."""

from __future__ import annotations

from collections.abc import Callable

from tradewind.risk.account_checks import (
    account_is_open,
    books_agree,
    broker_state_is_current,
    configuration_is_right,
    no_action_due,
    not_locked,
    not_restricted,
    one_deployment,
    switch_is_active,
    tradable_at_the_broker,
)
from tradewind.risk.data_checks import (
    data_is_current,
    entry_window,
    no_hole,
    not_decided_before,
    not_halted,
    prediction_is_fresh,
    session_open,
    stale_bar,
)
from tradewind.risk.entry_request import EntryRequest, Refusal, SizedEntry
from tradewind.risk.order_checks import (
    capital_of_the_day,
    enough_buying_power,
    enough_notional,
    entries_of_the_day,
    entries_of_the_minute,
    no_foreign_position,
    no_open_order,
    no_unresolved_intent,
    not_too_much_notional,
    price_collar,
)

# What stops everything comes first, so that a report counts its true cause.
ENTRY_CHECKS: tuple[Callable[[EntryRequest], Refusal | None], ...] = (
    session_open,
    entry_window,
    switch_is_active,
    not_halted,
    data_is_current,
    stale_bar,
    no_hole,
    prediction_is_fresh,
    not_decided_before,
    broker_state_is_current,
    account_is_open,
    configuration_is_right,
    one_deployment,
    books_agree,
    not_locked,
    not_restricted,
    no_action_due,
    tradable_at_the_broker,
    no_open_order,
    no_unresolved_intent,
    no_foreign_position,
)

SIZE_CHECKS: tuple[Callable[[SizedEntry], Refusal | None], ...] = (
    entries_of_the_minute,
    entries_of_the_day,
    price_collar,
    enough_notional,
    not_too_much_notional,
    capital_of_the_day,
    enough_buying_power,
)


def first_refusal(request: EntryRequest) -> Refusal | None:
    """The first check that says no, None when all agree."""
    for check in ENTRY_CHECKS:
        refusal = check(request)
        if refusal is not None:
            return refusal
    return None


def size_refusal(entry: SizedEntry) -> Refusal | None:
    """The same for an entry whose size is known."""
    for check in SIZE_CHECKS:
        refusal = check(entry)
        if refusal is not None:
            return refusal
    return None
