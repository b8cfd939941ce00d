"""Who may start a reconciliation by webhook: one row per request, everything signed but wrong."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from tradewind.errors import CycleFailedBeforeError
from tradewind.use_cases.receive_broker_hint import LONGEST_BODY, Answer, Hint, receive_broker_hint

from tests.fakes import START, FakeClock

SECRET = "a secret"
BODY = b'{"event": "fill", "qty": "1000000"}'
NOW = str(int(START.timestamp()))


@dataclass
class Starter:
    """Starts a name once, as Step Functions does."""

    started: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)

    def start(self, name: str, payload: Mapping[str, Any]) -> bool:
        if name in self.failed:
            raise CycleFailedBeforeError(f"run {name} exists and is FAILED")
        new = name not in self.started
        self.started.setdefault(name, payload)
        return new


def signed(body: bytes = BODY, timestamp: str = NOW, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def seconds_from_now(seconds: int) -> str:
    return str(int(START.timestamp()) + seconds)


def receive(hint: Hint, starter: Starter, later: float = 0.0) -> Answer:
    return receive_broker_hint(
        hint,
        secret=SECRET,
        account="paper",
        reconciliations=starter,
        clock=FakeClock(START + timedelta(seconds=later)),
    )


def at(timestamp: str) -> Hint:
    """Signed rightly, at some time."""
    return Hint(BODY, timestamp, signed(timestamp=timestamp))


LONG, LONGEST = b"x" * (LONGEST_BODY + 1), b"x" * LONGEST_BODY
REQUESTS = [
    # (what is special about the request, the request, the answer's status)
    ("signed as it should be", at(NOW), 202),
    ("an empty body is a hint too", Hint(b"", NOW, signed(b"")), 202),
    ("no JSON at all", Hint(b"\xff\x00", NOW, signed(b"\xff\x00")), 202),
    ("as long as may be", Hint(LONGEST, NOW, signed(LONGEST)), 202),
    ("one byte longer", Hint(LONG, NOW, signed(LONG)), 400),
    ("five minutes old", at(seconds_from_now(-300)), 202),
    ("a second older", at(seconds_from_now(-301)), 401),
    ("their clock is five minutes ahead", at(seconds_from_now(300)), 202),
    ("a second more", at(seconds_from_now(301)), 401),
    ("the dawn of time", at("0"), 401),
    ("no year that there is", at("99999999999"), 401),
    ("no number that there is", at("9" * 400), 401),
    ("before the dawn of time", at("-5"), 400),
    ("a date instead of seconds", at("2020-11-12T14:31:00Z"), 400),
    ("digits of another script", at("١٦٠٥"), 400),
    ("an empty timestamp", at(""), 400),
    ("no timestamp", Hint(BODY, None, signed()), 401),
    ("no signature", Hint(BODY, NOW, None), 401),
    ("an empty signature", Hint(BODY, NOW, ""), 401),
    ("another body than was signed", Hint(BODY + b" ", NOW, signed()), 401),
    ("another time than was signed", Hint(BODY, seconds_from_now(1), signed()), 401),
    ("a stranger's secret", Hint(BODY, NOW, signed(secret="a secre")), 401),
    ("a signature cut short", Hint(BODY, NOW, signed()[:-1]), 401),
    ("letters that no signature has", Hint(BODY, NOW, "é" * 64), 401),
    ("the body signed without its time", Hint(BODY, NOW, hmac.new(
        SECRET.encode(), BODY, hashlib.sha256).hexdigest()), 401),
]  # fmt: skip


@pytest.mark.parametrize(
    ("hint", "status"), [row[1:] for row in REQUESTS], ids=[str(row[0]) for row in REQUESTS]
)
def test_who_is_heard(hint: Hint, status: int) -> None:
    starter = Starter()
    assert receive(hint, starter).status == status
    assert len(starter.started) == (status == 202)


def test_the_reconciliation_is_told_the_minute_and_nothing_that_was_sent() -> None:
    starter = Starter()
    receive(at(NOW), starter)
    assert starter.started == {
        "paper-reconcile-20201112T1430Z-hint": {
            "why": "hint",
            "scheduled_time": "2020-11-12T14:31:00Z",
        }
    }


def test_a_flood_starts_one_reconciliation_a_minute() -> None:
    starter = Starter()
    for later in range(55):
        assert receive(at(NOW), starter, later).status == 202
    assert len(starter.started) == 1
    receive(at(NOW), starter, 56)  # 14:32:00
    assert len(starter.started) == 2


def test_a_reconciliation_that_failed_is_not_started_again_by_its_hints() -> None:
    starter = Starter(failed={"paper-reconcile-20201112T1430Z-hint"})
    assert receive(at(NOW), starter).status == 202
    assert not starter.started
