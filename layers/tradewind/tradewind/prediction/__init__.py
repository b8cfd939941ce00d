"""Predictions: what the model says the next minutes will do."""
