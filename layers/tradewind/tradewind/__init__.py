"""Tradewind: an autonomous stock-trading bot on AWS serverless services."""

__version__ = "0.1.0"
