"""Backtests: the rules of live trading over recorded bars, with declared fills."""
