"""What ``--json`` writes. Strict JSON: None for what is undefined, never NaN."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from tradewind.backtest.breakdown import Breakdown, CostCase
from tradewind.backtest.finding import Finding
from tradewind.backtest.metrics import Metrics
from tradewind.backtest.outcome import ExitReason, Outcome
from tradewind.backtest.settings import (
    BacktestSettings,
    FillConvention,
    Fixed,
    HalfSpread,
    Slippage,
    VolumeShare,
)

from tradewind_local.backtest_commands.bars_options import LoadedBars


def backtest_payload(
    outcome: Outcome,
    loaded: LoadedBars,
    metrics: Metrics,
    parts: Breakdown,
    cost_cases: Iterable[CostCase],
    findings: Iterable[Finding],
    assumptions: Sequence[str],
) -> dict[str, Any]:
    return {
        "strategy": outcome.strategy,
        "parameters": dict(outcome.parameters),
        "symbols": list(outcome.symbols),
        "simulated": loaded.simulated,
        "data": data_payload(loaded),
        "settings": settings_payload(outcome.settings),
        "assumptions": list(assumptions),
        "metrics": metrics.as_json(),
        "cost_sensitivity": [case.as_json() for case in cost_cases],
        "breakdown": parts.as_json(),
        "findings": [finding_payload(one) for one in findings],
        "trades": trades_payload(outcome),
        "engine_ms": outcome.engine_ms,
    }


def trades_payload(outcome: Outcome) -> list[dict[str, Any]]:
    """One a round trip, in the order of exits. Times: the instant of the fill's bar, UTC."""
    columns = outcome.trades
    return [
        {
            "symbol": outcome.symbols[symbol],
            "entry_time": _iso(entered),
            "entry_price": bought,
            "exit_time": _iso(left),
            "exit_price": sold,
            "quantity": _whole(quantity),
            "pnl": pnl,
            "fees": fees,
            "exit_reason": ExitReason(reason).word,
            "mae": mae,
            "mfe": mfe,
            "gap_loss": gap,
        }
        for symbol, entered, left, bought, sold, quantity, pnl, fees, reason, mae, mfe, gap in zip(
            columns.symbol.tolist(),
            columns.entry_time.tolist(),
            columns.exit_time.tolist(),
            columns.entry_price.tolist(),
            columns.exit_price.tolist(),
            columns.quantity.tolist(),
            columns.pnl.tolist(),
            columns.fees.tolist(),
            columns.reason.tolist(),
            columns.mae.tolist(),
            columns.mfe.tolist(),
            columns.gap_loss.tolist(),
            strict=True,
        )
    ]


def data_payload(loaded: LoadedBars) -> list[dict[str, Any]]:
    return [
        {
            "symbol": bars.symbol,
            "source": source,
            "bars": len(bars),
            "sessions": len(bars.session_dates),
            "first": _iso(int(bars.start[0])),
            "last": _iso(int(bars.start[-1])),
            "fingerprint": bars.fingerprint(),
        }
        for bars, source in zip(loaded.arrays, loaded.sources, strict=True)
    ]


def settings_payload(settings: BacktestSettings) -> dict[str, Any]:
    """Fractions and USD as numbers."""
    drawdown = settings.daily_drawdown
    said: dict[str, Any] = {
        "fill": str(settings.fill),
        "cash": float(settings.cash),
        "stop": float(settings.stop),
        "trail": float(settings.trail),
        "risk": float(settings.risk),
        "commission": float(settings.commission),
        "slippage": _slippage(settings.slippage),
        "regulatory_fees": settings.regulatory_fees,
        "daily_drawdown": None if drawdown is None else float(drawdown),
    }
    if settings.fill is FillConvention.LIVE_PARITY:
        said["protections_off"] = sorted(map(str, settings.protections.off))
    return said


def finding_payload(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity,
        "sentence": finding.sentence,
    }


def _slippage(slippage: Slippage) -> dict[str, float | str]:
    match slippage:
        case Fixed():
            return {"model": "fixed", "fraction": float(slippage.fraction)}
        case HalfSpread():
            return {"model": "half_spread", "usd": float(slippage.usd)}
        case VolumeShare():
            share, impact = float(slippage.share), float(slippage.impact)
            return {"model": "volume_share", "share": share, "impact": impact}


def _whole(quantity: float) -> int | float:
    return int(quantity) if quantity.is_integer() else quantity


def _iso(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
