"""``tradewind flatten``: say what will be done, have it confirmed, do it, and look."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from tradewind.adapters.clock import ReplayClock, SystemClock
from tradewind.errors import InvalidInputError, TradewindError
from tradewind.market.session_table import default_table
from tradewind.orders.ids import tag_of
from tradewind.orders.model import BrokerAccount, BrokerOrder
from tradewind.orders.ports import Broker
from tradewind.orders.submission import Pacing
from tradewind.settings import Environment, clock_url
from tradewind.use_cases.flatten import Flattened, Standing, flatten, standing, standing_payload
from tradewind.use_cases.trading_switch import change_payload

from tradewind_local.bars.progress import console_for_output, say
from tradewind_local.switch_commands.brokerage import brokerage
from tradewind_local.switch_commands.deployed import Where, find
from tradewind_local.switch_commands.run_switch import Wish, set_switch

# A body does not name its parent, so that it takes a request to find out whose leg an order is:
# no more than these, before an urgent thing.
_PARENTS_ASKED = 10


@dataclass(frozen=True, slots=True)
class Confirmation:
    """``number`` was given on the command line; otherwise ``ask`` gets one from the keyboard."""

    number: str | None
    ask: Callable[[], str]


def run_flatten(
    where: Where, halt: Wish, confirmation: Confirmation, *, dry_run: bool
) -> dict[str, Any]:
    """The report; ``flat`` only when the broker was seen without orders and positions.

    Raises InvalidInputError for missing keys or a number that is not the account's, and what the
    broker's reads raise while nothing has been done yet.
    """
    console, clock = console_for_output(), _clock()
    found = brokerage(os.environ, live=halt.live)
    account, before = found.broker.account(), standing(found.broker, clock.now())
    _announce(console, found.url, account, before, found.broker)
    report: dict[str, Any] = {
        "command": "flatten",
        "account_number": account.account_number,
        "url": found.url,
        "dry_run": dry_run,
        "before": standing_payload(before),
    }
    if dry_run:
        say(console, "dry run: nothing was done")
        return {**report, "flat": before.flat}
    _confirm(confirmation, account.account_number)
    report["switch"] = _halt(where, halt, console, clock)
    done = flatten(found.broker, clock, default_table(), lambda text: say(console, text))
    _tell(console, account, done)
    return {**report, **done.as_payload()}


def _clock() -> Pacing:
    url = clock_url(Environment(os.environ))
    return ReplayClock(url) if url else SystemClock()


def _announce(
    console: Console, url: str, account: BrokerAccount, before: Standing, broker: Broker
) -> None:
    say(console, f"account {account.account_number} at {url}, equity {account.equity} USD")
    if before.flat:
        say(console, "no open order and no position; the switch will be HALTED, and looked again")
        return
    orders = Table(title=f"{len(before.orders)} orders to be cancelled")
    for heading in ("symbol", "side", "quantity", "type", "price", "status", "whose"):
        orders.add_column(heading)
    closing = before.closing()
    for order, whose in _whose(before, broker):
        stays = closing.get(order.symbol) == order
        price = order.limit_price if order.stop_price is None else order.stop_price
        orders.add_row(
            order.symbol,
            str(order.side),
            str(order.quantity),
            order.order_type,
            "" if price is None else str(price),
            f"{order.status}, stays: it closes the position" if stays else str(order.status),
            whose,
        )
    positions = Table(title=f"{len(before.positions)} positions to be closed at the market")
    for heading in ("symbol", "quantity", "price", "worth (USD)", "unrealised (USD)"):
        positions.add_column(heading)
    for position in before.positions:
        positions.add_row(
            position.symbol,
            str(position.quantity),
            str(position.current_price),
            f"{position.quantity * position.current_price:.2f}",
            str(position.unrealised_pnl),
        )
    for table, rows in ((orders, before.orders), (positions, before.positions)):
        if rows:
            console.print(table)


def _whose(before: Standing, broker: Broker) -> list[tuple[BrokerOrder, str]]:
    """Each order with "Tradewind" or "foreign", as far as that is found out quickly."""
    by_id = {order.order_id: order for order in before.orders}
    asked, told = 0, []
    for order in before.orders:
        parent = by_id.get(order.parent_order_id or "")
        if tag_of(order.client_order_id) is None and parent is None:
            if asked == _PARENTS_ASKED:
                told.append((order, "foreign, or a leg of Tradewind's"))
                continue
            asked += 1
            parent = broker.parent_of(order)
        ids = [each.client_order_id for each in (order, parent) if each is not None]
        told.append((order, "Tradewind" if any(map(tag_of, ids)) else "foreign"))
    return told


def _confirm(confirmation: Confirmation, account_number: str) -> None:
    given = confirmation.number if confirmation.number is not None else confirmation.ask()
    if given.strip() != account_number:
        raise InvalidInputError(
            f"not confirmed, nothing was done: {given.strip()!r} is not the account's number"
        )


def _halt(where: Where, halt: Wish, console: Console, clock: Pacing) -> dict[str, Any]:
    """The switch first, so that nothing is bought meanwhile. When AWS cannot be reached the rest
    is done all the same."""
    try:
        change = set_switch(find(where).control(), halt, clock)
    except TradewindError as error:
        say(console, f"THE SWITCH IS NOT SET, going on without it: {error}")
        say(console, "a Tradewind that is still running may send new entries: watch the account")
        return {"set": False, "why_not": str(error)}
    say(console, f"the switch of {halt.account} is {change.state}")
    return {"set": True, **change_payload(change)}


def _tell(console: Console, account: BrokerAccount, done: Flattened) -> None:
    if done.flat:
        say(
            console,
            f"account {account.account_number} is FLAT: no open order, no position, seen twice",
        )
        return
    say(console, f"account {account.account_number} is NOT FLAT")
    closing = {} if done.left is None else done.left.closing()
    for position in () if done.left is None else done.left.positions:
        works = closing.get(position.symbol)
        how = f"closing order {works.order_id} is {works.status}" if works else "NOTHING CLOSES IT"
        say(console, f"  {position.quantity} {position.symbol}: {how}")
    for order in () if done.left is None else done.left.orders:
        if order not in closing.values():
            say(
                console,
                f"  order {order.order_id} ({order.side} {order.quantity} {order.symbol}) "
                f"is still {order.status}",
            )
    for trouble in done.troubles:
        say(console, f"  {trouble}")
    if done.opens_at is not None:
        say(
            console,
            f"the market is closed: closing orders wait for {done.opens_at:%Y-%m-%d %H:%M} UTC",
        )
    say(console, "run it again to go on and to look: what is working is not sent again")
