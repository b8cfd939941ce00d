"""Who the embedded PostgreSQL runs as, and what keeps it tied to the process that started it.

PostgreSQL refuses to run as root. As root it therefore runs as an unprivileged user, and no folder
is made more open for it: where that user cannot walk to the data or to the program (a checkout
below ``/root``), the server keeps the one capability that walking there takes and no other.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tradewind.errors import InvalidInputError

# From <linux/prctl.h> and <linux/capability.h>.
_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2

_CANDIDATES = ("postgres", "nobody")


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilitySet(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The user of the server's processes. ``switch`` is false when it is simply ours."""

    name: str
    uid: int
    gid: int
    switch: bool
    capability: int | None = None

    def own(self, *paths: Path) -> None:
        """Hand the paths over to the server (only as root; otherwise they are its own already)."""
        if self.switch:
            for path in paths:
                os.chown(path, self.uid, self.gid)

    def before_exec(self) -> Callable[[], None]:
        """What the child does between fork and exec: become the user, die with its parent.

        The parent's death is the death of the *thread* that started the child.
        """
        parent = os.getpid()
        libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

        def prepare() -> None:
            os.umask(0o077)
            if self.switch:
                self._become(libc)
            if libc is not None:
                # SIGINT is PostgreSQL's fast shutdown: clients are cut off, nothing is lost.
                libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
                if os.getppid() != parent:
                    os._exit(1)

        return prepare

    def _become(self, libc: ctypes.CDLL | None) -> None:
        if libc is not None and self.capability is not None:
            libc.prctl(_PR_SET_KEEPCAPS, 1)
        os.setgroups([])
        os.setgid(self.gid)
        os.setuid(self.uid)
        if libc is not None and self.capability is not None:
            mask = 1 << self.capability
            header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
            sets = (_CapabilitySet * 2)(_CapabilitySet(mask, mask, mask))
            if libc.capset(ctypes.byref(header), sets) != 0:
                os._exit(1)
            libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, self.capability, 0, 0)


def server_user(folder: Path, program: Path) -> ServerUser:
    """The user for a server with its data below ``folder`` and its binary at ``program``.

    Raises InvalidInputError (one line) when root has no user that can reach both.
    """
    if os.geteuid() != 0:
        own = pwd.getpwuid(os.geteuid())
        return ServerUser(own.pw_name, os.geteuid(), os.getegid(), switch=False)
    entry = _unprivileged_entry()
    uid, gid = entry.pw_uid, entry.pw_gid
    if not _may_run(program, uid, gid):
        needed: Sequence[int] = (_CAP_DAC_OVERRIDE,)
    elif _may_walk_to(folder, uid, gid) and _may_walk_to(program.parent, uid, gid):
        needed = ()
    else:
        needed = (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE)
    if not needed:
        return ServerUser(entry.pw_name, uid, gid, switch=True)
    held = _permitted_capabilities()
    for capability in needed:
        if held >> capability & 1:
            return ServerUser(entry.pw_name, uid, gid, switch=True, capability=capability)
    raise InvalidInputError(
        f"PostgreSQL does not run as root, and user {entry.pw_name!r} cannot reach {folder} or "
        f"{program.parent}: run as an ordinary user, or keep both where every user can walk to"
    )


def _unprivileged_entry() -> pwd.struct_passwd:
    for name in _CANDIDATES:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise InvalidInputError(
        "PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody' to run it "
        "as: create one, or run as an ordinary user"
    )


def _mode_for(path: Path, uid: int, gid: int) -> int:
    """The rwx bits that the path's mode gives this user (0..7)."""
    status = path.stat()
    shift = 6 if status.st_uid == uid else 3 if status.st_gid == gid else 0
    return status.st_mode >> shift & 0o7


def _may_walk_to(folder: Path, uid: int, gid: int) -> bool:
    absolute = folder.resolve()
    return all(_mode_for(step, uid, gid) & 1 for step in (absolute, *absolute.parents))


def _may_run(program: Path, uid: int, gid: int) -> bool:
    return _mode_for(program, uid, gid) & 5 == 5


def _permitted_capabilities() -> int:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("CapPrm:"):
            return int(line.split()[1], 16)
    return 0
