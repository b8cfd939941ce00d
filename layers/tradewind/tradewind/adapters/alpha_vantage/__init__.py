"""Alpha Vantage: one-minute bars, one symbol a call."""
