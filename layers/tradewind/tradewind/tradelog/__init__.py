"""The trade log: every trade event once, apart from the trading path."""
