"""Backtests and sweeps of recorded bars: ``tradewind backtest`` and ``tradewind sweep``."""
