"""One ground for all crash-point tests of a session: it is emptied before each case."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crash_points.ground import Ground
from tests.crash_points.workers import market_ground


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with market_ground(tmp_path_factory.mktemp("ground")) as opened:
        yield opened
