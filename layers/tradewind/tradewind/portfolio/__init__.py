"""Positions and profit: what is held, what it cost, what was earned."""
