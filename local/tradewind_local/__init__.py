"""Tradewind on one machine: the stack, a database and a simulated exchange."""
