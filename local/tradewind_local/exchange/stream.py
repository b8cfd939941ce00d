"""The WebSocket at ``/stream``, on the same port as everything else, one thread a connection."""

from __future__ import annotations

import select
import socket
from collections.abc import Mapping
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.protocol import State
from websockets.server import ServerProtocol

from tradewind_local.exchange.application import Application
from tradewind_local.exchange.update_feed import Subscriber, read_message
from tradewind_local.exchange.wire import write_json

# Seconds without anything to send after which the broker pings.
HEARTBEAT = 1.0
RECEIVE = 65_536


class StreamConnection:
    """One client. It authenticates, listens, and from then on hears trade updates.

    Frames to the client are binary, as on the broker's paper endpoint. A message from the client
    is one frame.
    """

    def __init__(self, channel: socket.socket, application: Application) -> None:
        self._channel = channel
        self._application = application
        self._protocol = ServerProtocol()
        self._subscriber = Subscriber()
        self._is_authorized = False

    def run(self, handshake: bytes) -> None:
        """Serve until either side hangs up; ``handshake`` is the head of the client's request."""
        try:
            self._receive(handshake)
            self._send()
            while self._protocol.state is not State.CLOSED:
                self._turn()
        except OSError:
            return  # the client is gone
        finally:
            self._application.updates.leave(self._subscriber)
            self._subscriber.close()

    def _turn(self) -> None:
        wake = self._subscriber.wake
        ready, _, _ = select.select([self._channel, wake], [], [], HEARTBEAT)
        if self._channel in ready:
            self._receive(self._channel.recv(RECEIVE))
        if self._protocol.state is State.OPEN:
            for frame in self._subscriber.take() if wake in ready else ():
                self._protocol.send_binary(frame)
            if not ready:
                self._protocol.send_ping(b"")
        self._send()

    def _receive(self, data: bytes) -> None:
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        for event in self._protocol.events_received():
            if isinstance(event, Handshake):
                self._protocol.send_response(self._protocol.accept(event))
            elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY):
                self._answer(bytes(event.data))

    def _answer(self, message: bytes) -> None:
        try:
            action, data = read_message(message)
        except ValueError:
            self._say({"action": "error", "data": {"error_message": "invalid message"}})
            return
        if action in ("authenticate", "auth"):
            self._is_authorized = self._application.may_stream(*_credentials(data))
            self._say_authorization("authenticate")
        elif action != "listen":
            self._say({"action": "error", "data": {"error_message": f"unknown action: {action}"}})
        elif not self._is_authorized:
            self._say_authorization("listen")
        else:
            wanted = data.get("streams")
            streams = ["trade_updates"] if "trade_updates" in (wanted or ()) else []
            # The answer comes before the first update.
            self._say({"stream": "listening", "data": {"streams": streams}})
            if streams:
                self._application.updates.subscribe(self._subscriber)
            else:
                self._application.updates.leave(self._subscriber)

    def _say_authorization(self, action: str) -> None:
        status = "authorized" if self._is_authorized else "unauthorized"
        self._say({"stream": "authorization", "data": {"status": status, "action": action}})

    def _say(self, body: object) -> None:
        self._protocol.send_binary(write_json(body).encode())

    def _send(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._channel.sendall(data)
            else:
                self._channel.shutdown(socket.SHUT_WR)


def _credentials(data: Mapping[str, Any]) -> tuple[str, str, str]:
    """Key, secret and OAuth token, in either of the broker's forms; empty where not given."""
    key = data.get("key_id") or data.get("key") or ""
    secret = data.get("secret_key") or data.get("secret") or ""
    return str(key), str(secret), str(data.get("oauth_token") or "")
