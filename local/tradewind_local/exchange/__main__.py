"""``python -m tradewind_local.exchange``: one simulated exchange on 127.0.0.1."""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import os
import signal
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path
from types import FrameType
from typing import TextIO

from tradewind.errors import InvalidInputError, TradewindError
from tradewind.market.session_table import default_table

from tradewind_local.exchange.application import Application
from tradewind_local.exchange.server import ExchangeServer
from tradewind_local.exchange.store import Store

PR_SET_PDEATHSIG = 1
LOCK_SECONDS = 2.0


def main() -> int:
    options = _options()
    if options.parent is not None:
        _die_with_parent(options.parent)
    options.state.mkdir(parents=True, exist_ok=True)
    try:
        lock = _take(options.state)
        store = Store(options.state / "exchange.sqlite")
        store.open_account(options.seed, options.cash)
        server = _server(Application(store, default_table(), options.seed), options.port)
    except TradewindError as error:
        sys.stderr.write(f"{error}\n")
        return 2

    def stop(_signum: int, _frame: FrameType | None) -> None:
        # shutdown() waits for the loop that this thread runs, so another one has to ask.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    _announce(options.port_file, server.server_address[1])
    server.serve_forever(poll_interval=0.05)
    server.server_close()
    options.port_file.unlink(missing_ok=True)
    store.close()
    lock.close()
    return 0


def _server(application: Application, port: int) -> ExchangeServer:
    try:
        return ExchangeServer(application, port)
    except OSError:
        return ExchangeServer(application, 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tradewind_local.exchange", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="folder that keeps everything")
    parser.add_argument("--port-file", type=Path, required=True, help="written once it listens")
    parser.add_argument(
        "--port", type=int, default=0, help="where it is taken, and for 0: a free one"
    )
    parser.add_argument("--seed", type=int, default=1, help="shapes ticks and ids")
    parser.add_argument("--cash", type=Decimal, default=Decimal(100_000), help="USD to start with")
    parser.add_argument("--parent", type=int, help="process to die with")
    return parser.parse_args()


def _take(state: Path) -> TextIO:
    """Hold the folder as long as this process lives. One that was just killed may need a moment."""
    lock = (state / "lock").open("w")
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() > deadline:
                lock.close()
                raise InvalidInputError(f"another exchange is running on {state}") from None
            time.sleep(0.05)


def _announce(port_file: Path, port: int) -> None:
    """Whoever sees the file sees all of it."""
    draft = port_file.with_name(port_file.name + ".draft")
    draft.write_text(str(port))
    draft.replace(port_file)


def _die_with_parent(parent: int) -> None:
    """A SIGKILL of the parent must not leave us behind. Linux has a call for it."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            sys.exit(1)


if __name__ == "__main__":
    sys.exit(main())
