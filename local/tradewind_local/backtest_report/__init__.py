"""The pages that ``tradewind backtest --report`` and ``tradewind sweep --report`` write."""
