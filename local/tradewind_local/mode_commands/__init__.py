"""``tradewind golive`` and ``tradewind paper``: what people allow and stop."""
