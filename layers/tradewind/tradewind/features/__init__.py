"""Indicators and model features: one pure module for training, backtest and live trading."""
