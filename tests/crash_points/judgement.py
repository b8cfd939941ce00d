"""What must hold when everything has come to rest, whatever was broken on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tradewind.orders.ids import owner_of, protect_id

from tests.crash_points.boundaries import BrokerCall
from tests.crash_points.ground import Ground
from tests.crash_points.scenarios import Scenario
from tests.crash_points.splits import of_conversion

# A minute: what was left naked by one run is repaired by the next one. What that run does before
# its orders leave (reading, deciding, waiting for a cancellation) comes on top of it.
LONGEST_NAKED = timedelta(seconds=60) + timedelta(seconds=8)

# What the broker says when it has certainly not carried out a request.
_NOT_CARRIED_OUT = frozenset({"ThrottledError", "BrokerUnavailableError", "BrokerRejectedError"})
_FINAL = frozenset({"filled", "canceled", "expired", "replaced", "rejected"})
_SENT = frozenset({"submitted"})
_NOT_SENT = frozenset({"blocked", "expired_unsent", "rejected"})


@dataclass(frozen=True)
class Books:
    """Both sides of a case: ours from PostgreSQL, the broker's from the exchange itself."""

    intents: list[dict[str, Any]]
    held: dict[str, Decimal]
    realised: Decimal
    orders: list[dict[str, Any]]
    positions: dict[str, Decimal]
    broker_realised: Decimal

    @classmethod
    def read(cls, ground: Ground) -> Books:
        summary = ground.exchange.control.summary()
        ours = ground.owner.run(
            "SELECT symbol, quantity, realised_pnl FROM positions WHERE account = :account",
            account=ground.account,
        )
        intents = ground.owner.run(
            "SELECT intent_id, kind, symbol, status, outcome_code, outcome_reason"
            " FROM order_intents WHERE account = :account ORDER BY bar_time, intent_id",
            account=ground.account,
        )
        names = ("intent_id", "kind", "symbol", "status", "code", "reason")
        return cls(
            intents=[dict(zip(names, row, strict=True)) for row in intents],
            held={symbol: quantity for symbol, quantity, _ in ours if quantity},
            realised=sum((realised for _, _, realised in ours), Decimal(0)),
            orders=summary["orders"],
            positions={p["symbol"]: Decimal(p["qty"]) for p in summary["positions"]},
            broker_realised=Decimal(summary["realized_pl"]),
        )

    @property
    def is_at_rest(self) -> bool:
        """Nothing that a further run could still have to do about what went wrong."""
        return not (
            self.unresolved or self.held != self.positions or self.naked or self.open_entries
        )

    @property
    def unresolved(self) -> list[dict[str, Any]]:
        return [intent for intent in self.intents if intent["status"] in ("pending", "unknown")]

    @property
    def open_entries(self) -> list[dict[str, Any]]:
        return [o for o in self.orders if o["side"] == "buy" and o["status"] not in _FINAL]

    @property
    def naked(self) -> dict[str, Decimal]:
        """Shares held beyond what open sell orders are for; negative: orders without shares."""
        left = dict(self.positions)
        for order in self.orders:
            if order["side"] == "sell" and order["status"] not in (*_FINAL, "held"):
                open_shares = Decimal(order["qty"]) - Decimal(order["filled_qty"])
                left[order["symbol"]] = left.get(order["symbol"], Decimal(0)) - open_shares
        return {symbol: shares for symbol, shares in left.items() if shares}


def violations(ground: Ground, scenario: Scenario, undisturbed: bool) -> list[str]:
    """What does not hold, in words; empty when all is well."""
    books = Books.read(ground)
    return [
        *_of_intents(books),
        *_of_orders(books),
        *_of_positions(books, scenario, undisturbed),
        *(of_conversion(ground, scenario.split) if scenario.split is not None else ()),
    ]


def sent_blindly(calls: Sequence[BrokerCall]) -> list[str]:
    """Orders that were sent again although an earlier request may have arrived, and without the
    broker having said in between that it does not know them. Its own refusal of an id that is taken
    would save us, but must not be what saves us."""
    perhaps_there: set[str] = set()
    found = []
    for call in calls:
        if call.method == "order_by_client_id":
            if not call.error:
                perhaps_there.discard(call.client_order_id)
            continue
        if call.client_order_id in perhaps_there:
            found.append(f"order {call.client_order_id} was sent again without a lookup")
        if call.error not in _NOT_CARRIED_OUT:
            perhaps_there.add(call.client_order_id)
    return found


def _of_intents(books: Books) -> list[str]:
    """Every intent has an outcome, and the exchange agrees with it."""
    sent = Counter(order["client_order_id"] for order in books.orders)
    found = []
    for intent in books.intents:
        name, status = f"{intent['kind']} {intent['intent_id']}", intent["status"]
        said = f"{status} ({intent['code']}: {intent['reason']})"
        own = sent[intent["intent_id"]]
        if intent["kind"] == "exit" and own == 0 and status in _SENT:
            # Found at the broker was the stop that an exit put back.
            own = sent[protect_id(intent["intent_id"])]
        if status in ("pending", "unknown"):
            found.append(f"{name} has no outcome: {said}")
        elif (status in _SENT and own != 1) or (status in _NOT_SENT and own != 0):
            found.append(f"{name} is {said}, and the exchange has {own} orders of it")
    return found


def _of_orders(books: Books) -> list[str]:
    """One order for each intent at most, none without an intent, and no entry left open."""
    known = {intent["intent_id"] for intent in books.intents}
    per_id = Counter(order["client_order_id"] for order in books.orders)
    found = [f"{count} orders are called {name}" for name, count in per_id.items() if count > 1]
    found += [
        f"order {order['client_order_id']} has no intent"
        for order in books.orders
        if order["client_order_id"].startswith("tw-")
        and owner_of(order["client_order_id"]) not in known
    ]
    bought = [
        order
        for order in books.orders
        if order["client_order_id"] in known
        and order["side"] == "buy"
        and Decimal(order["filled_qty"]) > 0
    ]
    if len(bought) > 1:
        found.append(f"{len(bought)} entries were filled where one was wanted")
    found += [f"entry {order['client_order_id']} is open" for order in books.open_entries]
    return found


def _of_positions(books: Books, scenario: Scenario, undisturbed: bool) -> list[str]:
    found = []
    if books.held != books.positions:
        found.append(f"we hold {books.held}, the exchange {books.positions}")
    if books.realised != books.broker_realised and not scenario.by_hand:
        found.append(f"we earned {books.realised}, the exchange says {books.broker_realised}")
    if books.naked:
        found.append(f"shares and open sell orders differ by {books.naked}")
    wanted = scenario.held_undisturbed if undisturbed else scenario.held
    if wanted is not None and (scenario.symbol in books.positions) is not wanted:
        found.append(f"held: {books.positions}, wanted: {'some' if wanted else 'none'}")
    if scenario.stop_price is not None:
        resting = [
            Decimal(order["stop_price"])
            for order in books.orders
            if order["type"] == "stop" and order["status"] == "new"
        ]
        if resting != [scenario.stop_price]:
            found.append(f"stops rest at {resting}, and belong at {scenario.stop_price}")
    return found
