"""What the exchange's trade updates become on their way to whoever listens."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from tradewind.errors import InvalidInputError

from tradewind_local.exchange.bodies import trade_update_body
from tradewind_local.exchange.trade_updates import TradeUpdate
from tradewind_local.exchange.wire import write_json

# A fill that is replayed has been seen this often.
REPLAYS = 3


class Subscriber:
    """Frames on their way to one connection; ``wake`` becomes readable when there are any."""

    def __init__(self) -> None:
        self.wake, self._bell = socket.socketpair()
        # A bell that nobody hears is not rung twice.
        self._bell.setblocking(False)
        self._frames: deque[bytes] = deque()

    def push(self, frame: bytes) -> None:
        self._frames.append(frame)
        try:
            self._bell.send(b"!")
        except BlockingIOError:
            return

    def take(self) -> list[bytes]:
        """What came since the last call; to be called when ``wake`` is readable."""
        self.wake.recv(4_096)
        frames = []
        while self._frames:
            frames.append(self._frames.popleft())
        return frames

    def close(self) -> None:
        self.wake.close()
        self._bell.close()


@dataclass(slots=True)
class StreamFaults:
    """What happens to the next frames, whoever listens, while heartbeats go on.

    ``drop``: so many are lost. ``double``: so many are sent twice. ``reorder``: so many are kept
    back and then sent in the reverse order. ``replay``: so many fills (partial ones included) are
    sent three times.
    """

    drop: int = 0
    double: int = 0
    reorder: int = 0
    replay: int = 0

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> StreamFaults:
        """InvalidInputError when they are none."""
        try:
            faults = cls(**given)
        except TypeError as error:
            raise InvalidInputError(f"not stream faults: {error}") from error
        counts = (faults.drop, faults.double, faults.reorder, faults.replay)
        if not all(isinstance(count, int) and count >= 0 for count in counts):
            raise InvalidInputError(f"stream faults are counts: {dict(given)}")
        return faults


class UpdateFeed:
    """Turns what the exchange recorded into frames, and hands them to the subscribers."""

    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = []
        self._faults = StreamFaults()
        self._kept_back: list[bytes] = []
        self._told = 0
        self._lock = threading.Lock()

    @property
    def listeners(self) -> int:
        return len(self._subscribers)

    def subscribe(self, subscriber: Subscriber) -> None:
        with self._lock:
            if subscriber not in self._subscribers:
                self._subscribers.append(subscriber)

    def leave(self, subscriber: Subscriber) -> None:
        with self._lock:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

    def set_faults(self, faults: StreamFaults) -> None:
        with self._lock:
            self._faults = faults
            self._kept_back.clear()

    def forget(self) -> None:
        """Begin anew, with updates that are numbered from one."""
        self.set_faults(StreamFaults())
        self._told = 0

    def publish(self, updates: deque[TradeUpdate]) -> None:
        """Send what was not sent yet of the newest updates: each once, or as the faults have it.
        Nobody hears what was published before they listened."""
        with self._lock:
            fresh = list(takewhile(lambda update: update.number > self._told, reversed(updates)))
            for update in reversed(fresh):
                self._told = update.number
                body = {"stream": "trade_updates", "data": trade_update_body(update)}
                is_fill = update.event in ("fill", "partial_fill")
                for frame in self._as_sent(write_json(body).encode(), is_fill):
                    for subscriber in self._subscribers:
                        subscriber.push(frame)

    def _as_sent(self, frame: bytes, is_fill: bool) -> list[bytes]:
        faults = self._faults
        if faults.drop:
            faults.drop -= 1
            return []
        frames = [frame]
        if faults.double:
            faults.double -= 1
            frames = [frame] * 2
        elif is_fill and faults.replay:
            faults.replay -= 1
            frames = [frame] * REPLAYS
        if faults.reorder:
            faults.reorder -= 1
            self._kept_back[:0] = frames
            if faults.reorder:
                return []
            frames = self._kept_back.copy()
            self._kept_back.clear()
        return frames


def read_message(message: bytes) -> tuple[str, Mapping[str, Any]]:
    """A client's ``action`` and its ``data``; the newer form has the keys beside the action.
    ValueError when it is neither."""
    body = json.loads(message)
    if not isinstance(body, dict) or not isinstance(body.get("action"), str):
        raise ValueError("a message needs an action")
    data = body.get("data", body)
    return body["action"], data if isinstance(data, dict) else {}
