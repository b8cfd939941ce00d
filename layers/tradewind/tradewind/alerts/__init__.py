"""Alerts: what people have to know, and how badly."""
