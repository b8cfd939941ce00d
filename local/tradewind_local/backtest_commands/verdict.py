"""What a sweep's best variant is worth, in words and figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tradewind.backtest.overfitting import BacktestOverfitting, Deflation
from tradewind.backtest.walk_forward import WalkForward

from tradewind_local.backtest_report.words import percent, ratio


@dataclass(frozen=True, slots=True)
class Verdict:
    """``deflation``, ``overfitting`` and ``forward`` are None where there is too little to judge
    by; ``missing`` then says what was too little. ``forward_sharpe``: annual, of all the sessions
    walked through."""

    fast: int
    slow: int
    trials: int
    deflation: Deflation | None
    overfitting: BacktestOverfitting | None
    forward: WalkForward | None
    forward_sharpe: float | None
    missing: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """How likely the best one is a fluke."""
        best = f"The best of {self.trials:,}, {self.fast}/{self.slow},"
        if self.deflation is None:
            return f"{best} cannot be told from luck: its daily returns do not vary."
        fluke = _part(1 - self.deflation.deflated)
        shown = ratio(self.deflation.record.annual_sharpe)
        if self.trials == 1:
            return f"{best} is a fluke with a probability of {fluke}: its Sharpe ratio is {shown}."
        return (
            f"{best} is a fluke with a probability of {fluke}: the best of as many without any "
            f"edge would show a Sharpe ratio of "
            f"{ratio(self.deflation.annual_luck)} by luck, and it shows {shown}."
        )

    @property
    def details(self) -> tuple[str, ...]:
        """A sentence for each of the other judgements."""
        said = []
        if self.overfitting is not None:
            said.append(
                f"Probability of backtest overfitting {_part(self.overfitting.probability)}: in so "
                f"many of {len(self.overfitting.logits):,} splits of the sessions, the best of one "
                "half is in the worse half of the variants in the other."
            )
        if self.forward is not None:
            steps = self.forward.steps
            total = self.forward.outcome
            earned = float(total.equity[-1]) / float(total.settings.cash) - 1
            said.append(
                f"Walk forward: chosen anew {len(steps)} times and traded on the sessions after, "
                f"it made {percent(earned, signed=True)} (Sharpe {ratio(self.forward_sharpe)}) "
                f"from {steps[0].out_of_sample[0]} to {steps[-1].out_of_sample[1]}."
            )
        return (*said, *self.missing)

    def as_json(self) -> dict[str, Any]:
        return {
            "sentence": self.sentence,
            "details": list(self.details),
            "deflation": None if self.deflation is None else _deflation(self.deflation),
            "overfitting": None if self.overfitting is None else _overfitting(self.overfitting),
            "walk_forward": None if self.forward is None else self._walk_forward(self.forward),
        }

    def _walk_forward(self, forward: WalkForward) -> dict[str, Any]:
        outcome = forward.outcome
        return {
            "start": str(forward.start),
            "sharpe": self.forward_sharpe,
            "total_return": float(outcome.equity[-1]) / float(outcome.settings.cash) - 1,
            "trades": len(outcome.trades),
            "efficiency": forward.efficiency,
            "stability": forward.stability,
            "steps": [
                {
                    "in_sample": [day.isoformat() for day in step.in_sample],
                    "out_of_sample": [day.isoformat() for day in step.out_of_sample],
                    "fast": step.fast,
                    "slow": step.slow,
                    "in_sample_sharpe": step.in_sample_sharpe,
                    "out_of_sample_sharpe": step.out_of_sample_sharpe,
                    "in_sample_return": step.in_sample_return,
                    "out_of_sample_return": step.out_of_sample_return,
                    "trades": step.trades,
                }
                for step in forward.steps
            ],
        }


def _deflation(found: Deflation) -> dict[str, Any]:
    return {
        "trials": found.trials,
        "sharpe": found.record.annual_sharpe,
        "sharpe_by_luck": found.annual_luck,
        "probabilistic_sharpe": found.probabilistic,
        "deflated_sharpe": found.deflated,
        "minimum_sessions": found.minimum_sessions,
    }


def _overfitting(found: BacktestOverfitting) -> dict[str, Any]:
    return {
        "probability": found.probability,
        "probability_of_loss": found.probability_of_loss,
        "blocks": found.blocks,
        "splits": len(found.logits),
        "slope": found.slope,
        "intercept": found.intercept,
        "r_squared": found.r_squared,
    }


def _part(probability: float) -> str:
    """Never 0 or 100 %: nothing here is certain."""
    shown = 100 * probability
    if shown < 0.1:
        return "less than 0.1 %"
    if shown > 99.9:
        return "more than 99.9 %"
    return f"{shown:.1f} %" if shown < 1 or shown > 99 else f"{shown:.0f} %"
