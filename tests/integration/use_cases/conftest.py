"""Books over an emptied database, with a bar of the minute that is decided."""

from __future__ import annotations

import pytest
from tradewind.adapters.postgres.database import PostgresDatabase

from tests.integration.use_cases.books import NOON, Books


@pytest.fixture
def books(database: PostgresDatabase) -> Books:
    made = Books(database)
    made.bar(NOON)
    return made
