"""The socket side: HTTP/1.1 on 127.0.0.1, where scripted faults reach the wire."""

from __future__ import annotations

import socket
import struct
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType

from tradewind_local.exchange.application import Application
from tradewind_local.exchange.faults import Fault
from tradewind_local.exchange.http_messages import Request, Response
from tradewind_local.exchange.stream import StreamConnection

STREAM_PATH = "/stream"
LARGEST_BODY = 64 * 1024 * 1024


class ExchangeServer(ThreadingHTTPServer):
    """Serves one application; threads end with the process."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, application: Application, port: int) -> None:
        """``port`` 0 takes a free one; it is ``server_address[1]`` then."""
        super().__init__(("127.0.0.1", port), ExchangeHandler)
        self.application = application
        # The last answer under each path, for the fault that gives it again.
        self.answered: dict[str, Response] = {}


class ExchangeHandler(BaseHTTPRequestHandler):
    server: ExchangeServer
    protocol_version = "HTTP/1.1"
    # Small answers must not wait for the ACK of the last one: that would cost 40 ms each.
    disable_nagle_algorithm = True
    # What the answer to the present request says about the rate limit.
    _limits: Mapping[str, str] = MappingProxyType({})

    def _serve(self) -> None:
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            length = -1
        if not 0 <= length <= LARGEST_BODY:
            self.close_connection = True
            self._send(Response.json({"message": "bad Content-Length"}, 400))
            return
        body = self.rfile.read(length)
        request = Request.of(self.command, self.path, dict(self.headers.items()), body)
        fault, self._limits = self.server.application.admit(request)
        if fault is None and request.path == STREAM_PATH and "upgrade" in request.headers:
            self._stream()
        elif fault is None:
            self._send(self._answer(request))
        else:
            self._fail(request, fault)

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - the base's names

    def _handle(self, request: Request) -> Response:
        try:
            return self.server.application.handle(request)
        except Exception:  # noqa: BLE001 - the boundary: log what broke, tell the client it did
            traceback.print_exc(file=sys.stderr)
            return Response.json({"message": "the simulated exchange has a fault"}, 500)

    def _answer(self, request: Request) -> Response:
        answer = self._handle(request)
        self.server.answered[request.path] = answer
        return answer

    def _fail(self, request: Request, fault: Fault) -> None:
        carried_out = None
        before = self.server.answered.get(request.path)
        if fault.repeat and before is not None:
            carried_out = before
        elif fault.after_accept or not fault.hides_answer:
            carried_out = self._answer(request)
        if fault.stall:
            time.sleep(fault.stall)
        if fault.reset:
            self._reset()
        elif fault.status is not None:
            body = fault.body
            self._send(
                Response(fault.status, body.encode(), "text/html", fault.headers)
                if isinstance(body, str)
                else Response.json(body, fault.status, fault.headers)
            )
        elif carried_out is not None:
            whole = carried_out.body
            cut = whole[: len(whole) // 2] if fault.truncate else whole
            self._send(replace(carried_out, body=cut))

    def _stream(self) -> None:
        """From here on the connection is a WebSocket, whose protocol begins with the head."""
        self.close_connection = True
        headers = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        head = f"{self.command} {self.path} HTTP/1.1\r\n{headers}\r\n".encode()
        StreamConnection(self.connection, self.server.application).run(head)

    def _reset(self) -> None:
        """Cut the connection the hard way: the client sees ECONNRESET, not an empty answer."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _send(self, response: Response) -> None:
        lines = [
            f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
            f"Connection: {'close' if self.close_connection else 'keep-alive'}",
            *(f"{name}: {value}" for name, value in {**self._limits, **response.headers}.items()),
        ]
        if response.status != HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Type: {response.content_type}")
            lines.append(f"Content-Length: {len(response.body)}")
        # Head and body in one write, so that they travel in one segment.
        self.wfile.write("\r\n".join([*lines, "\r\n"]).encode() + response.body)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are counted in the state; a line each would be noise."""
