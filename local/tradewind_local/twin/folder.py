"""Where a twin keeps everything: one folder, given with ``--state`` or made for one run."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from tradewind.errors import InvalidInputError

from tradewind_local.twin.supervisor import StateLock, Supervisor

# Written into every state folder, so that no other folder is ever taken for one.
_MARKER = "TRADEWIND_STATE"
_MARKER_TEXT = "The local twin's state: PostgreSQL, local cloud, exchange. Safe to delete.\n"
_TEMPORARY_PREFIX = "tradewind-run-"


class StateFolder:
    """A state folder, locked while this object is open.

    Layout: ``postgres/`` (the database), ``cloud/`` (the local cloud), ``exchange/`` (the
    simulated exchange), ``reports/`` (REPORT lines of the functions, of the last command), ``seed``
    (that of the exchange), ``ports.json``, ``processes.json`` (what runs) and ``lock``.
    """

    def __init__(self, path: Path, temporary: bool) -> None:
        self.path = path
        self.temporary = temporary
        self._lock = StateLock(path)
        self.supervisor = Supervisor(path)

    @classmethod
    def open(cls, asked: Path | None) -> StateFolder:
        """The asked-for folder, made when it is not there; a temporary one for None.

        Raises InvalidInputError: in use, not writable, or something else is in it.
        """
        if asked is None:
            _remove_abandoned(Path(tempfile.gettempdir()))
            return cls._locked(Path(tempfile.mkdtemp(prefix=_TEMPORARY_PREFIX)), temporary=True)
        try:
            path = asked.expanduser().resolve()
            path.mkdir(parents=True, exist_ok=True)
            known = (path / _MARKER).exists()
            if not known and any(path.iterdir()):
                raise InvalidInputError(
                    f"--state {asked}: has other files in it; give a new folder or one of a "
                    "former run"
                )
            if not os.access(path, os.W_OK | os.X_OK):
                raise InvalidInputError(f"--state {asked}: is not writable")
            return cls._locked(path, temporary=False)
        except (OSError, RuntimeError) as error:  # RuntimeError: a home that nobody has
            raise InvalidInputError(f"--state {asked}: cannot be used: {error}") from error

    @classmethod
    def _locked(cls, path: Path, temporary: bool) -> StateFolder:
        folder = cls(path, temporary)
        (path / _MARKER).write_text(_MARKER_TEXT, encoding="ascii")
        folder._lock.acquire()
        return folder

    def close(self) -> None:
        """Give the lock back; a temporary folder goes with everything in it."""
        if self.temporary:
            shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def cloud(self) -> Path:
        return self.path / "cloud"

    @property
    def exchange(self) -> Path:
        return self.path / "exchange"

    @property
    def ports(self) -> Path:
        return self.path / "ports.json"

    def settle_seed(self, seed: int) -> None:
        """The exchange keeps the seed it was founded with; InvalidInputError for another one."""
        note = self.path / "seed"
        if not note.exists():
            note.write_text(f"{seed}\n", encoding="ascii")
        elif (founded := note.read_text("ascii", "replace").strip()) != str(seed):
            raise InvalidInputError(
                f"--seed {seed}: the market in --state {self.path} was made with seed {founded}; "
                "give that one or another folder"
            )

    def fresh_reports(self) -> Path:
        """An empty folder for this command's REPORT lines."""
        reports = self.path / "reports"
        shutil.rmtree(reports, ignore_errors=True)
        reports.mkdir()
        return reports


def _remove_abandoned(parent: Path) -> None:
    """Temporary folders of commands that were killed: nobody holds their lock any more."""
    for path in parent.glob(f"{_TEMPORARY_PREFIX}*"):
        abandoned = StateFolder(path, temporary=True)
        try:
            if not (path / _MARKER).exists() or path.stat().st_uid != os.geteuid():
                continue
            abandoned._lock.acquire()
            abandoned.supervisor.remove_stale()
        except (InvalidInputError, OSError):
            continue  # in use, or just removed by another command
        abandoned.close()
