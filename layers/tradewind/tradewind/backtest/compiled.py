"""How functions of the backtest are compiled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")

# numba takes machine code from its store while the function's own file is unchanged; but it holds
# the machine code of what the function calls, too, from other files. So any change here counts.
_SOURCES = tuple(
    (file.name, file.stat().st_mtime_ns, file.stat().st_size)
    for file in sorted(Path(__file__).parent.glob("*.py"))
)


# No allocation, so no counting of references (``_nrt`` is not numba's public interface), and no
# entry for callers in C: both take the compiler a good part of its time.
_OPTIONS: Final = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, "_nrt": False}


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """To machine code at the first call, kept on disk for the next process (beside the module, or
    in ``NUMBA_CACHE_DIR``). Runs without the interpreter's lock, so that threads share the cores.
    It writes into arrays that it is given, and cannot make any.
    """
    return _kept(njit(cache=True, **_OPTIONS)(function))


def compiled_allocating(function: Callable[P, R]) -> Callable[P, R]:
    """As ``compiled``, for what makes arrays of its own."""
    return _kept(njit(cache=True, **{**_OPTIONS, "_nrt": True})(function))


def compiled_sums(function: Callable[P, R]) -> Callable[P, R]:
    """As ``compiled``, for sums whose order does not matter: several additions at a time. NaN and
    infinity still come through."""
    return _kept(njit(cache=True, fastmath={"reassoc"}, **_OPTIONS)(function))


def _kept(dispatcher: Any) -> Callable[..., Any]:
    # Not numba's public interface; test_compiled.py holds it.
    dispatcher._cache._cache_file._source_stamp = _SOURCES
    machine_code: Callable[..., Any] = dispatcher
    return machine_code


def within(function: Callable[P, R]) -> Callable[P, R]:
    """A part of compiled functions that Python never calls: compiled with its caller, and kept with
    it, which is sooner done than ``compiled``."""
    machine_code: Callable[P, R] = njit(no_cpython_wrapper=True, **_OPTIONS)(function)
    return machine_code
