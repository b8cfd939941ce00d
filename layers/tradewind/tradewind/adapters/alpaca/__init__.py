"""Alpaca: the broker and the default source of bars."""
