"""Strategies: bars and predictions in, wishes out. They know nothing of money or orders."""
