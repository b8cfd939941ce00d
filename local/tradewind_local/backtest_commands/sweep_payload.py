"""What ``tradewind sweep --json`` writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tradewind.backtest.finding import Finding
from tradewind.backtest.metrics import Metrics
from tradewind.backtest.settings import BacktestSettings
from tradewind.backtest.sweep import SweepOutcome

from tradewind_local.backtest_commands.bars_options import LoadedBars
from tradewind_local.backtest_commands.payload import (
    data_payload,
    finding_payload,
    settings_payload,
)
from tradewind_local.backtest_commands.ranking import Ranked, defined
from tradewind_local.backtest_commands.verdict import Verdict


def sweep_payload(
    swept: SweepOutcome,
    loaded: LoadedBars,
    settings: BacktestSettings,
    best: Ranked,
    verdict: Verdict,
    metrics: Metrics,
    findings: Iterable[Finding],
    assumptions: Sequence[str],
) -> dict[str, Any]:
    """``metrics`` and ``findings`` are the best variant's; ``variants`` are in the order of their
    averages."""
    return {
        "strategy": "sma_crossover",
        "symbol": loaded.arrays[0].symbol,
        "simulated": loaded.simulated,
        "data": data_payload(loaded),
        "settings": settings_payload(settings),
        "assumptions": list(assumptions),
        "trials": verdict.trials,
        "best": {"fast": best.fast, "slow": best.slow, "deflated_sharpe": best.deflated},
        "verdict": verdict.as_json(),
        "metrics": metrics.as_json(),
        "findings": [finding_payload(one) for one in findings],
        "variants": variants_payload(swept),
        "engine_ms": swept.engine_ms,
    }


def variants_payload(swept: SweepOutcome) -> list[dict[str, Any]]:
    return [
        {
            "fast": fast,
            "slow": slow,
            "total_return": defined(total_return),
            "sharpe": defined(sharpe),
            "sortino": defined(sortino),
            "max_drawdown": defined(drawdown),
            "profit_factor": defined(factor),
            "trades": trades,
        }
        for (fast, slow), total_return, sharpe, sortino, drawdown, factor, trades in zip(
            swept.parameters.tolist(),
            swept.total_return.tolist(),
            swept.sharpe.tolist(),
            swept.sortino.tolist(),
            swept.max_drawdown.tolist(),
            swept.profit_factor.tolist(),
            swept.trades.tolist(),
            strict=True,
        )
    ]
