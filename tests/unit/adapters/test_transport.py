"""The transport: what is tried again, how long it waits, when it gives up."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from socket import create_server, socket
from time import sleep
from typing import Any

import pytest
from tradewind.adapters import http
from tradewind.adapters.http import HttpAnswer, Transport, read_json, retry_after
from tradewind.errors import (
    ControlUnavailableError,
    EmptyAnswerError,
    ProviderRefusedError,
    ProviderUnavailableError,
    ThrottledError,
    UnreadableAnswerError,
)

from tests.fakes import START, FakeClock
from tests.unit.adapters.http_server import Answer, serving

GOOD = Answer(body={"fine": True})
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)


def read(answer: HttpAnswer) -> Any:
    """As the providers do it."""
    if answer.status == 429:
        raise ThrottledError("status 429", retry_after(answer, NOW))
    if answer.status >= 500:
        raise ProviderUnavailableError(f"status {answer.status}")
    return read_json(answer)


def transport(clock: FakeClock, budget: Any = None) -> Transport:
    """Time passes only when it sleeps."""
    return Transport(
        "somebody", clock, budget, {"Key": "k"}, monotonic=lambda: clock.now().timestamp()
    )


HELPED: list[tuple[str, Answer]] = [
    ("throttled", Answer(429, {})),
    ("a server error", Answer(500, {})),
    ("unavailable", Answer(503, b"<html>")),
    ("broken JSON", Answer(200, b'{"bars": {"AAPL": [')),
    ("not a number", Answer(200, b'{"c": NaN}')),
    ("no body", Answer(200, b"")),
    ("hung up", Answer(hang_up=True)),
]


@pytest.mark.parametrize("answer", [row[1] for row in HELPED], ids=[row[0] for row in HELPED])
def test_a_passing_fault_is_tried_again(answer: Answer, caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    with serving(answer, GOOD) as server, caplog.at_level(logging.WARNING):
        assert transport(clock).get(server.url, {"apikey": "secret"}, read) == {"fine": True}
        assert len(server.requests) == 2
    (record,) = caplog.records
    assert re.search(
        r"attempt 1 of 4 failed at 2020-11-12T14:31:04Z, again in 0\.\d\d s: \w+Error: .+",
        record.getMessage(),
    )
    assert "secret" not in record.getMessage()


def test_pauses_are_full_jitter_below_a_doubling_ceiling() -> None:
    pauses: list[list[float]] = []
    with serving(Answer(503, {})) as server:
        for _ in range(25):
            clock = FakeClock()
            with pytest.raises(ProviderUnavailableError):
                transport(clock).get(server.url, {}, read)
            pauses.append(clock.slept)
        assert len(server.requests) == 25 * http.ATTEMPTS
    assert {len(slept) for slept in pauses} == {http.ATTEMPTS - 1}
    for number, ceiling in enumerate((0.2, 0.4, 0.8)):
        column = [slept[number] for slept in pauses]
        assert max(column) <= ceiling
        assert min(column) < ceiling / 3  # full jitter, not a fixed part and a little noise
        assert len(set(column)) == 25


def answered(**headers: str) -> HttpAnswer:
    return HttpAnswer("u", 429, {name.replace("_", "-"): v for name, v in headers.items()}, b"")


WAITS: list[tuple[HttpAnswer, float | None]] = [
    (answered(), None),
    (answered(retry_after="3"), 3.0),
    (answered(retry_after="Mon, 23 Nov 2026 15:00:07 GMT"), 7.0),
    (answered(retry_after="Mon, 23 Nov 2026 14:00:00 GMT"), 0.0),  # it is past
    # Counted by the server's clock where it tells it.
    (
        answered(retry_after="Mon, 23 Nov 2026 15:10:07 GMT", date="Mon, 23 Nov 2026 15:10:00 GMT"),
        7.0,
    ),
    (answered(retry_after="soon"), None),
    (answered(retry_after="-1"), None),
    (answered(retry_after="soon", x_ratelimit_reset=str(int(NOW.timestamp()) + 5)), 5.0),
    (answered(x_ratelimit_reset=str(int(NOW.timestamp()) + 12)), 12.0),
    (answered(x_ratelimit_reset="1679411617"), 0.0),  # the recorded header, long past
    (answered(x_ratelimit_reset=str(int(NOW.timestamp()) + 86_400)), None),  # another clock's
    (answered(x_ratelimit_reset="next minute"), None),
]


@pytest.mark.parametrize(("answer", "seconds"), WAITS)
def test_when_a_server_wants_to_be_asked_again(answer: HttpAnswer, seconds: float | None) -> None:
    assert retry_after(answer, NOW) == seconds


def test_a_named_time_is_waited_for_in_full() -> None:
    clock = FakeClock()
    with serving(Answer(429, {}, {"Retry-After": "3"}), GOOD) as server:
        assert transport(clock).get(server.url, {}, read) == {"fine": True}
    assert 3.0 <= clock.slept[0] <= 3.2


def test_a_time_beyond_what_is_left_is_told_at_once() -> None:
    clock = FakeClock()
    with serving(Answer(429, {}, {"Retry-After": "60"}), GOOD) as server:
        with pytest.raises(ThrottledError) as thrown:
            transport(clock).get(server.url, {}, read)
        assert len(server.requests) == 1
    assert thrown.value.retry_after == 60.0
    assert clock.slept == []


def test_the_last_request_of_a_window_makes_the_next_one_wait() -> None:
    clock = FakeClock(NOW)
    reset = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW.timestamp()) + 4)}
    with serving(Answer(body=1, headers={**reset, "Date": "x"}), GOOD) as server:
        asking = transport(clock)
        assert asking.get(server.url, {}, read) == 1
        assert clock.slept == []
        assert asking.get(server.url, {}, read) == {"fine": True}
    assert clock.slept == [4.0]


def test_no_attempt_begins_after_the_end() -> None:
    """Slow failures use up the ten seconds before the attempts are used up."""
    clock = FakeClock()
    begun: list[float] = []

    def slow(answer: HttpAnswer) -> Any:
        begun.append((clock.now() - START).total_seconds())
        clock.sleep(4.0)
        raise ProviderUnavailableError("at last")

    with serving(GOOD) as server, pytest.raises(ProviderUnavailableError, match="at last"):
        transport(clock).get(server.url, {}, slow)
    assert len(begun) == 3 < http.ATTEMPTS
    assert begun[-1] < http.TOTAL


@contextmanager
def dripping(*pieces: bytes) -> Iterator[str]:
    """A server that sends its pieces a twentieth of a second apart and never ends."""
    over = threading.Event()
    listener = create_server(("127.0.0.1", 0))

    def drip(connection: socket) -> None:
        connection.recv(65_536)
        with connection:
            for piece in pieces:
                connection.sendall(piece)
            while not over.wait(0.05):
                connection.sendall(b"x")

    def accept() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_quietly, args=(drip, connection), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        listener.close()


def _quietly(drip: Any, connection: socket) -> None:
    try:
        drip(connection)
    except OSError:
        return  # the client went away, as it should


@pytest.mark.parametrize(
    "pieces",
    [(b"HTTP/1.1 200 OK\r\nX: ",), (b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n",)],
    ids=["in the head", "in the body"],
)
def test_a_dripping_server_does_not_hold_us(
    pieces: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte is in time for the read timeout, so nothing but the attempt's own end ends it."""
    monkeypatch.setattr(http, "ATTEMPT", 0.3)
    monkeypatch.setattr(http, "TOTAL", 0.7)
    with dripping(*pieces) as url, pytest.raises(ProviderUnavailableError):
        Transport("somebody", FakeClock(), None).get(url, {}, read)


def test_a_stall_ends_with_the_read_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "READ_TIMEOUT", 0.1)
    clock = FakeClock()
    with serving(Answer(stall=1.0, body=1), GOOD) as server:
        assert transport(clock).get(server.url, {}, read) == {"fine": True}
        assert len(server.requests) == 2


def test_one_connection_serves_all_requests() -> None:
    clients: set[int] = set()
    with serving(GOOD, Answer(503, {}), GOOD) as server:
        asking = transport(FakeClock())
        for _ in range(3):
            asking.get(server.url, {}, read)
            pool = asking._session.get_adapter(server.url).poolmanager  # type: ignore[union-attr]
            (key,) = pool.pools.keys()
            clients.add(pool.pools[key].num_connections)
        assert len(server.requests) == 4
    assert clients == {1}


def test_a_redirect_is_not_followed_with_our_keys() -> None:
    with serving(GOOD) as other, serving(Answer(302, {}, {"Location": other.url})) as server:
        seen = transport(FakeClock()).get(server.url, {}, lambda answer: answer.status)
        assert seen == 302
        assert other.requests == []


def test_an_address_that_is_none_is_not_tried_again() -> None:
    clock = FakeClock()
    with pytest.raises(ProviderRefusedError, match="MissingSchema"):
        transport(clock).get("data.example", {"apikey": "secret"}, read)
    assert clock.slept == []


def test_nothing_of_the_query_is_in_an_error() -> None:
    with pytest.raises(ProviderUnavailableError) as thrown:
        transport(FakeClock()).get("http://127.0.0.1:9/query", {"apikey": "secret"}, read)
    assert "secret" not in f"{thrown.value} {thrown.value.__cause__}"


def test_an_endless_body_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST_BODY", 1_000)
    endless = Answer(200, b"[" + b"1," * 1_000 + b"1]")
    with serving(endless) as server, pytest.raises(UnreadableAnswerError, match="1000 bytes"):
        transport(FakeClock()).get(server.url, {}, read)


def test_an_empty_body_has_its_own_error() -> None:
    with pytest.raises(EmptyAnswerError):
        read_json(HttpAnswer("u", 200, {}, b" \n"))


class FakeBudget:
    """Answers from a list, then lets everything through."""

    def __init__(self, *answers: float | Exception) -> None:
        self.answers = list(answers)
        self.taken: list[tuple[str, datetime]] = []

    def take(self, provider: str, at: datetime) -> float:
        self.taken.append((provider, at))
        answer = self.answers.pop(0) if self.answers else 0.0
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_each_attempt_is_counted() -> None:
    budget = FakeBudget()
    with serving(Answer(503, {}), GOOD) as server:
        transport(FakeClock(), budget).get(server.url, {}, read)
    assert [provider for provider, _ in budget.taken] == ["somebody", "somebody"]


def test_a_short_wait_for_the_budget_is_slept() -> None:
    clock, budget = FakeClock(), FakeBudget(1.5, 0.5)
    with serving(GOOD) as server:
        transport(clock, budget).get(server.url, {}, read)
    assert clock.slept == [1.5, 0.5]


def test_a_long_wait_for_the_budget_sends_nothing() -> None:
    clock = FakeClock()
    with serving(GOOD) as server:
        with pytest.raises(ThrottledError, match="budget") as thrown:
            transport(clock, FakeBudget(30.0)).get(server.url, {}, read)
        assert server.requests == []
    assert thrown.value.retry_after == 30.0
    assert clock.slept == []


def test_a_budget_that_cannot_be_read_does_not_cost_a_minute_of_bars() -> None:
    with serving(GOOD) as server:
        budget = FakeBudget(ControlUnavailableError("table control: gone"))
        assert transport(FakeClock(), budget).get(server.url, {}, read) == {"fine": True}


def test_a_thread_that_was_given_up_shares_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "ATTEMPT", 0.1)
    asking = Transport("somebody", FakeClock(), None)
    with serving(Answer(stall=0.4, body=1), GOOD) as server:
        assert asking.get(server.url, {}, read) == {"fine": True}
        sleep(0.5)  # the first answer arrives, for nobody
        assert asking.get(server.url, {}, read) == {"fine": True}
