"""The ``switch_changes`` table."""

from __future__ import annotations

import pytest
from tradewind.adapters.postgres.database import PostgresDatabase
from tradewind.errors import InvalidInputError
from tradewind.orders.control import SwitchChange, SwitchState

from tests.integration.postgres.rows import OPEN, SECOND, a_change


def test_a_change_is_recorded_once_and_never_altered(database: PostgresDatabase) -> None:
    first = a_change(1)
    second = a_change(
        2, state=SwitchState.ACTIVE, previous=SwitchState.HALTED, at=OPEN + 9 * SECOND
    )
    with database.transaction() as stores:
        assert stores.switch_changes.add([second, first]) == [first, second]
        assert stores.switch_changes.add([first, second]) == []
        assert stores.switch_changes.add([a_change(1, why="rewritten"), a_change(3)]) == [
            a_change(3)
        ]
        assert stores.switch_changes.add([]) == []


@pytest.mark.parametrize("broken", [a_change(0), a_change(at=None)])
def test_what_never_happened_is_no_change(database: PostgresDatabase, broken: SwitchChange) -> None:
    with pytest.raises(InvalidInputError), database.transaction() as stores:
        stores.switch_changes.add([broken])
