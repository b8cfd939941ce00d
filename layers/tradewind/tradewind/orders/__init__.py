"""Intents and orders: what was decided, what the broker did with it."""
