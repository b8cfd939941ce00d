"""May this account enter anything at all, and this symbol?"""

from __future__ import annotations

from tradewind.market.bar import to_iso
from tradewind.orders.control import SwitchState
from tradewind.risk.entry_request import EntryRequest, Refusal


def switch_is_active(request: EntryRequest) -> Refusal | None:
    """``place_order`` reads it again right before it sends: this one saves the useless intent."""
    if request.switch is SwitchState.ACTIVE:
        return None
    if request.switch is None:
        return Refusal("switch_unreadable", "the trading switch cannot be read: no entries")
    return Refusal("switch_" + request.switch.lower(), f"the trading switch is {request.switch}")


def configuration_is_right(request: EntryRequest) -> Refusal | None:
    """Real money only; elsewhere people are told and nothing stops."""
    if request.mode != "live" or not request.configuration_faults:
        return None
    return Refusal("account_configuration", "; ".join(request.configuration_faults))


def broker_state_is_current(request: EntryRequest) -> Refusal | None:
    if request.account is None or request.broker_as_of is None:
        return Refusal("no_broker_state", "the broker's state has never been recorded")
    if request.broker_as_of >= request.run_at:
        return None
    return Refusal(
        "stale_broker_state",
        f"the broker's state is from {to_iso(request.broker_as_of)}, before this run",
    )


def account_is_open(request: EntryRequest) -> Refusal | None:
    account = request.account
    if account is None or (account.status == "ACTIVE" and not account.trading_blocked):
        return None
    return Refusal(
        "account_blocked",
        f"the broker says: status {account.status}, trading blocked {account.trading_blocked}",
    )


def books_agree(request: EntryRequest) -> Refusal | None:
    """A difference in one symbol stops all: the money that an entry counts on may not be there."""
    if not request.differences:
        return None
    told = "; ".join(f"{one}, since {to_iso(one.since)}" for one in request.differences)
    return Refusal("unexplained_difference", told)


def one_deployment(request: EntryRequest) -> Refusal | None:
    if not request.strangers:
        return None
    order = request.strangers[0]
    return Refusal(
        "second_deployment",
        f"another deployment sends orders to this account: {len(request.strangers)} of them, e.g. "
        f"{order.client_order_id} in {order.symbol}",
    )


def not_locked(request: EntryRequest) -> Refusal | None:
    """The code is the lock's own."""
    for lock in request.locks:
        if lock.holds(request.run_at) and lock.stops(request.symbol):
            return Refusal(lock.code, f"{lock.reason}; locked until {to_iso(lock.until)}")
    return None


def not_restricted(request: EntryRequest) -> Refusal | None:
    if request.restriction is None:
        return None
    return Refusal(
        "restricted_symbol", f"{request.symbol} may not be entered: {request.restriction}"
    )


def no_action_due(request: EntryRequest) -> Refusal | None:
    if request.action_due is None:
        return None
    return Refusal("action_due", f"{request.symbol} may not be entered: {request.action_due}")


def tradable_at_the_broker(request: EntryRequest) -> Refusal | None:
    if request.tradable:
        return None
    return Refusal("not_tradable", f"the broker does not trade {request.symbol}")
