"""One pooled HTTP session, hard time limits, and bounded retries with full jitter."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from tradewind.errors import (
    ControlUnavailableError,
    EmptyAnswerError,
    ProviderRefusedError,
    ProviderUnavailableError,
    RetryableError,
    ThrottledError,
    UnreadableAnswerError,
)
from tradewind.market.bar import to_iso

if TYPE_CHECKING:
    import requests

    from tradewind.market.ports import RequestBudget
    from tradewind.use_cases.ports import Clock

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# Seconds. A read timeout only bounds the silence between two bytes; ATTEMPT bounds a whole attempt,
# name lookup and dripping servers included. TOTAL bounds a call with all its attempts and pauses:
# fetch_bars has twelve seconds from its first look to its last.
CONNECT_TIMEOUT = 2.0
READ_TIMEOUT = 5.0
ATTEMPT = 6.0
TOTAL = 10.0
ATTEMPTS = 4
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 2.0
# Limits are counted by the minute: a reset beyond this was told by another clock.
LONGEST_WINDOW = 3600.0
# A month of one symbol's minutes is 2 MB; ten minutes of 500 symbols half of that.
LARGEST_BODY = 32 * 1024 * 1024
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """``url`` is without its query, which may hold a key; header names are in lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def text(self) -> str:
        """The beginning of the body, for a message."""
        return self.body[:300].decode("utf-8", "replace")


def session(headers: Mapping[str, str]) -> requests.Session:
    """A session that keeps its connections; ``requests`` is imported when first needed."""
    import requests

    made = requests.Session()
    made.headers.update(headers)
    return made


class Transport:
    """GETs of one provider: paced by the shared budget, limited in time, tried again when that may
    help. Every retry is logged with its time and cause."""

    def __init__(
        self,
        provider: str,
        clock: Clock,
        budget: RequestBudget | None,
        headers: Mapping[str, str] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``budget`` None: nobody else asks this provider (a command run by hand)."""
        self._provider = provider
        self._clock = clock
        self._budget = budget
        self._headers = headers or {}
        self._monotonic = monotonic
        self._session: requests.Session | None = None
        self._free_at = 0.0

    def get(
        self, url: str, query: Mapping[str, str | int], read: Callable[[HttpAnswer], Answer]
    ) -> Answer:
        """What ``read`` makes of the answer; RetryableError from it counts as a failed attempt.

        Raises the last attempt's error; a ThrottledError at once when the time it names lies
        beyond the time that is left.
        """
        ends = self._monotonic() + TOTAL
        attempt = 1
        while True:
            try:
                self._wait_for_leave(ends)
                answer = self._ask(url, query, min(ATTEMPT, ends - self._monotonic()))
                self._note_limits(answer)
                return read(answer)
            except RetryableError as error:
                pause = _pause(attempt, error)
                if attempt == ATTEMPTS or self._monotonic() + pause >= ends:
                    raise
                logger.warning(
                    "%s: attempt %d of %d failed at %s, again in %.2f s: %s: %s",
                    self._provider,
                    attempt,
                    ATTEMPTS,
                    to_iso(self._clock.now()),
                    pause,
                    type(error).__name__,
                    error,
                )
                self._clock.sleep(pause)
                attempt += 1

    def _wait_for_leave(self, ends: float) -> None:
        """Sleep until the provider's own word and the shared budget allow a request."""
        self._sleep(self._free_at - self._monotonic(), ends, "the provider's limit is reached")
        while self._budget is not None:
            try:
                wait = self._budget.take(self._provider, self._clock.now())
            except ControlUnavailableError as error:
                # The provider's own limit still holds; a minute without bars would cost more.
                logger.warning("%s: asked without the shared budget: %s", self._provider, error)
                return
            if wait <= 0:
                return
            self._sleep(wait, ends, "the shared request budget is used up")

    def _sleep(self, seconds: float, ends: float, cause: str) -> None:
        if seconds <= 0:
            return
        if self._monotonic() + seconds >= ends:
            raise ThrottledError(f"{self._provider}: {cause} for {seconds:.1f} s", seconds)
        self._clock.sleep(seconds)

    def _note_limits(self, answer: HttpAnswer) -> None:
        """The last request of a window says so: the next one waits instead of being refused."""
        if answer.headers.get("x-ratelimit-remaining", "").strip() == "0":
            reset = _reset_after(answer, self._clock.now())
            self._free_at = self._monotonic() + (reset or 0.0)

    def _ask(self, url: str, query: Mapping[str, str | int], seconds: float) -> HttpAnswer:
        """One attempt, in a thread of its own: nothing else ends a name lookup that hangs or a
        server that sends a byte now and then. A thread given up ends with its connection."""
        if self._session is None:
            self._session = session(self._headers)
        attempt = _Attempt(self._session, url, query, self._monotonic() + seconds, self._monotonic)
        thread = threading.Thread(target=attempt.run, name=f"{self._provider} request", daemon=True)
        thread.start()
        thread.join(seconds)
        if attempt.answer is not None:
            return attempt.answer
        if attempt.error is None:
            # The thread still uses that session.
            self._session = None
            raise ProviderUnavailableError(f"{url}: no whole answer within {seconds:.1f} s")
        raise attempt.error


class _Attempt:
    """A request on the wire: ``answer`` or ``error`` is set when it is over."""

    def __init__(
        self,
        session: requests.Session,
        url: str,
        query: Mapping[str, str | int],
        ends: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._session = session
        self._url = url
        self._query = query
        self._ends = ends
        self._monotonic = monotonic
        self.answer: HttpAnswer | None = None
        self.error: Exception | None = None

    def run(self) -> None:
        from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema, RequestException
        from urllib3.exceptions import HTTPError

        try:
            self.answer = self._get()
        except (InvalidSchema, InvalidURL, MissingSchema) as error:
            self.error = ProviderRefusedError(f"{self._url}: {type(error).__name__}: set another")
        except (RequestException, HTTPError, OSError) as error:
            # Their text holds the whole address, and that the key: the kind has to do.
            self.error = ProviderUnavailableError(f"{self._url}: {type(error).__name__}")
        except (UnreadableAnswerError, ProviderUnavailableError) as error:
            self.error = error

    def _get(self) -> HttpAnswer:
        # Redirects are not followed: keys in headers of our own would travel along.
        with self._session.get(
            self._url,
            params=self._query,
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            stream=True,
            allow_redirects=False,
        ) as response:
            body = bytearray()
            while chunk := response.raw.read1(_CHUNK, decode_content=True):
                body += chunk
                if len(body) > LARGEST_BODY:
                    raise UnreadableAnswerError(f"{self._url}: more than {LARGEST_BODY} bytes")
                if self._monotonic() > self._ends:
                    raise ProviderUnavailableError(f"{self._url}: the answer takes too long")
            headers = {name.lower(): value for name, value in response.headers.items()}
            return HttpAnswer(self._url, response.status_code, headers, bytes(body))


def read_json(
    answer: HttpAnswer, object_pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None
) -> Any:
    """The body with numbers as exact Decimals. EmptyAnswerError or UnreadableAnswerError else."""
    from decimal import Decimal

    if not answer.body.strip():
        raise EmptyAnswerError(f"{answer.url}: status {answer.status} with an empty body")
    try:
        return json.loads(
            answer.body,
            parse_float=Decimal,
            parse_constant=_no_number,
            object_pairs_hook=object_pairs_hook,
        )
    except (ValueError, RecursionError) as error:
        raise UnreadableAnswerError(f"{answer.url}: the body is not JSON") from error


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def retry_after(answer: HttpAnswer, now: datetime) -> float | None:
    """Seconds until the server wants to be asked again: ``Retry-After`` as seconds or as a date,
    else ``X-RateLimit-Reset`` (seconds since 1970); None when it says neither."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    if text:
        date = _http_date(text)
        if date is not None:
            return max(0.0, (date - _server_time(answer, now)).total_seconds())
    return _reset_after(answer, now)


def _reset_after(answer: HttpAnswer, now: datetime) -> float | None:
    text = answer.headers.get("x-ratelimit-reset", "").strip()
    if not (text.isascii() and text.isdecimal()):
        return None
    wait = max(0.0, float(text) - _server_time(answer, now).timestamp())
    return wait if wait <= LONGEST_WINDOW else None


def _server_time(answer: HttpAnswer, now: datetime) -> datetime:
    """The server's own clock where it tells it: its times are told by that one."""
    return _http_date(answer.headers.get("date", "")) or now


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return date if date.tzinfo is not None else None


def _pause(attempt: int, error: RetryableError) -> float:
    """Full jitter below a ceiling that doubles, on top of the time the server named."""
    named = error.retry_after if isinstance(error, ThrottledError) else None
    ceiling = min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE)
    return (named or 0.0) + random.uniform(0, ceiling)  # noqa: S311 - jitter, not a secret
