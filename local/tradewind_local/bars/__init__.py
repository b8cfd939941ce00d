"""``tradewind bars``: recorded and fetched bars into a database."""
