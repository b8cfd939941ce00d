"""Reports and exports from a store of record: ``tradewind report`` and ``tradewind export``."""
