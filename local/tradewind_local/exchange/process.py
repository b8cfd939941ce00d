"""The simulated exchange as a child process of whoever needs one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from types import TracebackType

from tradewind.errors import TradewindError

from tradewind_local.exchange.control import ExchangeControl

STARTUP_SECONDS = 20.0
SHUTDOWN_SECONDS = 5.0


class ExchangeStartError(TradewindError):
    """The exchange did not come up; the message carries the end of its log."""


class ExchangeProcess:
    """Starts the exchange on a free port of 127.0.0.1 and stops it again.

    Everything it knows lies in ``state_dir``: a later process on the same folder goes on where
    this one ended, however it ended. It dies with the *thread* that started it (so a SIGKILL of
    the parent leaves nothing behind): start it from a thread that lives as long as it is needed.
    """

    def __init__(
        self,
        state_dir: Path,
        seed: int = 1,
        cash: Decimal = Decimal(100_000),
        port: int = 0,
    ) -> None:
        """``seed`` shapes the ticks inside the bars and all ids; ``cash`` in USD opens the account.
        Both are fixed when ``state_dir`` is first used. ``port`` is the one wanted: 0, or where it
        is taken, any free one."""
        self._state_dir = state_dir
        self._seed = seed
        self._cash = cash
        self._wanted_port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._control: ExchangeControl | None = None

    @property
    def url(self) -> str:
        """What ``url_override`` of the trading and the data client is set to."""
        return self.control.url

    @property
    def control(self) -> ExchangeControl:
        if self._control is None:
            raise ExchangeStartError("the simulated exchange is not running")
        return self._control

    @property
    def port(self) -> int:
        return self.control.port

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ExchangeStartError("the simulated exchange is not running")
        return self._process.pid

    def start(self) -> ExchangeProcess:
        self._state_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            port = self._launch(Path(folder) / "port", self._state_dir / "exchange.log")
        self._control = ExchangeControl(f"http://127.0.0.1:{port}")
        return self

    def _launch(self, port_file: Path, log_file: Path) -> int:
        """Start the process and wait until it has said where it listens."""
        import_path = [path for path in sys.path if path]
        with log_file.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [
                    sys.executable,
                    "-m",
                    "tradewind_local.exchange",
                    *("--state", str(self._state_dir)),
                    *("--port-file", str(port_file)),
                    *("--port", str(self._wanted_port)),
                    *("--seed", str(self._seed)),
                    *("--cash", str(self._cash)),
                    *("--parent", str(os.getpid())),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal is for our owner, who then stops us in order.
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(import_path)},
            )
        deadline = time.monotonic() + STARTUP_SECONDS
        while not port_file.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                said = log_file.read_text(errors="replace").strip().splitlines()[-1:]
                raise ExchangeStartError(
                    f"the simulated exchange did not start: {said[0] if said else 'no message'}"
                )
            time.sleep(0.005)
        return int(port_file.read_text())

    def stop(self) -> None:
        """Ask it to end, make it end after a while; harmless when it is not running."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(SHUTDOWN_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def __enter__(self) -> ExchangeProcess:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
