"""What a replay did, in the words and numbers that people and scripts read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from tradewind.market.bar import to_iso
from tradewind.orders.ids import owner_of

from tradewind_local.replay.driver import MinuteRun, Reconciliation
from tradewind_local.replay.ledger import ProfitAndLoss
from tradewind_local.replay.plan import ReplayPlan
from tradewind_local.replay.reports import percentile
from tradewind_local.twin.template import LeftOut

_FAILURES_SHOWN = 5


def orders_without_intent(orders: Sequence[Mapping[str, Any]], intents: set[str]) -> int:
    """Exchange orders that no intent stands behind: not by their own client order id, nor by that
    of their parent or of the order they replaced."""
    by_id = {order["id"]: order for order in orders}

    def owned(order: Mapping[str, Any], depth: int = 0) -> bool:
        if owner_of(order["client_order_id"]) in intents:
            return True
        ancestors = (order.get("parent_order_id"), order.get("replaces"))
        return depth < len(by_id) and any(
            owned(by_id[ancestor], depth + 1) for ancestor in ancestors if ancestor in by_id
        )

    return sum(not owned(order) for order in orders)


def positions_match(
    holdings: Mapping[str, Decimal], exchange_positions: Sequence[Mapping[str, Any]]
) -> bool:
    """Whether our books hold exactly what the exchange says we hold."""
    theirs = {position["symbol"]: Decimal(position["qty"]) for position in exchange_positions}
    return dict(holdings) == {symbol: count for symbol, count in theirs.items() if count}


def sound(summary: Mapping[str, Any]) -> bool:
    """Whether every run succeeded, every message arrived, and the books are the exchange's."""
    return bool(
        not summary["executions_failed"]
        and all(run["status"] == "SUCCEEDED" for run in summary["reconciliations"])
        and not summary["undelivered"]
        and not summary["dead_letters"]
        and summary["positions_match"]
    )


def build_summary(
    *,
    plan: ReplayPlan,
    runs: Sequence[MinuteRun],
    reconciliations: Sequence[Reconciliation],
    added: Mapping[str, int],
    profit: ProfitAndLoss,
    exchange: Mapping[str, Any],
    intents: set[str],
    without_outcome: int,
    holdings: Mapping[str, Decimal],
    handlers: Mapping[str, Sequence[float]],
    left_out: Sequence[LeftOut],
    undelivered: Mapping[str, int],
    dead_letters: Mapping[str, int],
) -> dict[str, Any]:
    """The JSON summary. ``added`` counts rows that this command added, by reported name.

    Executions are those of the replayed minutes that stand so now, whoever ran them; times are of
    the runs this command started.
    """
    took = [run.milliseconds for run in runs if run.milliseconds is not None]
    succeeded = sum(run.status == "SUCCEEDED" for run in runs)
    failures = [run for run in runs if run.error is not None]
    return {
        "source": plan.source,
        "simulated": plan.simulated,
        "date": plan.session.date.isoformat(),
        "symbols": list(plan.symbols),
        "cycles": len(runs),
        "cycles_started": sum(run.outcome == "started" for run in runs),
        "executions_succeeded": succeeded,
        "executions_failed": len(runs) - succeeded,
        "failures": [
            {"bar_time": run.bar_time.isoformat(), "error": run.error}
            for run in failures[:_FAILURES_SHOWN]
        ],
        "reconciliations": [
            {
                "minute": to_iso(run.minute),
                "why": run.why,
                "status": run.status,
                "reason": run.reason,
                "intents": list(run.intents),
            }
            for run in reconciliations
        ],
        "bars_stored": added["bars"],
        "predictions": added["predictions"],
        "decisions": added["decisions"],
        "intents": added["intents"],
        "orders": added["orders"],
        "exchange_orders": len(exchange["orders"]),
        "orders_without_intent": orders_without_intent(exchange["orders"], intents),
        "intents_without_outcome": without_outcome,
        "fills": added["fills"],
        "trade_events": added["trade_events"],
        "positions": {symbol: str(count) for symbol, count in sorted(holdings.items())},
        "positions_match": positions_match(holdings, exchange["positions"]),
        "realised_pnl": _money(profit.realised),
        "unrealised_pnl": _money(profit.unrealised),
        "equity": _money(Decimal(exchange["equity"])),
        "alerts": added["alerts"],
        "cycle_ms_p50": percentile(took, 0.50),
        "cycle_ms_p95": percentile(took, 0.95),
        "handler_ms": {
            name: {"p50": percentile(times, 0.50), "p95": percentile(times, 0.95)}
            for name, times in sorted(handlers.items())
        },
        "undelivered": dict(undelivered),
        "dead_letters": dict(dead_letters),
        "left_out": [left.as_payload() for left in left_out],
    }


def summary_lines(summary: Mapping[str, Any]) -> list[str]:
    """The summary for people; no line says more than the JSON does."""
    title = f"{summary['date']} {' '.join(summary['symbols'])}"
    if summary["simulated"]:
        title += ", SIMULATED market: these prices never were"
    lines = [title]

    def row(name: str, text: object) -> None:
        lines.append(f"  {name:<24} {text}")

    row("cycles", f"{summary['cycles']} ({summary['cycles_started']} run now)")
    row(
        "executions",
        f"{summary['executions_succeeded']} succeeded, {summary['executions_failed']} failed",
    )
    for failure in summary["failures"]:
        row("", f"{failure['bar_time']}: {failure['error']}")
    for run in summary["reconciliations"]:
        done = ", ".join(run["intents"]) or "nothing to put right"
        row("reconciliation", f"{run['minute']} {run['why']}: {run['status'].lower()}, {done}")
    row("bars stored", summary["bars_stored"])
    row("predictions, decisions", f"{summary['predictions']}, {summary['decisions']}")
    row(
        "intents, orders, fills",
        f"{summary['intents']}, {summary['orders']}, {summary['fills']}"
        f" ({summary['orders_without_intent']} orders without intent,"
        f" {summary['intents_without_outcome']} intents without outcome)",
    )
    held = ", ".join(f"{count} {name}" for name, count in summary["positions"].items()) or "none"
    agree = "as at the exchange" if summary["positions_match"] else "NOT as at the exchange"
    row("positions", f"{held}, {agree}")
    row(
        "P&L in USD",
        f"realised {summary['realised_pnl']:+.2f}, unrealised {summary['unrealised_pnl']:+.2f}"
        + (" (simulated)" if summary["simulated"] else ""),
    )
    row("alerts", summary["alerts"])
    if summary["cycle_ms_p50"] is not None:
        row(
            "time per cycle",
            f"p50 {summary['cycle_ms_p50']:.0f} ms, p95 {summary['cycle_ms_p95']:.0f} ms",
        )
    for name in ("undelivered", "dead_letters"):
        if summary[name]:
            row(name.replace("_", " "), ", ".join(f"{n} in {q}" for q, n in summary[name].items()))
    return lines


def _money(amount: Decimal) -> float:
    """Cents are enough for a report."""
    return float(round(amount, 2))
