"""PostgreSQL, the store of record: connection, schema, and one adapter per store."""
