"""The simulated exchange: Alpaca's HTTP, a market made of bars, and nobody's money."""
