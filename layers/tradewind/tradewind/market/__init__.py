"""Bars, sessions and gaps: what the market did, and when it was open."""
