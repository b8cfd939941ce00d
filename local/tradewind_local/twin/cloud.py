"""The local cloud: one MiniStack process on 127.0.0.1, with its state in our folder."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tradewind_local.twin.ports import free_port, is_free
from tradewind_local.twin.supervisor import ProcessFailedError, Supervisor, wait_until

REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
_START_ATTEMPTS = 3
_START_SECONDS = 30.0
_STOP_SECONDS = 15.0


class LocalCloud:
    """MiniStack, pinned in ``requirements/run.txt``.

    Folder layout: ``state/`` (saved at a clean stop, which ``saved`` marks), ``s3/`` (objects),
    ``tmp/`` (unpacked bootstrap zips, emptied at each start), ``cloud.log``.
    """

    def __init__(self, folder: Path, supervisor: Supervisor) -> None:
        self._folder = folder
        self._supervisor = supervisor
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        # Whether the last start found a saved state to go on from.
        self.resumed = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def saved(self) -> bool:
        """Whether there is a state that was saved whole."""
        return self._saved_mark.exists()

    @property
    def _saved_mark(self) -> Path:
        return self._folder / "saved"

    @property
    def log(self) -> Path:
        return self._folder / "cloud.log"

    def start(self, port: int) -> None:
        """Go on from the saved state when ``port`` is the one it was saved on and still free;
        otherwise, and for port 0, start a new cloud on any port."""
        self.resumed = port != 0 and self.saved and is_free(port)
        for attempt in range(1, _START_ATTEMPTS + 1):
            if not self.resumed:
                # Objects are written at once and all else at a clean stop, with the port in it:
                # halves do not fit together.
                self.forget()
                port = free_port()
            self.port = port
            self._prepare_folder()
            self._process = self._supervisor.start(
                "local cloud",
                [sys.executable, "-m", "ministack"],
                self._environment(),
                self.log,
                cwd=self._folder,
            )
            try:
                wait_until(self._ready, self._process, "local cloud", self.log, _START_SECONDS)
            except ProcessFailedError:
                # Between finding a free port and binding it somebody else may take it.
                taken = self._process.poll() == 1
                self._supervisor.stop(self._process, 0)
                if not taken or attempt == _START_ATTEMPTS:
                    raise
                self.resumed = False
            else:
                return

    def stop(self) -> None:
        """Stop it so that it saves its state; then its workers, whatever they are doing."""
        if self._process is not None:
            self._saved_mark.unlink(missing_ok=True)
            self._supervisor.stop(self._process, _STOP_SECONDS)
            if self._process.returncode == 0:
                self._saved_mark.touch()
            self._process = None

    def kill(self) -> None:
        """Stop it without saving: the state stays that of the last clean stop."""
        if self._process is not None:
            self._supervisor.stop(self._process, 0)
            self._process = None

    def forget(self) -> None:
        """Throw the saved state away (the process must be stopped)."""
        self._saved_mark.unlink(missing_ok=True)
        for part in ("state", "s3"):
            shutil.rmtree(self._folder / part, ignore_errors=True)

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def client(self, service: str) -> Any:
        """A boto3 client of this cloud; retries are off, because nothing here is far away."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(
                retries={"total_max_attempts": 1},
                proxies={},
                read_timeout=120,
                s3={"addressing_style": "path"},
            ),
        )

    def _prepare_folder(self) -> None:
        shutil.rmtree(self._folder / "tmp", ignore_errors=True)
        for part in ("state", "s3", "tmp"):
            (self._folder / part).mkdir(parents=True, exist_ok=True)

    def _environment(self) -> dict[str, str]:
        """All that the local cloud sees, and with it every function: nothing of the user's own
        environment (proxies, AWS profiles) gets in."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "HOME": str(self._folder / "tmp"),
            "TMPDIR": str(self._folder / "tmp"),
            "NO_PROXY": "*",
            "BIND_HOST": "127.0.0.1",
            # Some of its own calls go to this name; "localhost" may be ::1, where nobody listens.
            "MINISTACK_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "AWS_ENDPOINT_URL": self.url,
            "MINISTACK_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            **CREDENTIALS,
            "STATE_DIR": str(self._folder / "state"),
            "S3_DATA_DIR": str(self._folder / "s3"),
            "PERSIST_STATE": "1",
            "S3_PERSIST": "1",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
        }

    def _ready(self) -> bool:
        # http.client, unlike urllib, knows no proxies.
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/_ministack/health")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()
