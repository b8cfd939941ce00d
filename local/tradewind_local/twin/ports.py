"""The ports of a state folder's servers, kept because its saved local cloud depends on them.

The local cloud saves the addresses of its queues, and its functions those of the database and the
exchange, all with ports: on other ports, nobody would ever read the queues.
"""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Ports:
    """0 is a port not known yet."""

    postgres: int = 0
    exchange: int = 0
    cloud: int = 0

    @classmethod
    def read(cls, note: Path) -> Ports:
        """Those written down; all 0 where none are."""
        try:
            noted = json.loads(note.read_text(encoding="ascii"))
            return cls(**{name: int(noted[name]) for name in asdict(cls())})
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return cls()

    def write(self, note: Path) -> None:
        """The whole note or none of it."""
        draft = note.with_suffix(".tmp")
        draft.write_text(json.dumps(asdict(self)), encoding="ascii")
        draft.replace(note)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: connections of the last one that are still fading away do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
