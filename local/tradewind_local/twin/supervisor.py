"""Processes of the twin: started as our children, stopped for certain, never left behind.

Three things hold together. Every child gets PR_SET_PDEATHSIG, so a SIGKILL of the command takes
it along (Linux; elsewhere the next start removes it). Every child is written down with its start
time in ``processes.json`` of the state folder. And a lock on the folder says whether its twin is
alive, so that whatever is written down while nobody holds the lock is stale.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from tradewind.errors import InvalidInputError, TradewindError

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_POLL_SECONDS = 0.02


class ProcessFailedError(TradewindError):
    """A process of the twin did not start, or ended by itself; the message has its last lines."""


def die_with_parent() -> Callable[[], None]:
    """For a child between fork and exec: SIGKILL it when the thread that starts it ends.

    Children are therefore started from the main thread only.
    """
    parent = os.getpid()

    def prepare() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it went in between
                os._exit(1)

    return prepare


class StateLock:
    """An exclusive lock on a state folder, given back by the kernel whatever becomes of us."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Raises InvalidInputError when another command holds it."""
        file = self._path.open("a+", encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise InvalidInputError(
                f"--state {self._path.parent}: in use by another tradewind command "
                f"(process {holder}); wait for it, stop it, or choose another folder"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class Supervisor:
    """Starts, writes down and stops the twin's processes. Hold the folder's lock while using it."""

    def __init__(self, folder: Path) -> None:
        self._registry = folder / "processes.json"

    def remove_stale(self) -> list[str]:
        """End what an earlier twin on this folder left running; the names of what was ended."""
        ended = []
        for entry in self._read_registry():
            # The start time tells our process from a later one that got its number.
            if _start_time(entry["pid"]) == entry["started"]:
                _kill_group(entry["pid"])
                ended.append(entry["name"])
        self._registry.unlink(missing_ok=True)
        return ended

    def start(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        cwd: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a child in a process group of its own, its output appended to ``log``."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - the command is ours
                list(command),
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(),  # no threads of ours hold locks here
            )
        self._record(name, process.pid)
        return process

    def _record(self, name: str, pid: int) -> None:
        entries = [*self._read_registry(), {"name": name, "pid": pid, "started": _start_time(pid)}]
        draft = self._registry.with_suffix(".tmp")
        draft.write_text(json.dumps(entries), encoding="ascii")
        draft.replace(self._registry)

    def stop(self, process: subprocess.Popen[bytes], grace: float) -> None:
        """SIGTERM, up to ``grace`` seconds, then SIGKILL to its whole group."""
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(grace)
        _kill_group(process.pid)
        process.wait()

    def forget_all(self) -> None:
        """Everything was stopped in order: nothing is left to remove at the next start."""
        self._registry.unlink(missing_ok=True)

    def _read_registry(self) -> list[dict[str, Any]]:
        try:
            entries = json.loads(self._registry.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return []
        return [
            entry
            for entry in (entries if isinstance(entries, list) else [])
            if isinstance(entry, dict) and {"name", "pid", "started"} <= entry.keys()
        ]


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _start_time(pid: int) -> int | None:
    """Clock ticks from boot to the process's start; None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name, in parentheses, may hold spaces; the start time is the 20th field after it.
    return int(stat.rpartition(")")[2].split()[19])


def wait_until(
    ready: Callable[[], bool],
    process: subprocess.Popen[bytes],
    name: str,
    log: Path,
    seconds: float,
) -> None:
    """Wait until ``ready()``; ProcessFailedError when the process ends first or time is up."""
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            raise ProcessFailedError(
                f"{name} ended with code {process.returncode}: {last_lines(log)}"
            )
        if time.monotonic() > deadline:
            raise ProcessFailedError(f"{name} was not ready in {seconds:g} s: {last_lines(log)}")
        time.sleep(_POLL_SECONDS)


def last_lines(log: Path, count: int = 12) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return f"no log at {log}"
    return "\n".join(lines[-count:]) or f"{log} is empty"
