"""``tradewind switch`` and ``tradewind flatten``: the hand at the trading switch."""
