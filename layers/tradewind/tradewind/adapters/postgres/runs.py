"""What a run reads before it decides, and what it leaves: one statement each.

The statements of the single stores are put together here, so that what they say is said once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from tradewind.adapters.postgres.connection import Session
from tradewind.adapters.postgres.corporate_actions import ACTIONS
from tradewind.adapters.postgres.decisions import (
    DECIDED,
    DECISION,
    LAST_GOOD,
    NEWEST_DECIDED,
    PREDICTION,
    SAVE_DECISIONS,
    SAVE_PREDICTIONS,
)
from tradewind.adapters.postgres.intents import (
    FAILED_PROTECTIONS,
    INSERT_INTENTS,
    INTENT,
    LAST_REVISIONS,
    WITHOUT_OUTCOME,
)
from tradewind.adapters.postgres.messages import ADD_MESSAGES, MESSAGE
from tradewind.adapters.postgres.orders import INTENT_OF, OPEN_ORDERS, STRANGERS
from tradewind.adapters.postgres.portfolio import (
    ALL_HOLDINGS,
    BROKER_POSITIONS,
    DIFFERENCES,
    LATEST_SNAPSHOT,
)
from tradewind.adapters.postgres.position_history import SPLITS_SINCE
from tradewind.adapters.postgres.records import records, text_array
from tradewind.adapters.postgres.risk import (
    ADD_LOCKS,
    ENDING_AFTER,
    NEWEST_CONFIGURATION,
    NEWEST_MARK,
    TRANSFERS,
    lock_rows,
)
from tradewind.adapters.postgres.trading_modes import (
    BREACHES,
    LATEST_APPROVAL,
    RUNS,
    TRADED,
    session_arrays,
)
from tradewind.market.corporate_actions import CorporateAction
from tradewind.market.cycle import Cycle
from tradewind.orders.configuration import AccountConfiguration
from tradewind.orders.life import KnownOrder
from tradewind.orders.model import (
    BrokerAccount,
    BrokerOrder,
    BrokerPosition,
    IntentKind,
    OrderClass,
    OrderIntent,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from tradewind.portfolio.differences import QuantityDifference
from tradewind.portfolio.model import Holding
from tradewind.portfolio.splits import PositionSplit
from tradewind.prediction.model import Prediction, Trend
from tradewind.risk.closed_trips import RecentTrade
from tradewind.risk.equity import EquityMark
from tradewind.risk.locks import Lock
from tradewind.risk.modes import LiveApproval, PaperRun, RampRecord, RunState
from tradewind.use_cases.standing import Outcome, Standing, StandingQuestion

Row = TypeVar("Row")

# Each strategy's symbols and whatever is held besides.
_WANTED = """(
    SELECT unnest(:symbols::text[])
    UNION SELECT symbol FROM positions WHERE account = :account AND quantity > 0
)"""
_REVISIONS = LAST_REVISIONS.replace(
    "unnest(:symbols::text[]) AS wanted(symbol)", f"{_WANTED} AS wanted(symbol)"
)
_ACTIONS = ACTIONS.replace("= ANY(:symbols::text[])", f"IN {_WANTED}")

_DECIDED_NOW = """
SELECT strategy, symbol FROM decisions
WHERE account = :account AND bar_time = :bar_time AND mode = :mode
"""

# What an entry without outcome may still cost counts; what was provably not sent does not.
_COMMITTED = """
SELECT count(*) AS entries, coalesce(sum(quantity * limit_price), 0) AS capital
FROM order_intents
WHERE account = :account AND session = :session AND kind = 'entry'
    AND status NOT IN ('blocked', 'expired_unsent', 'rejected')
"""

_TRADES = """
SELECT t.symbol, t.timestamp, t.side, t.fill_qty AS quantity, t.fill_price AS price,
    t.realised_pnl, coalesce(o.order_type IN ('stop', 'stop_limit', 'trailing_stop'), false)
        AS by_stop
FROM trades AS t
LEFT JOIN orders AS o ON o.account = t.account AND o.order_id = t.order_id
WHERE t.account = :account AND t.timestamp >= :trades_since
ORDER BY t.timestamp, t.side, t.execution_id
"""

# No approval, no time since which anything counts: then there is no row.
_SINCE_APPROVAL = f"(SELECT at FROM ({LATEST_APPROVAL}) AS approved)"  # noqa: S608

_PARTS = {
    "newest_decided": NEWEST_DECIDED,
    "holdings": ALL_HOLDINGS,
    "positions": BROKER_POSITIONS,
    "open_orders": OPEN_ORDERS,
    "intent_of": INTENT_OF,
    "unresolved": WITHOUT_OUTCOME,
    "snapshot": LATEST_SNAPSHOT,
    "differences": DIFFERENCES,
    "strangers": STRANGERS,
    "failed_protections": FAILED_PROTECTIONS.replace(":since", ":session_since"),
    "revisions": _REVISIONS,
    "decided": _DECIDED_NOW,
    "committed": _COMMITTED,
    "locks": ENDING_AFTER,
    "mark": NEWEST_MARK,
    "transfers": TRANSFERS.replace(":day", ":session"),
    "trades": _TRADES,
    "configuration": NEWEST_CONFIGURATION,
    "paper_runs": RUNS,
    "approval": LATEST_APPROVAL,
    "ramp": TRADED.replace(":since", _SINCE_APPROVAL),
    "breaches": BREACHES.replace(":since", _SINCE_APPROVAL),
    "splits": SPLITS_SINCE.replace(":since", ":trades_since"),
    "predictions": LAST_GOOD.replace(":symbols", ":predicted")
    .replace(":since", ":predicted_since")
    .replace(":until", ":bar_time"),
    "actions": _ACTIONS,
}

# One value, digits as they are: PostgreSQL reads all of it at one moment, and the driver needs one
# round trip. (S608: nothing but the statements above is put in.)
_STANDING = "SELECT json_build_object({})::text".format(
    ", ".join(
        f"'{name}', (SELECT coalesce(json_agg(part), '[]') FROM ({statement}) AS part)"  # noqa: S608
        for name, statement in _PARTS.items()
    )
)

_LEAVE = f"""
WITH predicted AS ({SAVE_PREDICTIONS.replace(":rows", ":predictions")}),
decided AS ({SAVE_DECISIONS.replace(":rows", ":decisions")}),
told AS ({ADD_MESSAGES.replace(":rows", ":messages")}),
locked AS ({ADD_LOCKS.replace(":rows", ":locks")}),
intended AS ({INSERT_INTENTS.replace(":rows", ":intents")})
{DECIDED}
"""

_READERS: dict[str, Callable[[Any], Any]] = {
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "Decimal": Decimal,
    "int": int,
    "Side": Side,
    "OrderStatus": OrderStatus,
    "IntentKind": IntentKind,
    "OrderType": OrderType,
    "TimeInForce": TimeInForce,
    "OrderClass": OrderClass,
    "Trend": Trend,
    "UUID": UUID,
    "RunState": RunState,
    "tuple[str, ...]": tuple,
}


class PostgresRuns:
    """Implements ``RunStore``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def standing(self, cycle: Cycle, question: StandingQuestion) -> Standing:
        answer = self._session.rows(
            _STANDING,
            account=cycle.account,
            mode=cycle.mode,
            bar_time=cycle.bar_time,
            at=cycle.run_at,
            session=cycle.session.date,
            symbols=text_array(question.symbols),
            session_since=question.session_since,
            trades_since=question.trades_since,
            predicted=text_array(question.predicted),
            predicted_since=question.predicted_since,
            **session_arrays(question.ramp),
        )[0][0]
        told = json.loads(answer, parse_float=Decimal, parse_int=Decimal)
        snapshot = _first(told["snapshot"])
        newest = told["newest_decided"][0]["max"]
        committed = told["committed"][0]
        approval = _maybe(LiveApproval, told["approval"])
        return Standing(
            newest_decided=None if newest is None else datetime.fromisoformat(newest),
            holdings=_all(Holding, told["holdings"]),
            positions=[BrokerPosition(*row.values()) for row in told["positions"]],
            open_orders=[
                KnownOrder(_one(BrokerOrder, row), datetime.fromisoformat(row["as_of"]))
                for row in told["open_orders"]
            ],
            orders_of_ours={row["order_id"]: row["intent_id"] for row in told["intent_of"]},
            unresolved=_all(OrderIntent, told["unresolved"]),
            broker_as_of=None if snapshot is None else datetime.fromisoformat(snapshot["as_of"]),
            account=None if snapshot is None else _one(BrokerAccount, snapshot),
            differences=[
                QuantityDifference(
                    row["symbol"],
                    row["quantity"],
                    row["broker_quantity"],
                    datetime.fromisoformat(row["differs_since"]),
                )
                for row in told["differences"]
            ],
            strangers=_all(BrokerOrder, told["strangers"]),
            failed_protection={
                row["symbol"]: int(row["count"]) for row in told["failed_protections"]
            },
            revisions={row["symbol"]: int(row["revision"]) for row in told["revisions"]},
            decided={(row["strategy"], row["symbol"]) for row in told["decided"]},
            entries_today=int(committed["entries"]),
            capital_today=Decimal(committed["capital"]),
            locks=_all(Lock, told["locks"]),
            equity=_maybe(EquityMark, told["mark"]),
            transfers=Decimal(told["transfers"][0]["coalesce"]),
            trades=_all(RecentTrade, told["trades"]),
            configuration=_maybe(AccountConfiguration, told["configuration"]),
            paper_runs=_all(PaperRun, told["paper_runs"]),
            approval=approval,
            ramp=None if approval is None else _ramp(told["ramp"], told["breaches"]),
            splits=_all(PositionSplit, told["splits"]),
            predictions=_all(Prediction, told["predictions"]),
            actions=_all(CorporateAction, told["actions"]),
        )

    def leave(self, cycle: Cycle, outcome: Outcome) -> None:
        self._session.rows(
            _LEAVE,
            account=cycle.account,
            bar_time=cycle.bar_time,
            session=cycle.session.date,
            execution=cycle.execution,
            predictions=records(outcome.predictions, PREDICTION),
            decisions=records(outcome.decisions, DECISION),
            intents=records(outcome.intents, INTENT),
            messages=records(outcome.messages, MESSAGE),
            locks=lock_rows(cycle.account, outcome.locks),
        )


def _ramp(traded: Sequence[Mapping[str, Any]], breaches: Sequence[Mapping[str, Any]]) -> RampRecord:
    return RampRecord(
        [date.fromisoformat(row["day"]) for row in traded],
        {date.fromisoformat(row["day"]): row["told"] for row in breaches},
    )


def _first(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return rows[0] if rows else None


def _maybe(kind: type[Row], rows: Sequence[Mapping[str, Any]]) -> Row | None:
    row = _first(rows)
    return None if row is None else _one(kind, row)


def _all(kind: type[Row], rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    return [_one(kind, row) for row in rows]


def _one(kind: type[Row], row: Mapping[str, Any]) -> Row:
    """A row's columns as the fields of the same names, by the types these are written with."""
    values = {}
    for field in fields(kind):  # type: ignore[arg-type]
        read = _READERS.get(str(field.type).removesuffix(" | None"))
        value = row[field.name]
        values[field.name] = value if read is None or value is None else read(value)
    return kind(**values)
