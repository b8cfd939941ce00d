"""The Lambda Runtime API over one socket, in place of awslambdaric's C extension.

``awslambdaric`` imports a module of this name; the worker's folder comes first on ``sys.path``,
so this one is taken. The C client waits 40 ms and more per call on loopback: the local cloud
sends headers and body in two segments, and Nagle's algorithm with delayed acknowledgement holds
the second one back. Here TCP_NODELAY and TCP_QUICKACK are set, each request leaves in one segment,
and a warm invocation takes a few milliseconds.

It also writes the one REPORT line per invocation that AWS writes: the local cloud waits 50 ms for
a first log line of an invocation, and ``REPORT_FILE`` is where the twin reads durations from.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
import threading
import time

_PREFIX = "/2018-06-01/runtime/invocation"
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)  # Linux only
_PARENT_CHECK_SECONDS = 0.5


class _RuntimeApi:
    """One keep-alive HTTP/1.1 connection to the local cloud."""

    def __init__(self, address: str, user_agent: str) -> None:
        host, _, port = address.partition(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._common = f"Host: {address}\r\nUser-Agent: {user_agent}\r\n"
        self._unread = b""

    def call(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = (
            f"{method} {path} HTTP/1.1\r\n{self._common}{lines}Content-Length: {len(body)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + body)
        while b"\r\n\r\n" not in self._unread:
            self._receive()
        raw_head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        status_line, *header_lines = raw_head.decode("latin-1").split("\r\n")
        answer = {}
        for line in header_lines:
            name, _, value = line.partition(":")
            answer[name.strip()] = value.strip()
        length = int(answer.get("Content-Length", "0"))
        while len(self._unread) < length:
            self._receive()
        content, self._unread = self._unread[:length], self._unread[length:]
        return int(status_line.split(" ", 2)[1]), answer, content

    def _receive(self) -> None:
        if _QUICKACK is not None:
            # The kernel switches it off again by itself, so it is set before every read.
            self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        received = self._socket.recv(262144)
        if not received:
            raise ConnectionError("the local cloud closed the connection")
        self._unread += received


class _Invocation:
    """The clock and the REPORT line of the invocation in progress."""

    def __init__(self) -> None:
        self._report_file = os.environ.get("REPORT_FILE")
        self._memory_size = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "0")
        self._began = 0.0
        self._init_ms: float | None = None
        self._process_began = time.monotonic()

    def begin(self) -> None:
        self._began = time.monotonic()
        if self._init_ms is None:
            self._init_ms = (self._began - self._process_began) * 1000

    def report(self, request_id: str) -> None:
        duration = (time.monotonic() - self._began) * 1000
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        line = (
            f"REPORT RequestId: {request_id}\tDuration: {duration:.2f} ms"
            f"\tBilled Duration: {int(duration) + 1} ms\tMemory Size: {self._memory_size} MB"
            f"\tMax Memory Used: {peak_mb} MB"
        )
        if self._init_ms:
            line += f"\tInit Duration: {self._init_ms:.2f} ms"
            self._init_ms = 0.0
        sys.stdout.write(line + "\n")
        if self._report_file:
            with open(self._report_file, "a", encoding="ascii") as reports:
                reports.write(line + "\n")


_api: _RuntimeApi | None = None
_invocation = _Invocation()


def initialize_client(user_agent: str) -> None:
    global _api  # awslambdaric's interface is a module with one connection
    _api = _RuntimeApi(os.environ["AWS_LAMBDA_RUNTIME_API"], user_agent)
    threading.Thread(target=_leave_with_parent, args=(os.getppid(),), daemon=True).start()


def next() -> tuple[bytes, dict[str, str]]:  # the name awslambdaric calls
    _, headers, body = _call("GET", f"{_PREFIX}/next", {}, b"")
    _invocation.begin()
    return body, headers


def post_invocation_result(
    invoke_id: str, result: bytes, content_type: str, _invocation_id: str | None = None
) -> None:
    _invocation.report(invoke_id)
    _call("POST", f"{_PREFIX}/{invoke_id}/response", {"Content-Type": content_type}, result)


def post_error(
    invoke_id: str, error: str, _xray_fault: str, _invocation_id: str | None = None
) -> None:
    _invocation.report(invoke_id)
    headers = {"Content-Type": "application/json"}
    _call("POST", f"{_PREFIX}/{invoke_id}/error", headers, error.encode())


def _call(
    method: str, path: str, headers: dict[str, str], body: bytes
) -> tuple[int, dict[str, str], bytes]:
    if _api is None:
        raise RuntimeError("initialize_client was not called")
    try:
        return _api.call(method, path, headers, body)
    except OSError:
        # The local cloud has gone or has given this worker up: there is nobody left to tell.
        os._exit(0)


def _leave_with_parent(parent: int) -> None:
    """End this worker when the local cloud was killed, even in the middle of a handler.

    PR_SET_PDEATHSIG is no help here: it fires when the *thread* that forked ends, and the local
    cloud forks workers from short-lived threads.
    """
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_SECONDS)
    os._exit(0)
