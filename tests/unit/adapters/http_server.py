"""A server that answers from a script, to see what really goes over the wire."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """``body`` is sent as it is when it is bytes, as JSON otherwise; ``stall`` in seconds."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    stall: float = 0
    hang_up: bool = False


@dataclass
class ScriptedServer:
    url: str
    answers: list[Answer]
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def serving(*answers: Answer) -> Iterator[ScriptedServer]:
    """Gives the answers in their order, the last one again and again."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            sent = self._sent(self.rfile.read(length)) if length else None
            script.requests.append((self.command, self.path, sent))
            script.headers.append(dict(self.headers))
            answer = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
            time.sleep(answer.stall)
            if answer.hang_up:
                self.close_connection = True
                return
            body = answer.body
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def _sent(self, raw: bytes) -> Any:
            is_form = self.headers.get_content_type() == "application/x-www-form-urlencoded"
            return raw.decode() if is_form else json.loads(raw)

        do_GET = do_POST = do_PATCH = do_DELETE = handle_any

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script = ScriptedServer(f"http://127.0.0.1:{server.server_address[1]}", list(answers))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
