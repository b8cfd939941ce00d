"""Risk: how much, and whether at all. Every refusal has a code and a sentence."""
