"""One pooled HTTP session, explicit timeouts, and bounded retries with full jitter."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from tradewind.errors import RetryableError, ThrottledError

if TYPE_CHECKING:
    import requests

Answer = TypeVar("Answer")

CONNECT_TIMEOUT = 2.0  # seconds
READ_TIMEOUT = 5.0
ATTEMPTS = 3
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 2.0


def session(headers: Mapping[str, str]) -> requests.Session:
    """A session that keeps its connections; ``requests`` is imported when first needed."""
    import requests

    made = requests.Session()
    made.headers.update(headers)
    return made


def with_retries(call: Callable[[], Answer]) -> Answer:
    """Run a call that may be repeated; RetryableError is tried again, the last one is raised."""
    for attempt in range(ATTEMPTS):
        try:
            return call()
        except RetryableError as error:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(_pause(attempt, error))
    raise AssertionError("unreachable")


def _pause(attempt: int, error: RetryableError) -> float:
    """Full jitter up to a doubling ceiling; a server that names a time is believed, within it."""
    if isinstance(error, ThrottledError) and error.retry_after is not None:
        return min(error.retry_after, LONGEST_PAUSE)
    ceiling = min(FIRST_PAUSE * 2**attempt, LONGEST_PAUSE)
    return random.uniform(0, ceiling)  # noqa: S311 - jitter, not a secret
